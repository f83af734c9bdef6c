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

/* A bundle as parts, G1 by default, from which broken ones are made: everything CBOR by hand. */
struct parts {
	const char *primary; /* hex without its CRC value; CRC type 1 */
	const char *block[4]; /* hex of canonical blocks before the payload, CRC-less */
	const char *payload;  /* hex of the payload block */
	const char *after;    /* hex behind it; "ff" */
};

#endif
