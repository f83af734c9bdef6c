/*
 * report: the emulator's figures: links.json (owlt-capture(5)), written beside and renamed so that a
 * reader sees it whole, and the totals in shared memory.
 */
#include "netns/emulator.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void share(struct emulator *e);
static uint64_t dropped(const struct emulator_dir *d);
static void write_all(struct json_writer *w, const struct emulator *e);
static void write_link(struct json_writer *w, const struct emulator *e, unsigned link);
static void write_dir(struct json_writer *w, const struct topo *t, const struct emulator_dir *d);
static int save(const char *path, struct view text);

bool emulator_is_balanced(const struct emulator_dir *d)
{
	const struct link_counts *c = &d->model.counts;
	uint64_t in = c->frames_in + d->lost_memory + d->lost_cut;
	uint64_t out = c->frames_out - d->lost_interface;

	return link_balanced(&d->model) && in + c->duplicated == out + dropped(d) + c->in_flight;
}

int emulator_report(struct emulator *e)
{
	struct json_writer w = {0};
	struct buf out = {0};
	int err;

	e->overrun += wire_overrun(e->wire);
	share(e);
	w.out = &out;
	write_all(&w, e);
	out.p = malloc(out.len + 1);
	if (!out.p)
		return -ENOMEM;
	out = buf_of(out.p, out.len + 1);
	w = (struct json_writer){.out = &out};
	write_all(&w, e);
	buf_u8(&out, '\n');
	err = save(e->cfg->links_path, buf_view(&out));
	free(out.p);
	return err;
}

static void share(struct emulator *e)
{
	struct emulator_shared *s = e->cfg->shared;
	uint64_t in = 0, out = 0, dup = 0, drop = 0, flight = 0, kernel = 0;
	bool is_balanced = true;

	for (unsigned k = 0; k < e->n_dirs; k++) {
		const struct emulator_dir *d = &e->dir[k];

		in += d->model.counts.frames_in + d->lost_memory + d->lost_cut;
		out += d->model.counts.frames_out - d->lost_interface;
		dup += d->model.counts.duplicated;
		drop += dropped(d);
		flight += d->model.counts.in_flight;
		kernel += d->kernel_frames;
		is_balanced = is_balanced && emulator_is_balanced(d);
	}
	/* The frames that we hold are those that the model believes to be under way. */
	s->is_balanced = is_balanced && flight == e->flights.heap.n;
	s->frames_in = in;
	s->frames_out = out;
	s->duplicated = dup;
	s->dropped = drop;
	s->in_flight = flight;
	s->kernel_frames = kernel;
	s->overrun = e->overrun;
	s->capture_missed = e->capture ? capture_missed(e->capture) : 0;
	s->late_p50_ns = lateness_quantile_ns(&e->lateness, 0.5);
	s->late_p99_ns = lateness_quantile_ns(&e->lateness, 0.99);
	s->late_max_ns = e->lateness.max_ns;
}

static uint64_t dropped(const struct emulator_dir *d)
{
	uint64_t n = d->lost_memory + d->lost_interface + d->lost_cut;

	for (unsigned why = LINK_PASSED + 1; why < LINK_DROPS; why++)
		n += d->model.counts.dropped[why];
	return n;
}

static void write_all(struct json_writer *w, const struct emulator *e)
{
	const struct emulator_shared *s = e->cfg->shared;

	jw_object(w, NULL);
	jw_text(w, "lab", view_text(e->cfg->topo->name));
	jw_i64(w, "lab_us", lab_clock_us(&e->clock, clock_now_ns(CLOCK_MONOTONIC)));
	jw_double(w, "speed", e->clock.speed);
	jw_bool(w, "balanced", s->is_balanced);
	jw_u64(w, "frames_in", s->frames_in);
	jw_u64(w, "frames_out", s->frames_out);
	jw_u64(w, "duplicated", s->duplicated);
	jw_u64(w, "dropped", s->dropped);
	jw_u64(w, "in_flight", s->in_flight);
	jw_u64(w, "kernel_frames", s->kernel_frames);
	jw_u64(w, "overrun_frames", s->overrun);
	jw_u64(w, "capture_missed_frames", s->capture_missed);
	jw_u64(w, "capacity_frames_per_s", s->capacity);
	jw_bool(w, "realtime_priority", s->has_realtime);
	jw_u64(w, "late_p50_real_ns", s->late_p50_ns);
	jw_u64(w, "late_p99_real_ns", s->late_p99_ns);
	jw_u64(w, "late_max_real_ns", s->late_max_ns);
	jw_array(w, "links");
	for (unsigned k = 0; k < e->n_dirs / 2; k++)
		write_link(w, e, k);
	jw_array_end(w);
	jw_object_end(w);
}

static void write_link(struct json_writer *w, const struct emulator *e, unsigned link)
{
	const struct topo *t = e->cfg->topo;

	jw_object(w, NULL);
	jw_text(w, "name", view_text(t->link[link].name));
	jw_array(w, "directions");
	write_dir(w, t, &e->dir[2 * link]);
	write_dir(w, t, &e->dir[2 * link + 1]);
	jw_array_end(w);
	jw_object_end(w);
}

static void write_dir(struct json_writer *w, const struct topo *t, const struct emulator_dir *d)
{
	const struct topo_link *l = &t->link[d->link];
	const struct link_counts *c = &d->model.counts;

	jw_object(w, NULL);
	jw_text(w, "from", view_text(t->node[d->way == A_TO_B ? l->a : l->b].name));
	jw_text(w, "to", view_text(t->node[d->way == A_TO_B ? l->b : l->a].name));
	jw_u64(w, "frames_in", c->frames_in + d->lost_memory + d->lost_cut);
	jw_u64(w, "bytes_in", c->bytes_in);
	jw_u64(w, "frames_out", c->frames_out - d->lost_interface);
	jw_u64(w, "bytes_out", c->bytes_out);
	jw_u64(w, "duplicated", c->duplicated);
	jw_u64(w, "in_flight", c->in_flight);
	jw_u64(w, "bit_errors", c->bit_errors);
	jw_u64(w, "kernel_frames", d->kernel_frames);
	jw_bool(w, "balanced", emulator_is_balanced(d));
	jw_object(w, "dropped");
	for (enum link_drop why = LINK_PASSED + 1; why < LINK_DROPS; why++)
		jw_u64(w, link_drop_name(why), c->dropped[why]);
	jw_u64(w, "memory", d->lost_memory);
	jw_u64(w, "interface", d->lost_interface);
	jw_u64(w, "cut", d->lost_cut);
	jw_object_end(w);
	jw_object_end(w);
}

static int save(const char *path, struct view text)
{
	char beside[4096];
	int fd, err = 0;

	if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
		return -ENAMETOOLONG;
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text.p, text.n) != (ssize_t)text.n)
		err = -EIO;
	close(fd);
	if (!err && rename(beside, path) < 0)
		err = -errno;
	return err;
}
