#include "products.h"

const struct products_implementation *products_implementations(void) {
  static const struct products_implementation all[] = {
#if defined(__x86_64__)
    {"gfni512", add_products_gfni512},
    {"gfni256", add_products_gfni256},
    {"avx2", add_products_avx2},
#endif
    {"portable", add_products_portable},
    {NULL, NULL},
  };
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2")) return all + 3;
  if (!__builtin_cpu_supports("gfni")) return all + 2;
  if (!__builtin_cpu_supports("avx512bw")) return all + 1; /* which no processor has without avx512f */
#endif
  return all;
}
