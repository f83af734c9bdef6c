/* What the custodian before does: a refusal (another way, later, to and fro), the timer over the plan,
 * giving up. CCSDS 734.6, procedures. */
#include "tests/unit/agent/chain.h"
#include "tests/unit/agent/hand.h"

#include "bundle/admin.h"
#include "dtn/plan/plan.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const node_id n24[] = {2, 4};

/* 1, with a way to 5 over 2 and another over 4. */
static void two_ways(struct side *a)
{
	const struct static_row row[] = {{NODE_NONE, 4}, {2, 2}, {4, 4}, {5, 2}};

	side_init(a, 1, n24, 2, NODE_NONE);
	a->route->ops->free(a->route);
	a->route = route_static_new(row, 4);
	cr_assert(a->route);
	cr_assert_eq(trace_init(&a->trace, 256), 0);
}

static void refuse(struct side *a, node_id by)
{
	struct flight sig;

	signal_make(&sig, by, 1, false, 1, (const uint64_t[2]){0, 100});
	side_in(a, by, &sig);
}

static void send_5(struct side *a)
{
	cr_assert_eq(side_send(a, 5, 5, HOUR_MS, true), 0);
	side_commit(a, 0);
}

/* Refused by one: at once over the other; refused there, too: after the interval from the start. */
Test(custody_retry, another_way_then_later)
{
	struct side a;
	struct flight f;

	two_ways(&a);
	side_start(&a, n24, 2);
	send_5(&a);
	cr_assert(side_out(&a, 2, &f));
	refuse(&a, 2);
	cr_assert_not(side_out(&a, 2, &f));
	cr_assert(side_out(&a, 4, &f), "the other way, now");
	refuse(&a, 4);
	cr_assert_eq(stats(&a).n_waiting, 1, "not to and fro between two that are full");
	agent_changed(a.agent, a.now);
	cr_assert_not(side_out(&a, 2, &f));
	cr_assert_not(side_out(&a, 4, &f));
	side_at(&a, 59 * SEC);
	cr_assert_not(side_out(&a, 2, &f));
	side_at(&a, 60 * SEC);
	cr_assert(side_out(&a, 2, &f), "the interval is over");
	refuse(&a, 2);
	cr_assert(side_out(&a, 4, &f), "both ways are tried again");
	cr_assert_eq(count(&a, EV_custody_refused), 3);
	cr_assert_eq(count(&a, EV_custody_retx), 1);
	side_fini(&a);
}

/* A refusal of what is on its way again changes nothing. */
Test(custody_retry, refused_while_queued)
{
	struct side a;
	struct flight f;

	two_ways(&a);
	side_start(&a, n24, 2);
	send_5(&a);
	cr_assert(side_out(&a, 2, &f));
	refuse(&a, 2);
	refuse(&a, 2);
	cr_assert_eq(count(&a, EV_custody_refused), 2);
	cr_assert(side_out(&a, 4, &f));
	cr_assert_not(side_out(&a, 4, &f));
	side_fini(&a);
}

/* The last transmission is refused, or not answered: held until it expires; an acceptance that comes
 * late still counts. */
Test(custody_retry, gives_up)
{
	for (int late = 0; late < 2; late++) {
		struct side a;
		struct flight f;

		two_ways(&a);
		a.cfg.custody_max_sends = 2;
		side_start(&a, n24, 2);
		send_5(&a);
		cr_assert(side_out(&a, 2, &f));
		refuse(&a, 2);
		cr_assert(side_out(&a, 4, &f));
		refuse(&a, 4);
		cr_assert_eq(stats(&a).n_custody_sent, 1, "no third time");
		side_at(&a, 3000 * SEC);
		cr_assert_not(side_out(&a, 2, &f));
		cr_assert_not(side_out(&a, 4, &f));
		if (late) {
			signal_make(&f, 4, 1, true, 1, (const uint64_t[2]){0, 1});
			side_in(&a, 4, &f);
			cr_assert_eq(count(&a, EV_custody_released), 1);
		} else {
			side_at(&a, 3601 * SEC);
			cr_assert_eq(count(&a, EV_bundle_deleted), 1);
		}
		cr_assert_eq(stats(&a).n_bundles, 0);
		side_fini(&a);
	}
}

/* Refused: what the next custodian says and why it does not matter to us; what it does itself. */
Test(custody_retry, refused_for_want_of_room)
{
	struct chain x;
	uint64_t arg[TRACE_ARGS];

	chain_make(&x);
	x.b.cfg.max_bundles = 16;
	chain_start(&x);
	chain_listen(&x.b);
	side_fill(&x.b, 2, false);
	chain_send(&x);
	side_pass(&x.a, &x.b);
	cr_assert(hand_last(&x.b, EV_custody_declined, arg));
	cr_assert(arg[0] == 1 && arg[1] == 1 && arg[2] == 0 && arg[3] == WHY_TABLE_FULL);
	settle(&x.b);
	cr_assert_eq(side_pass(&x.b, &x.c), 0, "dropped, not passed on");
	side_pass(&x.b, &x.a);
	cr_assert_eq(count(&x.a, EV_custody_refused), 1);
	cr_assert_eq(stats(&x.a).n_bundles, 1);
	chain_fini(&x);
}

/* -- the timer over the plan */

struct planned {
	struct side a;
	struct plan *plan;
};

static void planned_init(struct planned *x, const char *contacts)
{
	struct plan_note note[2];
	struct plan_notes notes = {note, 0, 2};
	char text[1024];
	int n = snprintf(text, sizeof text, "{\"contacts\": [%s]}", contacts);

	cr_assert_eq(plan_read(view_of(text, (size_t)n), PLAN_AUTO, &x->plan, &notes), 0);
	side_init(&x->a, 1, n24, 2, NODE_NONE);
	x->a.route->ops->free(x->a.route);
	x->a.route = route_cpr_new(x->plan, false);
	cr_assert(x->a.route);
	chain_listen(&x->a);
}

static void planned_fini(struct planned *x)
{
	side_fini(&x->a);
	plan_free(x->plan);
}

/* When the answer to what is sent at 0 with 10 s of light is due. */
static mono due(struct planned *x, node_id dest)
{
	uint8_t room[4096];
	struct buf b = buf_of(room, sizeof room);
	struct agent_offer o = {
		.neighbour = 0, .max_bytes = sizeof room, .max_ever = sizeof room, .room = &b};
	uint64_t arg[TRACE_ARGS];

	cr_assert_eq(side_send(&x->a, dest, 5, 100 * HOUR_MS, true), 0);
	side_commit(&x->a, 0);
	cr_assert(agent_next(x->a.agent, x->a.now, &o));
	agent_sent(x->a.agent, x->a.now,
		&(struct agent_sent){.id = o.id, .tx_end = x->a.now, .owlt_us = 10 * SEC});
	cr_assert(hand_last(&x->a, EV_custody_timer, arg));
	return (mono)arg[3];
}

#define THERE                                                                                      \
	"{\"from\": \"ipn:1.0\", \"to\": \"ipn:2.0\", \"start\": 0, \"end\": 1000, \"rate\": "     \
	"\"1G\", \"owlt\": \"10s\"}"
#define BACK(start, end)                                                                           \
	", {\"from\": \"ipn:2.0\", \"to\": \"ipn:1.0\", \"start\": " #start ", \"end\": " #end     \
	", \"rate\": \"1G\", \"owlt\": \"10s\"}"
#define ON                                                                                         \
	", {\"from\": \"ipn:2.0\", \"to\": \"ipn:3.0\", \"start\": 500, \"end\": 600, \"rate\": "  \
	"\"1G\", \"owlt\": \"1s\"}, {\"from\": \"ipn:3.0\", \"to\": \"ipn:2.0\", \"start\": 700, " \
	"\"end\": 800, \"rate\": \"1G\", \"owlt\": \"1s\"}"

/* 10 s there, 5 s until they are signalled, 10 s back, 2 s of margin; time in which the way back is
 * closed does not count, and without a way back it is the interval. */
Test(custody_retry, timer_over_the_plan)
{
	static const struct {
		const char *contacts;
		node_id dest;
		bool passes;
		int64_t due_s;
	} t[] = {{THERE BACK(0, 1000), 2, false, 27}, {THERE BACK(400, 1000), 2, false, 412},
		{THERE BACK(0, 14) BACK(7000, 8000), 2, false, 7012},
		{THERE BACK(0, 16), 2, false, 27}, {THERE, 2, false, 60},
		/* over 2, which takes custody, or only passes it on to 3 */
		{THERE ON BACK(0, 1000), 3, false, 27}, {THERE ON BACK(0, 1000), 3, true, 713},
		{THERE ON BACK(0, 400), 3, true, 60}};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct planned x;

		planned_init(&x, t[i].contacts);
		chain_neighbour(&x.a, "ipn:2.0")->passes = t[i].passes;
		side_start(&x.a, n24, 2);
		cr_assert_eq((due(&x, t[i].dest) + SEC / 2) / SEC, t[i].due_s, "row %zu", i);
		planned_fini(&x);
	}
}
