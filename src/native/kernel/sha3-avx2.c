/* Four lanes of AVX2. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#define LANES 4
#define TARGET __attribute__((target("avx2")))
#define HASH_MANY sha3_256_avx2
typedef __m256i vector;

#define xor2 _mm256_xor_si256
#define xor3(a, b, c) xor2(xor2(a, b), c)
#define chi(a, b, c) xor2(a, _mm256_andnot_si256(b, c))
#define rotate(a, n) _mm256_or_si256(_mm256_slli_epi64(a, n), _mm256_srli_epi64(a, 64 - (n)))
#define broadcast(u) _mm256_set1_epi64x((long long)(u))

TARGET static inline long long word_at(const uint8_t *at) {
  long long word;
  __builtin_memcpy(&word, at, 8);
  return word;
}

/* Reads four words of each lane at once and transposes them. */
TARGET static inline void absorb(vector state[25], const uint8_t *const at[LANES]) {
  for (int i = 0; i < 16; i += 4) {
    vector row[4];
    for (int lane = 0; lane < 4; lane++) row[lane] = _mm256_loadu_si256((const vector *)(at[lane] + 8 * i));
    const vector even01 = _mm256_unpacklo_epi64(row[0], row[1]), odd01 = _mm256_unpackhi_epi64(row[0], row[1]);
    const vector even23 = _mm256_unpacklo_epi64(row[2], row[3]), odd23 = _mm256_unpackhi_epi64(row[2], row[3]);
    state[i] = xor2(state[i], _mm256_permute2x128_si256(even01, even23, 0x20));
    state[i + 1] = xor2(state[i + 1], _mm256_permute2x128_si256(odd01, odd23, 0x20));
    state[i + 2] = xor2(state[i + 2], _mm256_permute2x128_si256(even01, even23, 0x31));
    state[i + 3] = xor2(state[i + 3], _mm256_permute2x128_si256(odd01, odd23, 0x31));
  }
  const vector last = _mm256_set_epi64x(word_at(at[3] + 128), word_at(at[2] + 128), word_at(at[1] + 128),
                                        word_at(at[0] + 128));
  state[16] = xor2(state[16], last);
}

#include "sha3-lanes.h"
#endif
