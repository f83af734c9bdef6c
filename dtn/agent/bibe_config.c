/*
 * bibe_config: settings of tunnels (bibe.h) as schema rows.
 */
#include "dtn/agent/bibe.h"

#include <stddef.h>

#define AT(field) offsetof(struct bibe_cfg, field)
#define TUNNEL(field) offsetof(struct bibe_tunnel_cfg, field)

/* In the order of bibe_tunnel.record in bibe.c. */
static const char *const record_words[] = {"7", "3", "64443", NULL};

static int check_node(const char *text)
{
	struct eid e;

	return eid_parse_node(text, &e);
}

static int check_pattern(const char *text)
{
	struct eid_pattern p;

	return eid_pattern_parse(text, &p);
}

static const struct schema_row pattern_rows[] = {
	{.path = "",
		.type = SCHEMA_TEXT,
		.min = 1,
		.max = 63,
		.check = check_pattern,
		.help = "An endpoint, all of a node (ipn:2.*, dtn://name/*), or *."},
	{0},
};

static const struct schema_row tunnel_rows[] = {
	{.path = "to",
		.type = SCHEMA_TEXT,
		.offset = TUNNEL(to),
		.min = 1,
		.max = 63,
		.check = check_node,
		.help = "Node at the far end, which takes the bundles out again."},
	{.path = "for",
		.type = SCHEMA_LIST,
		.offset = TUNNEL(match),
		.max = BIBE_PATTERNS_MAX,
		.rows = pattern_rows,
		.size = sizeof(struct bibe_pattern),
		.count_offset = TUNNEL(n_match),
		.help = "Destinations whose bundles go through it; none: it only takes out."},
	{.path = "record",
		.type = SCHEMA_ENUM,
		.offset = TUNNEL(record),
		.words = record_words,
		.def = "7",
		.help = "Type of record that is written: 7 (ION), 3 (old drafts) or 64443 (draft "
			"-05); all are read."},
	{.path = "custody",
		.type = SCHEMA_BOOL,
		.offset = TUNNEL(custody),
		.def = "false",
		.help = "Bundles stay here until the far end answers that it has them, and are "
			"sent again if it does not."},
	{.path = "fallback",
		.type = SCHEMA_BOOL,
		.offset = TUNNEL(fallback),
		.def = "false",
		.help = "With custody: what the far end refused, or did not answer in time, may go "
			"where the router says, or into a tunnel without custody."},
	{0},
};

const struct schema_row bibe_rows[] = {
	{.path = "bibe.tunnels",
		.type = SCHEMA_LIST,
		.offset = AT(tunnel),
		.max = BIBE_TUNNELS_MAX,
		.rows = tunnel_rows,
		.size = sizeof(struct bibe_tunnel_cfg),
		.count_offset = AT(n_tunnels),
		.help = "Bundles in bundles, see owlt-bibe(7). The first one that matches counts."},
	{.path = "bibe.peers",
		.type = SCHEMA_LIST,
		.offset = AT(peer),
		.max = BIBE_PEERS_MAX,
		.rows = pattern_rows,
		.size = sizeof(struct bibe_pattern),
		.count_offset = AT(n_peers),
		.help = "Nodes, beside the far ends of tunnels, whose encapsulated bundles are "
			"taken out; all others' are refused."},
	{.path = "bibe.max_bytes",
		.type = SCHEMA_BYTES,
		.offset = AT(max_bytes),
		.min = 1024,
		.max = 64 << 20,
		.def = "60000",
		.unit = "bytes",
		.help = "A bundle inside another, at most, both ways; larger ones are fragmented "
			"first where they may be."},
	{.path = "bibe.max_depth",
		.type = SCHEMA_U64,
		.offset = AT(max_depth),
		.min = 1,
		.max = BIBE_DEPTH_MAX,
		.def = "1",
		.help = "Bundles inside bundles inside bundles that are taken out here."},
	{.path = "bibe.max_unanswered",
		.type = SCHEMA_U64,
		.offset = AT(max_unanswered),
		.min = 1,
		.max = 1000000,
		.def = "4096",
		.help = "Transmissions of one tunnel with custody that wait for an answer; others "
			"wait "
			"until there is one."},
	{0},
};
