/*
 * config: the agent's settings as schema rows. Their struct is struct agent_cfg; the node's table
 * joins them. Limits of the running agent are here, limits of the format in bundle/limits.h.
 */
#include "dtn/agent/config.h"

#include <stddef.h>

#define AT(field) offsetof(struct agent_cfg, field)
#define DAY_US (INT64_C(86400) * US_PER_S)

static const char *const crc_words[] = {"none", "crc16", "crc32c", NULL};
static const char *const profile_words[] = {"ccsds", "bplib", NULL};

const struct schema_row agent_rows[] = {
	{.path = "agent.max_bundles", .type = SCHEMA_U64, .offset = AT(max_bundles), .min = 16,
		.max = 16777216, .def = "65536", .help = "Bundles known in memory at a time."},
	{.path = "agent.max_tombstones", .type = SCHEMA_U64, .offset = AT(max_tombstones), .min = 16,
		.max = 16777216, .def = "32768",
		.help = "Of each kind: bundles that left, bundles delivered here, custody pairs; known as duplicates."},
	{.path = "agent.max_registrations", .type = SCHEMA_U64, .offset = AT(max_registrations), .min = 1,
		.max = 65535, .def = "256", .help = "Endpoints registered by applications at a time."},
	{.path = "agent.max_lifetime", .type = SCHEMA_DURATION, .offset = AT(max_lifetime_us),
		.min = US_PER_S, .max = 36500 * DAY_US, .def = "365d", .unit = "s",
		.help = "Longer lifetimes are cut to this here (reason 10 when it ends them)."},
	{.path = "agent.hop_limit", .type = SCHEMA_U64, .offset = AT(hop_limit), .min = 0, .max = 255,
		.def = "64", .help = "Hop limit of bundles made here; 0 leaves the hop count block out."},
	{.path = "agent.previous_node", .type = SCHEMA_BOOL, .offset = AT(add_previous_node),
		.def = "true", .help = "Add a previous node block to what is sent."},
	{.path = "agent.age", .type = SCHEMA_BOOL, .offset = AT(add_age), .def = "false",
		.help = "Add an age block to bundles made here; always done without an accurate clock."},
	{.path = "agent.crc", .type = SCHEMA_ENUM, .offset = AT(crc_type), .words = crc_words,
		.def = "crc32c", .help = "CRC of blocks made here."},
	{.path = "agent.reports", .type = SCHEMA_BOOL, .offset = AT(reports), .def = "false",
		.help = "Send the status reports that bundles ask for."},
	{.path = "agent.reports_per_s", .type = SCHEMA_U64, .offset = AT(reports_per_s), .min = 1,
		.max = 1000000, .def = "10", .help = "Status reports a second, at most."},
	{.path = "agent.echo", .type = SCHEMA_BOOL, .offset = AT(echo), .def = "true",
		.help = "Answer bundles to the echo services."},
	{.path = "agent.echo_service_1", .type = SCHEMA_U64, .offset = AT(echo_service[0]), .min = 0,
		.max = INT64_MAX, .def = "7", .help = "An echo service number; 0 = none."},
	{.path = "agent.echo_service_2", .type = SCHEMA_U64, .offset = AT(echo_service[1]), .min = 0,
		.max = INT64_MAX, .def = "128", .help = "Another."},
	{.path = "agent.echo_service_3", .type = SCHEMA_U64, .offset = AT(echo_service[2]), .min = 0,
		.max = INT64_MAX, .def = "2047", .help = "Another."},
	{.path = "agent.echo_per_s", .type = SCHEMA_U64, .offset = AT(echo_per_s), .min = 1,
		.max = 10000000, .def = "1000", .help = "Echo answers a second, at most."},
	{.path = "custody.accept", .type = SCHEMA_BOOL, .offset = AT(custody_accept), .def = "true",
		.help = "Take custody of bundles that ask for it; else they pass through unchanged."},
	{.path = "custody.profile", .type = SCHEMA_ENUM, .offset = AT(custody_profile),
		.words = profile_words, .def = "ccsds", .help = "Code points and form of signals."},
	{.path = "custody.seq_id", .type = SCHEMA_U64, .offset = AT(custody_seq_id), .min = 0,
		.max = INT64_MAX, .def = "1", .help = "Own sequence identifier; 0 = by destination."},
	{.path = "custody.signal_count", .type = SCHEMA_U64, .offset = AT(signal_count), .min = 1,
		.max = 256, .def = "10", .help = "A signal is sent when it speaks of this many bundles."},
	{.path = "custody.signal_delay", .type = SCHEMA_DURATION, .offset = AT(signal_delay_us), .min = 0,
		.max = DAY_US, .def = "5s", .unit = "s",
		.help = "A signal is sent at the latest this long after its first bundle."},
	{.path = "custody.signal_lifetime", .type = SCHEMA_DURATION, .offset = AT(signal_lifetime_us),
		.min = US_PER_S, .max = 365 * DAY_US, .def = "1d", .unit = "s",
		.help = "Lifetime of custody signals and status reports."},
	{.path = "custody.interval", .type = SCHEMA_DURATION, .offset = AT(custody_interval_us),
		.min = US_PER_MS, .max = 365 * DAY_US, .def = "60s", .unit = "s",
		.help = "Retransmission where the plan knows no way back."},
	{.path = "custody.margin", .type = SCHEMA_DURATION, .offset = AT(custody_margin_us), .min = 0,
		.max = DAY_US, .def = "2s", .unit = "s",
		.help = "Added to the computed time until a signal can be here."},
	{.path = "custody.max_sends", .type = SCHEMA_U64, .offset = AT(custody_max_sends), .min = 0,
		.max = 65535, .def = "0", .help = "Transmissions of one bundle; 0 = until it expires."},
	{0},
};
