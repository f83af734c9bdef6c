/* secured: what the BPSec tests share: a key ring with the keys of RFC 9173 A and of the COSE draft's
 * examples, bundles of tests/vectors, and one way to have all operations of a bundle accepted. */
#ifndef OWLT_TESTS_SECURED_H
#define OWLT_TESTS_SECURED_H

#include "bundle/bpsec.h"
#include "tests/unit/bundle/vectors.h"

#define PLAIN                                                                                      \
	"9f88070000820282010282028202018202820201820018281a000f424085010100005823"                 \
	"526561647920746f2067656e657261746520612033322d62797465207061796c6f6164ff"

struct keyring *test_ring(void);
const struct key *test_key(const struct keyring *r, const char *id);
/* Reads leniently (the RFC's samples have neither CRC nor age). */
int test_read(struct bundle *b, struct view bytes);
void test_read_or_fail(struct bundle *b, struct view bytes);

/* Which key an operation is checked with: the first row that fits. */
struct test_policy {
	uint64_t type, number;
	const char *key; /* NULL: by kid */
};

/* Accepts one operation after the other until none is left; the bundle that remains is in out (n
 * bytes). 0, or the first error. */
int test_accept_all(const struct keyring *r, struct view bytes, const struct test_policy *policy,
	uint8_t out[VECTOR_MAX], size_t *n);

#endif
