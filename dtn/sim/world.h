/*
 * world: the virtual shell. It drives the same nodes as owltd, but over a virtual clock, a link model
 * and memory stores, in one process. Nothing here reads a clock, a file or a socket; all chance comes
 * from streams derived from (seed, id). So the same topology, settings and seed give the same run,
 * record by record.
 *
 *   sim_new() -> while (sim_step()) { sim_record() until empty; sim_fault() until empty } -> sim_finish()
 *
 * Events are ordered by (time, node, source, number of that source), never by insertion or address.
 * One step is one turn of one node: everything that is due for it at that time, then its turn as node.h says.
 */
#ifndef OWLT_SIM_WORLD_H
#define OWLT_SIM_WORLD_H

#include "dtn/node/node.h"
#include "dtn/plan/topo.h"

#define SIM_FAULT_TEXT 240

/* What goes wrong beside the links' own loss. Zero: nothing. */
struct sim_faults {
	double crashes_per_h; /* mean, per node and hour of lab time */
	double survives_p; /* chance that a batch which is being written when the process dies is whole */
	int64_t down_max_us; /* uniform, at least a second */
	double stall_p;      /* chance that a commit takes up to stall_max_us */
	int64_t stall_max_us;
	double no_space_p; /* chance that a commit fails with ENOSPC */
	double app_dies_p; /* chance that an application dies between hand-over and acknowledgement */
	mono until;        /* no faults later; MONO_NEVER: all the time */
};

/* The mixture that is used for random runs of a length; its last third is without faults. */
struct sim_faults sim_faults_usual(double crashes_per_h, mono until);

struct sim_cfg {
	const struct topo *topo; /* borrowed */
	const struct node_cfg
		*node; /* one for each node of the topology, from sim_setup(); borrowed */
	uint64_t seed;
	dtntime dtn_at_zero;
	int64_t commit_us; /* how long a commit takes; 0: done within the turn */
	struct sim_faults faults;
	uint64_t reserve_block;    /* of the stores; 0: their own */
	bool traffic;              /* the topology's traffic runs by itself */
	struct sim_script *script; /* a systematic run (decide.h); NULL: none. Borrowed */
};

struct sim;

/* The settings of every node of a topology as owltd would get them from the lab: links, identity, the
 * topology's "config" objects. 0 and an array that free() ends, or -E_CONFIG with a sentence. */
int sim_setup(const struct topo *t, struct node_cfg **out, char *why, size_t cap) MUST_USE;
/* DTN time when lab time is 0, as for a lab without a reference in its plan: 2026-01-01. */
dtntime sim_dtn_zero(const struct topo *t);

int sim_new(const struct sim_cfg *cfg, struct sim **out) MUST_USE;
void sim_free(struct sim *s);
/* The next turn due at or before `until`. False: none, and the clock stands at `until`. */
bool sim_step(struct sim *s, mono until);
mono sim_now(const struct sim *s);
/* Last checks: link balances, everything accepted is delivered or held. */
void sim_finish(struct sim *s);
/* All that was to be sent was accepted, delivered and acknowledged, no node holds custody of anything and
 * nothing is in flight. */
bool sim_is_settled(const struct sim *s);

/* The next trace record of the last step; what is not taken before the next step is gone. */
struct sim_record {
	unsigned node; /* index in the topology */
	struct trace_rec rec;
};
bool sim_record(struct sim *s, struct sim_record *out);
/* A broken invariant, in words. */
struct sim_fault {
	mono at;
	char text[SIM_FAULT_TEXT];
};
bool sim_fault(struct sim *s, struct sim_fault *out);

/* How many crashes met the process in which state; one crash may count in several. */
struct sim_counts {
	uint64_t steps, sends, accepted, unanswered, refused, delivered, redelivered, held, expired;
	uint64_t lost_without_custody;
	uint64_t crashes, crashes_staged, crashes_before_signal, crashes_forwarding, batches_lost,
		batches_kept, commits_failed;
	uint64_t app_deaths, frames, frames_lost, frames_to_dead, custody_retx, duplicates,
		returned;
	uint64_t max_in_flight, faults;
};
void sim_counts(const struct sim *s, struct sim_counts *out);
bool sim_is_up(const struct sim *s, unsigned node);
/* Name of a node's link, for event lines. */
const char *sim_link_name(const struct sim *s, unsigned node, unsigned link);
const struct link_dir *sim_link(const struct sim *s, unsigned topo_link, bool b_to_a);

/* -- by hand: scenarios. Each acts at sim_now(); the node takes its turn in the next step. */

/* Moves the clock to a time at which nothing earlier is due. */
void sim_advance(struct sim *s, mono to);
/* Where in its turn the process dies: the next time it gets there. */
enum sim_stage {
	STAGE_NOW,        /* at once */
	STAGE_STAGED,     /* something is staged, its commit has not begun */
	STAGE_RUNNING,    /* the batch is being written */
	STAGE_COMMITTED,  /* the batch is durable, nobody was told */
	STAGE_SIGNAL,     /* a custody signal is due that has not left */
	STAGE_FORWARDING, /* a packet was taken from the node and not sent */
	STAGES
};
extern const char *const sim_stage_name[STAGES];
/* down_us < 0: stays down until sim_restart(). */
void sim_crash(struct sim *s, unsigned node, enum sim_stage stage, int64_t down_us);
/* Its clock is set back: it says so from its next start on. */
void sim_clock_back(struct sim *s, unsigned node, int64_t by_us);
int sim_restart(struct sim *s, unsigned node) MUST_USE;
/* Its next commit ends with ENOSPC. */
void sim_fail(struct sim *s, unsigned node);
/* A link direction passes nothing while cut; the next n frames are lost. */
void sim_cut(struct sim *s, unsigned topo_link, bool b_to_a, bool cut);
void sim_lose(struct sim *s, unsigned topo_link, bool b_to_a, unsigned n);
/* An application sends one bundle, as a traffic row of the topology with count 1 would. */
int sim_send(struct sim *s, const struct topo_traffic *t) MUST_USE;
/* A receiver registers or goes; its bundles wait meanwhile. */
int sim_register(struct sim *s, unsigned node, uint64_t service) MUST_USE;
void sim_unregister(struct sim *s, unsigned node, uint64_t service);

#endif
