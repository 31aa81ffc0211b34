#ifndef CHAINKEEP_PRODUCTS_H
#define CHAINKEEP_PRODUCTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * A matrix times rows of bytes, in the field of 256 elements that AES has (polynomial 0x11b), from column `from` on:
 *
 *     targets[t][x] ^= coefficients[t][s] * sources[s][x]   for every t, s and from <= x < length
 *
 * Rows lie one after another, each `length` bytes long; of the coefficients, each `source_count`. See ../products.ts.
 */
struct products {
  const uint8_t *coefficients;
  const uint8_t *sources;
  size_t source_count;
  uint8_t *targets;
  size_t target_count;
  size_t length;
};

typedef void (*add_products)(const struct products *products, size_t from);

/* Each is to be called only where `products_implementations` says so. */
void add_products_gfni512(const struct products *products, size_t from);
void add_products_gfni256(const struct products *products, size_t from);
void add_products_avx2(const struct products *products, size_t from);
void add_products_portable(const struct products *products, size_t from);

struct products_implementation {
  const char *name;
  add_products add;
};

/* Those that this processor and operating system can run, the fastest first, ended by a NULL name. */
const struct products_implementation *products_implementations(void);

#endif
