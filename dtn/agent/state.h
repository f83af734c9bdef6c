/*
 * state: what the files of the agent share: its one struct, the entry of a bundle, the promises
 * that wait for a commit, and the functions they call in each other. Nothing outside this folder
 * includes it.
 *
 * Invariant: an entry is in exactly one place, told by its state; only entry_set_state() changes
 * it.
 */
#ifndef OWLT_AGENT_STATE_H
#define OWLT_AGENT_STATE_H

#include "bundle/admin.h"
#include "bundle/base/hash.h"
#include "bundle/base/heap.h"
#include "bundle/base/list.h"
#include "bundle/base/pool.h"
#include "bundle/base/rng.h"
#include "bundle/ccs.h"
#include "bundle/events.h"
#include "dtn/agent/agent.h"
#include "dtn/agent/bibe.h"
#include "dtn/agent/crs.h"
#include "dtn/agent/custodian.h"
#include "dtn/agent/gather.h"
#include "dtn/agent/pairmap.h"
#include "dtn/agent/record.h"
#include "dtn/agent/transmission.h"

#include <assert.h>

#define PRIORITIES 3u
#define PRIORITY_STANDARD 1u
#define PRIORITY_EXPEDITED 2u
#define NEIGHBOURS_MAX 256u
#define AHEAD_MAX 64u /* bundles at the front of a queue that are read ahead */
#define SCAN_MAX 256u /* bundles looked at for one that fits */
#define PROMISES_MAX 16384u
#define TURN_MAX                                                                                   \
	512u /* of each kind of thing whose time has come, in a turn; the rest in the next */
#define HEAD_MADE_MAX 8192u /* head of a bundle made here */
#define FRAME_BYTES 64u     /* what a bundle costs a contact beside its bytes, about */
#define FRAGMENT_GROWTH 32u /* what a fragment's head may be longer */
#define RETRY_US US_PER_S   /* after something of our own could not be done */
#define SCRATCH 131072u     /* bundle whose outer array is made indefinite */
#define NO_NEIGHBOUR UINT16_MAX
#define NO_REGISTRATION UINT16_MAX
/* Ids of bundles that were never stored (rejected on arrival, signals to us, echoes): told apart
 * from the store's, below 2^53 for JSON, unique over restarts. */
#define ID_PASSING (UINT64_C(1) << 52)

enum entry_state {
	ENTRY_NEW,        /* being set up; in no list */
	ENTRY_STAGED,     /* may not move before its commit */
	ENTRY_QUEUED,     /* in a neighbour's queue */
	ENTRY_SENDING,    /* given to a convergence layer */
	ENTRY_AWAIT,      /* custody: sent, the next custodian's signal is awaited */
	ENTRY_WAITING,    /* no way known now */
	ENTRY_FOR_APP,    /* for an endpoint here: no registration, or no credit */
	ENTRY_HANDING,    /* "handed" is being made durable */
	ENTRY_READY,      /* may be handed over */
	ENTRY_HANDED,     /* the application has it, not acknowledged */
	ENTRY_ACKED,      /* acknowledgement is being made durable */
	ENTRY_REASSEMBLY, /* a fragment for this node, in its ADU's list (RFC 9171 5.9) */
	ENTRY_STATES
};

/* Bits of bundle_entry.flags. */
#define E_CUSTODY 0x01u     /* we are custodian and have a pair for it */
#define E_LOCAL 0x02u       /* its destination is here */
#define E_HANDED 0x04u      /* its record says HANDED */
#define E_REDELIVERED 0x08u /* may have been handed over before a restart */
#define E_SENT 0x10u        /* the current pair was sent (or may have been, before a restart) */
#define E_OVERRIDE 0x20u    /* our own shorter lifetime is what ends it: reason 10 */
#define E_CLAIMED 0x40u     /* counts against its registration's credit */
#define E_SPLIT 0x80u       /* local: a fragment, of *adu; else: on its way in pieces, by *cut */

/* Bits of bundle_entry.custody. */
#define C_PAIR 0x01u   /* it has a pair of ours, and is in by_pair */
#define C_SIGNED 0x02u /* its pair was sent to a custodian with a key, or may have been */
#define C_BPLIB 0x04u  /* its stored custody and reporting blocks are of profile bplib */
#define C_REFUSED_ONE 0x10u
#define C_REFUSALS 0x30u /* how many custodians refused it in this interval */

struct bundle_entry {
	struct hash_node by_uid;          /* hash = keyed hash of the record's uid */
	struct hash_node by_id;           /* hash = id */
	union {                           /* custody and fragments exclude each other */
		struct hash_node by_pair; /* C_PAIR; hash of our own pair */
		struct adu *adu;          /* E_SPLIT, E_LOCAL: reassemble.c */
		struct cut *cut;          /* E_SPLIT: fragment.c */
	};
	struct link_node link;  /* queue, waiting list, registration's list */
	struct heap_node timer; /* the earlier of expiry and due; tie = id */
	mono expiry, due;       /* due: custody, MONO_NEVER = none */
	uint64_t seq;           /* batch that makes it durable */
	uint32_t size;          /* bytes, saturated; for choosing what fits */
	uint16_t neighbour, registration;
	uint16_t n_sent;
	uint16_t party; /* that its source is, party.c */
	uint8_t state, flags, priority;
	uint8_t custody; /* C_... */
};
_Static_assert(sizeof(struct bundle_entry) <= 128, "a bundle costs at most 128 bytes of memory");

static inline uint64_t entry_id(const struct bundle_entry *e)
{
	return e->timer.tie;
}

struct neighbour {
	node_id node;
	bool is_open;
	int64_t light_us;         /* of what arrives from it */
	uint64_t seq_id, next_no; /* custody pairs of this contact; 0: none given yet */
	bool is_tunnel;           /* its far end, bibe.c */
	bool is_border;           /* of another administrative domain, RFC 9758 5.5 */
	mono until;
	struct link_node queue[PRIORITIES];
	struct link_node *last[PRIORITIES]; /* put in last, where the search begins; or NULL */
	uint64_t n_queued, queued_bytes[PRIORITIES];
	unsigned n_ahead; /* bundles until the next ones are read ahead */
};

struct registration {
	uint32_t id; /* 0: free */
	struct eid endpoint;
	char ssp[128];
	uint64_t credit, n_claimed;
	struct link_node waiting; /* ENTRY_FOR_APP, in order of reception */
	struct link_node ready;   /* ENTRY_READY */
	struct link_node
		handed; /* ENTRY_HANDED, ENTRY_ACKED, ENTRY_HANDING, claimed ENTRY_STAGED */
};

/* What the router answered to one question, best first: ways.c. */
#define WAYS_MAX 8u
struct ways {
	bool is_set, is_private;
	struct route_query q; /* contacts of the ways so far are closed in it */
	int err;              /* why there is no further way */
	unsigned n;
	struct way {
		struct route_choice choice;
		unsigned neighbour;
	} way[WAYS_MAX];
};

/* Something that is done when a batch is durable. */
enum promise_kind {
	PROMISE_NEW,     /* a bundle: accept custody, answer the application, dispatch */
	PROMISE_PAIR,    /* another pair for a bundle that is here */
	PROMISE_HANDING, /* a bundle may be handed over */
	PROMISE_ACKED,   /* an acknowledgement */
	PROMISE_ANSWER   /* a transmission of what is here, or done with, is answered */
};
struct promise {
	struct link_node link;
	uint64_t seq, id;
	uint64_t request;      /* PROMISE_NEW: the application's, 0 = none */
	uint64_t piece_of;     /* PROMISE_NEW: request whose data this is a piece of, 0 = none */
	uint32_t registration; /* PROMISE_ACKED */
	uint8_t kind;
	bool has_pair, has_outer, is_done, is_again;
	int err;
	struct pair pair;
	union {
		struct received outer;  /* has_outer: it came so */
		struct kept_eid source; /* of what an application sent: it may be gone before its
					 * batch begins */
	};
	dtntime created_ms;
	uint64_t sequence;
	uint64_t report_id, report_no; /* in its reporting block; id 0: it has none */
	uint64_t inside;               /* PROMISE_NEW: the bundle, or piece, inside it; 0: none */
	uint64_t inside_bytes;
	unsigned tunnel;       /* ... and which one that went into */
	uint64_t transmission; /* ... under this number, 0: none */
};

/* A bundle, or a custody pair, that is known without being here. */
enum known_kind {
	KNOWN_GONE,      /* a bundle that left, was released or deleted */
	KNOWN_DELIVERED, /* a bundle whose acknowledgement we have */
	KNOWN_PAIR,      /* a custody pair that we accepted */
	KNOWN_KINDS
};
struct known {
	struct hash_node node;
	struct heap_node timer; /* expiry; tie = serial number */
	uint64_t key[4];
	uint64_t row;       /* its row in the store; 0: memory only */
	uint64_t seq;       /* batch that makes it durable */
	uint64_t bundle_id; /* local id it had */
	uint64_t about;     /* pair: digest of the bundle it stood for; 0: not known */
	uint8_t kind;
};

struct outgoing; /* outgoing.c */
struct sealing;  /* protect.c */
/* Another node, as far as it costs us: party.c. */
struct party {
	node_id node;
	mono used;                      /* last looked for */
	mono arrived, reported, echoed; /* rates: when the next is on time */
	uint64_t bytes;                 /* stored bundles of this source */
	uint32_t n_bundles;
	bool is_taken;
};

struct bucket { /* token bucket, in thousandths */
	uint64_t level, per_s;
	mono at;
};

struct agent {
	struct agent_cfg cfg;
	struct agent_deps deps;
	struct store *store;
	struct trace *trace;
	struct eid self;
	char self_ssp[64];
	struct bundle_rules rules_in[PROFILES],
		rules_own[PROFILES]; /* for arrivals, what we stored */
	struct custody_codes codes[PROFILES];
	struct hash_key key;

	struct pool entries;
	struct hash_table by_uid, by_id, by_pair;
	struct heap timers;
	uint64_t n_state[ENTRY_STATES];
	uint64_t n_custody;

	struct neighbour *neighbour;
	size_t n_neighbours;
	struct link_node waiting; /* ENTRY_WAITING */
	struct link_node again;   /* ... that are routed anew, so many a turn; neighbour: missed */
	struct link_node unclaimed; /* ENTRY_FOR_APP without registration */
	struct registration *registration;
	uint32_t last_registration;
	uint64_t n_registrations;
	unsigned next_ready; /* registration that is looked at first */

	struct pool promises;
	struct link_node promised, done; /* waiting for commits; answers for agent_event() */
	uint64_t n_pair_promises;
	uint64_t committed;   /* batches up to this have ended */
	struct kept_eid told; /* source of the last answer */
	bool retry;           /* something could not be staged: try again after the next commit */

	struct pool knowns;
	struct hash_table tombs, pairs;
	struct heap
		known_timers[KNOWN_KINDS]; /* a limit each: a flood of one kind costs no other */
	struct pairmaps pairmaps;
	uint64_t known_serial, next_row, n_evicted;

	struct gather signals;
	uint64_t look_ups; /* for numbers in signals, signal.c */
	mono looked_at;
	struct crs crs;
	struct bibe bibe;
	struct custodian *custodian; /* 0: all that have no row */
	size_t n_custodians;
	struct hash_table by_node; /* custodians but the first */
	struct custody_list custody_from, custody_sources, custody_request;

	struct outgoing *outgoing; /* max_open_sends of them */
	struct party *party;       /* 0: shared by those who found no row */
	size_t party_mask;         /* sets - 1 */
	unsigned last_party;
	int64_t source_each, report_each, echo_each; /* intervals of their rates; 0 = no limit */
	uint64_t most_bundles, most_bytes;           /* of one source */
	uint64_t hop_bytes, hop_bundles; /* a step of the room for those that have come further */
	uint64_t room_bundles;           /* known at a time, the reserve left out */

	struct ways ways;
	/* fragments for this node, reassemble.c */
	struct pool adus, extents;
	struct hash_table adu_by_uid;
	struct heap adu_timers;
	uint64_t last_adu;
	uint8_t *adu_room;          /* one small ADU in one piece */
	struct link_node unchecked; /* whole ADUs that wait for their check, from `check_at` on */
	mono check_at;
	/* bundles on their way in pieces, fragment.c */
	struct pool cuts, pieces;
	struct hash_table piece_by_id;

	struct bucket echo_rate, report_rate;
	uint64_t n_damaged_custody;
	bool is_disk_short;
	uint64_t last_request, last_passing, n_anonymous, boot;
	uint64_t custody_break;       /* break.h 3 only */
	uint8_t *scratch;             /* SCRATCH bytes where rules.allow_definite, else NULL */
	struct security *security;    /* bpsec.h */
	uint64_t n_import, import_at; /* bundles that wait for import.c, and behind which id */
	uint64_t import_age_ms;       /* of the one that is being imported */
	enum why import_refused;
	bool is_draining, has_border, is_restoring, is_importing, import_waits;
};

/* -- agent.c */
void entry_set_state(struct agent *a, struct bundle_entry *e, enum entry_state s);
struct bundle_entry *entry_add(struct agent *a, mono now, uint64_t id, const struct record *r);
struct bundle_entry *entry_by_id(const struct agent *a, uint64_t id);
struct bundle_entry *entry_by_uid(const struct agent *a, const uint64_t uid[2]);
struct bundle_entry *entry_by_pair(const struct agent *a, const struct own_pair *p);
/* Our custody of it; p NULL: its pair comes when it is sent. An older pair releases nothing any more. */
void entry_set_custody(struct agent *a, struct bundle_entry *e, const struct own_pair *p);
void entry_set_due(struct agent *a, struct bundle_entry *e, mono due);
void entry_free(struct agent *a, struct bundle_entry *e);
bool entry_is_durable(const struct agent *a, const struct bundle_entry *e);

/* -- record.c and small helpers of agent.c */
struct record entry_record(const struct agent *a, const struct bundle_entry *e);
/* That of its record, without the rest. */
void entry_uid(const struct agent *a, const struct bundle_entry *e, uint64_t uid[2]);
void entry_save(struct agent *a, struct bundle_entry *e, const struct record *r);
bool entry_bundle(const struct agent *a, const struct bundle_entry *e, struct bundle *b);

/* -- clock.c */
mono agent_mono(const struct agent *a, dtntime t);
/* How long ago something was written down, ms; 0 where the clock was set in between. */
uint64_t clock_elapsed(const struct agent *a, mono now, dtntime since);
/* After a restart: when a bundle, or what is known of one, ends. */
mono clock_restored_expiry(const struct agent *a, mono now, const struct record *r);
mono clock_known_until(const struct agent *a, mono now, dtntime t);

/* -- trace of a bundle's identity: seen.c */
void seen_emit(struct agent *a, mono now, uint64_t id, const struct bundle *b, unsigned priority,
	uint64_t size);
uint64_t seen_number(struct agent *a);
uint64_t seen_passing(struct agent *a, mono now, const struct bundle *b, uint64_t size);
void bundle_uid(const struct bundle *b, uint64_t uid[2]);
void bundle_adu_uid(const struct bundle *b, const uint64_t uid[2], uint64_t adu[2]);
bool rate_take(struct bucket *k, mono now);

/* -- party.c */
int party_init(struct agent *a) MUST_USE;
unsigned party_find(struct agent *a, mono now, node_id node);
void party_hold(struct agent *a, unsigned party, uint64_t bytes);
void party_let_go(struct agent *a, unsigned party, uint64_t bytes);
bool party_has_room(const struct agent *a, unsigned party, uint64_t bytes);
/* One more now? At most one second's worth at once; each = the interval, 0: always. */
bool party_rate(mono *due, mono now, int64_t each);

/* -- commit.c */
struct promise *promise_add(struct agent *a, enum promise_kind kind, uint64_t seq, uint64_t id);
bool promise_room(const struct agent *a);
void promise_settle(struct agent *a, mono now);
bool entry_room(const struct agent *a, bool urgent);
/* One in sixteen entries is kept for signals, and at least two, because others may have half of them: a full
 * node goes on answering. */
static inline uint64_t entry_reserve(uint64_t most)
{
	return most < 32 ? 2 : most / 16;
}
bool promise_spare(const struct agent *a);

/* -- receive.c, duplicate.c, expire.c */
/* A bundle on its way in: what is known of it before it has an entry. */
struct arrival {
	const struct bundle *b;
	unsigned link;
	node_id from;
	uint64_t uid[2];
	uint64_t adu_uid[2]; /* of the bundle it is a fragment of; its own, if it is none */
	uint64_t size, discard;
	uint64_t age_ms;    /* by its age block, light time of the last hop added; 0: it has none */
	uint64_t flight_ms; /* what the last hop took */
	unsigned depth;     /* inside how many others it came */
	mono expiry;
	unsigned party; /* that its source is */
	uint64_t open; /* its payload and tail are in this open bundle of the store; 0: in memory */
	uint8_t profile; /* that its custody block was read by */
	bool is_override, is_local;
	bool is_unit;        /* put together from fragments that are here */
	bool takes_custody;  /* it asks for custody and we would take it */
	bool is_own_promise; /* it was in our custody when it was taken out of a store of ours */
	enum why passes_custody; /* by policy we don't: the block stays as it is; else WHY_NONE */
	uint8_t is_signed;       /* SIGNED_...: with the key of the custodian that is its source */
	struct pair pair;
	struct received outer; /* who is answered what became of it */
};
/* A bundle that was inside another: link, from, depth, flight_ms and outer are there. */
void receive_inside(struct agent *a, mono now, struct arrival *in, struct view bytes);
/* A unit that was put together and checked: what is done with any bundle for this node. */
void receive_unit(struct agent *a, mono now, struct arrival *in);
/* True when the bundle was a duplicate and has been dealt with. */
bool duplicate_handled(struct agent *a, mono now, const struct arrival *in);
mono expiry_of(const struct agent *a, mono now, const struct arrival *in, bool *override);
uint64_t flight_ms(const struct agent *a, node_id from);
void expire_tick(struct agent *a, mono now);
/* Deletes it, because its time is over: whoever meets it before expire_tick() comes to it. */
void expire_entry(struct agent *a, mono now, struct bundle_entry *e);

/* -- admit.c */
enum why admit(struct agent *a, mono now, const struct arrival *in);
enum reason admit_reason(enum why why);
void admit_init(struct agent *a, const struct store_stats *st);
bool admit_room(const struct agent *a, uint64_t bytes, unsigned hops);
bool admit_arrival(const struct agent *a, const struct arrival *in);
bool is_private(const struct eid *e);
bool is_local_node(const struct eid *e);
bool names_private(const struct eid *source, const struct eid *dest, const struct eid *report_to);

/* -- ready.c, bpsec.c, protect.c */
int security_new(struct agent *a) MUST_USE;
void security_free(struct agent *a);
/* REASON_NONE: go on, with what is in *b now; else the bundle is to be deleted. */
enum reason security_arrived(struct agent *a, mono now, struct bundle *b, struct arrival *in);
/* The same for a unit whose fragments are here, `first` the one at offset 0 (unit.c). */
enum unit_end {
	UNIT_STORED,  /* it goes on as a bundle of its own, or will when there is room */
	UNIT_OVER,    /* it was served, or could not be taken */
	UNIT_REFUSED, /* for *reason */
	UNIT_RUNS,    /* it is checked in steps: reassemble_checked() will tell */
	UNIT_BUSY     /* too many are: again when security_is_free() */
};
bool security_concerns(const struct agent *a, const struct bundle_entry *e);
enum unit_end security_unit(
	struct agent *a, mono now, struct bundle_entry *first, enum reason *reason) MUST_USE;

/* -- steps.c */
bool security_is_free(const struct agent *a);
/* A check is given up: fragments of its unit go. */
void security_stop(struct agent *a, const struct bundle_entry *first);
/* A commit ended: what waited for room goes on. */
void security_stored(struct agent *a);
mono security_deadline(const struct agent *a);
void security_tick(struct agent *a, mono now);

/* -- send.c */
struct own_bundle {
	struct agent_send s;
	bool urgent;             /* may use the store's reserve */
	bool is_compressed;      /* it gets a reporting block */
	bool after_commit;       /* leaves only when it, and all staged before it, is durable */
	uint64_t request;        /* 0: nobody waits for an answer */
	uint64_t piece_of;       /* 0: it is no piece of larger data */
	struct sealing *sealing; /* its payload went through the rules in parts; else NULL */
	uint64_t inside;         /* 0, or the bundle that it has inside ... */
	uint64_t inside_bytes;
	unsigned tunnel;       /* ... because of this tunnel: bibe.c */
	uint64_t transmission; /* 0, or its number */
};
int send_own(struct agent *a, mono now, const struct own_bundle *o, uint64_t *id) MUST_USE;
/* An administrative record from this node to o->s.dest; o says besides that only how it is sent. Error of
 * the buffer, too. */
int send_record(struct agent *a, mono now, const struct own_bundle *o, struct buf *record,
	uint64_t *id) MUST_USE;
/* May an application send this? Fills *o. */
int send_allow(const struct agent *a, const struct agent_send *s, struct own_bundle *o) MUST_USE;
/* Must it be one bundle when it is made? Then larger data is gathered first, or refused. */
bool send_is_whole(const struct agent *a, const struct own_bundle *o);
/* The two halves of send_own(): numbers and times, then a bundle of them. */
struct making {
	struct bundle_spec spec;
	struct record r;
	uint64_t seq; /* batch the numbers wait for */
	bool is_local, needs_commit;
	/* protect.c: what was added to it */
	unsigned n_added;
	struct {
		uint64_t block, rule;
		enum why why;
	} added[4];
};
int send_prepare(struct agent *a, mono now, const struct own_bundle *o, struct making *m) MUST_USE;
int send_made(struct agent *a, mono now, const struct own_bundle *o, struct making *m,
	uint64_t *id) MUST_USE;
void send_uid(const struct bundle_spec *spec, uint64_t payload_bytes, uint64_t uid[2]);
/* Stages a bundle made here; *id not 0: all but the head and the record is in this open one. */
int send_put(struct agent *a, const struct own_bundle *o, struct making *m,
	const struct store_bundle *s, uint64_t *id) MUST_USE;
unsigned send_flags(const struct own_bundle *o, const struct making *m);

/* -- protect.c */
/* Does a rule secure what is sent so? */
bool security_adds(const struct agent *a, const struct agent_send *s);
/* As the rest of send_made(), with the operations that the rules want. -E_SECURED_SIZE. */
int security_put(
	struct agent *a, const struct own_bundle *o, struct making *m, uint64_t *id) MUST_USE;
/* The same for a payload that comes in parts: `total` bytes of it are secured as they come, and staged.
 * -E_SECURED_SIZE, -ENOMEM; protect_part() shortens *part by what it took, -E_AGAIN: the rest in another
 * turn, or after the next commit; protect_close() when all was taken. */
int protect_open(struct agent *a, const struct own_bundle *o, struct making *m, uint64_t total,
	struct sealing **out) MUST_USE;
int protect_part(struct agent *a, struct sealing *g, struct view *part) MUST_USE;
int protect_close(
	struct agent *a, const struct own_bundle *o, struct making *m, uint64_t *id) MUST_USE;
void protect_drop(struct agent *a, struct sealing *g);
void security_tell(struct agent *a, mono now, uint64_t id, const struct making *m);

/* -- outgoing.c */
int outgoing_init(struct agent *a) MUST_USE;
void outgoing_fini(struct agent *a);
void outgoing_again(struct agent *a, uint64_t seq);
/* The commit of a piece: err is its result. For the last piece: what the application is answered. */
int outgoing_settle(struct agent *a, mono now, const struct promise *p, int err);

void name_local(const struct agent *a, struct eid *e);

/* -- forward.c */
void forward_entry(struct agent *a, mono now, struct bundle_entry *e, node_id not_to);
/* The same where its record is at hand. */
void forward_with(
	struct agent *a, mono now, struct bundle_entry *e, const struct record *r, node_id not_to);
/* A neighbour row for the far end of a tunnel: it has a queue, but nobody finds it by its node. -E_FULL. */
int forward_tunnel(struct agent *a, node_id node) MUST_USE;
void forward_wait(struct agent *a, mono now, struct bundle_entry *e, enum why why);
void forward_tick(struct agent *a, mono now);
void forward_dequeue(struct agent *a, struct bundle_entry *e);
bool is_border(const struct agent *a, node_id node);
unsigned neighbour_find(const struct agent *a, node_id node);
mono route_earliest(const struct agent *a, node_id from, node_id to, mono at);

/* -- deliver.c */
bool deliver_is_registered(const struct agent *a, const struct eid *dest);
bool deliver_claim(struct agent *a, const struct eid *dest, unsigned *registration);
void deliver_staged(struct agent *a, struct bundle_entry *e, unsigned registration);
void deliver_arrived(struct agent *a, mono now, struct bundle_entry *e);
void deliver_committed(struct agent *a, mono now, const struct promise *p);
void deliver_acked(struct agent *a, mono now, struct promise *p);
bool deliver_event(struct agent *a, mono now, struct agent_event *ev);
void deliver_forget(struct agent *a, struct bundle_entry *e);

/* -- ways.c */
/* What is asked for: e, whose record is r, to go on, but not to `not_to` if there is another. */
struct way_for {
	const struct bundle_entry *e;
	const struct record *r;
	node_id not_to;
};
int ways_choose(
	struct agent *a, mono now, const struct way_for *f, struct route_choice *out) MUST_USE;
uint64_t ways_least(const struct agent *a, const struct record *r);
void ways_forget(struct agent *a);

/* A bundle as it is about to leave: what is stored of it and what changes (forward.c). */
struct outbound {
	struct record r;
	struct bundle b;
	struct bundle_edit edit;
};

/* -- fragment.c */
int fragment_init(struct agent *a) MUST_USE;
void fragment_fini(struct agent *a);
int fragment_offer(struct agent *a, mono now, struct bundle_entry *e, struct outbound *x,
	struct agent_offer *o) MUST_USE;
bool fragment_sent(struct agent *a, mono now, const struct agent_sent *s);
struct bundle_entry *fragment_failed(struct agent *a, mono now, uint64_t id);
void fragment_pause(struct agent *a, struct bundle_entry *e);
void fragment_forget(struct agent *a, struct bundle_entry *e);

/* -- reassemble.c */
static inline bool reassemble_is_part(const struct bundle_entry *e)
{
	return e->flags & E_SPLIT && e->flags & E_LOCAL;
}
int reassemble_init(struct agent *a) MUST_USE;
void reassemble_fini(struct agent *a);
enum why reassemble_known(struct agent *a, const struct arrival *in, uint64_t *id);
enum why reassemble_allow(
	const struct agent *a, const struct eid *dest, const uint64_t uid[2], uint64_t total);
int reassemble_join(
	struct agent *a, mono now, struct bundle_entry *e, const struct record *r) MUST_USE;
void reassemble_committed(struct agent *a, mono now, struct bundle_entry *e);
void reassemble_replaced(struct agent *a, mono now, const struct bundle_entry *e);
void reassemble_forget(struct agent *a, mono now, struct bundle_entry *e);
bool reassemble_uid(const struct bundle_entry *e, uint64_t uid[2]);
struct bundle_entry *reassemble_head(struct bundle_entry *e);
uint64_t reassemble_size(const struct bundle_entry *e);
struct slice reassemble_slice(const struct bundle_entry *e, uint64_t off, uint64_t n);
/* After adu_whole() in reassemble.c: what it holds back for a while goes on by this. */
void reassemble_go_on(struct agent *a, mono now, struct bundle_entry *head);
void reassemble_acked(struct agent *a, struct bundle_entry *head);
void reassemble_done(struct agent *a, mono now, struct bundle_entry *head);
/* The check of a whole ADU ended, in the name of its fragment at offset 0 (steps.c). */
void reassemble_checked(struct agent *a, mono now, struct bundle_entry *first, enum unit_end how,
	enum reason reason);
/* What was made of its fragments is gone again: is it there whole, it is checked again in a while. */
void reassemble_again(struct agent *a, mono now, const uint64_t uid[2]);
void reassemble_restored(struct agent *a, mono now);
mono reassemble_deadline(const struct agent *a);
void reassemble_tick(struct agent *a, mono now);

/* -- delete.c */
void delete_entry(struct agent *a, mono now, struct bundle_entry *e, enum reason reason);
void release_entry(struct agent *a, mono now, struct bundle_entry *e, enum why why);
void entry_forget(struct agent *a, mono now, struct bundle_entry *e);
void drop_passing(
	struct agent *a, mono now, uint64_t id, const struct bundle *b, enum reason reason);

/* -- damaged.c */
void damaged_tick(struct agent *a, mono now);
void disk_tick(struct agent *a, mono now);
int damaged_err(int err) MUST_USE;

/* -- report.c */
void report_bundle(struct agent *a, mono now, uint64_t id, const struct bundle *b,
	enum status_kind status, enum reason reason);
void report_entry(struct agent *a, mono now, const struct bundle_entry *e, enum status_kind status,
	enum reason reason);

/* The same about custody of it, which only compressed reports can tell. */
void report_custody(struct agent *a, mono now, uint64_t id, const struct bundle *b, bool accepted);
void report_taken(struct agent *a, mono now, const struct bundle_entry *e);

/* -- administer.c */
/* *is_carried: it held a bundle, and what becomes of that is the answer about the record, too. */
bool admin_receive(
	struct agent *a, mono now, uint64_t id, const struct arrival *in, bool *is_carried);

/* -- echo.c */
bool echo_is_service(const struct agent *a, const struct eid *e);
void echo_answer(struct agent *a, mono now, uint64_t id, const struct bundle *b);

/* -- known.c */
struct known *known_tomb(const struct agent *a, const uint64_t uid[2]);
struct known *known_pair(const struct agent *a, const struct pair *p);
struct known *known_add(struct agent *a, enum known_kind kind, const uint64_t key[4], mono expiry);
/* Its row, with the batch being staged. False: none could be made, it is in memory only. */
bool known_write(struct agent *a, struct known *k);
void known_forget(struct agent *a, struct known *k);
void known_tick(struct agent *a, mono now);
int known_restore(struct agent *a, mono now) MUST_USE;
mono known_deadline(const struct agent *a);
void pair_key(const struct pair *p, uint64_t key[4]);

/* -- restore.c */
int restore_all(struct agent *a, mono now) MUST_USE;

/* -- import.c */
bool import_is_due(const struct agent *a);
void import_tick(struct agent *a, mono now);

#endif
