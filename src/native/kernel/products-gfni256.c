/* 32 bytes at once, for processors with GFNI that lack AVX-512. */
#if defined(__x86_64__)
#include <immintrin.h>

#define ADD_PRODUCTS add_products_gfni256
#define TARGET __attribute__((target("avx2,gfni")))
typedef __m256i vector;
typedef __m256i factor;

#define load(at) _mm256_loadu_si256((const __m256i *)(at))
#define store(at, v) _mm256_storeu_si256((__m256i *)(at), v)
#define xor2 _mm256_xor_si256
#define factor_of(coefficient) _mm256_set1_epi8((char)(coefficient))
#define multiply _mm256_gf2p8mul_epi8

#include "products-lanes.h"
#endif
