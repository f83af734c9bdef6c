/* vectors: hex files of tests/vectors, and what the tests of this folder share. */
#ifndef OWLT_TESTS_VECTORS_H
#define OWLT_TESTS_VECTORS_H

#include "bundle/bundle.h"
#include "bundle/rule.h"

#define VECTOR_MAX 4096
#define T0 UINT64_C(820000000000)

/* Bytes of a hex text (blanks allowed) into `out`; fails the test when it is none. */
size_t hex_bytes(const char *hex, uint8_t out[VECTOR_MAX]);
/* Bytes of tests/vectors/NAME.hex. */
size_t vector_load(const char *name, uint8_t out[VECTOR_MAX]);
/* The bytes and the hex text are equal, or the test fails and shows both. */
void expect_hex(struct view got, const char *hex, const char *what);

/* A bundle from hex items (NULL at the end). An item that begins with "+" is a block without its
 * CRC field: a CRC-16 is appended; with "~" the block is an open array: CRC-16 and break are.
 * Length. */
#define ITEMS_MAX 8
size_t compose(const char *const item[ITEMS_MAX], uint8_t out[VECTOR_MAX]);

#endif
