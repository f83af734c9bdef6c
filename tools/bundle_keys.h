/*
 * bundle_keys: the security operations of one bundle, tried with the keys of a file.
 */
#ifndef OWLT_TOOLS_BUNDLE_KEYS_H
#define OWLT_TOOLS_BUNDLE_KEYS_H

#include "bundle/bpsec.h"
#include "tools/out.h"

/* The keys of a file; 0, or EXIT_USAGE after a message. */
int keys_load(const char *path, struct keyring **ring);

/* What became of one operation. */
struct verdict {
	uint64_t type, block, target;
	int64_t context;
	char source[EID_TEXT_MAX];
	int err;         /* 0: verified or decrypted; -ENOKEY; ... */
	const char *key; /* the id of the one that fitted; the ring's */
};

struct unlocked {
	uint8_t *bytes; /* the bundle with what could be decrypted; owned */
	size_t n;
	struct bundle b; /* views into bytes */
	struct bundle_rules rules;
	const struct keyring *ring;
	struct verdict verdict[BPSEC_OPS_MAX];
	unsigned n_verdicts;
};

/* `bytes` is one valid bundle. 0 or -ENOMEM; -E_...: what came out of decryption is no bundle. */
int bundle_unlock(struct unlocked *u, struct view bytes, const struct bundle_rules *rules,
	const struct keyring *ring) MUST_USE;
void unlocked_free(struct unlocked *u);
/* Nothing failed (a missing key is no failure). */
bool unlocked_good(const struct unlocked *u);
void verdicts_show(struct out *o, const struct unlocked *u);
/* What a security block says; nothing if its data is none. */
void asb_show(struct out *o, struct view data);

#endif
