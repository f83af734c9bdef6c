/*
 * config: the node's rows of the schema. What a row means to the protocol is told where the setting
 * is used; here stand only path, bounds, default and one sentence for the user.
 */
#include "dtn/node/config.h"

#include <stddef.h>

#define AT(field) offsetof(struct node_cfg, field)
#define LINK(field) offsetof(struct node_link_cfg, field)
#define ROUTE(field) offsetof(struct node_route_cfg, field)
#define DAY_US (INT64_C(86400) * US_PER_S)

static int check_node(const char *text)
{
	struct eid e;
	int err = eid_parse_node(text, &e);

	return err || e.node == NODE_LOCAL ? -E_NODE_ID : 0; /* RFC 9758 5.4/6, 5.4/7 */
}

static int check_cl(const char *text)
{
	return cl_find(text) ? 0 : -E_UNKNOWN;
}

static int check_route(const char *text)
{
	return strcmp(text, "default") == 0 ? 0 : check_node(text);
}

static const struct schema_row link_rows[] = {
	{.path = "name",
		.type = SCHEMA_TEXT,
		.offset = LINK(name),
		.min = 1,
		.max = NODE_NAME_MAX - 1,
		.help = "Name of the link in logs and listings."},
	{.path = "cl",
		.type = SCHEMA_TEXT,
		.offset = LINK(cl),
		.min = 1,
		.max = 15,
		.def = "udp",
		.check = check_cl,
		.help = "Convergence layer: udp (RFC 7122)."},
	{.path = "peer",
		.type = SCHEMA_TEXT,
		.offset = LINK(peer),
		.min = 1,
		.max = 63,
		.check = check_node,
		.help = "Node at the other end."},
	{.path = "local",
		.type = SCHEMA_TEXT,
		.offset = LINK(local),
		.min = 1,
		.max = 63,
		.help = "Own ADDRESS:PORT, [ADDRESS]:PORT for IPv6."},
	{.path = "remote",
		.type = SCHEMA_TEXT,
		.offset = LINK(remote),
		.min = 1,
		.max = 63,
		.help = "ADDRESS:PORT of the peer; datagrams from elsewhere are dropped."},
	{.path = "any_port",
		.type = SCHEMA_BOOL,
		.offset = LINK(any_port),
		.def = "false",
		.help = "Take datagrams from any port of the peer's address: ION and HDTN do not "
			"send "
			"from the port they receive on."},
	{.path = "offload",
		.type = SCHEMA_BOOL,
		.offset = LINK(offload),
		.def = "false",
		.help = "Let datagrams of one size pass the kernel in runs (UDP segmentation "
			"offload): less CPU on loopback and on cards that do it. Not in a lab: its "
			"emulator wants single frames."},
	{.path = "mtu",
		.type = SCHEMA_BYTES,
		.offset = LINK(cl_cfg.mtu_bytes),
		.min = 576,
		.max = 65535,
		.def = "65535",
		.unit = "bytes",
		.help = "Largest IP packet; bundles beyond it don't fit."},
	{.path = "keepalive",
		.type = SCHEMA_DURATION,
		.offset = LINK(cl_cfg.keepalive_us),
		.min = 0,
		.max = DAY_US,
		.def = "0s",
		.unit = "s",
		.help = "Interval of UDPCL keepalives, at least 15 s; 0 = none."},
	{.path = "guard",
		.type = SCHEMA_DURATION,
		.offset = LINK(cl_cfg.guard_us),
		.min = 0,
		.max = DAY_US,
		.def = "1ms",
		.unit = "s",
		.help = "Nothing is started that could end later than this before the contact "
			"does."},
	{.path = "burst",
		.type = SCHEMA_DURATION,
		.offset = LINK(cl_cfg.burst_us),
		.min = 0,
		.max = DAY_US,
		.def = "5ms",
		.unit = "s",
		.help = "How much pacing may catch up after a late wake-up."},
	{.path = "rate",
		.type = SCHEMA_RATE,
		.offset = LINK(rate_bps),
		.min = 0,
		.max = INT64_C(1000000000000),
		.def = "0",
		.unit = "bits/s",
		.help = "Pacing of a link that no plan describes; 0 = none: what is too fast for "
			"the peer is lost."},
	{.path = "owlt",
		.type = SCHEMA_DURATION,
		.offset = LINK(owlt_us),
		.min = 0,
		.max = 365 * DAY_US,
		.def = "0s",
		.unit = "s",
		.help = "Light time of a link that no plan describes."},
	{.path = "border",
		.type = SCHEMA_BOOL,
		.offset = LINK(border),
		.def = "false",
		.help = "The peer is in another administrative domain: bundles that name "
			"private-use "
			"nodes (ipn 1 to 16383) do not cross (RFC 9758 5.5)."},
	{0},
};

static const struct schema_row route_rows[] = {
	{.path = "to",
		.type = SCHEMA_TEXT,
		.offset = ROUTE(to),
		.min = 1,
		.max = 63,
		.check = check_route,
		.help = "Destination node, or default."},
	{.path = "next",
		.type = SCHEMA_TEXT,
		.offset = ROUTE(next),
		.min = 1,
		.max = 63,
		.check = check_node,
		.help = "Neighbour that bundles for it are sent to."},
	{0},
};

const struct schema_row node_rows[] = {
	{.path = "node.id",
		.type = SCHEMA_TEXT,
		.offset = AT(id),
		.min = 1,
		.max = 63,
		.check = check_node,
		.help = "Node ID: ipn:N.0 or dtn://name/."},
	{.path = "links",
		.type = SCHEMA_LIST,
		.offset = AT(link),
		.max = NODE_LINKS_MAX,
		.rows = link_rows,
		.size = sizeof(struct node_link_cfg),
		.count_offset = AT(n_links),
		.help = "Links to neighbours."},
	{.path = "routes",
		.type = SCHEMA_LIST,
		.offset = AT(route),
		.max = 64,
		.rows = route_rows,
		.size = sizeof(struct node_route_cfg),
		.count_offset = AT(n_routes),
		.help = "Static routes, used where there is no plan."},
	{.path = "route.margin_sabr",
		.type = SCHEMA_BOOL,
		.offset = AT(margin_sabr),
		.def = "true",
		.help = "Add the light-time margin of CCSDS SABR to computed arrivals."},
	{.path = "clock.offset_ms",
		.type = SCHEMA_I64,
		.offset = AT(clock_offset_ms),
		.min = -31536000000,
		.max = 31536000000,
		.def = "0",
		.unit = "ms",
		.help = "Error given to this node's clock."},
	{.path = "clock.drift_ppm",
		.type = SCHEMA_REAL,
		.offset = AT(clock_drift_ppm),
		.min = -1000000,
		.max = 1000000,
		.def = "0",
		.help = "Drift given to this node's clock, parts per million."},
	{.path = "clock.accurate",
		.type = SCHEMA_BOOL,
		.offset = AT(clock_is_accurate),
		.def = "true",
		.help = "The clock may be used for creation times and expiry (RFC 9171 4.2.7)."},
	{0},
};

const struct schema_part node_parts[] = {
	{node_rows, 0},
	{agent_rows, offsetof(struct node_cfg, agent)},
	{security_rows, offsetof(struct node_cfg, agent.security)},
	{bibe_rows, offsetof(struct node_cfg, agent.bibe)},
	{NULL, 0},
};

int node_cfg_defaults(struct node_cfg *cfg, struct schema_error *e)
{
	memset(cfg, 0, sizeof *cfg);
	return schema_defaults(node_parts, cfg, e);
}
