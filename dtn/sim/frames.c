/*
 * frames: frames in flight. The link model says what becomes of a frame; each copy that will arrive is kept
 * in a buffer of its size class, which is used again afterwards. Bits flip in the copy. A flip in the
 * Ethernet, IP or UDP header costs the frame, as the receiving kernel would drop it; one in the payload
 * gets through to the node, whose CRCs must find it.
 */
#include "dtn/sim/inside.h"

#include <stdlib.h>

struct flight {
	unsigned dir;
	struct view bytes;
	size_t captured;
	struct link_fate fate;
};

static void fly(struct sim *s, const struct flight *fl, unsigned copy);
static bool damage(struct frame *f, const struct link_fate *fate);
static struct frame *frame_take(struct sim *s, size_t n);
static void frame_give(struct sim *s, struct frame *f);

void frames_send(struct sim *s, unsigned dir, struct view bytes, size_t captured)
{
	struct sim_dir *d = &s->dir[dir];
	struct flight fl = {.dir = dir, .bytes = bytes, .captured = captured};

	s->counts.frames++;
	if (d->cut || d->lose > 0) {
		d->lose -= d->lose > 0;
		s->counts.frames_lost++;
		return;
	}
	link_send(&d->link, s->now, captured, &fl.fate);
	if (fl.fate.n == 0)
		s->counts.frames_lost++;
	for (unsigned i = 0; i < fl.fate.n; i++)
		fly(s, &fl, i);
}

void frames_arrive(struct sim *s, struct frame *f)
{
	struct sim_dir *d = &s->dir[f->dir];
	struct sim_node *n = &s->node[d->to];

	link_arrived(&d->link, f->captured);
	s->in_flight--;
	if (!n->node)
		s->counts.frames_to_dead++;
	else if (!f->header_damaged)
		node_input(n->node, s->now, d->to_link, view_of(f->bytes, f->n));
	frame_give(s, f);
}

void frames_fini(struct sim *s)
{
	struct heap_node *e;

	while ((e = heap_min(&s->due))) {
		struct due *d = container_of(e, struct due, heap);

		heap_remove(&s->due, e);
		if (d->what == DUE_FRAME)
			free(container_of(d, struct frame, due));
	}
	for (unsigned k = 0; k < FRAME_CLASSES; k++) {
		while (s->free_frame[k]) {
			struct frame *f = s->free_frame[k];

			s->free_frame[k] = f->next;
			free(f);
		}
	}
}

static void fly(struct sim *s, const struct flight *fl, unsigned copy)
{
	struct frame *f = frame_take(s, fl->bytes.n);
	struct sim_dir *d = &s->dir[fl->dir];

	memcpy(f->bytes, fl->bytes.p, fl->bytes.n);
	f->dir = fl->dir;
	f->n = (uint32_t)fl->bytes.n;
	f->captured = (uint32_t)fl->captured;
	f->header_damaged = copy == 0 && damage(f, &fl->fate);
	due_init(&f->due, DUE_FRAME, d->to);
	due_set(s, &f->due, fl->fate.deliver_at[copy], SRC_LINK + fl->dir, d->n_frames++);
	if (++s->in_flight > s->counts.max_in_flight)
		s->counts.max_in_flight = s->in_flight;
}

/* Flips bits. True: one of them is in the headers before the payload. */
static bool damage(struct frame *f, const struct link_fate *fate)
{
	size_t header_bits = 8 * (size_t)(f->captured - f->n);
	bool header = false;

	for (unsigned i = 0; i < fate->n_flips && i < 8; i++) {
		size_t bit = fate->flip[i];

		if (bit < header_bits)
			header = true;
		else if ((bit -= header_bits) < 8 * (size_t)f->n)
			f->bytes[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
	}
	return header;
}

static struct frame *frame_take(struct sim *s, size_t n)
{
	struct frame *f;
	uint32_t class = 0;

	while (class < FRAME_CLASSES - 1 && (size_t)256 << class < n)
		class ++;
	f = s->free_frame[class];
	if (f)
		s->free_frame[class] = f->next;
	else
		f = malloc(sizeof *f + ((size_t)256 << class));
	if (!f)
		abort(); /* see due_set */
	f->class = class;
	return f;
}

static void frame_give(struct sim *s, struct frame *f)
{
	f->next = s->free_frame[f->class];
	s->free_frame[f->class] = f;
}
