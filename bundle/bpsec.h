/*
 * bpsec: integrity and confidentiality of blocks (RFC 9172) in three security contexts: 1 BIB-HMAC-SHA2
 * and 2 BCB-AES-GCM (RFC 9173), 3 COSE (draft-ietf-dtn-bpsec-cose: Mac0, Sign1, Encrypt0; cose.c).
 * Formats and cryptography only: which operations are wanted, with which key, and what happens when one
 * fails, is the agent's policy. What a bundle becomes is written by rewrite.h.
 *
 * At once, for a bundle that is whole in memory (example: RFC 9173 A.2):
 *
 *	struct bpsec *x = bpsec_new(ring);
 *	err = bpsec_list(&b, op, &n);                 // one: BCB, target 1, context 2
 *	err = bpsec_accept(x, &out, &b, &op[0], keyring_find(ring, id), CRC_32C);
 *	                                              // `out`: the original bundle, payload "Ready to..."
 *
 * In pieces (the data may lie in many stored parts; for BPSEC_DECRYPT keep what comes out from everybody
 * until bpsec_end() gave 0):
 *
 *	err = bpsec_begin(x, &subject, &op[0], key);
 *	while (!err && more) err = bpsec_feed(x, piece, plain, &made);
 *	err = err ? err : bpsec_end(x);
 *
 * Errors: 0; -E_AUTH it failed (reason 15); -E_UNKNOWN context, parameter or algorithm (13); -ENOKEY no
 * key or one that may not do this; -E_TOO_BIG for Ed25519; -E_RULE RFC 9172's rules are broken (16); -E_STATE the target, or the
 * BIB, is encrypted still; others: the block can't be read (8). bpsec_reason() gives the number.
 * b, and what it was read from, live until bpsec_end() or bpsec_make_end().
 */
#ifndef OWLT_BUNDLE_BPSEC_H
#define OWLT_BUNDLE_BPSEC_H

#include "bundle/asb.h"
#include "bundle/bundle.h"
#include "bundle/keyring.h"
#include "bundle/rewrite.h"

#define BPSEC_HMAC_SHA2 1
#define BPSEC_AES_GCM 2
#define BPSEC_COSE 3

/* Scope flags (RFC 9173 3.3.3, 4.3.4). */
#define BPSEC_SCOPE_PRIMARY 1u
#define BPSEC_SCOPE_TARGET 2u
#define BPSEC_SCOPE_SECURITY 4u
#define BPSEC_SCOPE_ALL 7u

/* One operation as it stands in a bundle. */
struct bpsec_op {
	unsigned block;  /* index of the security block in bundle.block */
	unsigned target; /* index among its targets */
	uint64_t type;   /* BLOCK_BIB or BLOCK_BCB */
	uint64_t number; /* block number of the target; 0: the primary block */
	int64_t context;
	struct eid source; /* security source; a view into the bundle */
};

/* The operations in the order of processing: BCBs, then the BIBs that are not encrypted. 0, or the error
 * of the first security block that can't be read. -E_LIMIT: more than BPSEC_OPS_MAX. */
int bpsec_list(const struct bundle *b, struct bpsec_op op[BPSEC_OPS_MAX], unsigned *n) MUST_USE;
/* RFC 9172's rules of what may be in one bundle (3.2, 3.6 to 3.9). 0, or -E_RULE with a rule of rule.def
 * and its place; RULE_SECURITY_FORM is a block that can't be read (reason 8), all others are reason 16. */
int bpsec_check(const struct bundle *b, struct bundle_fault *fault) MUST_USE;
/* Status report reason for an error from here: 8, 13, 15, 16; 0 for 0 and -ENOKEY. */
unsigned bpsec_reason(int err);
/* What services a block has: bit 0 a BIB's, bit 1 a BCB's. */
unsigned bpsec_services(const struct bundle *b, uint64_t number);

/* -- one operation in pieces ------------------------------------------------------------------ */

/* A worker: one operation at a time, with contexts that are keyed once and kept. Two operations that
 * overlap need two workers. */
struct bpsec;
/* The ring outlives it. NULL: errno ENOMEM. */
struct bpsec *bpsec_new(const struct keyring *ring);
void bpsec_free(struct bpsec *x);

/* Whose block is looked at. */
struct bpsec_subject {
	const struct bundle *b; /* read whole or from its head */
	struct view primary;    /* of a reassembled unit: its rebuilt primary block; else empty */
	uint64_t size;          /* and its payload's bytes, where b is only a piece; else 0 */
};

/* Begins to verify (BIB) or decrypt (BCB). key: NULL for context 3 means the one the block names. */
int bpsec_begin(struct bpsec *x, const struct bpsec_subject *s, const struct bpsec_op *op,
	const struct key *key) MUST_USE;
/* How many bytes are to be fed, and how many will come out of encryption or decryption (0: BIB). A
 * primary block is not fed: 0. */
uint64_t bpsec_wants(const struct bpsec *x);
uint64_t bpsec_gives(const struct bpsec *x);
/* The key that bpsec_begin() took, for context 3 the one that the block names; NULL: none. */
const struct key *bpsec_key(const struct bpsec *x);
/* The next bytes of the target's data (any size; 256 KiB is a good one). BCB: *made bytes come out, at
 * most v.n; out may be v.p. BIB: out and made are NULL. -E_OVERFLOW: more than it wants. */
int bpsec_feed(struct bpsec *x, struct view v, uint8_t *out, size_t *made) MUST_USE;
/* 0: the target is what was signed, or encrypted. -E_AUTH; -EINVAL: it was not fed whole. */
int bpsec_end(struct bpsec *x) MUST_USE;

/* An operation to be added. */
struct bpsec_how {
	uint64_t type;   /* BLOCK_BIB or BLOCK_BCB */
	uint64_t target; /* block number */
	uint64_t number; /* of the new security block; 0: the next free one */
	uint64_t flags;  /* its flags; over the payload a BCB gets BLOCK_REPLICATE by itself */
	enum crc_type crc_type; /* of the security block */
	int64_t context;
	struct eid source;
	const struct key *key;
	uint64_t scope;      /* BPSEC_SCOPE_...; context 3: as metadata in the AAD scope */
	struct view iv;      /* BCB: 8 to 16 bytes, best 12, never twice with one key */
	struct view cek;     /* where key is a KEK: a fresh key for this operation alone, and its */
	enum crypto_alg alg; /* algorithm */
	bool bare_primary;   /* context 1 over the primary: as erratum 9192 says, not as A.3 */
	bool tag_behind;     /* context 2: the tag behind the ciphertext, not as a result */
};

/* Begins to sign or encrypt; feed as above. -E_RULE: RFC 9172 does not allow it here (never on a
 * fragment). bpsec_gives() + bpsec_tail's bytes are the ciphertext's size. */
int bpsec_make_begin(
	struct bpsec *x, const struct bpsec_subject *s, const struct bpsec_how *how) MUST_USE;
/* Bytes that will stand behind what came out: 16 for a tag in the data, else 0. */
size_t bpsec_behind(const struct bpsec *x);
/* Writes the data of the new security block into asb, and what stands behind the ciphertext into tail
 * (NULL for BIB). x knows the block's number and flags: bpsec_made(). */
int bpsec_make_end(struct bpsec *x, struct buf *asb, struct buf *tail) MUST_USE;
/* The security block that make_end wrote, with its data: to be put into a rewrite. */
struct block_spec bpsec_made(const struct bpsec *x, struct view asb);

/* -- what the bundle becomes (bpsec_whole.c) ---------------------------------------------------- */

/* The changes of one operation added or removed, for bundle_rewrite_head(). */
struct bpsec_edit {
	struct bundle_rewrite w;
	struct bundle_change change[2];
	struct block_spec add;
};

/* Takes op out: its block goes, or is written into `room` without it (room lives as long as e); the
 * target gets a CRC (RFC 9173 3.8.1) where no other service is left on it. data: the plaintext of a
 * target that is an extension block; the payload's is said by payload_len. */
int bpsec_edit_remove(struct bpsec_edit *e, struct buf *room, const struct bundle *b,
	const struct bpsec_op *op, enum crc_type crc) MUST_USE;
void bpsec_edit_data(struct bpsec_edit *e, const struct bundle *b, uint64_t number,
	struct view data, enum crc_type crc);
/* Adds the block and takes the target's CRC away (CRC type 0). drop_primary_crc: only at the source. */
void bpsec_edit_add(struct bpsec_edit *e, const struct bundle *b, const struct bpsec_how *how,
	struct block_spec add);

/* At once: verify without change; write the bundle without the operation (verified, or decrypted; on
 * error nothing stays in out); write the bundle with one more. A BIB that comes out of decryption without
 * a target that is encrypted is -E_RULE (RFC 9172 3.8). b is whole, or, for
 * another target than the payload, read from its head: then the new head is written (else -EINVAL). out
 * is not its memory, and has room for the new bundle, the target's data once more and BPSEC_ROOM. */
int bpsec_verify(struct bpsec *x, const struct bundle *b, const struct bpsec_op *op,
	const struct key *key) MUST_USE;
struct bpsec_accept {
	const struct bpsec_op *op;
	const struct key *key;
	enum crc_type crc; /* put back on the target; CRC_NONE at the destination */
};
int bpsec_accept(struct bpsec *x, struct buf *out, const struct bundle *b,
	const struct bpsec_accept *how) MUST_USE;
int bpsec_add(struct bpsec *x, struct buf *out, const struct bundle *b,
	const struct bpsec_how *how) MUST_USE;

#endif
