/*
 * daemon: owltd = a node and the parts of dtn/io. One struct holds everything; turn.c runs it.
 */
#ifndef OWLT_DAEMON_DAEMON_H
#define OWLT_DAEMON_DAEMON_H

#include "bundle/events.h"
#include "bundle/rule.h"
#include "dtn/client/packet.h"
#include "dtn/daemon/config.h"
#include "dtn/io/clock.h"
#include "dtn/io/file.h"
#include "dtn/io/loop.h"
#include "dtn/io/udp.h"
#include "dtn/io/writer.h"
#include "dtn/plan/names.h"

#define CLIENT_REGISTRATIONS 16
#define CLIENT_PENDING 64
#define QUEUE_PAUSE_BYTES                                                                          \
	(256u << 10) /* in a client's queue; beyond it nothing more is read from it */
#define LOG_BUFFER (256u << 10)

enum source { SOURCE_SIGNAL, SOURCE_WRITER, SOURCE_LISTEN, SOURCE_CLIENT, SOURCE_LINK };

/* A packet that waits for room in a client's socket. */
struct queued {
	struct queued *next;
	int memfd;
	size_t n;
	uint8_t bytes[];
};

struct client {
	int fd;
	struct access_rule may;
	bool is_greeted, has_gone, is_paused;
	uint32_t registration[CLIENT_REGISTRATIONS];
	unsigned n_registrations;
	struct {
		uint64_t request, tag;
	} pending[CLIENT_PENDING]; /* sends without an answer */
	unsigned n_pending;
	struct stream {
		uint64_t request, tag, left; /* bytes that have not come */
		int64_t moved_ns;            /* when the last ones came, CLOCK_MONOTONIC */
	} stream[CLIENT_PENDING];            /* ... of them those whose payload is on its way in */
	unsigned n_streams;
	uint64_t last_send; /* tag */
	struct queued *first, **last;
	uint64_t n_queued, queued_bytes;
	struct queued *held; /* a send that waits for room in the stage */
	uint64_t n_taken;    /* bytes of its payload that are in already */
};

struct daemon_link {
	struct udp udp;
	bool is_blocked;     /* until the socket can be written ... */
	int64_t again_at_ns; /* ... or, where the kernel had no memory, until then; 0: not so */
	int64_t pause_ns;    /* how long that was last, 0: something went since */
	uint64_t n_blocked;  /* how often either was */
};

struct eventlog {
	struct file_log file;
	char *buf;      /* LOG_BUFFER */
	int64_t second; /* of the rate limit of log lines */
	unsigned n_lines, n_left_out;
};

/* What was not taken, by reason, since start: told by events, so it is what the log would say. */
struct reasons {
	uint64_t rejected[RULES];    /* bundle_rejected by rule */
	uint64_t refused[WHY_LAST];  /* bundle_refused by word */
	uint64_t ignored[WHY_LAST];  /* frame_ignored by word */
	uint64_t security[WHY_LAST]; /* security_checked by word */
};

struct daemon {
	struct daemon_cfg cfg;
	struct clock clock;
	mono now;
	struct loop loop;
	struct trace trace;
	struct store *store;
	struct writer *writer;
	struct plan *plan;
	mono plan_zero;     /* when its reference is */
	struct names names; /* of dtn nodes in the plan and the settings */
	struct node *node;
	struct keyring *keys; /* until the node is made */
	struct daemon_link *link;
	struct udp_rx *rx;
	int signal_fd, listen_fd;
	struct client **client; /* cfg.max_clients slots */
	struct eventlog log;
	struct reasons reasons;
	uint8_t *packet, *input; /* scratch for a message out, and one in */
	bool is_ending, is_stopped;
	uint64_t budget;     /* bytes that may still be sent in this turn */
	bool is_behind;      /* there was more to send than a turn may */
	unsigned first_link; /* that sends first in the next turn */
	int64_t stop_at_ns;
	int commit_err;        /* of the last one: said once, and tried again ... */
	int64_t commit_at_ns;  /* ... not before this */
	uint64_t n_sends_idle; /* ended because their data stopped coming */
};

/* turn.c */
int daemon_run(struct daemon *d) MUST_USE;
/* app.c: application sockets */
int app_open(struct daemon *d) MUST_USE;
void app_close(struct daemon *d);
void app_accept(struct daemon *d);
void app_ready(struct daemon *d, unsigned slot, const struct loop_event *ev);
/* Requests that waited for room in the stage, and connections that ended. */
void app_turn(struct daemon *d);
/* serve.c: what the messages mean */
struct proto_msg;
/* 0, or -E_AGAIN: the same message again after the next commit. */
int serve_message(struct daemon *d, struct client *c, const struct proto_msg *m) MUST_USE;
void serve_event(struct daemon *d, const struct node_event *ev);
/* Ends the sends of a client whose data has stopped coming for control.send_idle. */
void serve_idle(struct daemon *d, struct client *c);
/* When that has to be looked at next, CLOCK_MONOTONIC; INT64_MAX: nothing is on its way in. */
int64_t serve_deadline(const struct daemon *d);
/* app.c: queues a message for a client; takes memfd (-1: none). */
void app_send(struct daemon *d, struct client *c, const struct proto_msg *m, int memfd);
/* control.c: the JSON document of a status request; -E_UNKNOWN for one there is not. */
int control_status(struct daemon *d, struct view what, struct buf *out) MUST_USE;
/* eventlog.c */
int eventlog_open(struct daemon *d) MUST_USE;
void eventlog_drain(struct daemon *d);
void eventlog_close(struct daemon *d);
void log_line(struct daemon *d, enum log_level level, const char *area, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
