/*
 * BPSec over any bundle, all three contexts with a key for each algorithm: what is not signed by a key
 * here never verifies wrongly into a bundle that can't be read; what is accepted is a bundle again; and
 * what we add is what we take out.
 */
#include "bundle/bpsec.h"
#include "tests/fuzz/bundle_mutate.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEX32 "000102030405060708090a0b0c0d0e0f"
#define RFC_A1 "1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b"

/* The keys of RFC 9173 A, and one each of the other kinds. */
static const char keys[] =
	"{\"keys\":[{\"id\":\"hmac\",\"kind\":\"hmac\",\"sha\":512,\"secret\":\"" RFC_A1 "\"},"
	"{\"id\":\"h256\",\"kind\":\"hmac\",\"sha\":256,\"secret\":\"" RFC_A1 HEX32 "\"},"
	"{\"id\":\"h384\",\"kind\":\"hmac\",\"sha\":384,\"secret\":\"" RFC_A1 HEX32 "\"},"
	"{\"id\":\"a128\",\"kind\":\"aes128\",\"secret\":\"71776572747975696f70617364666768\"},"
	"{\"id\":\"a256\",\"kind\":\"aes256\",\"secret\":\"71776572747975696f7061736466676871776572"
	"747975696f70617364666768\"},"
	"{\"id\":\"kek\",\"kind\":\"kek128\",\"context\":2,\"secret\":"
	"\"6162636465666768696a6b6c6d6e6f70\"}]}";

static uint8_t room[1 << 17];

static void accept_one(struct bpsec *x, const struct bundle *b, const struct bpsec_op *op,
	const struct key *key, const struct bundle_rules *rules)
{
	struct buf out = buf_of(room, sizeof room);
	struct bpsec_accept how = {op, key, CRC_32C};
	struct bundle_fault fault;
	struct bundle again;
	int err = bpsec_accept(x, &out, b, &how);

	(void)bpsec_reason(err);
	if (err)
		return;
	assert(buf_fits(&out));
	if (bundle_read(&again, buf_view(&out), rules, &fault) == 0)
		assert(eid_equal(&again.source, &b->source) && again.seq == b->seq);
}

static void add_and_check(struct bpsec *x, const struct keyring *ring, const struct bundle *b,
	const struct bundle_rules *rules)
{
	struct buf out = buf_of(room, sizeof room);
	struct bpsec_how how = {.type = BLOCK_BIB,
		.target = 1,
		.crc_type = CRC_32C,
		.context = BPSEC_HMAC_SHA2,
		.source = eid_ipn(1, 0),
		.key = keyring_at(ring, 0),
		.scope = BPSEC_SCOPE_ALL};
	static struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle_fault fault;
	struct bundle again;
	unsigned n;

	if (bpsec_add(x, &out, b, &how) != 0)
		return;
	if (bundle_read(&again, buf_view(&out), rules, &fault) != 0)
		return; /* one block more may be one too many */
	if (bpsec_list(&again, op, &n) != 0)
		return; /* another block in it can't be read */
	for (unsigned k = 0; k < n; k++)
		if (op[k].type == BLOCK_BIB && op[k].number == 1)
			assert(bpsec_verify(x, &again, &op[k], how.key) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;
	struct keyring *ring = NULL;
	struct keyring_fault why;
	struct bundle b;
	unsigned n;

	rules.allow_no_primary_crc = rules.allow_no_age = true;
	if (bundle_read(&b, view_of(data, size), &rules, &fault) != 0)
		return 0;
	assert(keyring_parse(view_text(keys), &ring, &why) == 0);
	struct bpsec *x = bpsec_new(ring);
	assert(x);
	if (bpsec_check(&b, &fault) != 0)
		assert(fault.rule != 0 && fault.at <= size);
	if (bpsec_list(&b, op, &n) == 0) {
		assert(n <= BPSEC_OPS_MAX);
		for (unsigned k = 0; k < n; k++)
			for (unsigned i = 0; i < keyring_count(ring); i++) {
				(void)bpsec_reason(
					bpsec_verify(x, &b, &op[k], keyring_at(ring, i)));
				accept_one(x, &b, &op[k], keyring_at(ring, i), &rules);
			}
	}
	add_and_check(x, ring, &b, &rules);
	bpsec_free(x);
	keyring_free(ring);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	size_t n = seed % 4 ? mut_bundle(data, size, max, seed, false) : 0;

	return n ? n : LLVMFuzzerMutate(data, size, max);
}
