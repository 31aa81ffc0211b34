#include "xor.h"

#include <string.h>

void apply_xor_key(const uint8_t *bytes, size_t length, const uint8_t key[XOR_KEY_BYTES], uint8_t *target) {
  uint64_t key_word, word;
  size_t at = 0;
  memcpy(&key_word, key, sizeof key_word);
  for (; at + sizeof word <= length; at += sizeof word) { /* compilers make vectors of it */
    memcpy(&word, bytes + at, sizeof word);
    word ^= key_word;
    memcpy(target + at, &word, sizeof word);
  }
  for (; at < length; at++) target[at] = bytes[at] ^ key[at % XOR_KEY_BYTES];
}
