/*
 * bpsec_inner: what bpsec.c, bpsec_default.c (contexts 1 and 2) and cose.c (context 3) share while one
 * operation is done. Not for others.
 */
#ifndef OWLT_BUNDLE_BPSEC_INNER_H
#define OWLT_BUNDLE_BPSEC_INNER_H

#include "bundle/bpsec.h"
#include "bundle/cbor.h"

/* Where the bytes go that are signed or authenticated; without a crypto they are only counted. Small
 * pieces are gathered, since each update of the library costs as much as hashing some dozen bytes. */
struct sink {
	struct crypto *c;
	uint64_t n;
	size_t n_small;
	uint8_t small[128];
};

struct bpsec {
	const struct keyring *ring;
	unsigned n_keys;
	struct crypto *loose[CRYPTO_ALGS]; /* for keys that come wrapped */
	/* the operation in work */
	enum { BPSEC_IDLE, BPSEC_CHECKS, BPSEC_MAKES } doing;
	uint64_t type, number, flags; /* of the security block */
	enum crc_type crc_type;
	const struct bundle *b;
	const struct block *target; /* NULL: the primary block */
	struct view primary;        /* canonical */
	struct asb asb;
	unsigned index; /* of the target in asb */
	struct crypto *c;
	const struct key *key;
	enum crypto_alg alg;
	uint64_t wants, fed;
	uint64_t gives; /* BCB */
	bool behind;    /* the tag stands, or will stand, behind the ciphertext */
	uint8_t sum[CRYPTO_SUM_MAX];
	size_t n_sum; /* expected, or gathered so far */
	/* context 1 */
	uint64_t scope;
	bool bare_primary;
	/* parameters of a new block, results, canonical forms */
	struct buf room;
	uint8_t bytes[BPSEC_ROOM];
	struct crypto *by_key[]; /* n_keys, made when first used */
};

/* One context: reads the parameters of x->asb, or writes them from `how`; finds the crypto, begins,
 * and feeds all that stands before the target's data. finish (making) adds the result. */
int default_check(struct bpsec *x, const struct key *key) MUST_USE;
int default_make(struct bpsec *x, const struct bpsec_how *how) MUST_USE;
int default_finish(struct bpsec *x) MUST_USE;
/* Context 1 over the primary block: is it the other form of erratum 9192? 0 or -E_AUTH. */
int default_other_form(struct bpsec *x) MUST_USE;
int cose_check(struct bpsec *x, const struct key *key) MUST_USE;
int cose_make(struct bpsec *x, const struct bpsec_how *how) MUST_USE;
int cose_finish(struct bpsec *x) MUST_USE;

/* The crypto for a key, or for the key that is wrapped with it, into x->c. -ENOKEY, -E_AUTH. */
int bpsec_crypto(
	struct bpsec *x, const struct key *key, enum crypto_alg alg, struct view wrapped) MUST_USE;

void sink_put(struct sink *s, struct view v);
void sink_flush(struct sink *s); /* before anything else is fed */
void sink_uint(struct sink *s, uint64_t v);
void sink_bytes_head(struct sink *s, uint64_t n);
/* Type, number and flags as three numbers; reserved flags are 0 (RFC 9172 4). */
void sink_header(struct sink *s, uint64_t type, uint64_t number, uint64_t flags);

/* Is a block the target of a BCB? */
bool bpsec_is_encrypted(const struct bundle *b, uint64_t number);

/* What was written into the room since `from`. */
struct view room_since(const struct bpsec *x, size_t from);
/* The item in deterministic encoding: itself, or a copy in the room with what is indefinite made
 * definite. -E_LIMIT. */
int canonical_item(struct buf *room, struct view item, struct view *out) MUST_USE;

#endif
