/*
 * topo: the topology file of a lab or a simulation: nodes, links with both directions' parameters,
 * the contact plan, applications that make traffic, and settings for owltd. owlt-topology(5).
 *
 * {"name":"two-nodes","about":"one sentence","speed":1,"until":"60s",
 *  "nodes":[{"name":"earth","id":"ipn:1.0","config":{...owltd settings...}},...],
 *  "links":[{"name":"earth-mars","a":"earth","b":"mars","mtu":65535,"rate":"1M","owlt":"5s",
 *            "loss":0.2 | {"model":"gilbert","p":..,"r":..,"good":..,"bad":..},
 *            "bit_error_rate":0,"duplicate":0,"reorder":0,"reorder_delay":"0s","queue":"1Mi",
 *            "a_to_b":{...the same keys...},"b_to_a":{...}}],
 *  "plan":"file" | {"contacts":[...]},
 *  "traffic":[{"from":"earth","to":"ipn:2.1","at":"1s","every":"1s","count":10,"size":1000,
 *              "custody":true,"kept":false,"lifetime":"1h","priority":"bulk","service":1}],
 *  "config":{...owltd settings for every node...}}
 */
#ifndef OWLT_PLAN_TOPO_H
#define OWLT_PLAN_TOPO_H

#include "dtn/plan/link.h"

#define TOPO_NAME_MAX 32
#define TOPO_NODES_MAX 4096u
#define TOPO_LINKS_MAX 16384u

struct topo_node {
	char name[TOPO_NAME_MAX];
	node_id id;
	const struct json *config; /* may be NULL; lives as long as the topology */
};

struct topo_link {
	char name[TOPO_NAME_MAX];
	unsigned a, b; /* indexes of nodes */
	uint64_t mtu_bytes;
	struct link_params a_to_b, b_to_a;
};

struct topo_traffic {
	unsigned from; /* index of a node */
	node_id to_node;
	uint64_t to_service, from_service;
	mono at;
	int64_t every_us;
	uint64_t count, size_bytes;
	int64_t lifetime_us;
	bool custody;
	bool kept; /* tunnels with custody carry it all the way: judged like custody */
	unsigned priority;
	/* in a scenario only: */
	uint64_t reports; /* bits of RFC 9171 4.2.3, for the source's node */
	bool compressed;
};

struct topo {
	char name[TOPO_NAME_MAX];
	double speed; /* lab seconds per real second */
	mono until;   /* MONO_NEVER: the plan's end */
	struct topo_node *node;
	size_t n_nodes;
	struct topo_link *link;
	size_t n_links;
	struct topo_traffic *traffic;
	size_t n_traffic;
	struct plan *plan;         /* NULL: every link always open */
	const struct json *config; /* for every node; may be NULL */
	struct json *doc;          /* owned */
	struct names names;        /* of dtn nodes, the plan's too */
};

/* plan_text: contents of the plan file that the topology names, or {NULL,0} when it is inside.
 * topo_plan_file() tells the name first (NULL: none). 0, or negative with notes. */
const char *topo_plan_file(const struct json *doc);
int topo_read(struct view text, struct view plan_text, struct topo **out,
	struct plan_notes *notes) MUST_USE;
void topo_free(struct topo *t);
/* The ID of its k-th node as EID text. */
size_t topo_print_id(const struct topo *t, size_t k, char *out, size_t cap);
size_t topo_node_index(const struct topo *t, const char *name_or_id); /* SIZE_MAX: none */

#endif
