/*
 * The template of all implementations with vector instructions. It wants to be told
 *
 *     ADD_PRODUCTS, TARGET       the function's name, and the attribute that allows the instructions
 *     vector, load, store, xor2  of bytes
 *     factor, factor_of          a coefficient, prepared; and how
 *     multiply(factor, vector)
 *
 * Four sources are added to a target in one turn, so that it is loaded and stored a fourth as often.
 */
#include "products.h"

#define WIDTH sizeof(vector)
/* Of a row: four of them and a target stay in the first cache. */
#define TILE 4096
#define AT_ONCE 4

TARGET static inline void add_four(const struct products *products, size_t t, size_t s, size_t from, size_t until) {
  const uint8_t *coefficient = products->coefficients + t * products->source_count + s;
  const size_t length = products->length;
  const uint8_t *source = products->sources + s * length;
  uint8_t *target = products->targets + t * length;
  const factor a = factor_of(coefficient[0]), b = factor_of(coefficient[1]);
  const factor c = factor_of(coefficient[2]), d = factor_of(coefficient[3]);
  for (size_t x = from; x < until; x += WIDTH) {
    const vector ab = xor2(multiply(a, load(source + x)), multiply(b, load(source + length + x)));
    const vector cd = xor2(multiply(c, load(source + 2 * length + x)), multiply(d, load(source + 3 * length + x)));
    store(target + x, xor2(load(target + x), xor2(ab, cd)));
  }
}

TARGET static inline void add_one(const struct products *products, size_t t, size_t s, size_t from, size_t until) {
  const uint8_t *source = products->sources + s * products->length;
  uint8_t *target = products->targets + t * products->length;
  const factor a = factor_of(products->coefficients[t * products->source_count + s]);
  for (size_t x = from; x < until; x += WIDTH) store(target + x, xor2(load(target + x), multiply(a, load(source + x))));
}

TARGET void ADD_PRODUCTS(const struct products *products, size_t from) {
  const size_t whole = products->length - (products->length - from) % WIDTH;
  for (; from < whole;) {
    const size_t until = whole - from < TILE ? whole : from + TILE;
    size_t s = 0;
    for (; s + AT_ONCE <= products->source_count; s += AT_ONCE)
      for (size_t t = 0; t < products->target_count; t++) add_four(products, t, s, from, until);
    for (; s < products->source_count; s++)
      for (size_t t = 0; t < products->target_count; t++) add_one(products, t, s, from, until);
    from = until;
  }
  add_products_portable(products, whole);
}
