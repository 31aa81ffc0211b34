/*
 * SHA3-256 of many messages, LANES at once: word i of the state of every message in flight stands in one vector.
 * A lane whose message ends takes the next one at once, so that lengths need not be alike.
 *
 * This is a template. A file that includes it defines before:
 *   LANES          how many
 *   TARGET         attributes that every function needs, such as the instruction set
 *   vector         LANES times 64 bits
 *   xor2, xor3     of vectors
 *   chi(a, b, c)   a ^ (~b & c)
 *   rotate(a, n)   each lane to the left, n from 0 to 63, constant; xor_rotate(a, b, n) where that is one instruction
 *   broadcast(u)   one u64 in all lanes
 *   absorb         static void absorb(vector state[25], const uint8_t *const at[LANES]): xors a block of each lane into it
 *   HASH_MANY      the name of the function that is made
 *
 * Source: FIPS 202; numbering of words and steps as there, word x + 5y.
 */
#include <string.h>

#include "sha3.h"

#define BLOCK_BYTES 136

#ifndef xor_rotate
#define xor_rotate(a, b, n) rotate(xor2(a, b), n)
#endif

static const uint64_t ROUND_CONSTANTS[24] = {
  0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
  0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
  0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089,
  0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
  0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/* Row y of the next state: theta's last step, rho, pi and chi of the five words that pi brings together there. */
#define ROW(to, y, from, i0, r0, i1, r1, i2, r2, i3, r3, i4, r4) \
  do { \
    const vector b0 = xor_rotate(from[i0], d[i0 % 5], r0); \
    const vector b1 = xor_rotate(from[i1], d[i1 % 5], r1); \
    const vector b2 = xor_rotate(from[i2], d[i2 % 5], r2); \
    const vector b3 = xor_rotate(from[i3], d[i3 % 5], r3); \
    const vector b4 = xor_rotate(from[i4], d[i4 % 5], r4); \
    to[5 * y] = chi(b0, b1, b2); \
    to[5 * y + 1] = chi(b1, b2, b3); \
    to[5 * y + 2] = chi(b2, b3, b4); \
    to[5 * y + 3] = chi(b3, b4, b0); \
    to[5 * y + 4] = chi(b4, b0, b1); \
  } while (0)

#define PARITY(a, x) xor3(xor3(a[x], a[x + 5], a[x + 10]), a[x + 15], a[x + 20])

#define ROUND(to, from, constant) \
  do { \
    const vector c0 = PARITY(from, 0), c1 = PARITY(from, 1), c2 = PARITY(from, 2), c3 = PARITY(from, 3), \
                 c4 = PARITY(from, 4); \
    const vector d[5] = {xor2(c4, rotate(c1, 1)), xor2(c0, rotate(c2, 1)), xor2(c1, rotate(c3, 1)), \
                         xor2(c2, rotate(c4, 1)), xor2(c3, rotate(c0, 1))}; \
    ROW(to, 0, from, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14); \
    ROW(to, 1, from, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61); \
    ROW(to, 2, from, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18); \
    ROW(to, 3, from, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56); \
    ROW(to, 4, from, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2); \
    to[0] = xor2(to[0], broadcast(constant)); \
  } while (0)

/* Keccak-f[1600] of all lanes. */
TARGET static void permute(vector state[25]) {
  vector a[25], b[25];
  memcpy(a, state, sizeof a);
  for (int round = 0; round < 24; round += 2) {
    ROUND(b, a, ROUND_CONSTANTS[round]);
    ROUND(a, b, ROUND_CONSTANTS[round + 1]);
  }
  memcpy(state, a, sizeof a);
}

union state {
  vector word[25];
  uint64_t lane[25][LANES];
};

/* A message on its way through a lane. A lane without one hashes zeros, and never comes to their end. */
struct flight {
  const struct message *message;
  size_t left, step;
  uint8_t tail[BLOCK_BYTES]; /* the last block, padded */
};

static const uint8_t ZEROS[BLOCK_BYTES];

/* Returns where the lane is to read. */
static const uint8_t *board(struct flight *flight, const struct message *message) {
  flight->message = message;
  flight->left = message ? message->length : SIZE_MAX;
  flight->step = message ? BLOCK_BYTES : 0;
  return message ? message->bytes : ZEROS;
}

/* Returns what the lane is to read instead of its last, incomplete block. */
static const uint8_t *pad(struct flight *flight, const uint8_t *at) {
  memset(flight->tail, 0, BLOCK_BYTES);
  if (flight->left > 0) memcpy(flight->tail, at, flight->left);
  flight->tail[flight->left] = 0x06; /* SHA-3's two bits, and the first of the padding */
  flight->tail[BLOCK_BYTES - 1] |= 0x80;
  return flight->tail;
}

/* Writes the lane's result and clears its state. */
static void land(const struct flight *flight, union state *state, int lane) {
  for (int word = 0; word < ID_BYTES / 8; word++) memcpy(flight->message->id + 8 * word, &state->lane[word][lane], 8);
  for (int word = 0; word < 25; word++) state->lane[word][lane] = 0;
}

/* How many whole blocks all lanes have before them. */
static size_t common_blocks(const struct flight flights[LANES]) {
  size_t left = SIZE_MAX;
  for (int lane = 0; lane < LANES; lane++)
    if (flights[lane].left < left) left = flights[lane].left;
  return left / BLOCK_BYTES;
}

TARGET void HASH_MANY(const struct message *messages, size_t count) {
  union state state;
  struct flight flights[LANES];
  const uint8_t *at[LANES];
  const struct message *const end = messages + count;
  memset(&state, 0, sizeof state);
  for (int lane = 0; lane < LANES; lane++) at[lane] = board(&flights[lane], messages < end ? messages++ : NULL);

  for (size_t landed = 0; landed < count;) {
    const size_t blocks = common_blocks(flights);
    for (size_t i = 0; i < blocks; i++) {
      absorb(state.word, at);
      permute(state.word);
      for (int lane = 0; lane < LANES; lane++) at[lane] += flights[lane].step;
    }
    /* One block more, the last one of at least one message. */
    for (int lane = 0; lane < LANES; lane++) {
      flights[lane].left -= blocks * flights[lane].step;
      if (flights[lane].left < BLOCK_BYTES) at[lane] = pad(&flights[lane], at[lane]);
    }
    absorb(state.word, at);
    permute(state.word);
    for (int lane = 0; lane < LANES; lane++) {
      if (flights[lane].left >= BLOCK_BYTES) {
        flights[lane].left -= flights[lane].step;
        at[lane] += flights[lane].step;
        continue;
      }
      land(&flights[lane], &state, lane);
      landed++;
      at[lane] = board(&flights[lane], messages < end ? messages++ : NULL);
    }
  }
}
