/*
 * decide: see decide.h. What a point is about is read from the trace records since the point before,
 * and from the frame; where nothing of custody happened there is no decision.
 *
 * Start reading at decide_point.
 */
#include "dtn/sim/decide.h"

#include "bundle/bibe.h"
#include "dtn/sim/inside.h"

#include <stdio.h>
#include <stdlib.h>

#define BIT(n) (UINT32_C(1) << (n))
/* What is in a batch, of what a point may be about. */
#define STAGED                                                                                     \
	(BIT(ABOUT_SEND) | BIT(ABOUT_DATA) | BIT(ABOUT_RETURNED) | BIT(ABOUT_SIGNAL) |             \
		BIT(ABOUT_RELEASE) | BIT(ABOUT_NUMBERS) | BIT(ABOUT_CLAIM) | BIT(ABOUT_ACK))
#define NOTICED_US (6 * US_PER_S) /* until a node with a closed store is restarted */
#define STOP_US (5 * US_PER_S)    /* for a stop in order, as drain in owltd */

static enum sim_option decide(struct sim *s, unsigned node, uint32_t mask, uint32_t about);
static uint32_t about_trace(struct sim_node *n);
static uint32_t about_record(const struct trace_rec *r);
static bool reserved(struct sim_node *n);
static uint32_t about_point(struct sim_node *n, enum sim_point point, uint32_t about);
static void die(struct sim *s, struct sim_node *n, enum sim_option how);
static void go_down(struct sim *s, struct sim_node *n, bool survives);

static const char *const option_name[OPTIONS] = {"well", "lose", "twice", "twice-late", "late",
	"later", "unsent", "kill", "kill-kept", "stop", "no-space", "io-error", "slow", "app-dies"};
static const char *const option_text[OPTIONS] = {"nothing", "the frame is lost",
	"the frame arrives twice", "the frame arrives twice, the second time behind the next one",
	"the frame arrives behind the next one", "the frame arrives behind the one after the next",
	"the socket does not take the frame", "the process dies",
	"the process dies, the batch that is being written is kept",
	"the process is stopped in order", "this commit will end with ENOSPC",
	"this commit will end with EIO", "this commit takes long", "the application dies"};
static const char *const point_name[POINTS] = {"request staged", "frame arrived, not looked at",
	"frame taken in", "timers looked at", "frame in hand, not on the wire",
	"frame on the wire, agent not told", "application told", "batch begun, not durable",
	"batch durable, not known", "batch ended, event not taken",
	"event taken, nothing said yet"};
static const char *const about_name[ABOUTS] = {"a bundle made here", "a bundle to take custody of",
	"a known pair again", "a bundle that returned", "an acceptance to signal",
	"a refusal to signal", "a custody signal", "a signal of no use", "a refusal", "a release",
	"a retransmission", "reserved numbers", "a hand-over noted", "a delivery",
	"an acknowledgement"};

const char *sim_option_name(unsigned option)
{
	return option < OPTIONS ? option_name[option] : "?";
}

const char *sim_point_name(unsigned point)
{
	return point < POINTS ? point_name[point] : "?";
}

const char *sim_about_name(unsigned about)
{
	return about < ABOUTS ? about_name[about] : "?";
}

void sim_note_print(const struct sim_note *n, char *out, size_t cap)
{
	size_t len = (size_t)snprintf(out, cap, "-- %s", option_text[n->option]);
	const char *sep;

	if ((n->option == OPTION_KILL || n->option == OPTION_KILL_KEPT) && len < cap)
		len += (size_t)snprintf(out + len, cap - len, ": %s", point_name[n->point]);
	sep = " (";
	for (unsigned i = 0; i < ABOUTS; i++)
		if (n->about & BIT(i) && len < cap) {
			len += (size_t)snprintf(out + len, cap - len, "%s%s", sep, about_name[i]);
			sep = ", ";
		}
	if (n->about && len < cap)
		snprintf(out + len, cap - len, ")");
}

void script_begin(struct sim_script *d)
{
	d->n_met = d->n_taken = 0;
	d->n_notes = 0;
	d->is_wrong = false;
}

int script_parse(struct sim_script *d, const char *text)
{
	d->n_choices = 0;
	while (*text) {
		struct sim_choice *c = &d->choice[d->n_choices];
		char *end;
		unsigned long at = strtoul(text, &end, 10);
		size_t n = 0;

		if (d->n_choices == SIM_CHOICES_MAX || end == text || *end != '-' ||
			at >= SIM_DECISIONS_MAX || (d->n_choices > 0 && at <= c[-1].at))
			return -E_RANGE;
		text = end + 1;
		while (text[n] && text[n] != ',')
			n++;
		*c = (struct sim_choice){.at = (uint32_t)at};
		for (unsigned i = 1; i < OPTIONS; i++)
			if (strlen(option_name[i]) == n && strncmp(option_name[i], text, n) == 0)
				c->option = i;
		if (c->option == 0)
			return -E_UNKNOWN;
		d->n_choices++;
		text += n + (text[n] == ',');
	}
	return 0;
}

void script_print(const struct sim_script *d, char *out, size_t cap)
{
	size_t n = 0;

	if (cap > 0)
		*out = '\0';
	for (unsigned i = 0; i < d->n_choices && n < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s%u-%s", i ? "," : "", d->choice[i].at,
			option_name[d->choice[i].option]);
}

/* -- kills */

bool decide_point(struct sim *s, struct sim_node *n, enum sim_point point, uint32_t about)
{
	bool runs = n->batch && n->batch_err == 0;
	enum sim_option o;

	if (!s->cfg.script || !n->node)
		return !n->node;
	about = about_point(n, point, about | about_trace(n));
	if (about == 0)
		return false;
	n->has_acted = true;
	/* Durable and not known: lost it was before. */
	o = decide(s, n->index,
		point == POINT_WRITTEN ? BIT(OPTION_KILL_KEPT)
				       : BIT(OPTION_KILL) | (runs ? BIT(OPTION_KILL_KEPT) : 0),
		about);
	if (o == OPTION_WELL)
		return false;
	for (unsigned k = 0; k < ABOUTS; k++)
		s->cfg.script->counts.kill[point][k] += (about & BIT(k)) != 0;
	if (s->cfg.script->n_notes > 0)
		s->cfg.script->note[s->cfg.script->n_notes - 1].point = point;
	die(s, n, o);
	return true;
}

/* A batch is about all that was staged since the one before. */
static uint32_t about_point(struct sim_node *n, enum sim_point point, uint32_t about)
{
	switch (point) {
	case POINT_BEGUN:
		n->writing = n->staging | (reserved(n) ? BIT(ABOUT_NUMBERS) : 0);
		n->staging = 0;
		return n->writing;
	case POINT_WRITTEN:
	case POINT_ENDED:
		return n->writing;
	case POINT_KNOWN:
		return about | n->writing;
	default:
		n->staging |= about & STAGED;
		return about;
	}
}

bool decide_turn_ends(struct sim *s, struct sim_node *n)
{
	bool may_stop = s->cfg.script && n->has_acted && !n->is_stopping;

	n->has_acted = false;
	if (may_stop && decide(s, n->index, BIT(OPTION_STOP), 0) != OPTION_WELL) {
		n->is_stopping = true;
		n->stop_at = s->now + STOP_US;
	}
	if (!n->is_stopping)
		return false;
	if (s->now < n->stop_at &&
		(!node_drain(n->node, s->now) || n->batch || store_is_dirty(n->store))) {
		due_set(s, &n->turn, n->stop_at, SRC_TURN, 0);
		return false;
	}
	go_down(s, n, false);
	return true;
}

static void die(struct sim *s, struct sim_node *n, enum sim_option how)
{
	s->counts.crashes++;
	if (n->batch) {
		s->counts.batches_kept += how == OPTION_KILL_KEPT;
		s->counts.batches_lost += how != OPTION_KILL_KEPT;
	}
	go_down(s, n, how == OPTION_KILL_KEPT);
}

void decide_restart(struct sim *s, struct sim_node *n)
{
	go_down(s, n, false);
}

static void go_down(struct sim *s, struct sim_node *n, bool survives)
{
	n->is_stopping = false;
	decide_forget(n);
	sim_node_die(s, n, survives);
	due_set(s, &n->fault, s->now + s->cfg.script->down_us, SRC_FAULT, 0);
}

void decide_forget(struct sim_node *n)
{
	n->has_acted = false;
	n->staging = n->writing = 0;
	n->decide_seen = n->trace.head;
}

void decide_started(struct sim_node *n)
{
	decide_forget(n);
	(void)reserved(n);
}

/* -- the other decisions */

enum sim_option decide_frame(struct sim *s, unsigned from, uint32_t about)
{
	struct sim_script *d = s->cfg.script;
	enum sim_option o;

	if (!d || about == 0)
		return OPTION_WELL;
	o = decide(s, from,
		BIT(OPTION_LOSE) | BIT(OPTION_TWICE) | BIT(OPTION_TWICE_LATE) | BIT(OPTION_LATE_1) |
			BIT(OPTION_LATE_2) | BIT(OPTION_UNSENT),
		about);
	d->counts.frame[(about & BIT(ABOUT_SIGNAL)) != 0][o]++;
	return o;
}

int64_t decide_commit(struct sim *s, struct sim_node *n, int *err)
{
	enum sim_option o;

	if (!s->cfg.script || n->writing == 0)
		return s->cfg.commit_us;
	o = decide(s, n->index, BIT(OPTION_NO_SPACE) | BIT(OPTION_IO_ERROR) | BIT(OPTION_SLOW),
		n->writing);
	if (o == OPTION_NO_SPACE || o == OPTION_IO_ERROR) {
		*err = o == OPTION_NO_SPACE ? -ENOSPC : -EIO;
		s->counts.commits_failed++;
	}
	if (o == OPTION_IO_ERROR)
		due_set(s, &n->fault, s->now + NOTICED_US, SRC_FAULT, 0);
	return o == OPTION_SLOW ? s->cfg.script->slow_us : s->cfg.commit_us;
}

bool decide_app_dies(struct sim *s, struct sim_node *n)
{
	return s->cfg.script &&
	       decide(s, n->index, BIT(OPTION_APP_DIES), BIT(ABOUT_HAND)) != OPTION_WELL;
}

static enum sim_option decide(struct sim *s, unsigned node, uint32_t mask, uint32_t about)
{
	struct sim_script *d = s->cfg.script;
	uint32_t at = d->n_met++;
	uint32_t o = OPTION_WELL;

	if (at < SIM_DECISIONS_MAX)
		d->mask[at] = mask;
	else
		d->counts.unnoted++;
	if (d->n_taken == d->n_choices || d->choice[d->n_taken].at != at)
		return OPTION_WELL;
	o = d->choice[d->n_taken++].option;
	if (o >= OPTIONS || !(mask & BIT(o))) {
		d->is_wrong = true;
		return OPTION_WELL;
	}
	d->counts.option[o]++;
	if (d->n_notes < SIM_NOTES_MAX)
		d->note[d->n_notes++] =
			(struct sim_note){.at = s->now, .node = node, .option = o, .about = about};
	return (enum sim_option)o;
}

/* -- what a point is about */

static uint32_t about_trace(struct sim_node *n)
{
	uint32_t about = 0;

	for (; n->decide_seen < n->trace.head; n->decide_seen++)
		about |= about_record(&n->trace.ring[n->decide_seen & (n->trace.cap - 1)]);
	return about;
}

/* Of a transmission's answer. */
static bool is_good(uint64_t disposition)
{
	return disposition == BIBE_ACCEPTED || disposition == BIBE_REDUNDANT;
}

static uint32_t about_record(const struct trace_rec *r)
{
	switch (r->ev) {
	case EV_bundle_sourced:
		return r->a[2] ? BIT(ABOUT_SEND) : 0;
	case EV_bundle_received:
		return r->a[4] ? BIT(ABOUT_DATA) : 0;
	case EV_bundle_duplicate:
		return r->a[2] == WHY_CUSTODY_RETURNED ? BIT(ABOUT_RETURNED) : BIT(ABOUT_AGAIN);
	case EV_tunnel_tx:
		return r->a[4] ? BIT(ABOUT_SEND) : 0;
	case EV_tunnel_rx:
		return r->a[3] ? BIT(ABOUT_DATA) : 0;
	case EV_tunnel_told:
		return is_good(r->a[3]) ? BIT(ABOUT_YES) : BIT(ABOUT_NO);
	case EV_tunnel_answered:
		return is_good(r->a[3]) ? BIT(ABOUT_RELEASE) : BIT(ABOUT_REFUSED);
	case EV_tunnel_late:
		return BIT(ABOUT_TIMER);
	case EV_tunnel_signal_tx:
		return BIT(ABOUT_SIGNAL);
	case EV_tunnel_signal_rx:
		return r->a[4] ? BIT(ABOUT_OLD) : 0;
	case EV_custody_signalled:
		return r->a[2] ? BIT(ABOUT_YES) : BIT(ABOUT_NO);
	case EV_custody_signal_tx:
		return BIT(ABOUT_SIGNAL);
	case EV_custody_signal_rx:
		return r->a[4] ? BIT(ABOUT_OLD) : 0;
	case EV_custody_released:
		return BIT(ABOUT_RELEASE);
	case EV_custody_refused:
		return BIT(ABOUT_REFUSED);
	case EV_custody_retx:
		return BIT(ABOUT_TIMER);
	case EV_bundle_handed:
		return BIT(ABOUT_HAND);
	default:
		return 0;
	}
}

/* Did the end of any counter's reserved numbers move since it was last looked at? */
static bool reserved(struct sim_node *n)
{
	uint64_t id = 0, ends = 0;
	struct view v;

	while (store_next(n->store, STORE_RESERVED, &id, &v))
		ends += v.n == 8 ? be64_get(v.p) : 0;
	if (ends == n->numbers)
		return false;
	n->numbers = ends;
	return true;
}
