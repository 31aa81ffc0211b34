#ifndef CHAINKEEP_SCAN_H
#define CHAINKEEP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What decides where chunks end, as an array of u64. The caller has checked 0 < minBytes, averageBytes <= maxBytes. */
struct scanner {
  uint64_t min_bytes, average_bytes, max_bytes;
  /* Of the hash, before and after the average length. */
  uint64_t strict_mask, loose_mask;
  uint64_t gear[256];
};

#define NO_ROOM SIZE_MAX

/*
 * Finds the ends of the chunks of bytes[start, end) as `FindCuts` of ../scan.ts says. Returns their number, or NO_ROOM
 * if `ends` has room for fewer. `end` must fit into 32 bits.
 */
size_t find_cuts(const uint8_t *bytes, size_t start, size_t end, bool last, uint32_t *ends, size_t room,
                 const struct scanner *scanner);

#endif
