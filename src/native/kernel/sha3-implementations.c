#include "sha3.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words are read as they lie in memory: little-endian processors only"
#endif

const struct sha3_implementation *sha3_implementations(void) {
  static const struct sha3_implementation all[] = {
#if defined(__x86_64__)
    {"avx512", sha3_256_avx512},
    {"avx2", sha3_256_avx2},
#elif defined(__aarch64__)
    {"neon", sha3_256_neon},
#endif
    {"portable", sha3_256_portable},
    {NULL, NULL},
  };
#if defined(__x86_64__)
  /* The builtin asks the operating system, too, whether it saves the registers. */
  if (__builtin_cpu_supports("avx512f")) return all;
  if (__builtin_cpu_supports("avx2")) return all + 1;
  return all + 2;
#else
  return all;
#endif
}
