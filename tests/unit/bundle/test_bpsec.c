/* RFC 9173 appendix A, both ways, byte for byte; erratum 9192; the other choices the contexts leave. */
#include "tests/unit/bundle/secured.h"

#include <criterion/criterion.h>

#define IV "Twelve121212"

static const struct test_policy policy_a1[] = {{BLOCK_BIB, 1, "h512"}, {0}};
static const struct test_policy policy_a2[] = {{BLOCK_BCB, 1, "kek"}, {0}};
static const struct test_policy policy_a3[] = {
	{BLOCK_BIB, 0, "h256"}, {BLOCK_BIB, 2, "h256"}, {BLOCK_BCB, 1, "a128"}, {0}};
static const struct test_policy policy_a4[] = {
	{BLOCK_BIB, 1, "h384"}, {BLOCK_BCB, 1, "a256"}, {BLOCK_BCB, 3, "a256"}, {0}};

static const struct {
	const char *name, *plain;
	const struct test_policy *policy;
} rows[] = {{"rfc9173_a1", "rfc9173_plain", policy_a1}, {"rfc9173_a2", "rfc9173_plain", policy_a2},
	{"rfc9173_a3", "rfc9173_plain_age", policy_a3},
	{"rfc9173_a3_bare", "rfc9173_plain_age", policy_a3},
	{"rfc9173_a4", "rfc9173_plain", policy_a4}};

/* RFC 9173 A.1 to A.4: verified and decrypted back to the original bundle; both forms of A.3. */
Test(bpsec, appendix_a_accepted)
{
	struct keyring *r = test_ring();

	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		uint8_t in[VECTOR_MAX], want[VECTOR_MAX], out[VECTOR_MAX];
		size_t n = vector_load(rows[k].name, in), m = vector_load(rows[k].plain, want), got;
		int err = test_accept_all(r, view_of(in, n), rows[k].policy, out, &got);
		cr_expect_eq(err, 0, "%s: %s", rows[k].name, err_name(err));
		cr_expect(got == m && memcmp(out, want, m) == 0, "%s", rows[k].name);
	}
	keyring_free(r);
}

static void expect_vector(struct view got, const char *name)
{
	uint8_t want[VECTOR_MAX];
	size_t n = vector_load(name, want);

	cr_expect(got.n == n && memcmp(got.p, want, n) == 0, "%s", name);
	if (got.n == n)
		for (size_t k = 0; k < n; k++)
			cr_expect_eq(got.p[k], want[k], "%s: byte %zu", name, k);
}

static void add_or_fail(
	struct bpsec *x, struct buf *out, struct view plain, const struct bpsec_how *how)
{
	struct bundle b;

	test_read_or_fail(&b, plain);
	int err = bpsec_add(x, out, &b, how);
	cr_assert_eq(err, 0, "%s", err_name(err));
}

static uint8_t a[8 * VECTOR_MAX], c[8 * VECTOR_MAX];

Test(bpsec, a1_made)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	struct buf out = buf_of(a, sizeof a);
	uint8_t in[VECTOR_MAX];
	size_t n = vector_load("rfc9173_plain", in);

	add_or_fail(x, &out, view_of(in, n),
		&(struct bpsec_how){.type = BLOCK_BIB,
			.target = 1,
			.context = BPSEC_HMAC_SHA2,
			.source = eid_ipn(2, 1),
			.key = test_key(r, "h512")});
	expect_vector(buf_view(&out), "rfc9173_a1");
	bpsec_free(x);
	keyring_free(r);
}

Test(bpsec, a2_made)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	struct buf out = buf_of(a, sizeof a);
	uint8_t in[VECTOR_MAX];
	size_t n = vector_load("rfc9173_plain", in);

	add_or_fail(x, &out, view_of(in, n),
		&(struct bpsec_how){.type = BLOCK_BCB,
			.target = 1,
			.context = BPSEC_AES_GCM,
			.source = eid_ipn(2, 1),
			.key = test_key(r, "kek"),
			.cek = view_text("qwertyuiopasdfgh"),
			.alg = CRYPTO_A128GCM,
			.iv = view_text(IV)});
	expect_vector(buf_view(&out), "rfc9173_a2");
	bpsec_free(x);
	keyring_free(r);
}

/* One operation of several in a block, by hand: what it gives goes behind what is in *all. */
struct made {
	struct asb all;
	uint8_t asb[2][512];
	unsigned n;
};

static struct block_spec op_make(struct bpsec *x, const struct bundle *b,
	const struct bpsec_how *how, struct made *m, struct view data, uint8_t *cipher)
{
	struct bpsec_subject s = {.b = b};
	struct buf asb = buf_of(m->asb[m->n], sizeof m->asb[0]);
	struct asb one;
	size_t n = 0;

	cr_assert_eq(bpsec_make_begin(x, &s, how), 0);
	cr_assert_eq(bpsec_feed(x, data, cipher, cipher ? &n : NULL), 0);
	cr_assert_eq(bpsec_make_end(x, &asb, NULL), 0);
	cr_assert_eq(asb_read(&one, buf_view(&asb)), 0);
	if (m->n == 0) {
		m->all = one;
	} else {
		m->all.target[m->n] = one.target[0];
		m->all.result[m->n] = one.result[0];
		m->all.result_end[m->n] = m->n + 1;
		m->all.n_targets = m->all.n_results = m->n + 1;
	}
	m->n++;
	return bpsec_made(x, buf_view(&asb));
}

Test(bpsec, a3_made)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);

	for (unsigned bare = 0; bare < 2; bare++) {
		struct buf out = buf_of(a, sizeof a), end = buf_of(c, sizeof c);
		struct made m = {.n = 0};
		uint8_t in[VECTOR_MAX], data[512];
		size_t n = vector_load("rfc9173_plain_age", in);
		struct bpsec_how how = {.type = BLOCK_BIB,
			.number = 3,
			.context = BPSEC_HMAC_SHA2,
			.source = eid_ipn(3, 0),
			.key = test_key(r, "h256"),
			.bare_primary = bare};
		struct buf asb = buf_of(data, sizeof data);
		struct bundle b;
		test_read_or_fail(&b, view_of(in, n));
		op_make(x, &b, &how, &m, (struct view){0}, NULL);
		how.target = 2;
		struct block_spec add = op_make(x, &b, &how, &m, b.block[0].data, NULL);
		asb_write(&asb, &m.all);
		add.data = buf_view(&asb);
		struct bundle_rewrite w = {.add = &add, .n_add = 1};
		cr_assert_eq(bundle_rewrite(&out, &b, &w, b.payload), 0);
		add_or_fail(x, &end, buf_view(&out),
			&(struct bpsec_how){.type = BLOCK_BCB,
				.target = 1,
				.number = 4,
				.context = BPSEC_AES_GCM,
				.source = eid_ipn(2, 1),
				.key = test_key(r, "a128"),
				.iv = view_text(IV)});
		expect_vector(buf_view(&end), bare ? "rfc9173_a3_bare" : "rfc9173_a3");
	}
	bpsec_free(x);
	keyring_free(r);
}

Test(bpsec, a4_made)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	struct buf out = buf_of(a, sizeof a), end = buf_of(c, sizeof c);
	struct made m = {.n = 0};
	uint8_t in[VECTOR_MAX], data[512], cipher[2][512];
	size_t n = vector_load("rfc9173_plain", in);
	struct buf asb = buf_of(data, sizeof data);
	struct bundle b;

	add_or_fail(x, &out, view_of(in, n),
		&(struct bpsec_how){.type = BLOCK_BIB,
			.target = 1,
			.number = 3,
			.context = BPSEC_HMAC_SHA2,
			.source = eid_ipn(2, 1),
			.scope = BPSEC_SCOPE_ALL,
			.key = test_key(r, "h384")});
	test_read_or_fail(&b, buf_view(&out));
	struct bpsec_how how = {.type = BLOCK_BCB,
		.target = 3,
		.number = 2,
		.flags = BLOCK_REPLICATE,
		.context = BPSEC_AES_GCM,
		.source = eid_ipn(2, 1),
		.scope = BPSEC_SCOPE_ALL,
		.key = test_key(r, "a256"),
		.iv = view_text(IV)};
	op_make(x, &b, &how, &m, b.block[0].data, cipher[0]);
	how.target = 1;
	how.flags = 0; /* over the payload it is set for us */
	struct block_spec add = op_make(x, &b, &how, &m, b.payload, cipher[1]);
	asb_write(&asb, &m.all);
	add.data = buf_view(&asb);
	struct bundle_change change = {.block = 0, .data = view_of(cipher[0], b.block[0].data.n)};
	struct bundle_rewrite w = {.add = &add,
		.n_add = 1,
		.change = &change,
		.n_changes = 1,
		.set_payload = true,
		.payload_len = b.payload.n};
	cr_assert_eq(bundle_rewrite(&end, &b, &w, view_of(cipher[1], b.payload.n)), 0);
	expect_vector(buf_view(&end), "rfc9173_a4");
	bpsec_free(x);
	keyring_free(r);
}

/* -- round trips of what the appendix does not show ------------------------------------------- */

struct trip {
	const char *name, *key;
	struct bpsec_how how;
	const char *cek;
	enum crypto_alg alg;
};

static const struct trip trips[] = {
	{"hmac over payload, all scopes", "h256",
		{.type = BLOCK_BIB, .target = 1, .context = 1, .scope = 7}, NULL, 0},
	{"hmac over primary", "h384", {.type = BLOCK_BIB, .context = 1, .scope = 7}, NULL, 0},
	{"hmac over primary, bare", "h512",
		{.type = BLOCK_BIB, .context = 1, .scope = 0, .bare_primary = true}, NULL, 0},
	{"hmac over hop count", "h512",
		{.type = BLOCK_BIB, .target = 2, .context = 1, .scope = 2, .crc_type = CRC_16},
		NULL, 0},
	{"hmac, wrapped key", "kek-1", {.type = BLOCK_BIB, .target = 1, .context = 1, .scope = 1},
		"0123456789abcdef0123456789abcdef", CRYPTO_HMAC_256},
	{"gcm, tag behind", "a256",
		{.type = BLOCK_BCB, .target = 1, .context = 2, .scope = 7, .tag_behind = true},
		NULL, 0},
	{"gcm over hop count, tag behind", "a128",
		{.type = BLOCK_BCB, .target = 2, .context = 2, .scope = 3, .tag_behind = true},
		NULL, 0},
	{"gcm, wrapped key of 256 bits", "kek",
		{.type = BLOCK_BCB, .target = 1, .context = 2, .scope = 4, .crc_type = CRC_32C},
		"0123456789abcdef0123456789abcdef", CRYPTO_A256GCM},
	{"cose mac0", "h256", {.type = BLOCK_BIB, .target = 1, .context = 3, .scope = 7}, NULL, 0},
	{"cose mac0 over primary", "h512", {.type = BLOCK_BIB, .context = 3, .scope = 7}, NULL, 0},
	{"cose ed25519", "ed", {.type = BLOCK_BIB, .target = 1, .context = 3, .scope = 7}, NULL, 0},
	{"cose es256", "es", {.type = BLOCK_BIB, .target = 1, .context = 3, .scope = 0}, NULL, 0},
	{"cose es256 over primary", "es", {.type = BLOCK_BIB, .context = 3, .scope = 4}, NULL, 0},
	{"cose a128gcm", "a128", {.type = BLOCK_BCB, .target = 1, .context = 3, .scope = 7}, NULL,
		0},
	{"cose a256gcm over hop count", "a256",
		{.type = BLOCK_BCB, .target = 2, .context = 3, .scope = 3}, NULL, 0},
};

/* A bundle with CRCs everywhere, previous node, hop count. */
static size_t bundle_make_crc(uint8_t *out, size_t cap)
{
	struct bundle_spec s = {.crc_type = CRC_32C,
		.block_crc_type = CRC_16,
		.dest = eid_ipn(2, 1),
		.source = eid_ipn(1, 1),
		.report_to = eid_ipn(1, 0),
		.created_ms = T0,
		.lifetime_ms = 3600000,
		.has_hop = true,
		.hop_limit = 30,
		.hop_count = 2,
		.custody = custody_codes_ccsds()};
	struct buf b = buf_of(out, cap);

	cr_assert_eq(bundle_build(&b, &s, view_text("twelve bytes")), 0);
	return b.len;
}

static void trip_run(const struct keyring *r, const struct trip *t, unsigned iv_bytes)
{
	struct bpsec *x = bpsec_new(r);
	struct buf out = buf_of(a, sizeof a), back = buf_of(c, sizeof c);
	struct bpsec_how how = t->how;
	uint8_t plain[VECTOR_MAX];
	size_t n = bundle_make_crc(plain, sizeof plain);
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle_fault fault;
	struct bundle b, was;
	unsigned ops;

	how.key = test_key(r, t->key);
	how.source = eid_ipn(9, 0);
	if (how.type == BLOCK_BCB)
		how.iv = view_of("Twelve1212121212", iv_bytes);
	if (t->cek) {
		how.cek = view_text(t->cek);
		how.alg = t->alg;
	}
	add_or_fail(x, &out, view_of(plain, n), &how);
	test_read_or_fail(&was, view_of(plain, n));
	test_read_or_fail(&b, buf_view(&out));
	cr_expect_eq(bpsec_check(&b, &fault), 0, "%s: %s", t->name, rule_name(fault.rule));
	cr_assert_eq(bpsec_list(&b, op, &ops), 0, "%s", t->name);
	cr_assert_eq(ops, 1);
	cr_expect_eq(op[0].number, how.target);
	if (how.context != BPSEC_COSE)
		cr_expect_eq(how.target ? b.block[how.target == 1 ? b.n_blocks - 1 : 1].crc_type
					: b.crc_type,
			CRC_NONE, "%s", t->name);
	/* context 3 finds the key by itself */
	const struct key *key = how.context == BPSEC_COSE ? NULL : how.key;
	int err = bpsec_accept(
		x, &back, &b, &(struct bpsec_accept){.op = op, .key = key, .crc = CRC_16});
	cr_assert_eq(err, 0, "%s: %s", t->name, err_name(err));
	if (how.target || how.context == BPSEC_COSE)
		cr_expect(back.len == n && memcmp(c, plain, n) == 0, "%s", t->name);
	bpsec_free(x);
}

Test(bpsec, round_trips)
{
	struct keyring *r = test_ring();

	for (unsigned k = 0; k < sizeof trips / sizeof trips[0]; k++)
		for (unsigned iv = CRYPTO_IV_MIN; iv <= CRYPTO_IV_MAX; iv += 4)
			trip_run(r, &trips[k], iv);
	keyring_free(r);
}

static void head_read_or_fail(struct bundle *b, struct view head)
{
	struct bundle_rules rules = bundle_rules_default();
	struct bundle_fault fault;

	rules.allow_no_primary_crc = true;
	cr_assert_eq(bundle_read_head(b, head, &rules, &fault), 0, "%s", rule_name(fault.rule));
}

/* Read from its head alone, with the payload elsewhere: what is not about the payload gives the head that
 * the whole bundle would have. */
Test(bpsec, from_a_head)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	uint8_t plain[VECTOR_MAX];
	size_t n = bundle_make_crc(plain, sizeof plain);
	unsigned n_payload = 0;

	for (unsigned k = 0; k < sizeof trips / sizeof trips[0]; k++) {
		struct buf out = buf_of(a, sizeof a), back = buf_of(c, sizeof c);
		uint8_t from_head[sizeof a];
		struct buf h = buf_of(from_head, sizeof from_head);
		struct bpsec_how how = trips[k].how;
		struct bpsec_op op[BPSEC_OPS_MAX];
		struct bundle b, head;
		unsigned ops;

		how.key = test_key(r, trips[k].key);
		how.source = eid_ipn(9, 0);
		how.iv = how.type == BLOCK_BCB ? view_text(IV) : (struct view){0};
		how.cek = view_text(trips[k].cek ? trips[k].cek : "");
		how.alg = trips[k].alg;
		test_read_or_fail(&b, view_of(plain, n));
		head_read_or_fail(&head, b.head);
		if (how.target == 1) {
			n_payload++;
			cr_expect_eq(bpsec_add(x, &h, &head, &how), -EINVAL);
			continue;
		}
		cr_assert_eq(bpsec_add(x, &out, &b, &how), 0, "%s", trips[k].name);
		cr_assert_eq(bpsec_add(x, &h, &head, &how), 0, "%s", trips[k].name);
		test_read_or_fail(&b, buf_view(&out));
		if (!how.key->n_public) /* a signature may differ each time */
			cr_expect(view_equal(b.head, buf_view(&h)), "%s", trips[k].name);
		head_read_or_fail(&head, b.head);
		cr_assert_eq(bpsec_list(&head, op, &ops), 0);
		struct bpsec_accept accept = {.op = op, .key = how.key, .crc = CRC_16};
		cr_assert_eq(bpsec_accept(x, &back, &b, &accept), 0);
		h.len = 0;
		cr_assert_eq(bpsec_accept(x, &h, &head, &accept), 0);
		test_read_or_fail(&b, buf_view(&back));
		cr_expect(view_equal(b.head, buf_view(&h)), "%s", trips[k].name);
	}
	cr_expect_gt(n_payload, 0);
	bpsec_free(x);
	keyring_free(r);
}

/* The same in pieces of every size, in place, with the tag behind: the same bytes. */
Test(bpsec, in_pieces)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	uint8_t in[VECTOR_MAX];
	size_t n = vector_load("rfc9173_a2", in);
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle b;
	unsigned ops;

	for (unsigned made = 0; made < 2; made++) {
		if (made) { /* the same with the tag behind the ciphertext */
			struct buf out = buf_of(a, sizeof a);
			n = vector_load("rfc9173_plain", in);
			add_or_fail(x, &out, view_of(in, n),
				&(struct bpsec_how){.type = BLOCK_BCB,
					.target = 1,
					.context = 2,
					.source = eid_ipn(2, 1),
					.key = test_key(r, "a128"),
					.iv = view_text(IV),
					.tag_behind = true});
			n = out.len;
			memcpy(in, a, n);
		}
		test_read_or_fail(&b, view_of(in, n));
		cr_assert_eq(bpsec_list(&b, op, &ops), 0);
		for (size_t piece = 1; piece <= b.payload.n; piece++) {
			uint8_t work[VECTOR_MAX], plain[VECTOR_MAX];
			struct bpsec_subject s = {.b = &b};
			size_t m, got = 0;
			memcpy(work, b.payload.p, b.payload.n);
			cr_assert_eq(bpsec_begin(x, &s, op, test_key(r, made ? "a128" : "kek")), 0);
			cr_assert_eq(bpsec_wants(x), b.payload.n);
			cr_assert_eq(bpsec_gives(x), 35);
			cr_assert_eq(bpsec_behind(x), 0);
			for (size_t at = 0; at < b.payload.n; at += piece) {
				size_t k = b.payload.n - at < piece ? b.payload.n - at : piece;
				cr_assert_eq(bpsec_end(x), -EINVAL);
				cr_assert_eq(
					bpsec_feed(x, view_of(work + at, k), work + at, &m), 0);
				memcpy(plain + got, work + at, m);
				got += m;
			}
			cr_assert_eq(bpsec_feed(x, view_of(work, 1), work, &m), -E_OVERFLOW);
			cr_expect_eq(bpsec_end(x), 0);
			cr_expect(got == 35 &&
				  memcmp(plain, "Ready to generate a 32-byte payload", 35) == 0);
			cr_assert_eq(bpsec_end(x), -EINVAL);
		}
	}
	bpsec_free(x);
	keyring_free(r);
}

/* A reassembled unit: its own primary block and size, not those of the fragment that is at hand. */
Test(bpsec, a_units_primary_stands_for_the_fragments)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	struct bpsec_how how = {.type = BLOCK_BIB,
		.target = 1,
		.context = 1,
		.source = eid_ipn(1, 1),
		.scope = 7,
		.key = test_key(r, "h256")};
	uint8_t plain[VECTOR_MAX], piece[VECTOR_MAX];
	size_t n = bundle_make_crc(plain, sizeof plain);
	struct buf out = buf_of(a, sizeof a), p = buf_of(piece, sizeof piece);
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle whole, part;
	unsigned ops;

	add_or_fail(x, &out, view_of(plain, n), &how);
	test_read_or_fail(&whole, buf_view(&out));
	struct bundle_spec s = {.flags = BUNDLE_FRAGMENT,
		.dest = whole.dest,
		.source = whole.source,
		.report_to = whole.report_to,
		.created_ms = whole.created_ms,
		.lifetime_ms = whole.lifetime_ms,
		.crc_type = CRC_32C,
		.total_len = 12,
		.custody = custody_codes_ccsds(),
		.block = &(struct block_spec){.type = BLOCK_BIB,
			.number = whole.block[0].number,
			.data = whole.block[0].data},
		.n_blocks = 1};
	cr_assert_eq(bundle_build(&p, &s, view_text("twel")), 0);
	test_read_or_fail(&part, buf_view(&p));
	cr_assert_eq(bpsec_list(&part, op, &ops), 0);
	struct bpsec_subject subject = {.b = &part, .primary = whole.primary, .size = 12};
	cr_assert_eq(bpsec_begin(x, &subject, op, how.key), 0);
	cr_assert_eq(bpsec_feed(x, view_text("twel"), NULL, NULL), 0);
	cr_assert_eq(bpsec_feed(x, view_text("ve bytes"), NULL, NULL), 0);
	cr_expect_eq(bpsec_end(x), 0);
	subject.primary = (struct view){0};
	cr_assert_eq(bpsec_begin(x, &subject, op, how.key), 0);
	cr_assert_eq(bpsec_feed(x, view_text("twelve bytes"), NULL, NULL), 0);
	cr_expect_eq(bpsec_end(x), -E_AUTH);
	/* RFC 9172 5.3: nothing is added to a fragment */
	subject.primary = whole.primary;
	how.number = 9;
	cr_expect_eq(bpsec_make_begin(x, &subject, &how), -E_RULE);
	bpsec_free(x);
	keyring_free(r);
}

static bool has_plaintext(const uint8_t *p, size_t n)
{
	for (size_t k = 0; k + 8 <= n; k++)
		if (memcmp(p + k, "Ready to", 8) == 0)
			return true;
	return false;
}

/* Plaintext is nowhere when the tag was wrong, nor when the room was too small. */
Test(bpsec, no_plaintext_is_left_behind)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	uint8_t in[VECTOR_MAX];
	size_t n = vector_load("rfc9173_a2", in), need = 0;
	struct bpsec_op op[BPSEC_OPS_MAX];
	struct bundle b;
	unsigned ops;

	for (size_t cap = 0; cap < 600; cap++) {
		struct buf out = buf_of(a, cap);
		memset(a, 0xee, sizeof a);
		test_read_or_fail(&b, view_of(in, n));
		cr_assert_eq(bpsec_list(&b, op, &ops), 0);
		struct bpsec_accept how = {.op = op, .key = test_key(r, "kek"), .crc = CRC_32C};
		int err = bpsec_accept(x, &out, &b, &how);
		cr_expect(err == 0 || err == -E_OVERFLOW, "%s", err_name(err));
		cr_expect_eq(has_plaintext(a, sizeof a), err == 0, "room of %zu", cap);
		cr_expect_eq(a[cap], 0xee, "room of %zu", cap);
		cr_expect(err == 0 || out.len == 0);
		need = err == 0 && !need ? cap : need;
		in[94 + 30] ^= 1; /* in the tag */
		test_read_or_fail(&b, view_of(in, n));
		out = buf_of(a, cap);
		memset(a, 0xee, sizeof a);
		err = bpsec_accept(x, &out, &b, &how);
		cr_expect(err == (cap < need || !need ? -E_OVERFLOW : -E_AUTH) || err == -E_AUTH,
			"%s", err_name(err));
		cr_expect(!has_plaintext(a, sizeof a), "room of %zu", cap);
		in[94 + 30] ^= 1;
	}
	cr_expect_gt(need, 0);
	/* and adding */
	n = vector_load("rfc9173_plain", in);
	test_read_or_fail(&b, view_of(in, n));
	struct bpsec_how add = {.type = BLOCK_BCB,
		.target = 1,
		.context = BPSEC_AES_GCM,
		.source = eid_ipn(2, 1),
		.key = test_key(r, "a256"),
		.iv = view_text(IV)};
	for (size_t cap = 0; cap < sizeof a; cap += cap < 600 ? 1 : 97) {
		struct buf out = buf_of(a, cap);
		int err = bpsec_add(x, &out, &b, &add);
		cr_expect(err == 0 || err == -E_OVERFLOW, "%s", err_name(err));
		cr_expect(err == 0 || out.len == 0);
	}
	bpsec_free(x);
	keyring_free(r);
}

/* What a caller can get wrong. */
Test(bpsec, misuse)
{
	struct keyring *r = test_ring();
	struct bpsec *x = bpsec_new(r);
	uint8_t in[VECTOR_MAX], asb[64];
	size_t n = vector_load("rfc9173_plain", in), made;
	struct buf small = buf_of(asb, sizeof asb);
	struct bundle b;
	struct bpsec_subject s = {.b = &b};
	struct key other = {.kind = KEY_HMAC, .alg = CRYPTO_HMAC_256, .n_secret = 32};

	test_read_or_fail(&b, view_of(in, n));
	struct bpsec_how good = {.type = BLOCK_BCB,
		.target = 1,
		.context = BPSEC_AES_GCM,
		.source = eid_ipn(2, 1),
		.key = test_key(r, "a256"),
		.iv = view_text(IV)};
	struct bpsec_how how = good;
	how.scope = 8;
	cr_expect_eq(bpsec_make_begin(x, &s, &how), -EINVAL);
	how = good;
	how.iv = view_text("short");
	cr_expect_eq(bpsec_make_begin(x, &s, &how), -EINVAL);
	how = good;
	how.context = 7;
	cr_expect_eq(bpsec_make_begin(x, &s, &how), -EINVAL);
	how = good;
	how.key = test_key(r, "kek"); /* and no key to wrap */
	cr_expect_eq(bpsec_make_begin(x, &s, &how), -EINVAL);
	how = good;
	how.type = BLOCK_BIB;
	how.context = BPSEC_HMAC_SHA2;
	how.key = &other; /* of no ring */
	cr_expect_eq(bpsec_make_begin(x, &s, &how), -ENOKEY);
	cr_expect_eq(bpsec_make_end(x, &small, NULL), -EINVAL);
	/* not fed whole; no room for what is written; a signature is not begun to be checked */
	cr_assert_eq(bpsec_make_begin(x, &s, &good), 0);
	cr_expect_eq(bpsec_make_end(x, &small, NULL), -EINVAL);
	cr_expect_eq(bpsec_end(x), -EINVAL);
	cr_assert_eq(bpsec_feed(x, b.payload, a, &made), 0);
	small.cap = 3;
	cr_expect_eq(bpsec_make_end(x, &small, NULL), -E_OVERFLOW);
	bpsec_free(x);
	keyring_free(r);
}
