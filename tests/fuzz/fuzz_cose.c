/*
 * A whole bundle with security blocks of any context, ours to verify and decrypt: the first operation
 * that is accepted must leave a readable bundle; whatever is refused leaves nothing.
 */
#include "bundle/bpsec.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char ring_text[] =
	"{\"keys\":[{\"id\":\"ExampleA.1\",\"kind\":\"hmac\",\"secret\":"
	"\"3a5c74e32ab4558a99581ec3a8165768"
	"12aabe895db04494cda25b711d7b5ed4077466e677860648412f1bf8c91d0624\"},"
	"{\"id\":\"ExampleA.4\",\"kind\":\"aes256\",\"base_iv\":\"6f3093eba5d85143c3dc0000\","
	"\"secret\":"
	"\"13bf9cead057c0aca2c9e52471ca4b19ddfaf4c0784e3f3e8e3999dbae4ce45c\"},"
	"{\"id\":\"h\",\"kind\":\"hmac\",\"sha\":256,\"secret\":"
	"\"1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b\"},"
	"{\"id\":\"a\",\"kind\":\"aes128\",\"secret\":\"71776572747975696f70617364666768\"},"
	"{\"id\":\"k\",\"kind\":\"kek128\",\"context\":2,\"secret\":"
	"\"6162636465666768696a6b6c6d6e6f70\"},"
	"{\"id\":\"es\",\"kind\":\"es256\",\"secret\":"
	"\"c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721\"}]}";

static struct keyring *ring;
static struct bpsec *worker;

static void once(void)
{
	struct keyring_fault fault;

	if (worker)
		return;
	if (keyring_parse(view_text(ring_text), &ring, &fault))
		abort();
	worker = bpsec_new(ring);
	assert(worker);
}

static void accept_with(const struct bundle *b, const struct bpsec_op *op, const struct key *key)
{
	static uint8_t out[1 << 17];
	struct bundle_rules rules = bundle_rules_default();
	struct buf o = buf_of(out, sizeof out);
	struct bundle_fault fault;
	struct bundle after;
	int err = bpsec_accept(
		worker, &o, b, &(struct bpsec_accept){.op = op, .key = key, .crc = CRC_32C});

	assert((err == 0) == (o.len > 0));
	if (err)
		return;
	rules.allow_no_primary_crc = rules.allow_no_age = true;
	(void)!bundle_read(&after, buf_view(&o), &rules, &fault); /* plaintext may be anything */
	assert(fault.rule != 1 && fault.rule != 2); /* but not an empty or cut bundle */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle_fault fault;
	struct bundle b;
	unsigned n;

	once();
	rules.allow_no_primary_crc = rules.allow_no_age = true;
	if (bundle_read(&b, view_of(data, size), &rules, &fault))
		return 0;
	(void)!bpsec_check(&b, &fault);
	if (bpsec_list(&b, op, &n))
		return 0;
	for (unsigned i = 0; i < n; i++) {
		accept_with(&b, &op[i], NULL);
		for (unsigned k = 0; k < keyring_count(ring); k++)
			accept_with(&b, &op[i], keyring_at(ring, k));
	}
	return 0;
}
