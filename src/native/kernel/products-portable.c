/* Eight targets at once: one look-up answers the products of a source's byte for all of them, as the bytes of a word. */
#include "products.h"

#define AT_ONCE 8
/* Of a row: the sums of so many columns stay in the first cache. */
#define TILE 2048

/* Times x, each of eight elements. */
static inline uint64_t doubled_each(uint64_t word) {
  const uint64_t high = word >> 7 & 0x0101010101010101;
  return (word << 1 & 0xfefefefefefefefe) ^ high * 0x1b;
}

static void add_columns(const struct products *products, size_t first, size_t count, size_t from, size_t until) {
  uint64_t sums[TILE] = {0};
  for (size_t s = 0; s < products->source_count; s++) {
    uint64_t table[256] = {0};
    for (size_t t = 0; t < count; t++)
      table[1] |= (uint64_t)products->coefficients[(first + t) * products->source_count + s] << 8 * t;
    for (int i = 2; i < 256; i++) table[i] = doubled_each(table[i >> 1]) ^ (i & 1 ? table[1] : 0);
    const uint8_t *source = products->sources + s * products->length;
    for (size_t x = from; x < until; x++) sums[x - from] ^= table[source[x]];
  }
  for (size_t t = 0; t < count; t++) {
    uint8_t *target = products->targets + (first + t) * products->length;
    for (size_t x = from; x < until; x++) target[x] ^= (uint8_t)(sums[x - from] >> 8 * t);
  }
}

void add_products_portable(const struct products *products, size_t from) {
  for (; from < products->length; from += TILE) {
    const size_t until = products->length - from < TILE ? products->length : from + TILE;
    for (size_t first = 0; first < products->target_count; first += AT_ONCE) {
      const size_t left = products->target_count - first;
      add_columns(products, first, left < AT_ONCE ? left : AT_ONCE, from, until);
    }
  }
}
