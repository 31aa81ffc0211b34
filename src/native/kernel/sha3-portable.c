/* One message after another, for any little-endian processor. */
#include <stdint.h>

#define LANES 1
#define TARGET
#define HASH_MANY sha3_256_portable
typedef uint64_t vector;

#define xor2(a, b) ((a) ^ (b))
#define xor3(a, b, c) ((a) ^ (b) ^ (c))
#define chi(a, b, c) ((a) ^ (~(b) & (c)))
#define rotate(a, n) ((a) << (n) | (a) >> (-(n) & 63))
#define broadcast(u) (u)

static inline void absorb(vector state[25], const uint8_t *const at[LANES]) {
  for (int i = 0; i < 17; i++) {
    uint64_t word;
    __builtin_memcpy(&word, at[0] + 8 * i, 8);
    state[i] ^= word;
  }
}

#include "sha3-lanes.h"
