/*
 * world: the heap of events and the turn of a node, in the order that node.h prescribes. A step takes all
 * that is due for one node at one time, then gives the node its turn; a turn may end with the process
 * dying at any of the marked points (faults_at). Commits run at once and end later, so that everything
 * between "begun" and "told" can be interrupted.
 *
 * Invariant: an event's place in the order is (time, node, source, number), which names it for good.
 * Start reading at sim_step.
 */
#include "dtn/sim/inside.h"

#include <assert.h>
#include <stdlib.h>

#define TURNS_MAX 10000u /* of one node at one time: more is a spin */
#define DTN_2026_MS UINT64_C(820540800000)

static int node_init(struct sim *s, unsigned index);
static void node_fini(struct sim_node *n);
static int dirs_init(struct sim *s);
static void fire(struct sim *s, struct sim_node *n, struct due *d);
static void turn(struct sim *s, struct sim_node *n);
static bool output(struct sim *s, struct sim_node *n, unsigned link);
static bool commit(struct sim *s, struct sim_node *n);
static void batch_ended(struct sim *s, struct sim_node *n);
static void sleep_until(struct sim *s, struct sim_node *n);

#define DUE_AT_START 16 /* kinds of events of a node, and some to spare */

int sim_new(const struct sim_cfg *cfg, struct sim **out)
{
	struct sim *s = calloc(1, sizeof *s);
	int err;

	if (!s)
		return -ENOMEM;
	s->cfg = *cfg;
	heap_init(&s->due);
	hash_init(&s->by_id);
	s->packet = malloc(SIM_PACKET);
	s->node = calloc(cfg->topo->n_nodes, sizeof *s->node);
	err = s->packet && s->node ? dirs_init(s) : -ENOMEM;
	if (err == 0) /* what is due from the start on; later there is no run without memory */
		err = heap_reserve(&s->due, DUE_AT_START * (cfg->topo->n_nodes + 1));
	for (unsigned i = 0; err == 0 && i < cfg->topo->n_nodes; i++)
		err = node_init(s, i);
	if (err == 0)
		err = app_init(s);
	if (err) {
		sim_free(s);
		return err;
	}
	*out = s;
	return 0;
}

void sim_free(struct sim *s)
{
	if (!s)
		return;
	wire_fini(s);
	frames_fini(s); /* empties the heap, which points into all that follows */
	for (size_t i = 0; i < s->n_nodes; i++)
		node_fini(&s->node[i]);
	app_fini(s);
	hash_fini(&s->by_id);
	heap_fini(&s->due);
	free(s->dir);
	free(s->node);
	free(s->packet);
	free(s);
}

bool sim_step(struct sim *s, mono until)
{
	struct heap_node *top = heap_min(&s->due);
	struct sim_node *n;
	mono before = s->now;

	s->node[s->last].trace.tail = s->node[s->last].trace_seen;
	if (!top || top->key > until) {
		if (until != MONO_NEVER && until > s->now)
			s->now = until;
		return false;
	}
	s->now = top->key;
	s->last = container_of(top, struct due, heap)->node;
	n = &s->node[s->last];
	s->turns_at_now = s->now == before ? s->turns_at_now + 1 : 0;
	while ((top = heap_min(&s->due)) && top->key == s->now) {
		struct due *d = container_of(top, struct due, heap);

		if (d->node != s->last)
			break;
		heap_remove(&s->due, top);
		fire(s, n, d);
	}
	turn(s, n);
	s->counts.steps++;
	check_trace(s, n);
	check_step(s, n);
	return true;
}

mono sim_now(const struct sim *s)
{
	return s->now;
}

void sim_advance(struct sim *s, mono to)
{
	struct heap_node *top = heap_min(&s->due);

	assert(to >= s->now && (!top || top->key >= to));
	s->now = to;
}

bool sim_record(struct sim *s, struct sim_record *out)
{
	struct sim_node *n = &s->node[s->last];

	out->node = s->last;
	return n->trace.tail < n->trace_seen && trace_next(&n->trace, &out->rec);
}

bool sim_is_up(const struct sim *s, unsigned node)
{
	return s->node[node].node;
}

const char *sim_link_name(const struct sim *s, unsigned node, unsigned link)
{
	const struct sim_node *n = &s->node[node];

	if (link == EVENT_LINK_TUNNEL)
		return "tunnel";
	return link < n->n_links ? s->cfg.topo->link[n->dir[link] / 2].name : "?";
}

const struct link_dir *sim_link(const struct sim *s, unsigned topo_link, bool b_to_a)
{
	return &s->dir[2 * topo_link + b_to_a].link;
}

void sim_cut(struct sim *s, unsigned topo_link, bool b_to_a, bool cut)
{
	s->dir[2 * topo_link + b_to_a].cut = cut;
}

void sim_lose(struct sim *s, unsigned topo_link, bool b_to_a, unsigned n)
{
	s->dir[2 * topo_link + b_to_a].lose = n;
}

dtntime sim_dtn_zero(const struct topo *t)
{
	return t->plan && t->plan->reference_ms ? t->plan->reference_ms : DTN_2026_MS;
}

/* -- events */

void due_init(struct due *d, enum due_what what, unsigned node)
{
	heap_node_init(&d->heap);
	d->what = what;
	d->node = node;
}

void due_set(struct sim *s, struct due *d, mono at, unsigned source, uint64_t number)
{
	uint64_t tie = (uint64_t)d->node << 51 | (uint64_t)source << 34 | (number & 0x3ffffffffu);

	heap_remove(&s->due, &d->heap);
	if (heap_push(&s->due, &d->heap, at > s->now ? at : s->now, tie) != 0)
		abort(); /* the simulator itself has no memory left: there is no run to go on with */
}

void due_clear(struct sim *s, struct due *d)
{
	heap_remove(&s->due, &d->heap);
}

static void fire(struct sim *s, struct sim_node *n, struct due *d)
{
	switch (d->what) {
	case DUE_BATCH:
		batch_ended(s, n);
		break;
	case DUE_FAULT:
		faults_due(s, n);
		break;
	case DUE_FRAME:
		frames_arrive(s, container_of(d, struct frame, due));
		break;
	case DUE_SEND:
	case DUE_RECV:
		app_due(s, d);
		break;
	case DUE_WAKE:
	case DUE_TURN:
		break; /* the turn itself is what was wanted */
	}
}

/* -- one turn */

static void turn(struct sim *s, struct sim_node *n)
{
	bool again = true;

	while (n->node && again) {
		node_tick(n->node, s->now);
		if (decide_point(s, n, POINT_TIME, 0))
			break;
		for (unsigned i = 0; n->node && i < n->n_links; i++)
			while (output(s, n, i))
				;
		if (n->node)
			app_take(s, n);
		if (n->node && n->is_stopping)
			(void)node_drain(n->node, s->now);
		again = n->node && commit(s, n);
	}
	check_trace(s, n);
	if (n->node && n->signals_due > 0 && faults_at(s, n, STAGE_SIGNAL))
		return;
	if (!n->node || decide_turn_ends(s, n))
		return;
	store_turn(n->store);
	sleep_until(s, n);
}

/* One packet of a link. False: there is none, or the process died with it in hand. */
static bool output(struct sim *s, struct sim_node *n, unsigned link)
{
	struct pkt p = {.buf = s->packet, .cap = SIM_PACKET / 2};
	struct buf whole = buf_of(s->packet + SIM_PACKET / 2, SIM_PACKET / 2);
	enum sim_option how;
	struct wire_frame w;

	if (!node_output(n->node, s->now, link, &p))
		return false;
	for (unsigned i = 0; i < p.n_parts; i++)
		buf_put(&whole, p.part[i].bytes);
	wire_read(s, buf_view(&whole), &w);
	if (faults_at(s, n, STAGE_FORWARDING) || decide_point(s, n, POINT_IN_HAND, w.about))
		return false;
	how = decide_frame(s, n->index, w.about);
	if (how == OPTION_UNSENT) {
		node_sent(n->node, s->now, link, p.cookie, -EAGAIN);
		return true;
	}
	if (buf_finish(&whole) != 0)
		check_fail(s, "a packet of %zu bytes on link %s", whole.len,
			sim_link_name(s, n->index, link));
	else
		frames_send(s, n->dir[link], buf_view(&whole), p.frame_bytes, how);
	wire_sent(s, n, &w);
	if (decide_point(s, n, POINT_ON_WIRE, w.about))
		return false;
	node_sent(n->node, s->now, link, p.cookie, 0);
	return true;
}

/* Begins a commit if there is something to commit. True: it ended within the turn. */
static bool commit(struct sim *s, struct sim_node *n)
{
	int64_t took;

	if (n->batch || !store_is_dirty(n->store))
		return false;
	if (faults_at(s, n, STAGE_STAGED))
		return false;
	check_trace(s, n);
	n->taking_begun = n->taking;
	n->batch = store_commit_begin(n->store);
	n->look = true;
	if (!n->batch)
		return false;
	n->batch_err = 0;
	if (decide_point(s, n, POINT_BEGUN, 0))
		return false;
	n->batch_err = store_commit_run(n->batch);
	took = s->cfg.script ? decide_commit(s, n, &n->batch_err)
			     : faults_commit(s, n, &n->batch_err);
	if (took > 0) {
		due_set(s, &n->batch_end, s->now + took, SRC_BATCH, 0);
		faults_at(s, n, STAGE_RUNNING);
		return false;
	}
	if (faults_at(s, n, STAGE_RUNNING))
		return false;
	batch_ended(s, n);
	return n->node;
}

static void batch_ended(struct sim *s, struct sim_node *n)
{
	struct store_batch *b = n->batch;

	if (n->batch_err == 0 && decide_point(s, n, POINT_WRITTEN, 0))
		return;
	n->batch = NULL;
	n->look = true;
	store_commit_end(n->store, b, n->batch_err);
	if (faults_at(s, n, STAGE_COMMITTED) || decide_point(s, n, POINT_ENDED, 0))
		return;
	if (n->batch_err)
		n->staging |= n->writing; /* it goes again */
	node_stored(n->node, s->now);
	(void)decide_point(s, n, POINT_KNOWN, 0);
}

static void sleep_until(struct sim *s, struct sim_node *n)
{
	mono at = node_deadline(n->node);

	if (at == MONO_NEVER) {
		due_clear(s, &n->wake);
		return;
	}
	if (s->turns_at_now > TURNS_MAX) {
		check_fail(s, "%s is awake again and again at the same time",
			s->cfg.topo->node[n->index].name);
		at = s->now + US_PER_S;
		s->turns_at_now = 0;
	}
	due_set(s, &n->wake, at, SRC_WAKE, 0);
}

/* -- nodes: a process starts and dies */

int sim_node_start(struct sim *s, struct sim_node *n)
{
	struct rng r;
	struct node_deps deps = {
		.store = n->store,
		.plan = s->cfg.topo->plan,
		.trace = &n->trace,
		.dtn_at_zero = s->cfg.dtn_at_zero,
	};
	int err;

	if (n->boots > 0)
		faults_clock(s, n);
	deps.dtn_at_zero -= n->clock_back_ms;
	rng_init(&r, s->cfg.seed, (uint64_t)n->index << 32 | n->boots++);
	deps.seed = rng_u64(&r);
	for (size_t i = 0; i < sizeof deps.secret; i++)
		deps.secret[i] = (uint8_t)rng_u64(&r);
	n->signals_due = 0;
	n->taking = n->taking_begun = 0;
	n->look = true;
	err = node_new(&s->cfg.node[n->index], &deps, s->now, &n->node);
	if (err)
		return err;
	due_set(s, &n->turn, s->now, SRC_TURN, 0);
	decide_started(n);
	wire_started(s, n);
	app_node_up(s, n);
	return 0;
}

/* What the process did until now stands in its trace; what node_free might say does not. */
void sim_node_die(struct sim *s, struct sim_node *n, bool survives)
{
	uint64_t head;

	check_trace(s, n);
	head = n->trace.head;
	node_free(n->node);
	n->trace.head = head;
	n->node = NULL;
	n->batch = NULL;
	store_mem_crash(n->store, survives);
	due_clear(s, &n->wake);
	due_clear(s, &n->turn);
	due_clear(s, &n->batch_end);
	n->look = true;
	app_node_down(s, n);
}

static int node_init(struct sim *s, unsigned index)
{
	struct sim_node *n = &s->node[index];
	const struct topo *t = s->cfg.topo;
	struct store_limits limits = store_limits_default();
	int err;

	limits.reserve_block = s->cfg.reserve_block;
	n->index = index;
	s->n_nodes = index + 1;
	due_init(&n->wake, DUE_WAKE, index);
	due_init(&n->turn, DUE_TURN, index);
	due_init(&n->batch_end, DUE_BATCH, index);
	due_init(&n->fault, DUE_FAULT, index);
	list_init(&n->pending);
	check_node_init(n);
	n->dir = calloc(s->cfg.node[index].n_links + 1, sizeof *n->dir);
	if (!n->dir)
		return -ENOMEM;
	for (unsigned k = 0; k < t->n_links; k++) {
		if (t->link[k].a != index && t->link[k].b != index)
			continue;
		n->dir[n->n_links] = 2 * k + (t->link[k].b == index);
		s->dir[n->dir[n->n_links] ^ 1].to_link = n->n_links;
		n->n_links++;
	}
	assert(n->n_links == s->cfg.node[index].n_links);
	err = trace_init(&n->trace, s->cfg.script ? SIM_RING_SMALL : SIM_RING);
	if (err == 0)
		err = store_mem_open(&limits, &n->store);
	if (err)
		return err;
	faults_init(s, n);
	return sim_node_start(s, n);
}

static void node_fini(struct sim_node *n)
{
	node_free(n->node);
	if (n->store)
		store_close(n->store);
	trace_fini(&n->trace);
	check_node_fini(n);
	free(n->dir);
}

static int dirs_init(struct sim *s)
{
	const struct topo *t = s->cfg.topo;

	s->n_dirs = 2 * t->n_links;
	s->dir = calloc(s->n_dirs + 1, sizeof *s->dir);
	if (!s->dir)
		return -ENOMEM;
	for (unsigned i = 0; i < s->n_dirs; i++) {
		const struct topo_link *l = &t->link[i / 2];
		struct sim_dir *d = &s->dir[i];
		unsigned from = i % 2 ? l->b : l->a;

		d->to = i % 2 ? l->a : l->b;
		link_init(&d->link, t->plan, t->node[from].id, t->node[d->to].id,
			i % 2 ? &l->b_to_a : &l->a_to_b, s->cfg.seed, i);
	}
	return 0;
}
