/* Two lanes of NEON, which every 64-bit ARM has. */
#if defined(__aarch64__)
#include <arm_neon.h>
#include <stdint.h>

#define LANES 2
#define TARGET
#define HASH_MANY sha3_256_neon
typedef uint64x2_t vector;

#define xor2 veorq_u64
#if defined(__ARM_FEATURE_SHA3) /* told to the compiler, as on Apple's processors */
#define xor3 veor3q_u64
#define chi(a, b, c) vbcaxq_u64(a, c, b)
#define xor_rotate(a, b, n) vxarq_u64(a, b, (64 - (n)) & 63)
#else
#define xor3(a, b, c) xor2(xor2(a, b), c)
#define chi(a, b, c) xor2(a, vbicq_u64(c, b))
#endif
/* Shift left and insert; by 0 it would be a shift by 64 to the right, which there is not. */
#define rotate(a, n) ((n) == 0 ? (a) : vsliq_n_u64(vshrq_n_u64(a, (64 - (n)) | ((n) == 0)), a, n))
#define broadcast(u) vdupq_n_u64(u)

static inline void absorb(vector state[25], const uint8_t *const at[LANES]) {
  for (int i = 0; i < 16; i += 2) {
    const vector first = vreinterpretq_u64_u8(vld1q_u8(at[0] + 8 * i));
    const vector second = vreinterpretq_u64_u8(vld1q_u8(at[1] + 8 * i));
    state[i] = xor2(state[i], vtrn1q_u64(first, second));
    state[i + 1] = xor2(state[i + 1], vtrn2q_u64(first, second));
  }
  const uint8x8_t first = vld1_u8(at[0] + 128), second = vld1_u8(at[1] + 128);
  state[16] = xor2(state[16], vreinterpretq_u64_u8(vcombine_u8(first, second)));
}

#include "sha3-lanes.h"
#endif
