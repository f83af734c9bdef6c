/*
 * The UDP convergence core against any bytes and any times: steps of {what, size, delay} taken from
 * the input. It must keep its promises: frames end before the guard, every bundle ends in one event.
 */
#include "convergence/udpcl.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct play {
	struct cl *c;
	mono now, until;
	uint64_t n_taken, n_done, next_id;
};

static void drain(struct play *f)
{
	struct cl_event ev;

	while (f->c->ops->event(f->c, &ev))
		if (ev.type == CL_SENT || ev.type == CL_SEND_FAILED) {
			f->n_done++;
			assert(ev.type != CL_SENT || f->until == MONO_NEVER ||
				ev.tx_end <= f->until);
		}
}

static void step(struct play *f, uint8_t what, uint64_t arg, struct view rest)
{
	uint8_t room[64];
	struct pkt p = {.buf = room, .cap = sizeof room};
	struct cl_bundle b = {.id = ++f->next_id,
		.payload = {.handle = 1, .len = arg + 1},
		.size_bytes = arg + 1};
	struct link_cue cue = {
		.tx_open = arg & 1, .rate_bps = arg * 100, .until = f->now + (mono)arg};

	f->now += (mono)arg;
	switch (what % 5) {
	case 0:
		f->until = cue.until = arg & 2 ? MONO_NEVER : f->now + (mono)arg * 50;
		f->c->ops->cue(f->c, f->now, &cue);
		break;
	case 1:
		f->n_taken += f->c->ops->send(f->c, f->now, &b) == 0;
		break;
	case 2:
		if (f->c->ops->output(f->c, f->now, &p))
			f->c->ops->sent(f->c, f->now, p.cookie, arg & 1 ? -ENOBUFS : 0);
		break;
	case 3:
		if (f->c->ops->input(f->c, f->now, rest))
			assert(0);
		break;
	default:
		f->c->ops->tick(f->c, f->now);
		assert(f->c->ops->deadline(f->c) >= 0);
		break;
	}
	drain(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cl_cfg cfg = {.mtu_bytes = 1500, .keepalive_us = 1, .burst_us = 100, .guard_us = 10};
	struct play f = {.c = cl_find("udp")->new (&cfg), .until = MONO_NEVER};

	for (size_t i = 0; i + 3 <= size; i += 3)
		step(&f, data[i], (uint64_t)data[i + 1] << 4 | data[i + 2],
			view_of(data + i, size - i));
	f.c->ops->cue(f.c, f.now, &(struct link_cue){0});
	drain(&f);
	assert(f.n_taken == f.n_done);
	f.c->ops->free(f.c);
	return 0;
}
