/* Custody with keys: signals are signed, and nothing else releases what was sent to a custodian with a
 * key, however right its numbers and names are. */
#include "dtn/agent/break.h"
#include "tests/unit/agent/chain.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define KEY_1 "1f0a8c5d7be2493b6c11d4e8a09f3752c6b81e40d97a2f63e5048bc2716dfa39"
#define KEY_2 "2f0a8c5d7be2493b6c11d4e8a09f3752c6b81e40d97a2f63e5048bc2716dfa39"

static void key(struct side *s, const char *id, const char *secret)
{
	struct security_lab_key *k = &s->cfg.security.lab_key[s->cfg.security.n_lab_keys++];

	*k = (struct security_lab_key){.kind = "hmac", .sha = 256};
	snprintf(k->id, sizeof k->id, "%s", id);
	snprintf(k->secret, sizeof k->secret, "%s", secret);
	s->cfg.security.failures_per_s = 1000;
	s->cfg.security.max_bytes = 65536;
}

/* s and `node` know this secret of each other. */
static void shared(struct side *s, const char *node, const char *secret)
{
	char id[16];

	snprintf(id, sizeof id, "k%zu", s->cfg.security.n_lab_keys);
	key(s, id, secret);
	snprintf(chain_neighbour(s, node)->key, KEY_ID_MAX, "%s", id);
}

/* 1 and 2 have a key, 2 and 3 have none. */
static void chain_with_key(struct chain *x)
{
	chain_make(x);
	shared(&x->a, "ipn:2.0", KEY_1);
	shared(&x->b, "ipn:1.0", KEY_1);
	chain_start(x);
}

Test(custody_keys, signed_signal_releases)
{
	struct chain x;
	struct flight sig;
	struct bundle b;

	chain_with_key(&x);
	chain_send(&x);
	side_pass(&x.a, &x.b);
	settle(&x.b);
	cr_assert(side_out(&x.b, 1, &sig));
	b = chain_read(&sig, PROFILE_CCSDS);
	cr_assert_not_null(bundle_block(&b, BLOCK_BIB));
	cr_assert_eq(count(&x.b, EV_security_added), 2, "primary block and payload");
	side_in(&x.a, 2, &sig);
	cr_assert_eq(count(&x.a, EV_custody_released), 1);
	cr_assert_eq(count(&x.a, EV_custody_signal_refused), 0);
	cr_assert_eq(stats(&x.a).n_bundles, 0);
	/* towards 3, which has no key, nothing is signed */
	side_pass(&x.b, &x.c);
	settle(&x.c);
	side_pass(&x.c, &x.b);
	cr_assert_eq(count(&x.c, EV_security_added), 0);
	cr_assert_eq(count(&x.b, EV_custody_released), 1);
	chain_fini(&x);
}

/* So it is before the link tells that the bundle was sent. */
Test(custody_keys, before_the_link_tells)
{
	struct flight f, sig;
	struct chain x;

	if (BREAK_UNSIGNED_RELEASES)
		cr_skip_test("a build that is broken on purpose");
	chain_with_key(&x);
	chain_send(&x);
	cr_assert(side_give(&x.a, 2, &f));
	signal_make(&sig, 3, 1, true, 1, (const uint64_t[2]){0, 1});
	side_in(&x.a, 2, &sig);
	cr_expect_eq(count(&x.a, EV_custody_released), 0, "not signed");
	side_in(&x.b, 1, &f);
	settle(&x.b);
	cr_assert(side_out(&x.b, 1, &sig));
	side_in(&x.a, 2, &sig);
	cr_expect_eq(count(&x.a, EV_custody_released), 1);
	side_sent(&x.a, &f);
	cr_expect_eq(stats(&x.a).n_bundles, 0);
	chain_fini(&x);
}

/* What 2 would say if it had this key, or none. */
static void say(struct flight *sig, const struct flight *data, const char *secret)
{
	struct side m;

	side_init(&m, 2, chain_n13, 2, NODE_NONE);
	m.cfg.signal_count = 1;
	if (secret)
		shared(&m, "ipn:1.0", secret);
	side_start(&m, chain_n13, 2);
	side_in(&m, 1, data);
	settle(&m);
	cr_assert(side_out(&m, 1, sig));
	side_fini(&m);
}

/* The right pair, the right names, from the right neighbour. */
Test(custody_keys, forged_signals_release_nothing)
{
	static const struct {
		const char *secret; /* it is signed with */
		size_t flip;        /* of its payload, from the end; 0: none */
		node_id from;       /* without a secret: whose name it bears */
		enum why why;
		bool dropped; /* a CRC is wrong: it is none at all */
	} t[] = {{NULL, 0, 2, WHY_SIGNAL_UNSIGNED, false}, {NULL, 0, 7, WHY_SIGNAL_UNSIGNED, false},
		{KEY_2, 0, 2, WHY_SIGNAL_FORGED, false}, {KEY_1, 3, 2, WHY_SIGNAL_FORGED, false}};

	if (BREAK_UNSIGNED_RELEASES)
		cr_skip_test("a build that is broken on purpose");
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct chain x;
		struct flight f, sig;
		struct trace_rec r;

		chain_with_key(&x);
		chain_send(&x);
		cr_assert(side_out(&x.a, 2, &f));
		chain_listen(&x.a);
		if (t[i].secret)
			say(&sig, &f, t[i].secret);
		else
			signal_make(&sig, t[i].from, 1, true, 1,
				(const uint64_t[2]){chain_held(&x.a).custody_seq_no, 1});
		if (t[i].flip)
			sig.bytes[sig.n - t[i].flip] ^= 1;
		side_in(&x.a, 2, &sig);
		cr_assert_eq(count(&x.a, EV_custody_released), 0, "row %zu", i);
		cr_assert_eq(stats(&x.a).n_custody_sent, 1, "row %zu", i);
		cr_assert_eq(count(&x.a, EV_custody_signal_refused), 1, "row %zu", i);
		while (trace_next(&x.a.trace, &r)) {
			if (r.ev == EV_custody_signal_refused)
				cr_assert_eq(r.a[2], t[i].why, "row %zu: %s", i,
					why_name((unsigned)r.a[2]));
			if (r.ev == EV_custody_signal_rx)
				cr_assert_eq(r.a[2], 0, "row %zu: it accepted nothing", i);
		}
		/* nor does a refusal move anything */
		if (!t[i].secret) {
			signal_make(&sig, t[i].from, 1, false, 1,
				(const uint64_t[2]){chain_held(&x.a).custody_seq_no, 1});
			side_in(&x.a, 2, &sig);
			cr_assert_eq(count(&x.a, EV_custody_refused), 0);
		}
		say(&sig, &f, KEY_1);
		side_in(&x.a, 2, &sig);
		cr_assert_eq(count(&x.a, EV_custody_released), 1, "row %zu: the real one", i);
		chain_fini(&x);
	}
}

/* After a restart nobody knows to whom it was sent: only a signed signal counts, until it is sent to
 * somebody without a key. */
Test(custody_keys, restart)
{
	struct chain x;
	struct flight f, sig;

	if (BREAK_UNSIGNED_RELEASES)
		cr_skip_test("a build that is broken on purpose");
	chain_with_key(&x);
	chain_send(&x);
	cr_assert(side_out(&x.a, 2, &f));
	side_commit(&x.a, 0);
	side_crash(&x.a, false, chain_n2, 1);
	signal_make(&sig, 7, 1, true, 1, (const uint64_t[2]){chain_held(&x.a).custody_seq_no, 1});
	side_in(&x.a, 2, &sig);
	cr_assert_eq(count(&x.a, EV_custody_released), 0);
	say(&sig, &f, KEY_1);
	side_in(&x.a, 2, &sig);
	cr_assert_eq(count(&x.a, EV_custody_released), 1);
	chain_fini(&x);
}

/* What went to 3, without a key, is released by its plain signal at a node that has a key for 1. */
Test(custody_keys, a_key_is_for_its_neighbour_alone)
{
	struct chain x;

	chain_with_key(&x);
	chain_send(&x);
	side_pass(&x.a, &x.b);
	settle(&x.b);
	side_crash(&x.b, false, chain_n13, 2);
	cr_assert_eq(side_pass(&x.b, &x.c), 1);
	settle(&x.c);
	cr_assert_eq(side_pass(&x.c, &x.b), 1);
	cr_assert_eq(count(&x.b, EV_custody_released), 1);
	chain_fini(&x);
}

/* Settings that can't work are told with their place. */
Test(custody_keys, settings)
{
	static const struct {
		const char *node[2], *key, *kind, *path;
	} t[] = {{{"ipn:2.0", "ipn:3.0"}, "k0", "hmac", NULL},
		{{"ipn:2.0", "ipn:2.0"}, "k0", "hmac", "custody.neighbours[1].node"},
		{{"ipn:2.0", "ipn:3.0"}, "k9", "hmac", "custody.neighbours[1].key"},
		{{"ipn:2.0", "ipn:3.0"}, "k0", "aes256", "custody.neighbours[1].key"}};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct side s = {.cfg = kit_cfg()};
		struct schema_error e = {0};
		struct keyring *ring;

		key(&s, "k0", KEY_1);
		if (strcmp(t[i].kind, "hmac") != 0)
			s.cfg.security.lab_key[0].sha = 0;
		snprintf(s.cfg.security.lab_key[0].kind, 16, "%s", t[i].kind);
		chain_neighbour(&s, t[i].node[0]);
		snprintf(chain_neighbour(&s, t[i].node[1])->key, KEY_ID_MAX, "%s", t[i].key);
		cr_assert_eq(security_lab_ring(&s.cfg.security, &ring, &e), 0, "%s", e.text);
		cr_assert_eq(custody_check(&s.cfg, ring, &e), t[i].path ? -E_CONFIG : 0);
		if (t[i].path)
			cr_assert_str_eq(e.path, t[i].path);
		keyring_free(ring);
	}
}
