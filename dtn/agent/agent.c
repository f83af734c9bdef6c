/*
 * agent: the agent's one struct and its entries. Where a bundle's life is written:
 *   receive.c -> (commit.c) -> deliver.c or forward.c -> custody.c -> delete.c
 * send.c makes bundles, restore.c takes over what a store holds after a restart.
 *
 * Memory: everything is taken in agent_new() by the limits of the configuration; per bundle an
 * entry of at most 128 bytes comes from a pool, so nothing is allocated between reception and
 * sending. Bundles are found by keyed hash of their identity (peers choose it), by local id, and by
 * our custody number. Start reading at receive.c.
 */
#include "dtn/agent/state.h"

#include <stdlib.h>

static void take_rules(struct agent *a);
static uint64_t share(const struct agent_cfg *cfg, uint64_t of);
static int agent_tables(struct agent *a);
static int agent_lists(struct agent *a);
static bool next_of(const struct agent *a, uint64_t *id, bool held_only, struct agent_bundle *out);
static bool same_uid(const struct hash_node *n, const void *key);
static bool any(const struct hash_node *n, const void *key);
static uint64_t pair_hash(const struct agent *a, const struct own_pair *p);
static bool same_pair(const struct hash_node *n, const void *key);
static void entry_timer(struct agent *a, struct bundle_entry *e);

int agent_new(
	const struct agent_cfg *cfg, const struct agent_deps *deps, mono now, struct agent **out)
{
	struct agent *a = calloc(1, sizeof *a);
	struct store_stats st;
	struct rng rng;
	int err;

	if (!a)
		return -ENOMEM;
	a->cfg = *cfg;
	if (cfg->reports_per_node_s == 0)
		a->cfg.reports_per_node_s = (cfg->reports_per_s + 1) / 2;
	if (cfg->echo_per_node_s == 0)
		a->cfg.echo_per_node_s = (cfg->echo_per_s + 1) / 2;
	a->deps = *deps;
	a->store = deps->store;
	a->trace = deps->trace;
	a->self = deps->self;
	if (a->self.ssp.n > sizeof a->self_ssp) {
		free(a);
		return -E_CONFIG;
	}
	if (a->self.ssp.n > 0)
		memcpy(a->self_ssp, a->self.ssp.p, a->self.ssp.n);
	a->self.ssp.p = (const uint8_t *)a->self_ssp;
	a->self.three =
		cfg->ipn_three && a->self.scheme == EID_SCHEME_IPN && a->self.node >> 32 != 0;
	take_rules(a);
	rng_init(&rng, deps->seed, a->self.node);
	a->key = (struct hash_key){rng_u64(&rng), rng_u64(&rng)};
	a->echo_rate = (struct bucket){
		.per_s = cfg->echo_per_s, .level = cfg->echo_per_s * 1000, .at = now};
	a->report_rate = (struct bucket){
		.per_s = cfg->reports_per_s, .level = cfg->reports_per_s * 1000, .at = now};
	store_stats(a->store, &st);
	a->boot = st.boot;
	a->most_bundles =
		share(cfg, st.max_bundles < cfg->max_bundles ? st.max_bundles : cfg->max_bundles);
	a->most_bytes = share(cfg, st.max_bytes);
	admit_init(a, &st);
	err = agent_tables(a);
	if (err == 0)
		err = agent_lists(a);
	if (err == 0)
		err = custodian_init(a);
	if (err == 0)
		err = bibe_init(a);
	if (err == 0)
		err = outgoing_init(a);
	if (err == 0)
		err = security_new(a);
	if (err == 0)
		err = restore_all(a, now);
	if (err != 0) {
		agent_free(a);
		return err;
	}
	*out = a;
	return 0;
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	hash_fini(&a->by_uid);
	hash_fini(&a->by_id);
	hash_fini(&a->by_pair);
	hash_fini(&a->tombs);
	hash_fini(&a->pairs);
	heap_fini(&a->timers);
	for (size_t i = 0; i < KNOWN_KINDS; i++)
		heap_fini(&a->known_timers[i]);
	pool_fini(&a->entries);
	pool_fini(&a->promises);
	pool_fini(&a->knowns);
	pairmap_fini(a);
	outgoing_fini(a);
	reassemble_fini(a);
	fragment_fini(a);
	free(a->party);
	security_free(a);
	free(a->scratch);
	free(a->neighbour);
	free(a->registration);
	gather_fini(&a->signals);
	crs_fini(a);
	bibe_fini(a);
	custodian_fini(a);
	free(a);
}

void agent_stats(const struct agent *a, struct agent_stats *out)
{
	const uint64_t *n = a->n_state;

	*out = (struct agent_stats){
		.n_bundles = a->by_id.n,
		.n_queued = n[ENTRY_QUEUED] + n[ENTRY_SENDING],
		.n_waiting = n[ENTRY_WAITING],
		.n_for_apps =
			n[ENTRY_FOR_APP] + n[ENTRY_HANDING] + n[ENTRY_READY] + n[ENTRY_HANDED],
		.n_custody_held = a->n_custody - n[ENTRY_AWAIT],
		.n_custody_sent = n[ENTRY_AWAIT],
		.n_unanswered = a->bibe.sent.by_id.n,
		.n_tombstones = a->tombs.n,
		.n_pairs = a->pairs.n + a->pairmaps.n_pairs,
		.n_evicted = a->n_evicted,
		.n_registrations = a->n_registrations,
		.n_damaged_custody = a->n_damaged_custody,
	};
}

bool agent_next_bundle(const struct agent *a, uint64_t *id, struct agent_bundle *out)
{
	return next_of(a, id, false, out);
}

bool agent_next_held(const struct agent *a, uint64_t *id, struct agent_bundle *out)
{
	return next_of(a, id, true, out);
}

/* Heads of others are not read: they may be on disk. */
static bool next_of(const struct agent *a, uint64_t *id, bool held_only, struct agent_bundle *out)
{
	static const char *const name[ENTRY_STATES] = {"new", "staged", "queued", "sending", "sent",
		"waiting", "app", "app", "app", "handed", "acked", "fragment"};
	const struct bundle_entry *e;
	struct record r;
	struct bundle b;
	struct view v;

	do {
		if (!store_next(a->store, STORE_BUNDLE, id, &v))
			return false;
		e = entry_by_id(a, *id);
	} while (!e || (held_only && !(e->flags & E_CUSTODY)) || !entry_bundle(a, e, &b));
	r = entry_record(a, e);
	*out = (struct agent_bundle){.source = b.source,
		.dest = b.dest,
		.created_ms = b.created_ms,
		.seq = b.seq,
		.size_bytes = r.size_bytes,
		.lifetime_ms = b.lifetime_ms,
		.next = e->neighbour == NO_NEIGHBOUR ? NODE_NONE : a->neighbour[e->neighbour].node,
		.state = name[e->state],
		.custody = (e->flags & E_CUSTODY) != 0,
		.custody_seq_id = r.own_seq_id,
		.custody_seq_no = r.own_seq_no};
	return true;
}

/* What peers and published vectors need, each by its switch. What was stored was taken by the
 * switches of that time: it stays readable. */
static void take_rules(struct agent *a)
{
	a->codes[PROFILE_CCSDS] = custody_codes_ccsds();
	a->codes[PROFILE_BPLIB] = custody_codes_bplib();
	for (unsigned k = 0; k < PROFILES; k++) {
		struct bundle_rules *in = &a->rules_in[k], *own = &a->rules_own[k];

		*in = *own = bundle_rules_default();
		in->custody = own->custody = a->codes[k];
		in->from_outside = true;
		in->allow_no_primary_crc = a->cfg.allow_no_primary_crc;
		in->allow_no_age = a->cfg.allow_no_age;
		in->allow_definite = a->cfg.allow_definite;
		in->allow_short_dtn = a->cfg.allow_short_dtn;
		own->allow_no_primary_crc = true;
		own->allow_no_age = true;
		own->allow_short_dtn = true;
		in->allow_foreign = own->allow_foreign = true;
	}
}

/* One source's share of a limit. */
static uint64_t share(const struct agent_cfg *cfg, uint64_t of)
{
	return cfg->source_percent == 0 || cfg->source_percent >= 100
		       ? UINT64_MAX
		       : (uint64_t)muldiv_i64((int64_t)of, (int64_t)cfg->source_percent, 100);
}

/* -- entries */

/* An entry for a bundle that was just put into the store, in state ENTRY_NEW; NULL when the pool is
 * empty. */
struct bundle_entry *entry_add(struct agent *a, mono now, uint64_t id, const struct record *r)
{
	struct bundle_entry *e = pool_take(&a->entries);
	struct own_pair own;

	if (!e)
		return NULL;
	memset(e, 0, sizeof *e);
	list_init(&e->link);
	heap_node_init(&e->timer);
	e->timer.tie = id;
	e->expiry = agent_mono(a, r->expiry_ms);
	e->due = MONO_NEVER;
	e->seq = store_seq(a->store);
	e->size = r->size_bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)r->size_bytes;
	e->neighbour = NO_NEIGHBOUR;
	e->registration = NO_REGISTRATION;
	e->priority = r->priority < PRIORITIES ? (uint8_t)r->priority : PRIORITY_STANDARD;
	e->flags = (uint8_t)((r->flags & RECORD_LOCAL ? E_LOCAL : 0) |
			     (r->flags & RECORD_HANDED ? E_HANDED : 0) |
			     (r->flags & RECORD_OVERRIDE ? E_OVERRIDE : 0));
	e->custody = r->flags & RECORD_BPLIB ? C_BPLIB : 0;
	e->party = (uint16_t)party_find(a, now, r->source_node);
	party_hold(a, e->party, e->size);
	a->n_state[ENTRY_NEW]++;
	/* Buckets and slots were reserved for the whole pool, so these can't fail. */
	(void)!hash_insert(&a->by_uid, &e->by_uid, hash_u64s(a->key, r->uid, 2));
	(void)!hash_insert(&a->by_id, &e->by_id, id);
	if (r->flags & RECORD_CUSTODY)
		entry_set_custody(a, e, custody_own(r, &own) ? &own : NULL);
	entry_timer(a, e);
	return e;
}

/* Every change of state; leaving a place takes the entry out of its list. */
void entry_set_state(struct agent *a, struct bundle_entry *e, enum entry_state s)
{
	if (e->state == ENTRY_QUEUED)
		forward_dequeue(a, e);
	list_remove(&e->link);
	a->n_state[e->state]--;
	e->state = (uint8_t)s;
	a->n_state[s]++;
}

void entry_free(struct agent *a, struct bundle_entry *e)
{
	entry_set_state(a, e, ENTRY_NEW);
	a->n_state[ENTRY_NEW]--;
	heap_remove(&a->timers, &e->timer);
	hash_remove(&a->by_uid, &e->by_uid);
	hash_remove(&a->by_id, &e->by_id);
	if (e->custody & C_PAIR)
		hash_remove(&a->by_pair, &e->by_pair);
	a->n_custody -= (e->flags & E_CUSTODY) != 0;
	party_let_go(a, e->party, e->size);
	pool_give(&a->entries, e);
}

void entry_set_custody(struct agent *a, struct bundle_entry *e, const struct own_pair *p)
{
	if (e->flags & E_SPLIT)
		fragment_forget(a, e); /* custody is of whole bundles */
	if (e->custody & C_PAIR)
		hash_remove(&a->by_pair, &e->by_pair);
	a->n_custody += !(e->flags & E_CUSTODY);
	e->flags = (uint8_t)((e->flags | E_CUSTODY) & ~E_SENT);
	e->custody = (uint8_t)(p ? e->custody | C_PAIR : e->custody & ~C_PAIR);
	if (p)
		(void)!hash_insert(&a->by_pair, &e->by_pair, pair_hash(a, p));
}

void entry_set_due(struct agent *a, struct bundle_entry *e, mono due)
{
	e->due = due;
	entry_timer(a, e);
}

static void entry_timer(struct agent *a, struct bundle_entry *e)
{
	mono at = mono_min(e->expiry, e->due);

	if (heap_has(&e->timer))
		heap_move(&a->timers, &e->timer, at);
	else
		(void)!heap_push(&a->timers, &e->timer, at, entry_id(e));
}

struct bundle_entry *entry_by_id(const struct agent *a, uint64_t id)
{
	struct hash_node *n = hash_find(&a->by_id, id, any, NULL);

	return n ? container_of(n, struct bundle_entry, by_id) : NULL;
}

struct pair_key {
	const struct agent *a;
	const struct own_pair *pair;
};

struct bundle_entry *entry_by_pair(const struct agent *a, const struct own_pair *p)
{
	struct pair_key key = {a, p};
	struct hash_node *n = hash_find(&a->by_pair, pair_hash(a, p), same_pair, &key);

	return n ? container_of(n, struct bundle_entry, by_pair) : NULL;
}

/* Of identifier 0 the destination counts, of others it does not. */
static uint64_t pair_hash(const struct agent *a, const struct own_pair *p)
{
	const uint64_t v[5] = {p->seq_id, p->seq_no, p->dest_scheme, p->dest_node, p->dest_service};

	return hash_u64s(a->key, v, p->seq_id ? 2 : 5);
}

static bool same_pair(const struct hash_node *n, const void *key)
{
	const struct pair_key *k = key;
	const struct bundle_entry *e =
		container_of((struct hash_node *)(uintptr_t)n, struct bundle_entry, by_pair);
	struct record r = entry_record(k->a, e);
	struct own_pair p;

	return custody_own(&r, &p) && p.seq_id == k->pair->seq_id && p.seq_no == k->pair->seq_no &&
	       (p.seq_id != 0 || (p.dest_scheme == k->pair->dest_scheme &&
					 p.dest_node == k->pair->dest_node &&
					 p.dest_service == k->pair->dest_service));
}

struct uid_key {
	const struct agent *a;
	const uint64_t *uid;
};

struct bundle_entry *entry_by_uid(const struct agent *a, const uint64_t uid[2])
{
	struct uid_key key = {a, uid};
	struct hash_node *n = hash_find(&a->by_uid, hash_u64s(a->key, uid, 2), same_uid, &key);

	return n ? container_of(n, struct bundle_entry, by_uid) : NULL;
}

bool entry_is_durable(const struct agent *a, const struct bundle_entry *e)
{
	return e->seq <= a->committed;
}

struct record entry_record(const struct agent *a, const struct bundle_entry *e)
{
	struct record r;
	struct view v;

	if (store_value(a->store, STORE_BUNDLE, entry_id(e), &v) != 0 || record_decode(v, &r) != 0)
		r = (struct record){0}; /* damaged on disk: it has no route and is given up */
	return r;
}

void entry_uid(const struct agent *a, const struct bundle_entry *e, uint64_t uid[2])
{
	struct view v;

	if (store_value(a->store, STORE_BUNDLE, entry_id(e), &v) != 0 || record_uid(v, uid) != 0)
		uid[0] = uid[1] = 0;
}

void entry_save(struct agent *a, struct bundle_entry *e, const struct record *r)
{
	uint8_t room[STORE_VALUE_MAX];
	struct buf b = buf_of(room, sizeof room);

	record_encode(&b, r);
	store_update(a->store, entry_id(e), buf_view(&b));
}

/* The stored head, read. False when the store can't give it. */
bool entry_bundle(const struct agent *a, const struct bundle_entry *e, struct bundle *b)
{
	struct bundle_fault fault;
	struct view head;

	return store_head(a->store, entry_id(e), &head) == 0 &&
	       bundle_read_head(b, head,
		       &a->rules_own[e->custody & C_BPLIB ? PROFILE_BPLIB : PROFILE_CCSDS],
		       &fault) == 0;
}

static int agent_tables(struct agent *a)
{
	size_t n = a->cfg.max_bundles, k = a->cfg.max_tombstones;
	int err = pool_init(&a->entries, n, sizeof(struct bundle_entry));

	hash_init(&a->by_uid);
	hash_init(&a->by_id);
	hash_init(&a->by_pair);
	hash_init(&a->tombs);
	hash_init(&a->pairs);
	heap_init(&a->timers);
	err = err ? err
		  : pool_init(&a->promises, n + 64 < PROMISES_MAX ? n + 64 : PROMISES_MAX,
			    sizeof(struct promise));
	err = err ? err : pool_init(&a->knowns, KNOWN_KINDS * k, sizeof(struct known));
	err = err ? err : hash_reserve(&a->by_uid, n);
	err = err ? err : hash_reserve(&a->by_id, n);
	err = err ? err : hash_reserve(&a->by_pair, n);
	err = err ? err : hash_reserve(&a->tombs, 2 * k);
	err = err ? err : hash_reserve(&a->pairs, k);
	err = err ? err : heap_reserve(&a->timers, n);
	pairmap_init(a);
	err = err ? err : party_init(a);
	err = err ? err : reassemble_init(a);
	err = err ? err : fragment_init(a);
	if (err == 0 && a->cfg.allow_definite)
		a->scratch = malloc(SCRATCH);
	if (a->cfg.allow_definite && !a->scratch)
		err = -ENOMEM;
	for (size_t i = 0; i < KNOWN_KINDS; i++) {
		heap_init(&a->known_timers[i]);
		err = err ? err : heap_reserve(&a->known_timers[i], k);
	}
	return err;
}

static int agent_lists(struct agent *a)
{
	int err;

	list_init(&a->waiting);
	list_init(&a->again);
	list_init(&a->unclaimed);
	list_init(&a->promised);
	list_init(&a->done);
	a->neighbour = calloc(NEIGHBOURS_MAX, sizeof *a->neighbour);
	a->registration = calloc(a->cfg.max_registrations, sizeof *a->registration);
	err = a->neighbour && a->registration ? signal_init(a) : -ENOMEM;
	return err ? err : crs_init(a);
}

static bool any(const struct hash_node *n, const void *key)
{
	(void)n;
	(void)key;
	return true;
}

static bool same_uid(const struct hash_node *n, const void *key)
{
	const struct uid_key *k = key;
	const struct bundle_entry *e =
		container_of((struct hash_node *)(uintptr_t)n, struct bundle_entry, by_uid);
	uint64_t uid[2];

	entry_uid(k->a, e, uid);
	return uid[0] == k->uid[0] && uid[1] == k->uid[1];
}
