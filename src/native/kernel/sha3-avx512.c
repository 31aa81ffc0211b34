/* Eight lanes of AVX-512: three-way logic for theta and chi, a rotation in one instruction, and registers enough. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#define LANES 8
#define TARGET __attribute__((target("avx512f")))
#define HASH_MANY sha3_256_avx512
typedef __m512i vector;

#define xor2 _mm512_xor_si512
#define xor3(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define chi(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0xd2)
#define rotate(a, n) _mm512_rol_epi64(a, n)
#define broadcast(u) _mm512_set1_epi64((long long)(u))

/* Word w of lane l is word l of row w afterwards. */
TARGET static inline void transpose(vector row[8]) {
  vector pairs[8], quads[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm512_unpacklo_epi64(row[i], row[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi64(row[i], row[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int odd = 0; odd < 2; odd++) {
      quads[i + odd] = _mm512_shuffle_i64x2(pairs[i + odd], pairs[i + odd + 2], 0x88);
      quads[i + odd + 2] = _mm512_shuffle_i64x2(pairs[i + odd], pairs[i + odd + 2], 0xdd);
    }
  for (int i = 0; i < 4; i++) {
    row[i] = _mm512_shuffle_i64x2(quads[i], quads[i + 4], 0x88);
    row[i + 4] = _mm512_shuffle_i64x2(quads[i], quads[i + 4], 0xdd);
  }
}

TARGET static inline long long word_at(const uint8_t *at) {
  long long word;
  __builtin_memcpy(&word, at, 8);
  return word;
}

/* Transposing what is read in rows takes half the time of gathering it. */
TARGET static inline void absorb(vector state[25], const uint8_t *const at[LANES]) {
  for (int half = 0; half < 16; half += 8) {
    vector row[8];
    for (int lane = 0; lane < 8; lane++) row[lane] = _mm512_loadu_si512(at[lane] + 8 * half);
    transpose(row);
    for (int i = 0; i < 8; i++) state[half + i] = xor2(state[half + i], row[i]);
  }
  const vector last = _mm512_set_epi64(word_at(at[7] + 128), word_at(at[6] + 128), word_at(at[5] + 128),
                                       word_at(at[4] + 128), word_at(at[3] + 128), word_at(at[2] + 128),
                                       word_at(at[1] + 128), word_at(at[0] + 128));
  state[16] = xor2(state[16], last);
}

#include "sha3-lanes.h"
#endif
