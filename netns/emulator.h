/*
 * emulator: the links of a lab as a process of its own. It sits in the namespace that holds the far
 * ends of all veth pairs, takes every frame that a node sends, asks the link model (dtn/plan/link.h) for
 * its fate, and hands it to the other node when its time has come. It writes the capture.
 *
 * Invariant, always, per direction: in + duplicated = delivered + dropped by cause + in flight.
 */
#ifndef OWLT_NETNS_EMULATOR_H
#define OWLT_NETNS_EMULATOR_H

#include "dtn/plan/topo.h"
#include "netns/capture.h"
#include "netns/flights.h"
#include "netns/lab_clock.h"
#include "netns/lateness.h"
#include "netns/wire.h"

#include <stdatomic.h>
#include <sys/types.h>

#define EMULATOR_MEMORY_DEFAULT (UINT64_C(1) << 30)

/* What others may look at while it runs: in memory shared with the runner. */
struct emulator_shared {
	_Atomic uint64_t frames_in, frames_out, duplicated, dropped, in_flight;
	_Atomic uint64_t kernel_frames, overrun, capture_missed;
	_Atomic uint64_t late_p50_ns, late_p99_ns, late_max_ns;
	_Atomic bool is_balanced, has_realtime;
	_Atomic uint64_t capacity;           /* frames per second, measured at start */
	_Atomic bool is_cut[TOPO_LINKS_MAX]; /* set by the runner: nothing leaves on this link */
};

struct emulator_cfg {
	const struct topo *topo;
	const int (*ifindex)[2];  /* by link and side: our ends */
	int ns_fd;                /* the namespace they are in */
	const char *capture_path; /* NULL: no capture */
	const char *links_path;
	const char *note; /* line at the head of the capture */
	struct capture_limits capture_limits;
	uint64_t memory_limit, seed;
	int ready_fd; /* one byte is written when it is set up and measured */
	int start_fd; /* then struct lab_clock is read from here */
	pid_t parent; /* dies with it */
	struct emulator_shared *shared;
};

#define EMULATOR_OK 0
#define EMULATOR_FAILED 1
#define EMULATOR_UNBALANCED 3

/* The whole life of the process; what it exits with. SIGTERM ends it, SIGUSR1 writes links.json. */
int emulator_run(const struct emulator_cfg *cfg);

/* -- for the parts of the emulator */

struct emulator_dir {
	struct link_dir model;
	unsigned link;
	enum { A_TO_B, B_TO_A } way;
	int in_ifindex, out_ifindex;
	uint32_t from_ip, to_ip;
	mono last;               /* the model's time never goes back */
	uint64_t kernel_frames;  /* what a kernel said by itself: dropped, must stay 0 */
	uint64_t lost_memory;    /* no room for it; not shown to the model */
	uint64_t lost_cut;       /* the link was cut; not shown to the model */
	uint64_t lost_interface; /* the kernel would not take it at delivery */
};

struct emulator {
	const struct emulator_cfg *cfg;
	struct lab_clock clock;
	struct wire *wire;
	struct capture *capture;
	bool has_capture_failed;
	struct flights flights;
	struct lateness lateness;
	struct emulator_dir *dir;
	unsigned n_dirs;
	unsigned *by_ifindex; /* direction + 1 */
	unsigned n_ifindex;
	uint64_t overrun;
};

/* True as long as the invariant holds for a direction. */
bool emulator_is_balanced(const struct emulator_dir *d);
/* links.json (whole or not at all) and the shared figures. 0 or -errno. */
int emulator_report(struct emulator *e) MUST_USE;

/* -- measure.c */

/* Frames of 1400 bytes per second that this machine's emulator can pass on, tried for about 100 ms in a
 * namespace of its own; the process is back in ns_fd afterwards. 0 or -errno. */
int measure_capacity(int ns_fd, uint64_t *frames_per_s) MUST_USE;
/* The most that all directions of a topology may carry at one moment, at its speed, in frames of 1400
 * bytes per real second; directions without a rate are not counted. */
double measure_need(const struct topo *t, double speed);

#endif
