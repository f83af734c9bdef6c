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
	enum sim_option how; /* of a systematic run */
};

#define LATE_US (60 * US_PER_S) /* no other frame came for so long */

static void fly(struct sim *s, const struct flight *fl, unsigned copy);
static void fly_otherwise(struct sim *s, const struct flight *fl);
static void overtaken(struct sim *s, struct sim_dir *d, mono at);
static void late_remove(struct sim_dir *d, const struct frame *f);
static void take_in(struct sim *s, struct sim_node *n, const struct frame *f);
static bool damage(struct frame *f, const struct link_fate *fate);
static struct frame *frame_take(struct sim *s, size_t n);
static void frame_give(struct sim *s, struct frame *f);

void frames_send(
	struct sim *s, unsigned dir, struct view bytes, size_t captured, enum sim_option how)
{
	struct sim_dir *d = &s->dir[dir];
	struct flight fl = {.dir = dir, .bytes = bytes, .captured = captured, .how = how};

	s->counts.frames++;
	if (d->cut || d->lose > 0) {
		d->lose -= d->lose > 0;
		s->counts.frames_lost++;
		return;
	}
	if (fl.how == OPTION_LOSE) {
		s->counts.frames_lost++;
		return;
	}
	link_send(&d->link, s->now, captured, &fl.fate);
	if (fl.fate.n == 0)
		s->counts.frames_lost++;
	for (unsigned i = 0; i < fl.fate.n; i++)
		fly(s, &fl, i);
	if (d->late && fl.fate.n > 0)
		overtaken(s, d, fl.fate.deliver_at[0]);
	if (fl.how != OPTION_WELL && fl.fate.n > 0)
		fly_otherwise(s, &fl);
}

void frames_arrive(struct sim *s, struct frame *f)
{
	struct sim_dir *d = &s->dir[f->dir];
	struct sim_node *n = &s->node[d->to];

	if (!f->is_extra)
		link_arrived(&d->link, f->captured);
	late_remove(d, f);
	s->in_flight--;
	if (!n->node)
		s->counts.frames_to_dead++;
	else if (!f->header_damaged)
		take_in(s, n, f);
	frame_give(s, f);
}

static void take_in(struct sim *s, struct sim_node *n, const struct frame *f)
{
	struct view bytes = view_of(f->bytes, f->n);
	struct wire_frame w;

	wire_read(s, bytes, &w);
	if (decide_point(s, n, POINT_ARRIVED, w.about))
		return;
	wire_arrived(s, n, &w);
	node_input(n->node, s->now, s->dir[f->dir].to_link, bytes);
	(void)decide_point(s, n, POINT_TAKEN, 0);
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

/* The first copy was put into flight as usual: it is held back, or gets a companion. */
static void fly_otherwise(struct sim *s, const struct flight *fl)
{
	struct sim_dir *d = &s->dir[fl->dir];
	bool is_twice = fl->how == OPTION_TWICE || fl->how == OPTION_TWICE_LATE;
	struct frame *f = d->newest;

	if (is_twice) {
		fly(s, fl, 0);
		f = d->newest;
		f->is_extra = true;
	}
	if (fl->how == OPTION_TWICE)
		return;
	f->late = fl->how == OPTION_LATE_2 ? 2 : 1;
	f->next = d->late;
	d->late = f;
	due_set(s, &f->due, fl->fate.deliver_at[0] + LATE_US, SRC_LINK + fl->dir, f->number);
}

/* Another frame goes before those that are held back. */
static void overtaken(struct sim *s, struct sim_dir *d, mono at)
{
	for (struct frame *f = d->late; f; f = f->next) {
		if (f->late == 0 || --f->late > 0)
			continue;
		due_set(s, &f->due, at + 1, SRC_LINK + f->dir, f->number);
	}
}

static void late_remove(struct sim_dir *d, const struct frame *f)
{
	for (struct frame **at = &d->late; *at; at = &(*at)->next)
		if (*at == f) {
			*at = f->next;
			return;
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
	f->is_extra = false;
	f->late = 0;
	f->number = d->n_frames++;
	d->newest = f;
	due_init(&f->due, DUE_FRAME, d->to);
	due_set(s, &f->due, fl->fate.deliver_at[copy], SRC_LINK + fl->dir, f->number);
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
