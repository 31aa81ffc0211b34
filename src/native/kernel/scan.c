/*
 * FastCDC, cut for cut as fastcdc-rs v2020; see ../scan.ts.
 *
 * The hash is h = 2h + gear[byte]: each waits for the one before. So a stretch is searched in blocks of four lanes, which
 * do not wait for each other. What is older than 64 bytes has been shifted out of a hash, so a lane gets its own from the
 * 64 bytes before it. In a first backup on a 2.5 GHz Xeon (Sapphire Rapids), four bytes a turn without lanes: 2.5 GB/s;
 * with lanes, and the next block brought into the cache: 4.3 GB/s. That is two loads for each byte, nearly as many as
 * the processor can do. AVX-512 was slower, with 8 lanes, 16, or beside scalar ones: its gathers load as much.
 */
#include "scan.h"

#include <string.h>

#define LANE_BYTES 1024
#define BLOCK_BYTES (4 * LANE_BYTES)
/* The last of which decide all bits of a hash. */
#define WINDOW_BYTES 64
#define CACHE_LINE_BYTES 64

static inline uint64_t hash_window(const uint8_t *bytes, const uint64_t *gear) {
  uint64_t h = 0;
  for (size_t i = 0; i < WINDOW_BYTES; i++) h = (h << 1) + gear[bytes[i]];
  return h;
}

/* Lane by lane, so that their loads and sums are under way at once. */
#define MATCHES(h, byte) ((h = (h << 1) + gear[byte], (h & mask) == 0))
#define ANY_MATCHES(i) \
  (MATCHES(h0, lane0[i]) || MATCHES(h1, lane1[i]) || MATCHES(h2, lane2[i]) || MATCHES(h3, lane3[i]))

/* Whether no hash in a block matches. If so, `hash` is moved on from the byte before the block to its last one. */
static inline bool pass_block(const uint8_t *lane0, uint64_t mask, uint64_t *hash, const uint64_t *gear) {
  const uint8_t *lane1 = lane0 + LANE_BYTES, *lane2 = lane1 + LANE_BYTES, *lane3 = lane2 + LANE_BYTES;
  uint64_t h0 = *hash;
  uint64_t h1 = hash_window(lane1 - WINDOW_BYTES, gear);
  uint64_t h2 = hash_window(lane2 - WINDOW_BYTES, gear);
  uint64_t h3 = hash_window(lane3 - WINDOW_BYTES, gear);
  for (size_t line = 0; line < LANE_BYTES; line += CACHE_LINE_BYTES) {
    /* Of the next block. Reads nothing, so it may be beyond the bytes. */
    for (size_t lane = 0; lane < 4; lane++) __builtin_prefetch(lane0 + BLOCK_BYTES + lane * LANE_BYTES + line);
    for (size_t i = line; i < line + CACHE_LINE_BYTES; i += 4)
      if (ANY_MATCHES(i) || ANY_MATCHES(i + 1) || ANY_MATCHES(i + 2) || ANY_MATCHES(i + 3)) return false;
  }
  *hash = h3;
  return true;
}

/* As `find_match`, one hash after another. */
static inline size_t find_in_order(const uint8_t *bytes, size_t at, size_t until, uint64_t mask, uint64_t *hash,
                                   const uint64_t *gear) {
  uint64_t h = *hash;
  for (; at < until; at++) {
    h = (h << 1) + gear[bytes[at]];
    if ((h & mask) == 0) return at;
  }
  *hash = h;
  return at;
}

/* The first offset in [at, until) whose hash matches `mask`; if there is none, `until`, or `at` if that is beyond. */
static size_t find_match(const uint8_t *bytes, size_t at, size_t until, uint64_t mask, uint64_t *hash,
                         const uint64_t *gear) {
  while (at + BLOCK_BYTES <= until && pass_block(bytes + at, mask, hash, gear)) at += BLOCK_BYTES;
  return find_in_order(bytes, at, until, mask, hash, gear);
}

static size_t chunk_end(const uint8_t *bytes, size_t start, size_t end, const struct scanner *scanner) {
  const size_t stop = end - ((end - start) & 1); /* v2020 looks at pairs of bytes, never at an odd last one */
  const size_t average_end = start + scanner->average_bytes;
  const size_t centre = average_end < stop ? average_end : stop;
  uint64_t hash = 0;
  size_t at = find_match(bytes, start + scanner->min_bytes, centre, scanner->strict_mask, &hash, scanner->gear);
  if (at < centre) return at;
  at = find_match(bytes, at, stop, scanner->loose_mask, &hash, scanner->gear);
  return at < stop ? at : end;
}

static bool all_zero(const uint8_t *bytes, size_t length) {
  return bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

size_t find_cuts(const uint8_t *bytes, size_t start, size_t end, bool last, uint32_t *ends, size_t room,
                 const struct scanner *scanner) {
  const size_t max_bytes = scanner->max_bytes;
  size_t zeros = 0; /* the length of a chunk among zeros; found by the scan itself when it first meets them */
  size_t count = 0;
  for (size_t at = start; last ? at < end : end - at >= max_bytes; count++) {
    if (count == room) return NO_ROOM;
    const bool whole = end - at >= max_bytes;
    const bool zero = whole && all_zero(bytes + at, max_bytes);
    if (zero && zeros > 0) {
      at += zeros;
    } else {
      const size_t chunk = at;
      at = chunk_end(bytes, chunk, whole ? chunk + max_bytes : end, scanner);
      if (zero) zeros = at - chunk;
    }
    ends[count] = (uint32_t)at;
  }
  return count;
}
