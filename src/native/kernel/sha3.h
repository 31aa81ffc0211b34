#ifndef CHAINKEEP_SHA3_H
#define CHAINKEEP_SHA3_H

#include <stddef.h>
#include <stdint.h>

#define ID_BYTES 32

/* What is to be hashed, and where its 32 bytes of SHA3-256 go. Both are borrowed. */
struct message {
  const uint8_t *bytes;
  size_t length;
  uint8_t *id;
};

/* Hashes all messages. Those of similar lengths should be neighbours, and the longest come first. */
typedef void (*sha3_256_many)(const struct message *messages, size_t count);

/* Each is to be called only where `sha3_implementations` says so. */
void sha3_256_avx512(const struct message *messages, size_t count);
void sha3_256_avx2(const struct message *messages, size_t count);
void sha3_256_neon(const struct message *messages, size_t count);
void sha3_256_portable(const struct message *messages, size_t count);

struct sha3_implementation {
  const char *name;
  sha3_256_many hash;
};

/* Those that this processor and operating system can run, the fastest first, ended by a NULL name. */
const struct sha3_implementation *sha3_implementations(void);

#endif
