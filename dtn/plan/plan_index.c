/*
 * plan_index: the sorted views of a plan: contacts by node and by pair, the nodes, and the edges of
 * each node. Orders are total, (from, start, to, index) and (from, to, start, index), so that every
 * search walks contacts in the same order everywhere.
 */
#include "dtn/plan/build.h"

#include <stdlib.h>

static int by_from_cmp(const void *a, const void *b);
static int by_pair_cmp(const void *a, const void *b);
static int node_cmp(const void *a, const void *b);
static int mono_cmp(const void *a, const void *b);
static void index_nodes(struct plan *p);
static void index_edges(struct plan *p);

int plan_index(struct plan *p)
{
	size_t n = p->n_contacts;

	p->by_from = calloc(n + 1, sizeof(const struct contact *));
	p->by_pair = calloc(n + 1, sizeof(const struct contact *));
	p->node = calloc(2 * n + 1, sizeof *p->node);
	p->node_first = calloc(2 * n + 2, sizeof *p->node_first);
	p->edge = calloc(4 * n + 1, sizeof *p->edge);
	p->edge_first = calloc(2 * n + 2, sizeof *p->edge_first);
	if (!p->by_from || !p->by_pair || !p->node || !p->node_first || !p->edge || !p->edge_first)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		p->by_from[i] = p->by_pair[i] = &p->contact[i];
	qsort(p->by_from, n, sizeof(const struct contact *), by_from_cmp);
	qsort(p->by_pair, n, sizeof(const struct contact *), by_pair_cmp);
	index_nodes(p);
	index_edges(p);
	return 0;
}

static void index_nodes(struct plan *p)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < p->n_contacts; i++) {
		p->node[2 * i] = p->contact[i].from;
		p->node[2 * i + 1] = p->contact[i].to;
	}
	qsort(p->node, 2 * p->n_contacts, sizeof *p->node, node_cmp);
	for (size_t i = 0; i < 2 * p->n_contacts; i++)
		if (i == 0 || p->node[i] != p->node[n - 1])
			p->node[n++] = p->node[i];
	p->n_nodes = n;
	for (size_t k = 0; k < n; k++) {
		p->node_first[k] = (uint32_t)at;
		while (at < p->n_contacts && p->by_from[at]->from == p->node[k])
			at++;
	}
	p->node_first[n] = (uint32_t)at;
}

/* Four edges a contact: the sender's two, and the receiver's two later by the light time. */
static void index_edges(struct plan *p)
{
	uint32_t *first = p->edge_first;

	for (size_t i = 0; i < p->n_contacts; i++) {
		first[plan_node_index(p, p->contact[i].from) + 1] += 2;
		first[plan_node_index(p, p->contact[i].to) + 1] += 2;
	}
	for (size_t k = 0; k < p->n_nodes; k++)
		first[k + 1] += first[k];
	for (size_t i = p->n_contacts; i-- > 0;) { /* fills each node's part from its end */
		const struct contact *c = &p->contact[i];
		size_t from = plan_node_index(p, c->from) + 1, to = plan_node_index(p, c->to) + 1;
		p->edge[--first[from]] = c->start;
		p->edge[--first[from]] = c->end;
		p->edge[--first[to]] = mono_add(c->start, contact_owlt_us(p, c, c->start));
		p->edge[--first[to]] = mono_add(c->end, contact_owlt_us(p, c, c->end));
	}
	for (size_t k = 0; k < p->n_nodes; k++) { /* first[k + 1] now tells where node k begins */
		uint32_t end = k + 1 < p->n_nodes ? first[k + 2] : (uint32_t)(4 * p->n_contacts);
		qsort(p->edge + first[k + 1], end - first[k + 1], sizeof *p->edge, mono_cmp);
	}
	for (size_t k = 0; k < p->n_nodes; k++)
		first[k] = first[k + 1];
	first[p->n_nodes] = (uint32_t)(4 * p->n_contacts);
}

static int cmp_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int cmp_i64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int by_from_cmp(const void *pa, const void *pb)
{
	const struct contact *a = *(const struct contact *const *)pa;
	const struct contact *b = *(const struct contact *const *)pb;
	int c = cmp_u64(a->from, b->from);

	c = c ? c : cmp_i64(a->start, b->start);
	c = c ? c : cmp_u64(a->to, b->to);
	return c ? c : cmp_u64(a->index, b->index);
}

static int by_pair_cmp(const void *pa, const void *pb)
{
	const struct contact *a = *(const struct contact *const *)pa;
	const struct contact *b = *(const struct contact *const *)pb;
	int c = cmp_u64(a->from, b->from);

	c = c ? c : cmp_u64(a->to, b->to);
	c = c ? c : cmp_i64(a->start, b->start);
	return c ? c : cmp_u64(a->index, b->index);
}

static int node_cmp(const void *a, const void *b)
{
	return cmp_u64(*(const node_id *)a, *(const node_id *)b);
}

static int mono_cmp(const void *a, const void *b)
{
	return cmp_i64(*(const mono *)a, *(const mono *)b);
}
