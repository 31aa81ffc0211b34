/* 64 bytes at once: GFNI multiplies in the field of AES, in one instruction. */
#if defined(__x86_64__)
#include <immintrin.h>

#define ADD_PRODUCTS add_products_gfni512
#define TARGET __attribute__((target("avx512f,avx512bw,gfni")))
typedef __m512i vector;
typedef __m512i factor;

#define load(at) _mm512_loadu_si512(at)
#define store(at, v) _mm512_storeu_si512(at, v)
#define xor2 _mm512_xor_si512
#define factor_of(coefficient) _mm512_set1_epi8((char)(coefficient))
#define multiply _mm512_gf2p8mul_epi8

#include "products-lanes.h"
#endif
