/*
 * gather: items are kept in the order in which they came, sorted when they are sent, and made into
 * sequences: one per kind and counter, its numbers as runs. A record holds as many sequences as its
 * form allows (profile bplib: one, owlt-custody(7)); the rest goes into the next record.
 *
 * Everything is bounded: lists, items of a list, sequences of a record. When an addressee finds no
 * list, the one that is due first is sent early. Start reading at gather_add().
 */
#include "dtn/agent/state.h"

#include <stdlib.h>

static struct gather_list *list_for(
	struct agent *a, mono now, struct gather *g, const struct gather_key *key);
static mono flush_time(const struct agent *a, mono now, const struct gather_key *key);
static mono closing(const struct agent *a, mono now, node_id neighbour);
static void flush(struct agent *a, mono now, struct gather *g, struct gather_list *l);
static size_t sequences_make(const struct gather_list *l, struct gather_sequence *s, size_t *n,
	struct range runs[GATHER_ITEMS_MAX]);
static int item_order(const void *x, const void *y);
static bool same_counter(const struct gather_item *x, const struct gather_item *y);

int gather_init(struct gather *g, gather_send *send, size_t cap)
{
	*g = (struct gather){.send = send, .cap = cap};
	g->items = calloc(GATHER_LISTS * cap, sizeof *g->items);
	for (size_t i = 0; g->items && i < GATHER_LISTS; i++)
		g->list[i].item = g->items + i * cap;
	return g->items ? 0 : -ENOMEM;
}

void gather_fini(struct gather *g)
{
	free(g->items);
}

bool gather_has_room(struct agent *a, mono now, struct gather *g, const struct gather_key *key)
{
	return list_for(a, now, g, key)->n < g->cap;
}

void gather_add(struct agent *a, mono now, struct gather *g, const struct gather_key *key,
	const struct gather_item *item)
{
	struct gather_list *l = list_for(a, now, g, key);

	l->key.via = key->via;
	if (l->n == 0)
		l->due = flush_time(a, now, key);
	if (key->by != 0)
		l->due = mono_min(l->due, key->by);
	l->item[l->n] = *item;
	if (item->seq_id != 0)
		l->item[l->n].dest = (struct kept_eid){0};
	l->n++;
	if (l->n == g->cap)
		flush(a, now, g, l);
}

void gather_flush(struct agent *a, mono now, struct gather *g)
{
	for (size_t i = 0; i < GATHER_LISTS; i++)
		flush(a, now, g, &g->list[i]);
}

void gather_tick(struct agent *a, mono now, struct gather *g)
{
	for (size_t i = 0; i < GATHER_LISTS; i++)
		if (g->list[i].is_used && g->list[i].due <= now)
			flush(a, now, g, &g->list[i]);
}

void gather_retry(struct agent *a, mono now, struct gather *g)
{
	for (size_t i = 0; i < GATHER_LISTS; i++)
		if (g->list[i].is_late)
			flush(a, now, g, &g->list[i]);
}

mono gather_deadline(const struct gather *g)
{
	mono at = MONO_NEVER;

	for (size_t i = 0; i < GATHER_LISTS; i++)
		if (g->list[i].is_used)
			at = mono_min(at, g->list[i].due);
	return at;
}

bool gather_is_pending(const struct gather *g)
{
	for (size_t i = 0; i < GATHER_LISTS; i++)
		if (g->list[i].is_used)
			return true;
	return false;
}

static struct gather_list *list_for(
	struct agent *a, mono now, struct gather *g, const struct gather_key *key)
{
	struct gather_list *oldest = NULL, *unused = NULL;

	for (size_t i = 0; i < GATHER_LISTS; i++) {
		struct gather_list *l = &g->list[i];

		if (!l->is_used)
			unused = unused ? unused : l;
		else if (l->key.profile == key->profile && eid_kept_same(&l->key.to, &key->to) &&
			 eid_kept_same(&l->key.about, &key->about))
			return l;
		else if (!oldest || l->due < oldest->due)
			oldest = l;
	}
	if (!unused) {
		flush(a, now, g, oldest);
		oldest->n = 0; /* not taken by the store: lost, it will be asked for again */
		unused = oldest;
	}
	unused->is_used = true;
	unused->is_late = false;
	unused->n = 0;
	unused->key = *key;
	return unused;
}

/* signal_delay from now, but a margin before the contact closes to the addressee, or to the
 * neighbour it came by: after that it could wait for a long time. */
static mono flush_time(const struct agent *a, mono now, const struct gather_key *key)
{
	mono at = mono_add(now, a->cfg.signal_delay_us);

	at = mono_min(at, closing(a, now, key->to.node));
	return key->via == NODE_NONE ? at : mono_min(at, closing(a, now, key->via));
}

static mono closing(const struct agent *a, mono now, node_id neighbour)
{
	unsigned k = neighbour_find(a, neighbour);
	mono last;

	if (k == NO_NEIGHBOUR || !a->neighbour[k].is_open || a->neighbour[k].until == MONO_NEVER)
		return MONO_NEVER;
	last = a->neighbour[k].until - a->cfg.custody_margin_us;
	return last > now ? last : now;
}

/* Sends what is there; keeps it when the stage is full, until the next commit. */
static void flush(struct agent *a, mono now, struct gather *g, struct gather_list *l)
{
	struct gather_sequence s[CCS_SEQUENCES_MAX];
	struct range runs[GATHER_ITEMS_MAX];

	if (l->is_used && l->n > 0)
		qsort(l->item, l->n, sizeof *l->item, item_order);
	while (l->is_used && l->n > 0) {
		bool one = g->is_single || a->codes[l->key.profile].bare_sequence;
		size_t n = one ? 1 : CCS_SEQUENCES_MAX;
		size_t done = sequences_make(l, s, &n, runs);

		if (g->send(a, now, l, s, n, done) != 0) {
			a->retry = l->is_late = true;
			l->due = mono_add(now, RETRY_US);
			return;
		}
		memmove(l->item, l->item + done, (l->n - done) * sizeof *l->item);
		l->n -= done;
	}
	l->is_used = l->is_late = false;
}

/* Sorted items as at most *n sequences; *n: how many there are. Returns how many items they hold. */
static size_t sequences_make(const struct gather_list *l, struct gather_sequence *s, size_t *n,
	struct range runs[GATHER_ITEMS_MAX])
{
	size_t most = *n, used = 0, i = 0;

	*n = 0;
	for (; i < l->n; i++) {
		const struct gather_item *x = &l->item[i];

		if (i == 0 || !same_counter(x, &l->item[i - 1])) {
			if (*n == most)
				break;
			s[(*n)++] = (struct gather_sequence){.kind = x->kind,
				.seq_id = x->seq_id,
				.dest = eid_kept(&x->dest),
				.numbers = ranges_of(runs + used, l->n - i)};
		}
		size_t before = s[*n - 1].numbers.n;

		/* Sorted, and room for one run an item: it can't fail. */
		(void)!ranges_add(&s[*n - 1].numbers, x->seq_no, x->seq_no + 1);
		used += s[*n - 1].numbers.n - before;
	}
	return i;
}

static int item_order(const void *x, const void *y)
{
	const struct gather_item *a = x, *b = y;
	const uint64_t ka[6] = {
		a->kind, a->seq_id, a->dest.scheme, a->dest.node, a->dest.service, a->seq_no};
	const uint64_t kb[6] = {
		b->kind, b->seq_id, b->dest.scheme, b->dest.node, b->dest.service, b->seq_no};

	for (size_t i = 0; i < 6; i++)
		if (ka[i] != kb[i])
			return ka[i] < kb[i] ? -1 : 1;
	return 0;
}

static bool same_counter(const struct gather_item *x, const struct gather_item *y)
{
	return x->kind == y->kind && x->seq_id == y->seq_id &&
	       (x->seq_id != 0 || eid_kept_same(&x->dest, &y->dest));
}
