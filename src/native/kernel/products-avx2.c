/*
 * 32 bytes at once, by the products of their halves: of each nibble they lie in a register, where a shuffle looks them up
 * (Plank, Greenan and Miller, "Screaming Fast Galois Field Arithmetic Using Intel SIMD Instructions", FAST 2013).
 */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#include "products.h"

#define ADD_PRODUCTS add_products_avx2
#define TARGET __attribute__((target("avx2")))
typedef __m256i vector;

typedef struct {
  __m256i low, high;
} factor;

/* Times x, which is 2. */
static inline uint8_t doubled(uint8_t a) { return (uint8_t)(a << 1 ^ (a >> 7) * 0x1b); }

TARGET static inline factor factor_of(uint8_t coefficient) {
  uint8_t products[2][16] = {{0}, {0}};
  uint8_t power = coefficient;
  for (int half = 0; half < 2; half++)
    for (int bit = 1; bit < 16; bit <<= 1, power = doubled(power))
      for (int i = 0; i < bit; i++) products[half][bit + i] = products[half][i] ^ power;
  return (factor){_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)products[0])),
                  _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)products[1]))};
}

#define load(at) _mm256_loadu_si256((const __m256i *)(at))
#define store(at, v) _mm256_storeu_si256((__m256i *)(at), v)
#define xor2 _mm256_xor_si256

TARGET static inline vector multiply(factor by, vector bytes) {
  const vector nibble = _mm256_set1_epi8(15);
  const vector low = _mm256_and_si256(bytes, nibble);
  const vector high = _mm256_and_si256(_mm256_srli_epi64(bytes, 4), nibble);
  return xor2(_mm256_shuffle_epi8(by.low, low), _mm256_shuffle_epi8(by.high, high));
}

#include "products-lanes.h"
#endif
