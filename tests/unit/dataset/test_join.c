/* The join and its rows: one bundle over one link, as frames, as lines, as both. Frames are made by hand:
 * lost, damaged, duplicated, sent again. */
#include "dtn/dataset/picture.h"
#include "dtn/dataset/tables.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define DTN0 UINT64_C(800000000000)
#define UNIX0_NS ((int64_t)DTN0 * 1000000 + DTN_EPOCH_UNIX_S * 1000000000)

static const char topology[] = "{\"name\":\"t\",\"nodes\":[{\"name\":\"earth\",\"id\":\"ipn:1.0\"},"
			       "{\"name\":\"mars\",\"id\":\"ipn:3.0\"}],"
			       "\"links\":[{\"name\":\"l\",\"a\":\"earth\",\"b\":\"mars\"}],"
			       "\"plan\":{\"contacts\":[{\"from\":\"ipn:1.0\",\"to\":\"ipn:3.0\","
			       "\"start\":0,\"end\":100,\"rate\":\"1M\",\"owlt\":10}]}}";

struct fixture {
	struct topo *topo;
	struct dataset *d;
	uint8_t frame[600];
	size_t n;
};

static void setup(struct fixture *x)
{
	static const uint8_t head[42] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0,
		0, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 1, 0, 2, 0x11, 0xcc, 0x11, 0xcc};
	struct bundle_spec spec = {.crc_type = CRC_32C,
		.block_crc_type = CRC_32C,
		.dest = eid_ipn(3, 9),
		.source = eid_ipn(1, 5),
		.report_to = eid_null(),
		.created_ms = DTN0 + 500,
		.seq = 7,
		.lifetime_ms = 100000,
		.custody = custody_codes_ccsds()};
	struct plan_notes notes = {0};
	struct buf b = buf_of(x->frame + 42, sizeof x->frame - 42);

	cr_assert_eq(topo_read(view_text(topology), (struct view){0}, &x->topo, &notes), 0);
	cr_assert_eq(dataset_new(&x->d, x->topo, "run", DTN0), 0);
	cr_assert_eq(bundle_build(&b, &spec, view_text("hello")), 0);
	memcpy(x->frame, head, sizeof head);
	be16_put(x->frame + 16, (uint16_t)(28 + b.len));
	be16_put(x->frame + 38, (uint16_t)(8 + b.len));
	x->n = 42 + b.len;
}

static void teardown(struct fixture *x)
{
	dataset_free(x->d);
	topo_free(x->topo);
}

static void frame(struct fixture *x, double t, const char *iface, const char *comment)
{
	struct pcapng_iface i = {.link_type = PCAPNG_ETHERNET};
	struct pcapng_frame f = {.iface = &i,
		.t_ns = UNIX0_NS + (int64_t)(t * 1e9),
		.bytes = view_of(x->frame, x->n),
		.full_bytes = (uint32_t)x->n,
		.comment = view_text(comment),
		.direction = strcmp(iface, "l:earth") == 0 ? PCAPNG_OUTBOUND : PCAPNG_INBOUND};

	snprintf(i.name, sizeof i.name, "%s", iface);
	cr_assert_eq(dataset_frame(x->d, &f), 0);
}

static void line(struct fixture *x, double t, const char *node, const char *rest)
{
	char text[512];

	snprintf(text, sizeof text, "{\"t_us\":%.0f,\"node\":\"%s\",\"ev\":%s}", t * 1e6, node,
		rest);
	cr_assert_eq(dataset_line(x->d, view_text(text)), 0);
}

#define SEEN                                                                                       \
	"\"bundle_seen\",\"id\":4,\"src_node\":\"ipn:1.0\",\"src_service\":5,\"created_ms\":"      \
	"800000000500,\"seq\":7"
#define FORWARDED                                                                                  \
	"\"bundle_forwarded\",\"id\":4,\"next_node\":\"ipn:3.0\",\"link\":\"l\",\"frame_bytes\":"  \
	"100,\"tx_end_us\":0"

/* The field of a column in row k of a table. */
static const char *field(
	struct fixture *x, enum ds_table table, size_t k, const char *column, char out[256])
{
	static char head[8192], row[8192];
	struct buf h = buf_of(head, sizeof head), r = buf_of(row, sizeof row);
	char *hs = head, *rs = row;
	struct tables t;

	cr_assert_eq(tables_init(&t, x->d), 0);
	table_header(table, &h);
	table_row(&t, table, k, &r);
	tables_fini(&t);
	for (;;) {
		char *he = hs + strcspn(hs, ",\r"), *re = rs + strcspn(rs, ",\r");

		if ((size_t)(he - hs) == strlen(column) &&
			strncmp(hs, column, strlen(column)) == 0) {
			snprintf(out, 256, "%.*s", (int)(re - rs), rs);
			return out;
		}
		cr_assert_eq(*he, ',', "no column %s", column);
		hs = he + 1;
		rs = re + 1;
	}
}

#define EXPECT(table, k, column, value)                                                            \
	cr_assert_str_eq(field(&x, TABLE_##table, k, #column, text), value, "%s[%u].%s = %s",      \
		#table, (unsigned)(k), #column, text)

Test(join, lost_then_sent_again_then_duplicated)
{
	struct fixture x;
	char text[256];

	setup(&x);
	frame(&x, 1, "l:earth", "drop: loss");
	frame(&x, 20, "l:earth", "");
	frame(&x, 30.001, "l:mars", "");
	frame(&x, 30.002, "l:mars", "duplicate");
	cr_assert_eq(dataset_join(x.d), 0);
	cr_assert_eq(x.d->n_hops, 2);
	EXPECT(hops, 0, outcome, "lost");
	EXPECT(hops, 0, refuse_reason, "loss");
	EXPECT(hops, 0, rx_truth, "0");
	EXPECT(hops, 0, t_rx_peer_dtn_ms, "");
	EXPECT(hops, 1, outcome, "sent");
	EXPECT(hops, 1, attempt_no, "2");
	EXPECT(hops, 1, t_rx_peer_dtn_ms, "800000030001");
	EXPECT(hops, 1, contact_id, "1");
	EXPECT(hops, 1, t_enqueue_ns, "");
	EXPECT(bundles, 0, delivered, "1");
	EXPECT(bundles, 0, n_dup, "1");
	EXPECT(bundles, 0, path, "1>3");
	EXPECT(bundles, 0, plan_oracle_delay_ms, "10000");
	EXPECT(bundles, 0, regret_ms, "");
	EXPECT(contacts, 0, loss_ratio, "0.5");
	teardown(&x);
}

/* Without comments only light time tells whose reception it was: the first attempt's frame never came. */
Test(join, reception_belongs_to_the_attempt_that_light_time_says)
{
	struct fixture x;
	char text[256];

	setup(&x);
	frame(&x, 1, "l:earth", "");
	frame(&x, 5, "l:earth", "");
	frame(&x, 15.001, "l:mars", "");
	cr_assert_eq(dataset_join(x.d), 0);
	EXPECT(hops, 0, rx_truth, "0");
	EXPECT(hops, 1, rx_truth, "1");
	teardown(&x);
}

/* A killed node did not write its first line: the second frame has one. */
Test(join, log_lines_lie_beside_the_nearest_frames)
{
	struct fixture x;
	char text[256];

	setup(&x);
	frame(&x, 1, "l:earth", "");
	frame(&x, 20, "l:earth", "");
	line(&x, 19, "ipn:1.0", SEEN);
	line(&x, 19.5, "ipn:1.0",
		"\"bundle_queued\",\"id\":4,\"next_node\":\"ipn:3.0\",\"arrival_us\":30000000,\"n_"
		"queued\":2");
	line(&x, 19.9, "ipn:1.0", FORWARDED);
	cr_assert_eq(dataset_join(x.d), 0);
	cr_assert_eq(x.d->n_bundles, 1);
	EXPECT(hops, 0, t_decide_dtn_ms, "");
	EXPECT(hops, 1, t_decide_dtn_ms, "800000019900");
	EXPECT(hops, 1, queue_pos, "2");
	EXPECT(hops, 1, planned_arrival_dtn_ms, "800000030000");
	teardown(&x);
}

Test(join, lines_alone)
{
	struct fixture x;
	char text[256];

	setup(&x);
	line(&x, 1, "ipn:1.0", SEEN);
	line(&x, 1, "ipn:1.0",
		"\"bundle_shape\",\"id\":4,\"dst_node\":\"ipn:3.0\",\"dst_service\":9,\"size_"
		"bytes\":90,\"payload_bytes\":5");
	line(&x, 1, "ipn:1.0", FORWARDED);
	line(&x, 11, "ipn:3.0", SEEN);
	line(&x, 11, "ipn:3.0",
		"\"bundle_received\",\"id\":4,\"link\":\"l\",\"prev_node\":\"ipn:1.0\",\"hop_"
		"count\":0,\"custody\":true");
	line(&x, 12, "ipn:3.0", "\"bundle_delivered\",\"id\":4,\"registration\":1");
	line(&x, 13, "ipn:3.0", "damaged");
	cr_assert_eq(dataset_join(x.d), 0);
	cr_assert_eq(x.d->bad_lines, 1);
	EXPECT(hops, 0, rx_truth, "1");
	EXPECT(hops, 0, pcap_frame, "");
	EXPECT(bundles, 0, end_reason, "delivered");
	EXPECT(bundles, 0, e2e_delay_ms, "10500");
	EXPECT(bundles, 0, path, "1>3");
	teardown(&x);
}

/* The picture names every node and draws the bundle; a node that starts twice was killed. */
/* Cut where it was made: the piece has the queue's columns of the bundle, and the bundle its delivery. */
Test(join, a_bundle_that_was_cut)
{
	struct fixture x;
	char text[256];

	setup(&x);
	line(&x, 1, "ipn:1.0", SEEN);
	line(&x, 1, "ipn:1.0", "\"bundle_sourced\",\"id\":4,\"registration\":1,\"custody\":false");
	line(&x, 1, "ipn:1.0",
		"\"bundle_queued\",\"id\":4,\"next_node\":\"ipn:3.0\",\"contact\":1,\"arrival_us\":"
		"9000000,\"n_queued\":2");
	for (int node = 1; node <= 3; node += 2) {
		const char *name = node == 1 ? "ipn:1.0" : "ipn:3.0";

		line(&x, node == 1 ? 2 : 11, name,
			"\"bundle_seen\",\"id\":7,\"src_node\":\"ipn:1.0\",\"src_service\":5,"
			"\"created_ms\":800000000500,\"seq\":7");
		line(&x, node == 1 ? 2 : 11, name,
			"\"bundle_fragment\",\"id\":7,\"frag_off\":0,\"frag_len\":5,\"total_"
			"bytes\":50");
	}
	line(&x, 2, "ipn:1.0",
		"\"fragment_made\",\"id\":7,\"whole\":4,\"frag_off\":0,\"frag_len\":5,\"next_"
		"node\":"
		"\"ipn:3.0\"");
	line(&x, 2, "ipn:1.0",
		"\"bundle_forwarded\",\"id\":7,\"next_node\":\"ipn:3.0\",\"link\":\"l\",\"frame_"
		"bytes\":132,\"tx_end_us\":2001056");
	line(&x, 12, "ipn:3.0", "\"bundle_delivered\",\"id\":7,\"registration\":1");
	cr_assert_eq(dataset_join(x.d), 0);
	cr_assert_eq(x.d->n_hops, 1);
	cr_assert_eq(x.d->n_bundles, 2);
	EXPECT(hops, 0, queue_pos, "2");
	EXPECT(bundles, 0, end_reason, "delivered");
	EXPECT(bundles, 1, end_reason, "delivered");
	teardown(&x);
}

Test(picture, from_lines)
{
	static char svg[1 << 16];
	struct buf b = buf_of(svg, sizeof svg - 1);
	struct fixture x;

	setup(&x);
	line(&x, 0, "ipn:1.0", "\"node_start\",\"boot\":1");
	line(&x, 1, "ipn:1.0", SEEN);
	line(&x, 1, "ipn:1.0", FORWARDED);
	line(&x, 5, "ipn:1.0", "\"node_start\",\"boot\":2");
	line(&x, 11, "ipn:3.0", SEEN);
	line(&x, 11, "ipn:3.0",
		"\"bundle_received\",\"id\":4,\"link\":\"l\",\"prev_node\":\"ipn:1.0\"");
	line(&x, 12, "ipn:3.0", "\"bundle_delivered\",\"id\":4,\"registration\":1");
	cr_assert_eq(dataset_join(x.d), 0);
	picture_draw(x.d, &b);
	cr_assert_eq(buf_finish(&b), 0);
	cr_assert(strstr(svg, ">earth<") && strstr(svg, ">mars<") &&
		  strstr(svg, "ipn:1.5 7, attempt 1<"));
	cr_assert(strstr(svg, "started again") && strstr(svg, ">delivered</title>"));
	cr_assert(strstr(svg, "</svg>\n"));
	teardown(&x);
}
