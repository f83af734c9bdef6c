/*
 * search: earliest arrival over node-sorted contacts, then the ties.
 *
 * 1. Dijkstra over nodes gives the earliest arrival T. Where light time does not fall faster than time
 *    passes, to be somewhere earlier is never worse, so one label a node is enough.
 * 2. Rounds: round h finds the earliest arrival at each node with at most h contacts; the first h
 *    that reaches the destination by T is the least number of hops. A label of Dijkstra alone is not
 *    enough here: an earlier arrival with more hops may hide a later one that waits for the same contact.
 * 3. The rounds are repeated with only the contacts that end later than the best route's end so far, until
 *    none is found; then with only smaller entry nodes. Each repetition improves strictly; two are usual.
 *
 * A node's contacts are sorted by start; `max_end` (the largest end up to each place) ascends, so
 * the first contact that is not over is found by binary search. Nothing is allocated after search_new,
 * unless paths are kept. Invariant: a round's label replaces one of an earlier round only if it
 * arrives strictly earlier, so a route never meets a node twice.
 */
#include "dtn/route/search.h"

#include "bundle/base/heap.h"

#include <assert.h>
#include <stdlib.h>

#define NO_TRAIL UINT32_MAX

struct label {
	uint64_t epoch; /* of the search it belongs to */
	uint32_t round;
	uint32_t trail;
	mono arrival, end;
	const struct contact *first, *last;
};

struct frontier {
	struct label label;
	uint32_t node;
};

struct step { /* one hop of a kept path */
	const struct contact *c;
	uint32_t before;
};

struct search {
	const struct plan *plan;
	bool margin;
	mono *max_end;      /* beside plan.by_from */
	uint32_t *to_index; /* likewise: index of its receiver */
	uint64_t epoch;
	struct label *label;     /* by node */
	struct heap_node *entry; /* by node */
	struct heap heap;
	struct frontier *front; /* nodes of this round, copied: they must not change under way */
	uint32_t *next, n_next; /* nodes that this round improved */
	struct step *step;
	uint32_t n_steps, cap_steps;
	bool keep_paths, no_memory;
};

/* What the rounds must keep to. */
struct bounds {
	mono arrival;        /* at most */
	unsigned hops;       /* at most */
	mono end;            /* contacts end at this or later */
	node_id entry_below; /* NODE_NONE: any */
};

static mono dijkstra(struct search *s, const struct search_query *q);
static bool rounds(struct search *s, const struct search_query *q, const struct bounds *b,
	struct search_route *out);
static void expand(struct search *s, const struct search_query *q, const struct bounds *b,
	const struct frontier *f, uint32_t round);
static void improve(struct search *s, uint32_t node, const struct label *l);
static size_t first_open(const struct search *s, size_t node, mono at);
static bool may_use(const struct search_query *q, const struct plan *p, const struct contact *c,
	size_t to, bool is_first);
static uint32_t keep_step(struct search *s, const struct contact *c, uint32_t before);

struct search *search_new(const struct plan *plan, bool margin_sabr)
{
	struct search *s = calloc(1, sizeof *s);
	size_t n = plan->n_nodes + 1, m = plan->n_contacts + 1;

	if (!s)
		return NULL;
	s->plan = plan;
	s->margin = margin_sabr;
	heap_init(&s->heap);
	s->max_end = calloc(m, sizeof *s->max_end);
	s->to_index = calloc(m, sizeof *s->to_index);
	s->label = calloc(n, sizeof *s->label);
	s->entry = calloc(n, sizeof *s->entry);
	s->front = calloc(n, sizeof *s->front);
	s->next = calloc(n, sizeof *s->next);
	if (!s->max_end || !s->to_index || !s->label || !s->entry || !s->front || !s->next ||
		heap_reserve(&s->heap, n)) {
		search_free(s);
		return NULL;
	}
	for (size_t k = 0; k < plan->n_nodes; k++) {
		heap_node_init(&s->entry[k]);
		for (uint32_t i = plan->node_first[k]; i < plan->node_first[k + 1]; i++) {
			const struct contact *c = plan->by_from[i];
			bool later = i == plan->node_first[k] || c->end > s->max_end[i - 1];
			s->max_end[i] = later ? c->end : s->max_end[i - 1];
			s->to_index[i] = (uint32_t)plan_node_index(plan, c->to);
		}
	}
	return s;
}

void search_free(struct search *s)
{
	if (!s)
		return;
	heap_fini(&s->heap);
	free(s->max_end);
	free(s->to_index);
	free(s->label);
	free(s->entry);
	free(s->front);
	free(s->next);
	free(s->step);
	free(s);
}

void search_keep_paths(struct search *s)
{
	s->keep_paths = true;
}

bool search_best(struct search *s, const struct search_query *q, struct search_route *out)
{
	struct search_route better;
	struct bounds b = {.hops = UINT32_MAX, .end = INT64_MIN};

	s->n_steps = 0;
	*out = (struct search_route){.arrival = q->at, .end = MONO_NEVER, .trail = NO_TRAIL};
	if (q->from == q->to)
		return true;
	b.arrival = dijkstra(s, q);
	if (b.arrival == MONO_NEVER || !rounds(s, q, &b, out))
		return false;
	b.hops = out->hops;
	while (out->end < MONO_NEVER) {
		b.end = out->end + 1;
		if (!rounds(s, q, &b, &better))
			break;
		*out = better;
	}
	b.end = out->end;
	for (b.entry_below = out->first->to; rounds(s, q, &b, &better);
		b.entry_below = out->first->to)
		*out = better;
	return true;
}

mono search_earliest(struct search *s, const struct search_query *q)
{
	return q->from == q->to ? q->at : dijkstra(s, q);
}

int search_path(
	const struct search *s, const struct search_route *route, const struct contact **path)
{
	uint32_t at = route->trail;

	assert(s->keep_paths);
	if (s->no_memory)
		return -ENOMEM;
	for (unsigned i = route->hops; i-- > 0; at = s->step[at].before)
		path[i] = s->step[at].c;
	return 0;
}

/* SABR's margin: nodes may drift apart at up to 125 mi/s while light needs 186282 (ION's 450000 mph). */
mono search_arrival(const struct search *s, const struct contact *c, mono at, uint64_t size_bytes)
{
	mono start = at > c->start ? at : c->start, end = start;
	int64_t owlt_us;

	if (start >= c->end || size_bytes > SEARCH_SIZE_MAX)
		return MONO_NEVER;
	if (size_bytes) {
		int64_t bits = (int64_t)size_bytes * 8, rate = (int64_t)c->rate_bps;
		int64_t us = muldiv_i64(bits, US_PER_S, rate);
		us += bits > muldiv_i64(us, rate, US_PER_S); /* rounded up, as the link does */
		end = mono_add(start, us);
	}
	if (end > c->end)
		return MONO_NEVER;
	owlt_us = contact_owlt_us(s->plan, c, end);
	if (s->margin)
		owlt_us += muldiv_i64(owlt_us, 125, 186282);
	return mono_add(end, owlt_us);
}

static mono dijkstra(struct search *s, const struct search_query *q)
{
	const struct plan *p = s->plan;
	struct label *to = &s->label[q->to];
	struct heap_node *e;

	s->epoch++;
	s->heap.n = 0;
	*to = (struct label){.epoch = s->epoch, .arrival = MONO_NEVER};
	s->label[q->from] = (struct label){.epoch = s->epoch, .arrival = q->at};
	heap_node_init(&s->entry[q->from]);
	if (heap_push(&s->heap, &s->entry[q->from], q->at, q->from))
		return MONO_NEVER;
	while ((e = heap_min(&s->heap)) != NULL && e->key < to->arrival) {
		size_t u = (size_t)(e - s->entry);
		mono t = e->key;
		heap_remove(&s->heap, e);
		for (size_t i = first_open(s, u, t); i < p->node_first[u + 1]; i++) {
			const struct contact *c = p->by_from[i];
			uint32_t v = s->to_index[i];
			struct label *l = &s->label[v];
			if (c->start >= to->arrival)
				break;
			if (c->end <= t || v == q->from || !may_use(q, p, c, v, u == q->from))
				continue;
			mono at = search_arrival(s, c, t, q->size_bytes);
			if (at >= to->arrival || (l->epoch == s->epoch && l->arrival <= at))
				continue;
			if (l->epoch != s->epoch)
				heap_node_init(&s->entry[v]);
			else
				heap_remove(&s->heap, &s->entry[v]);
			*l = (struct label){.epoch = s->epoch, .arrival = at};
			if (v != q->to && heap_push(&s->heap, &s->entry[v], at, v))
				return MONO_NEVER; /* can't be: there is room for every node */
		}
	}
	while ((e = heap_min(&s->heap)) != NULL)
		heap_remove(&s->heap, e);
	return to->arrival;
}

static bool rounds(struct search *s, const struct search_query *q, const struct bounds *b,
	struct search_route *out)
{
	struct label *to = &s->label[q->to];
	uint32_t n_front = 1;

	s->epoch++;
	*to = (struct label){0};
	s->front[0].node = (uint32_t)q->from;
	s->front[0].label = (struct label){
		.epoch = s->epoch, .arrival = q->at, .end = MONO_NEVER, .trail = NO_TRAIL};
	s->label[q->from] = s->front[0].label;
	for (uint32_t round = 1; n_front > 0 && round <= b->hops; round++) {
		s->n_next = 0;
		for (uint32_t i = 0; i < n_front; i++)
			expand(s, q, b, &s->front[i], round);
		if (to->epoch == s->epoch) {
			*out = (struct search_route){to->arrival, round, to->end, to->first,
				keep_step(s, to->last, to->trail)};
			return true;
		}
		n_front = s->n_next;
		for (uint32_t i = 0; i < n_front; i++) {
			struct label *l = &s->label[s->next[i]];
			l->trail = keep_step(s, l->last, l->trail);
			s->front[i] = (struct frontier){*l, s->next[i]};
		}
	}
	return false;
}

/* Offers every contact that a node of the last round can use to its receiver. */
static void expand(struct search *s, const struct search_query *q, const struct bounds *b,
	const struct frontier *f, uint32_t round)
{
	const struct plan *p = s->plan;
	size_t u = f->node;

	for (size_t i = first_open(s, u, f->label.arrival); i < p->node_first[u + 1]; i++) {
		const struct contact *c = p->by_from[i];
		uint32_t v = s->to_index[i];
		if (c->start > b->arrival)
			break;
		if (c->end <= f->label.arrival || c->end < b->end || v == q->from ||
			!may_use(q, p, c, v, round == 1))
			continue;
		if (round == 1 && b->entry_below != NODE_NONE && c->to >= b->entry_below)
			continue;
		mono at = search_arrival(s, c, f->label.arrival, q->size_bytes);
		if (at > b->arrival)
			continue;
		improve(s, v,
			&(struct label){.epoch = s->epoch,
				.round = round,
				.trail = f->label.trail,
				.arrival = at,
				.end = mono_min(f->label.end, c->end),
				.last = c,
				.first = round == 1 ? c : f->label.first});
	}
}

/* Earlier wins; in the same round also, at the same time, a later end, then a smaller entry node. */
static void improve(struct search *s, uint32_t node, const struct label *l)
{
	struct label *old = &s->label[node];
	bool fresh = old->epoch != s->epoch;
	bool better = fresh || l->arrival < old->arrival;

	if (!better && l->arrival == old->arrival && l->round == old->round)
		better = l->end > old->end || (l->end == old->end && l->first->to < old->first->to);
	if (!better)
		return;
	if (fresh || old->round != l->round)
		s->next[s->n_next++] = node;
	*old = *l;
}

/* The first contact of a node that is not over at `at`, as an index into plan.by_from. */
static size_t first_open(const struct search *s, size_t node, mono at)
{
	size_t lo = s->plan->node_first[node], hi = s->plan->node_first[node + 1];

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (s->max_end[mid] <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool may_use(const struct search_query *q, const struct plan *p, const struct contact *c,
	size_t to, bool is_first)
{
	if (q->node_banned && q->node_banned[to])
		return false;
	if (!is_first)
		return true;
	if (q->contact_banned && q->contact_banned[c - p->contact])
		return false;
	for (size_t i = 0; i < q->n_exclude; i++)
		if (q->exclude[i] == c->to)
			return false;
	return true;
}

/* A hop of a path that may be asked for; NO_TRAIL where paths are not kept. */
static uint32_t keep_step(struct search *s, const struct contact *c, uint32_t before)
{
	if (!s->keep_paths)
		return NO_TRAIL;
	if (s->n_steps == s->cap_steps) {
		uint32_t cap = s->cap_steps ? 2 * s->cap_steps : 256;
		struct step *step = reallocarray(s->step, cap, sizeof *step);
		s->no_memory |= !step;
		if (!step)
			return NO_TRAIL;
		s->step = step;
		s->cap_steps = cap;
	}
	s->step[s->n_steps] = (struct step){c, before};
	return s->n_steps++;
}
