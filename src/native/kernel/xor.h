#ifndef CHAINKEEP_XOR_H
#define CHAINKEEP_XOR_H

#include <stddef.h>
#include <stdint.h>

#define XOR_KEY_BYTES 8

/* XORs bytes with the key, over and over from the first byte on, into target: the same bytes, or apart from them. */
void apply_xor_key(const uint8_t *bytes, size_t length, const uint8_t key[XOR_KEY_BYTES], uint8_t *target);

#endif
