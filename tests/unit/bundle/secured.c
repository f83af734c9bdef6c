/* Helpers of the BPSec tests: see secured.h. */
#include "tests/unit/bundle/secured.h"

#include <criterion/criterion.h>

static const char ring_text[] =
	"{\"keys\": ["
	/* RFC 9173 A: one key for three MACs, so it stands there three times */
	"{\"id\":\"h256\",\"kind\":\"hmac\",\"sha\":256,\"secret\":"
	"\"1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b\"},"
	"{\"id\":\"h384\",\"kind\":\"hmac\",\"sha\":384,\"secret\":"
	"\"1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b\"},"
	"{\"id\":\"h512\",\"kind\":\"hmac\",\"sha\":512,\"secret\":"
	"\"1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b\"},"
	"{\"id\":\"kek\",\"kind\":\"kek128\",\"context\":2,"
	"\"secret\":\"6162636465666768696a6b6c6d6e6f70\"},"
	"{\"id\":\"kek-1\",\"kind\":\"kek256\",\"context\":1,\"secret\":"
	"\"6162636465666768696a6b6c6d6e6f706162636465666768696a6b6c6d6e6f70\"},"
	"{\"id\":\"a128\",\"kind\":\"aes128\",\"secret\":\"71776572747975696f70617364666768\"},"
	"{\"id\":\"a256\",\"kind\":\"aes256\",\"secret\":"
	"\"71776572747975696f7061736466676871776572747975696f70617364666768\"},"
	/* draft-ietf-dtn-bpsec-cose, examples */
	"{\"id\":\"ExampleA.1\",\"kind\":\"hmac\",\"secret\":\"3a5c74e32ab4558a99581ec3a8165768"
	"12aabe895db04494cda25b711d7b5ed4077466e677860648412f1bf8c91d0624\"},"
	"{\"id\":\"ExampleA.4\",\"kind\":\"aes256\",\"base_iv\":\"6f3093eba5d85143c3dc0000\","
	"\"secret\":\"13bf9cead057c0aca2c9e52471ca4b19ddfaf4c0784e3f3e8e3999dbae4ce45c\"},"
	/* RFC 8032 7.1 test 2; RFC 6979 A.2.5 */
	"{\"id\":\"ed\",\"kind\":\"ed25519\",\"secret\":"
	"\"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb\"},"
	"{\"id\":\"ed-public\",\"kind\":\"ed25519\",\"public\":"
	"\"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c\"},"
	"{\"id\":\"es\",\"kind\":\"es256\",\"secret\":"
	"\"c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721\"},"
	"{\"id\":\"es-public\",\"kind\":\"es256\",\"public\":"
	"\"60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
	"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299\"}"
	"]}";

struct keyring *test_ring(void)
{
	struct keyring_fault fault;
	struct keyring *r;

	cr_assert_eq(keyring_parse(view_text(ring_text), &r, &fault), 0, "%s", fault.text);
	return r;
}

const struct key *test_key(const struct keyring *r, const char *id)
{
	const struct key *k = keyring_find(r, view_text(id));

	cr_assert_not_null(k, "%s", id);
	return k;
}

int test_read(struct bundle *b, struct view bytes)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;

	rules.allow_no_primary_crc = rules.allow_no_age = true;
	return bundle_read(b, bytes, &rules, &fault);
}

void test_read_or_fail(struct bundle *b, struct view bytes)
{
	cr_assert_eq(test_read(b, bytes), 0);
}

int test_accept_all(const struct keyring *r, struct view bytes, const struct test_policy *policy,
	uint8_t out[VECTOR_MAX], size_t *n)
{
	static uint8_t room[2][8 * VECTOR_MAX];
	struct bpsec *x = bpsec_new(r);
	struct bpsec_op op[BPSEC_OPS_MAX];
	unsigned ops = 1, turn = 0;
	struct bundle b;
	int err = 0;

	cr_assert_not_null(x);
	while (!err && ops) {
		const struct test_policy *p = policy;
		err = test_read(&b, bytes);
		err = err ? err : bpsec_list(&b, op, &ops);
		if (err || !ops)
			break;
		while (p->type && (p->type != op[0].type || p->number != op[0].number))
			p++;
		const struct key *key = p->key ? keyring_find(r, view_text(p->key)) : NULL;
		struct buf o = buf_of(room[turn], sizeof room[0]);
		err = bpsec_accept(x, &o, &b,
			&(struct bpsec_accept){.op = &op[0], .key = key, .crc = CRC_NONE});
		bytes = buf_view(&o);
		cr_assert(!err || o.len == 0);
		turn = !turn;
	}
	bpsec_free(x);
	*n = err ? 0 : bytes.n;
	if (!err)
		memcpy(out, bytes.p, bytes.n);
	return err;
}
