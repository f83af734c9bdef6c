/*
 * decide: the decision points of a systematic run. A run with a script asks it at every point where
 * something may go wrong: a frame leaves, a batch begins, an application gets a bundle, a process may
 * die between two things that others can see. The script answers from a list of deviations, ordered by
 * the number of the decision; everything else goes well. It notes which answers were possible, from
 * which explore.c makes the next lists. The same list gives the same run.
 *
 * A call of the node has no effect outside the node's memory: dying within a call is dying before or after
 * it. So a point lies between any two calls, and between a call and what others see of it (a frame on the
 * wire, an application told, a batch durable).
 */
#ifndef OWLT_SIM_DECIDE_H
#define OWLT_SIM_DECIDE_H

#include "bundle/base/time.h"
#include "bundle/base/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_CHOICES_MAX 8      /* deviations of one run */
#define SIM_DECISIONS_MAX 2048 /* of one run that are noted */
#define SIM_NOTES_MAX 16

enum sim_option {
	OPTION_WELL,       /* what happens when nothing goes wrong */
	OPTION_LOSE,       /* a frame: lost */
	OPTION_TWICE,      /* arrives, and again right behind */
	OPTION_TWICE_LATE, /* arrives, and again behind the next frame of that direction */
	OPTION_LATE_1,     /* arrives behind the next frame */
	OPTION_LATE_2,     /* behind the one after it */
	OPTION_UNSENT,     /* the socket does not take it */
	OPTION_KILL,       /* the process dies; a batch that runs is lost */
	OPTION_KILL_KEPT,  /* the process dies; the batch that runs is durable */
	OPTION_STOP,       /* the process is stopped in order, at the end of a turn */
	OPTION_NO_SPACE,   /* a commit ends with ENOSPC */
	OPTION_IO_ERROR, /* a commit ends with EIO: the store closes, somebody restarts the process */
	OPTION_SLOW,     /* a commit takes long */
	OPTION_APP_DIES, /* an application dies with the bundle in its hands */
	OPTIONS
};

/* Where a process was when it died: what it had done last. */
enum sim_point {
	POINT_ASKED,   /* an application's request is staged */
	POINT_ARRIVED, /* a frame has arrived, not looked at */
	POINT_TAKEN,   /* ... was taken in */
	POINT_TIME,    /* timers were looked at */
	POINT_IN_HAND, /* a frame was taken from the node, and is not on the wire */
	POINT_ON_WIRE, /* it is, and the node was not told */
	POINT_TOLD,    /* an application was told */
	POINT_BEGUN,   /* a batch runs, nothing of it is durable */
	POINT_WRITTEN, /* it is durable, and the node does not know */
	POINT_ENDED,   /* the store knows; its event was not taken */
	POINT_KNOWN,   /* the event was taken: promises are kept in memory */
	POINTS
};

/* What it was about; several at once. */
enum sim_about {
	ABOUT_SEND,     /* a custody bundle made here */
	ABOUT_DATA,     /* a custody bundle from the previous custodian */
	ABOUT_AGAIN,    /* a known one came again */
	ABOUT_RETURNED, /* one that is here came under another pair */
	ABOUT_YES,      /* an acceptance that is to be signalled */
	ABOUT_NO,       /* a refusal */
	ABOUT_SIGNAL,   /* a custody signal made here */
	ABOUT_OLD,      /* a signal that speaks of nothing of ours */
	ABOUT_REFUSED,  /* the next custodian refused */
	ABOUT_RELEASE,  /* the next custodian took over: release */
	ABOUT_TIMER,    /* a retransmission */
	ABOUT_NUMBERS,  /* a block of numbers was reserved */
	ABOUT_CLAIM,    /* bundles that waited are noted as handed over */
	ABOUT_HAND,     /* delivery to the application */
	ABOUT_ACK,      /* its acknowledgement */
	ABOUTS
};

struct sim_choice {
	uint32_t at; /* number of the decision */
	uint32_t option;
};

/* A deviation that was met. */
struct sim_note {
	mono at;
	unsigned node; /* that died, or from which the frame came */
	uint32_t option, about;
	uint32_t point; /* of kills */
};

/* Added up over all runs of a script. */
struct sim_script_counts {
	uint64_t option[OPTIONS];
	uint64_t kill[POINTS][ABOUTS]; /* one kill counts in several */
	uint64_t frame[2][OPTIONS];    /* data, signals */
	uint64_t unnoted;              /* decisions beyond SIM_DECISIONS_MAX */
};

struct sim_script {
	/* in */
	struct sim_choice choice[SIM_CHOICES_MAX];
	unsigned n_choices;
	int64_t down_us, slow_us; /* how long a process is down, a slow commit takes */
	/* out: of this run */
	uint32_t mask[SIM_DECISIONS_MAX]; /* which options each decision had, by bit */
	uint32_t n_met, n_taken;
	bool is_wrong; /* a choice that the decision does not have */
	struct sim_note note[SIM_NOTES_MAX];
	unsigned n_notes;
	/* out: of all runs */
	struct sim_script_counts counts;
};

/* Before a run. */
void script_begin(struct sim_script *d);
/* "12-kill,40-lose"; the empty text is a run without deviations. */
int script_parse(struct sim_script *d, const char *text);
void script_print(const struct sim_script *d, char *out, size_t cap);

const char *sim_option_name(unsigned option);
const char *sim_point_name(unsigned point);
const char *sim_about_name(unsigned about);
/* What happened, in words. */
void sim_note_print(const struct sim_note *n, char *out, size_t cap);

#endif
