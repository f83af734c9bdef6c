/* Routes against the reference example and against an oracle that enumerates every loop-free route. */
#include "bundle/base/rng.h"
#include "dtn/plan/plan.h"
#include "dtn/route/paths.h"
#include "dtn/route/route.h"
#include "dtn/route/search.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUTES_MAX 20000

static struct plan *plan_of(const char *text, size_t n)
{
	struct plan_note note[2];
	struct plan_notes notes = {note, 0, 2};
	struct plan *p;

	cr_assert_eq(plan_read(view_of(text, n), PLAN_AUTO, &p, &notes), 0, "%s\n%.*s",
		note[0].text, (int)n, text);
	return p;
}

static struct plan *tutorial(void)
{
	char text[16384];
	FILE *f = fopen("tests/vectors/tutorial.ionrc", "r");
	size_t n;

	cr_assert_not_null(f);
	n = fread(text, 1, sizeof text, f);
	fclose(f);
	return plan_of(text, n);
}

Test(route, reference_example) /* JNCA 174 (2021) 102884 */
{
	static const struct {
		uint32_t contact[4];
		int arrival, to_time;
		unsigned hops;
	} rows[] = {{{5, 7, 11}, 3, 10, 3}, {{1, 3, 7, 11}, 4, 10, 4}, {{9}, 11, 20, 1},
		{{5, 7, 13}, 31, 30, 3}, {{1, 3, 7, 13}, 31, 30, 4}, {{5, 7, 15}, 51, 30, 3},
		{{1, 3, 7, 15}, 51, 30, 4}};
	struct plan *p = tutorial();
	struct paths_query q = {.from = 1, .to = 5, .expiry = MONO_NEVER, .limit = 100};
	struct paths found;

	cr_assert_eq(paths_find(p, &q, &found), 0);
	cr_assert_eq(found.n, 7);
	for (size_t i = 0; i < 7; i++) {
		cr_expect_eq(found.path[i].arrival, rows[i].arrival * US_PER_S, "%zu", i);
		cr_expect_eq(found.path[i].to_time, rows[i].to_time * US_PER_S, "%zu", i);
		cr_assert_eq(found.path[i].hops, rows[i].hops, "%zu", i);
		for (unsigned k = 0; k < rows[i].hops; k++)
			cr_expect_eq(found.path[i].contact[k]->index, rows[i].contact[k], "%zu.%u",
				i, k);
	}
	paths_fini(&found);
	plan_free(p);
}

Test(route, cpr_choices)
{
	struct plan *p = tutorial();
	struct route *r = route_cpr_new(p, false);
	struct route_query q = {.from = 1, .to = 5, .expiry = MONO_NEVER};
	struct route_choice c;

	cr_assert_eq(r->ops->find(r, &q, &c), 0);
	cr_expect(c.next == 3 && c.arrival == 3 * US_PER_S && c.hops == 3 && c.contact == 5 &&
		  c.forfeit == 60 * US_PER_S);
	cr_expect_eq(c.volume_bytes, 60, "1 byte/s for 60 s");
	q.at = 2 * US_PER_S;
	cr_expect(r->ops->find(r, &q, &c) == 0 && c.contact == 5 && c.volume_bytes == 58);
	q.at = 0;
	q.closed[q.n_closed++] = 5;
	cr_expect(r->ops->find(r, &q, &c) == 0 && c.contact != 5 && c.arrival > 3 * US_PER_S);
	q.n_closed = 0;
	cr_expect(r->ops->find(r, &q, &c) == 0 && c.contact == 5, "and open again");
	q.exclude[q.n_exclude++] = 3;
	cr_assert_eq(r->ops->find(r, &q, &c), 0);
	cr_expect(c.next == 2 && c.arrival == 4 * US_PER_S);
	q.exclude[q.n_exclude++] = 2;
	cr_assert_eq(r->ops->find(r, &q, &c), 0);
	cr_expect(c.next == 5 && c.from_time == 10 * US_PER_S && c.hops == 1);
	q.expiry = 10 * US_PER_S;
	cr_expect_eq(r->ops->find(r, &q, &c), -E_NO_CONTACT, "not before the expiry");
	q.expiry = MONO_NEVER;
	q.exclude[q.n_exclude++] = 5;
	cr_expect_eq(r->ops->find(r, &q, &c), -E_NO_CONTACT, "only by excluded nodes");
	q.n_exclude = 0;
	q.at = 60 * US_PER_S;
	cr_expect_eq(r->ops->find(r, &q, &c), -E_NO_ROUTE, "everything is over");
	q.at = 0;
	q.size_bytes =
		9; /* 1 byte/s: D-E is over before 9 bytes got over A-C and C-D; A-E lasts 10 s */
	cr_assert_eq(r->ops->find(r, &q, &c), 0);
	cr_expect(c.next == 5 && c.arrival == 20 * US_PER_S, "%ld", (long)c.arrival);
	cr_expect_eq(r->ops->earliest(r, 1, 5, 0), 3 * US_PER_S);
	cr_expect_eq(r->ops->earliest(r, 5, 5, 7), 7);
	cr_expect_eq(r->ops->earliest(r, 1, 77, 0), MONO_NEVER);
	r->ops->free(r);
	r = route_cpr_new(p, true); /* 1 s of light and 671 us of margin, each hop */
	cr_expect_eq(r->ops->earliest(r, 1, 5, 0), 3 * (US_PER_S + 671));
	r->ops->free(r);
	plan_free(p);
}

Test(route, static_table)
{
	static const struct static_row rows[] = {{7, 3}, {NODE_NONE, 2}, {2, 2}};
	struct route *r = route_static_new(rows, 3), *none = route_static_new(NULL, 0);
	struct route_query q = {.from = 1, .to = 7};
	struct route_choice c;

	cr_expect(r->ops->find(r, &q, &c) == 0 && c.next == 3);
	q.exclude[q.n_exclude++] = 3;
	cr_expect(r->ops->find(r, &q, &c) == 0 && c.next == 2);
	q.exclude[q.n_exclude++] = 2;
	cr_expect_eq(r->ops->find(r, &q, &c), -E_NO_CONTACT);
	cr_expect_eq(none->ops->find(none, &q, &c), -E_NO_ROUTE);
	q = (struct route_query){.from = 1, .to = 99};
	cr_expect(r->ops->find(r, &q, &c) == 0 && c.next == 2);
	r->ops->free(r);
	none->ops->free(none);
}

/* -- the oracle */

struct keys {
	mono arrival, end;
	unsigned hops;
	node_id entry;
};

struct oracle {
	const struct plan *p;
	const struct search *s;
	node_id to;
	uint64_t size;
	bool visited[32];
	struct keys route[ROUTES_MAX];
	size_t n;
};

static void walk(struct oracle *o, node_id at, mono t, struct keys k)
{
	if (at == o->to) {
		k.arrival = t;
		cr_assert(o->n < ROUTES_MAX);
		o->route[o->n++] = k;
		return;
	}
	o->visited[at] = true;
	for (size_t i = 0; i < o->p->n_contacts; i++) {
		const struct contact *c = &o->p->contact[i];
		mono next;
		if (c->from != at || o->visited[c->to])
			continue;
		next = search_arrival(o->s, c, t, o->size);
		if (next != MONO_NEVER)
			walk(o, c->to, next,
				(struct keys){0, mono_min(k.end, c->end), k.hops + 1,
					k.entry ? k.entry : c->to});
	}
	o->visited[at] = false;
}

static int keys_cmp(const void *pa, const void *pb)
{
	const struct keys *a = pa, *b = pb;

	if (a->arrival != b->arrival)
		return a->arrival < b->arrival ? -1 : 1;
	if (a->hops != b->hops)
		return a->hops < b->hops ? -1 : 1;
	if (a->end != b->end)
		return a->end > b->end ? -1 : 1;
	return (a->entry > b->entry) - (a->entry < b->entry);
}

/* Few moments and light times, so that ties are the rule. */
static struct plan *random_plan(struct rng *r, unsigned n_nodes)
{
	char text[16384];
	int n = snprintf(text, sizeof text, "{\"contacts\":[");
	const char *comma = "";

	for (unsigned a = 1; a <= n_nodes; a++) {
		for (unsigned b = 1; b <= n_nodes; b++) {
			unsigned at = (unsigned)rng_below(r, 10);
			if (a == b || rng_chance(r, 0.4))
				continue;
			for (int k = 0; k < 2 && at < 16; k++) {
				unsigned len = 2 + (unsigned)rng_below(r, 8),
					 lt = (unsigned)rng_below(r, 3);
				n += snprintf(text + n, sizeof text - (size_t)n,
					"%s{\"from\":%u,\"to\":%u,\"start\":%u,\"end\":%u,\"rate\":"
					"%u,\"owlt\":[[%u,%u],[%u,%u]]}",
					comma, a, b, at, at + len, 800 << rng_below(r, 2), at, lt,
					at + len, lt + (unsigned)rng_below(r, 2));
				comma = ",";
				at += len + (unsigned)rng_below(r, 4);
			}
		}
	}
	n += snprintf(text + n, sizeof text - (size_t)n, "]}");
	return plan_of(text, (size_t)n);
}

Test(route, all_keys_as_the_oracle_says)
{
	static struct oracle o;
	struct rng r;
	unsigned n_routes = 0;

	rng_init(&r, 20260101, 1);
	for (int run = 0; run < 1000; run++) {
		unsigned n_nodes = 3 + (unsigned)rng_below(&r, 3);
		struct plan *p = random_plan(&r, n_nodes);
		struct search *s = search_new(p, false);
		struct paths_query q = {.from = 1,
			.to = 2,
			.at = (mono)rng_below(&r, 6) * US_PER_S,
			.expiry = MONO_NEVER,
			.size_bytes = rng_below(&r, 3) * 100,
			.limit = 30};
		struct paths found;

		o = (struct oracle){.p = p, .s = s, .to = 2, .size = q.size_bytes};
		walk(&o, 1, q.at, (struct keys){.end = MONO_NEVER});
		qsort(o.route, o.n, sizeof o.route[0], keys_cmp);
		cr_assert_eq(paths_find(p, &q, &found), 0);
		cr_assert_eq(found.n, o.n < 30 ? o.n : 30, "run %d: %zu of %zu", run, found.n, o.n);
		for (size_t i = 0; i < found.n; i++) {
			struct keys k = {found.path[i].arrival, found.path[i].to_time,
				found.path[i].hops, found.path[i].contact[0]->to};
			cr_assert_eq(keys_cmp(&k, &o.route[i]), 0,
				"run %d, route %zu of %zu: %ld %ld %u %lu, not %ld %ld %u %lu", run,
				i, o.n, (long)k.arrival, (long)k.end, k.hops,
				(unsigned long)k.entry, (long)o.route[i].arrival,
				(long)o.route[i].end, o.route[i].hops,
				(unsigned long)o.route[i].entry);
		}
		n_routes += found.n > 0;
		paths_fini(&found);
		search_free(s);
		plan_free(p);
	}
	cr_expect(n_routes > 700, "%u", n_routes);
}
