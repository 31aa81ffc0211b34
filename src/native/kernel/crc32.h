#ifndef CHAINKEEP_CRC32_H
#define CHAINKEEP_CRC32_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t (*crc32_function)(const uint8_t *bytes, size_t length);

/* CRC-32 of ISO-HDLC, which zlib computes, too; NULL where this processor has no instructions that do better than zlib. */
crc32_function find_crc32(void);

#endif
