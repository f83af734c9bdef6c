/*
 * picture: see picture.h. A lane is a band in which each bundle has its own height, so a bundle that
 * waits at a node is a level line in the band and its hops are slanted lines between the bands.
 * Contacts are the transmitter's, so each bar lies at the transmitter's side of the gap.
 *
 * Invariants: nothing is drawn outside the time span; every text has a place of its own (names left of
 * the axis, times above, legend below), so texts don't overlap. Start at picture_draw.
 */
#include "dtn/dataset/picture.h"

#include "bundle/base/units.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WIDTH 1400.0
#define LEFT 150.0
#define RIGHT 40.0
#define TOP 96.0
#define LANE 84.0
#define GAP 150.0
#define BAR 7.0
#define LANES_MAX 64u
#define TICKS_MAX 12

#define INK "#222"
#define QUIET "#888"
#define OPEN "#9ccc9c"
#define CLOSED "#eeeeee"
#define RETX "#e8710a"
#define LOST "#d00000"
#define SIGNAL "#9a9a9a"
#define DONE "#1a7f37"

struct picture {
	const struct dataset *d;
	struct buf *out;
	int64_t t0, t1;
	size_t n_lanes;
	uint32_t *height; /* of each bundle in its bands: 0 .. n_heights - 1 */
	uint32_t n_heights;
	unsigned n_retx, n_lost;
};

static void put(struct picture *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put_text(struct picture *p, const char *text);
static void set_span(struct picture *p);
static void order_bundles(struct picture *p);
static void draw_title(struct picture *p);
static void draw_axis(struct picture *p, double bottom);
static void draw_lanes(struct picture *p);
static void draw_links(struct picture *p);
static void draw_bars(struct picture *p, const struct topo_link *l, bool back, double y);
static void draw_bar(struct picture *p, mono from, mono to, double y, const char *what);
static void draw_bundle(struct picture *p, const struct ds_bundle *b);
static void draw_hop(struct picture *p, const struct ds_bundle *b, const struct ds_hop *h);
static int64_t arrival(const struct picture *p, const struct ds_hop *h);
static void draw_wait(
	struct picture *p, const struct ds_bundle *b, node_id node, int64_t from, int64_t to);
static void draw_marks(struct picture *p);
static void draw_legend(struct picture *p, double y);
static double x_of(const struct picture *p, int64_t t);
static double lane_of(const struct picture *p, node_id node);
static double y_of(const struct picture *p, node_id node, const struct ds_bundle *b);
static void colour_of(const struct picture *p, const struct ds_bundle *b, char out[32]);
static bool is_signal(const struct ds_bundle *b);

void picture_draw(const struct dataset *d, struct buf *svg)
{
	struct picture p = {.d = d, .out = svg};
	double bottom, height;

	p.n_lanes = d->topo->n_nodes < LANES_MAX ? d->topo->n_nodes : LANES_MAX;
	p.height = calloc(d->n_bundles + 1, sizeof *p.height);
	bottom = TOP + (double)p.n_lanes * (LANE + GAP) - GAP + 26;
	height = bottom + 92;
	set_span(&p);
	order_bundles(&p);
	put(&p,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"viewBox=\"0 0 %.0f %.0f\" "
		"font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" font-size=\"13\" "
		"fill=\"" INK "\">\n",
		WIDTH, height, WIDTH, height);
	put(&p, "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n");
	draw_title(&p);
	draw_axis(&p, bottom);
	draw_lanes(&p);
	draw_links(&p);
	put(&p, "<g fill=\"none\" stroke-width=\"1.3\" stroke-linecap=\"round\">\n");
	for (size_t k = 0; k < d->n_bundles && p.height; k++)
		draw_bundle(&p, d->bundle[d->bundle_row[k]]);
	put(&p, "</g>\n");
	draw_marks(&p);
	draw_legend(&p, bottom + 34);
	put(&p, "</svg>\n");
	free(p.height);
}

/* From lab time 0, or the first event if that is much later, to a little behind the last thing drawn;
 * contacts alone don't make it longer. */
static void set_span(struct picture *p)
{
	const struct dataset *d = p->d;

	p->t0 = d->base_ns != NO_TIME ? d->base_ns : 0;
	p->t1 = p->t0;
	for (size_t k = 0; k < d->n_obs; k++)
		p->t1 = d->obs[k].t > p->t1 ? d->obs[k].t : p->t1;
	for (size_t k = 0; k < d->n_marks; k++)
		p->t1 = d->mark[k].t > p->t1 ? d->mark[k].t : p->t1;
	if (p->t1 == p->t0 && d->last_ns != NO_TIME)
		p->t1 = d->last_ns;
	if (d->first_ns != NO_TIME && d->first_ns - p->t0 > (p->t1 - p->t0) / 2)
		p->t0 = d->first_ns;
	p->t1 += (p->t1 - p->t0) / 50;
	if (p->t1 < p->t0 + 1000000)
		p->t1 = p->t0 + 1000000;
}

/* Data bundles first in the order of creation, then signals, so that the data bundles lie together. */
static void order_bundles(struct picture *p)
{
	for (int signals = 0; signals < 2 && p->height; signals++)
		for (size_t k = 0; k < p->d->n_bundles; k++) {
			const struct ds_bundle *b = p->d->bundle[p->d->bundle_row[k]];

			if (is_signal(b) == signals)
				p->height[b->index] = p->n_heights++;
		}
}

static void draw_title(struct picture *p)
{
	size_t n_data = 0, n_delivered = 0;
	char span[64];

	for (size_t k = 0; k < p->d->n_bundles; k++) {
		n_data += !is_signal(p->d->bundle[k]);
		n_delivered +=
			!is_signal(p->d->bundle[k]) && p->d->bundle[k]->t_delivered != NO_TIME;
	}
	for (size_t k = 0; k < p->d->n_marks; k++)
		p->n_retx += p->d->mark[k].kind == DS_MARK_RETX;
	units_print_duration((p->t1 - p->t0) / 1000000 * 1000, span, sizeof span);
	put(p, "<text x=\"%.0f\" y=\"30\" font-size=\"19\" font-weight=\"bold\">", LEFT);
	put_text(p, p->d->topo->name[0] ? p->d->topo->name : p->d->run_id);
	put(p, "</text>\n<text x=\"%.0f\" y=\"52\" fill=\"" QUIET "\">run ", LEFT);
	put_text(p, p->d->run_id);
	put(p,
		": %zu bundles and %zu custody signals, %zu bundles delivered, %u retransmissions "
		"from custody</text>\n",
		n_data, p->d->n_bundles - n_data, n_delivered, p->n_retx);
}

/* The coarsest of 1, 2, 5, 10, 15, 30 of a unit that gives at most TICKS_MAX ticks. */
static int64_t tick_step(int64_t span_us)
{
	static const int64_t step_s[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
		7200, 10800, 21600, 43200, 86400, 172800, 604800};
	int64_t step = 1000;

	for (; step < US_PER_S; step *= 10)
		if (span_us / step <= TICKS_MAX)
			return step;
	for (size_t k = 0; k < sizeof step_s / sizeof *step_s; k++)
		if (span_us / (step_s[k] * US_PER_S) <= TICKS_MAX)
			return step_s[k] * US_PER_S;
	return span_us / TICKS_MAX + 1;
}

static void draw_axis(struct picture *p, double bottom)
{
	int64_t base = p->d->base_ns != NO_TIME ? p->d->base_ns : p->t0;
	int64_t from = (p->t0 - base) / 1000, to = (p->t1 - base) / 1000,
		step = tick_step(to - from);
	char text[64];

	put(p, "<g stroke=\"#e4e4e4\" stroke-width=\"1\" text-anchor=\"middle\">\n");
	for (int64_t t = (from + step - 1) / step * step; t <= to; t += step) {
		double x = x_of(p, base + t * 1000);

		units_print_duration(t, text, sizeof text);
		put(p, "<path d=\"M%.1f %.1fV%.1f\"/><text x=\"%.1f\" y=\"%.1f\" stroke=\"none\">",
			x, TOP - 16, bottom, x, TOP - 22);
		put_text(p, t == 0 ? "0" : text);
		put(p, "</text>\n");
	}
	put(p,
		"</g>\n<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\" fill=\"" QUIET
		"\">lab time</text>\n",
		LEFT - 30, TOP - 22);
}

static void draw_lanes(struct picture *p)
{
	char eid[EID_TEXT_MAX];

	for (size_t k = 0; k < p->n_lanes; k++) {
		const struct topo_node *n = &p->d->topo->node[k];
		double y = TOP + (double)k * (LANE + GAP);

		topo_print_id(p->d->topo, k, eid, sizeof eid);
		put(p,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
			"fill=\"#f3f6fb\" stroke=\"#c6d2e4\"/>\n",
			LEFT, y, WIDTH - LEFT - RIGHT, LANE);
		put(p,
			"<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" font-size=\"16\" "
			"font-weight=\"bold\">",
			LEFT - 12, y + LANE / 2);
		put_text(p, n->name);
		put(p, "</text><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" fill=\"" QUIET "\">",
			LEFT - 12, y + LANE / 2 + 18);
		put_text(p, eid);
		put(p, "</text>\n");
	}
	if (p->n_lanes < p->d->topo->n_nodes)
		put(p,
			"<text x=\"%.0f\" y=\"70\" fill=\"" LOST
			"\">only the first %u of %zu nodes are drawn</text>\n",
			LEFT, LANES_MAX, p->d->topo->n_nodes);
}

/* Bars of one link after the other, each beside its transmitter's lane. */
static void draw_links(struct picture *p)
{
	unsigned below[LANES_MAX] = {0}, above[LANES_MAX] = {0};

	for (size_t k = 0; k < p->d->topo->n_links; k++) {
		const struct topo_link *l = &p->d->topo->link[k];
		unsigned up = l->a < l->b ? l->a : l->b, down = l->a < l->b ? l->b : l->a;
		double y_up, y_down;

		if (down >= p->n_lanes || below[up] > 5 || above[down] > 5)
			continue;
		y_up = TOP + up * (LANE + GAP) + LANE + 4 + below[up]++ * (BAR + 3);
		y_down = TOP + down * (LANE + GAP) - 4 - BAR - above[down]++ * (BAR + 3);
		draw_bars(p, l, up == l->b, y_up);
		draw_bars(p, l, down == l->b, y_down);
		put(p, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" fill=\"" QUIET "\">",
			LEFT - 12,
			TOP + up * (LANE + GAP) + LANE + GAP / 2 + 4 +
				(double)(below[up] - 1) * 15);
		put_text(p, l->name);
		put(p, "</text>\n");
	}
}

/* The contacts of one direction; without a plan it is always open. */
static void draw_bars(struct picture *p, const struct topo_link *l, bool back, double y)
{
	const struct topo *t = p->d->topo;
	const struct topo_node *from = &t->node[back ? l->b : l->a],
			       *to = &t->node[back ? l->a : l->b];
	char what[128];

	put(p, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"" CLOSED "\"/>\n",
		LEFT, y, WIDTH - LEFT - RIGHT, BAR);
	snprintf(what, sizeof what, "%s to %s: open", from->name, to->name);
	if (!t->plan)
		draw_bar(p, 0, MONO_NEVER, y, what);
	for (size_t k = 0; t->plan && k < t->plan->n_contacts; k++)
		if (t->plan->contact[k].from == from->id && t->plan->contact[k].to == to->id)
			draw_bar(p, t->plan->contact[k].start, t->plan->contact[k].end, y, what);
}

static void draw_bar(struct picture *p, mono from, mono to, double y, const char *what)
{
	int64_t base = p->d->base_ns != NO_TIME ? p->d->base_ns : p->t0;
	int64_t last = (p->t1 - base) / 1000;
	double x0 = x_of(p, base + (from < last ? from : last) * 1000);
	double x1 = x_of(p, base + (to < last ? to : last) * 1000);

	if (x1 <= x0)
		return;
	put(p,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"" OPEN
		"\"><title>",
		x0, y, x1 - x0, BAR);
	put_text(p, what);
	put(p, "</title></rect>\n");
}

/* Level where it waits, slanted where it travels. */
static void draw_bundle(struct picture *p, const struct ds_bundle *b)
{
	int64_t created = b->t_sourced;

	for (uint32_t k = b->first_hop; k < b->first_hop + b->n_hops && k < PICTURE_HOPS_MAX; k++) {
		const struct ds_hop *h = &p->d->hop[k];
		node_id sender = p->d->obs[h->tx].sender;
		int64_t since = sender == b->src_node ? created : NO_TIME;

		for (uint32_t i = b->first_hop; i < b->first_hop + b->n_hops; i++) {
			const struct ds_hop *in = &p->d->hop[i];

			if (in->rx == NO_INDEX || p->d->obs[in->rx].receiver != sender)
				continue;
			if (since == NO_TIME || p->d->obs[in->rx].t < since)
				since = p->d->obs[in->rx].t;
		}
		if (since != NO_TIME)
			draw_wait(p, b, sender, since, p->d->obs[h->tx].t);
		draw_hop(p, b, h);
	}
}

static void draw_hop(struct picture *p, const struct ds_bundle *b, const struct ds_hop *h)
{
	const struct ds_obs *tx = &p->d->obs[h->tx];
	double x0 = x_of(p, tx->t), y0 = y_of(p, tx->sender, b), y1 = y_of(p, tx->receiver, b), x1;
	char colour[32], eid[EID_TEXT_MAX];

	if (y0 < 0 || y1 < 0)
		return;
	dataset_print_eid(eid, sizeof eid, b->src_text, b->src_node, b->src_service);
	if (h->rx == NO_INDEX && arrival(p, h) > p->t1) { /* still on its way at the end */
		double part = (double)(p->t1 - tx->t) / (double)(arrival(p, h) - tx->t);

		colour_of(p, b, colour);
		put(p, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\"%s><title>", x0, y0,
			x_of(p, p->t1), y0 + (y1 - y0) * part, colour,
			is_signal(b) ? " stroke-dasharray=\"2 3\"" : "");
	} else if (h->rx == NO_INDEX) { /* what did not come in: a stub with a cross */
		double dy = y1 > y0 ? 16 : -16,
		       edge = lane_of(p, tx->sender) + (y1 > y0 ? LANE : 0) + dy * 1.4;

		p->n_lost++;
		put(p,
			"<path d=\"M%.1f %.1fV%.1fm-3 -3l6 6m0 -6l-6 6\" stroke=\"" LOST
			"\"><title>",
			x0, y0, edge);
	} else {
		x1 = x_of(p, p->d->obs[h->rx].t);
		colour_of(p, b, colour);
		put(p, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\"%s><title>", x0, y0, x1, y1,
			h->attempt_no > 1 ? RETX : colour,
			is_signal(b)        ? " stroke-dasharray=\"2 3\""
			: h->attempt_no > 1 ? " stroke-width=\"1.1\""
					    : "");
	}
	put_text(p, eid);
	put(p, " %llu, attempt %u%s</title></path>\n", (unsigned long long)b->seq, h->attempt_no,
		h->rx == NO_INDEX ? ", did not come in" : "");
}

/* When a hop should come in, by light time. */
static int64_t arrival(const struct picture *p, const struct ds_hop *h)
{
	const struct plan *plan = p->d->topo->plan;
	const struct ds_obs *tx = &p->d->obs[h->tx];

	if (!h->contact)
		return tx->t;
	return tx->t + 1000 * contact_owlt_us(plan, &plan->contact[h->contact - 1],
				      (tx->t - p->d->base_ns) / 1000);
}

static void draw_wait(
	struct picture *p, const struct ds_bundle *b, node_id node, int64_t from, int64_t to)
{
	double x0 = x_of(p, from), x1 = x_of(p, to), y = y_of(p, node, b);
	char colour[32];

	if (y < 0 || x1 - x0 < 0.5)
		return;
	colour_of(p, b, colour);
	put(p, "<path d=\"M%.1f %.1fH%.1f\" stroke=\"%s\" stroke-width=\"1\" opacity=\"0.55\"/>\n",
		x0, y, x1, colour);
}

static void draw_marks(struct picture *p)
{
	for (size_t k = 0; k < p->d->n_marks; k++) {
		const struct ds_mark *m = &p->d->mark[k],
				     *next = k + 1 < p->d->n_marks ? m + 1 : NULL;
		const struct ds_bundle *b = m->bundle == NO_INDEX ? NULL : p->d->bundle[m->bundle];
		double x = x_of(p, m->t), lane = lane_of(p, m->node),
		       y = b ? y_of(p, m->node, b) : lane;

		if (lane < 0)
			continue;
		if (m->kind == DS_MARK_RETX)
			put(p,
				"<path d=\"M%.1f %.1fl4 7h-8z\" fill=\"" RETX "\">"
				"<title>custody: sent again</title></path>\n",
				x, y - 5);
		if (m->kind == DS_MARK_APP)
			put(p,
				"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"" DONE
				"\"><title>delivered</title></circle>\n",
				x, y);
		if (m->kind == DS_MARK_CRASH && next && next->kind == DS_MARK_RESTART)
			put(p,
				"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
				"fill=\"" LOST "\" opacity=\"0.18\"/>\n",
				x, lane, x_of(p, next->t) - x, LANE);
		if (m->kind == DS_MARK_CRASH)
			put(p,
				"<path d=\"M%.1f %.1fv%.1f\" stroke=\"" LOST
				"\" stroke-width=\"2\"/>\n",
				x, lane, LANE);
		if (m->kind == DS_MARK_RESTART)
			put(p,
				"<path d=\"M%.1f %.1fv%.1f\" stroke=\"" DONE
				"\" stroke-width=\"2\" stroke-dasharray=\"5 3\">"
				"<title>started again</title></path>\n",
				x, lane, LANE);
	}
}

static void draw_legend(struct picture *p, double y)
{
	static const struct {
		const char *shape, *text;
		double width;
	} row[] = {
		{"<rect y=\"-9\" width=\"26\" height=\"7\" fill=\"" OPEN "\"/>", "contact open",
			150},
		{"<rect y=\"-9\" width=\"26\" height=\"7\" fill=\"" CLOSED "\"/>", "closed", 110},
		{"<path d=\"M0 -10L26 0\" stroke=\"hsl(195,75%,38%)\" stroke-width=\"1.5\"/><path "
		 "d=\"M0 -4L26 6\" "
		 "stroke=\"hsl(280,75%,38%)\" stroke-width=\"1.5\"/>",
			"bundle: first (blue) to last (violet)", 300},
		{"<path d=\"M0 -10L26 0\" stroke=\"" SIGNAL
		 "\" stroke-width=\"1.5\" stroke-dasharray=\"2 3\"/>",
			"custody signal", 160},
		{"<path d=\"M0 -5H26\" stroke=\"hsl(230,75%,38%)\" opacity=\"0.55\"/>",
			"waits at a node", 0},
		{"<path d=\"M0 -10L26 0\" stroke=\"" RETX
		 "\" stroke-width=\"2\"/><path d=\"M6 -10l4.5 8h-9z\" fill=\"" RETX "\"/>",
			"sent again from custody", 220},
		{"<path d=\"M12 -14V-2m-3 -3l6 6m0 -6l-6 6\" stroke=\"" LOST "\" fill=\"none\"/>",
			"did not come in", 165},
		{"<circle cx=\"13\" cy=\"-5\" r=\"3.5\" fill=\"" DONE "\"/>",
			"delivered to the application", 240},
		{"<rect y=\"-12\" width=\"26\" height=\"14\" fill=\"" LOST
		 "\" opacity=\"0.18\"/><path d=\"M0 -12v14\" stroke=\"" LOST
		 "\" stroke-width=\"2\"/><path d=\"M26 -12v14\" stroke=\"" DONE
		 "\" stroke-width=\"2\" stroke-dasharray=\"5 3\"/>",
			"node was killed, and started again", 0},
	};
	double x = LEFT;

	for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
		put(p, "<g transform=\"translate(%.0f %.0f)\">%s<text x=\"34\">%s</text></g>\n", x,
			y, row[k].shape, row[k].text);
		x += row[k].width;
		if (row[k].width == 0) {
			x = LEFT;
			y += 26;
		}
	}
	if (p->d->n_hops > PICTURE_HOPS_MAX)
		put(p,
			"<text x=\"%.0f\" y=\"70\" fill=\"" LOST
			"\">only the first %u of %zu hops are drawn</text>\n",
			LEFT, PICTURE_HOPS_MAX, p->d->n_hops);
}

static double x_of(const struct picture *p, int64_t t)
{
	double at = (double)(t - p->t0) / (double)(p->t1 - p->t0);

	at = at < 0 ? 0 : at > 1 ? 1 : at;
	return LEFT + at * (WIDTH - LEFT - RIGHT);
}

/* Top of a node's lane; negative when it is not drawn. */
static double lane_of(const struct picture *p, node_id node)
{
	for (size_t k = 0; k < p->n_lanes; k++)
		if (p->d->topo->node[k].id == node)
			return TOP + (double)k * (LANE + GAP);
	return -1;
}

static double y_of(const struct picture *p, node_id node, const struct ds_bundle *b)
{
	double y = lane_of(p, node), n = p->n_heights > 1 ? p->n_heights - 1 : 1;

	return y < 0 || !p->height ? -1 : y + 5 + p->height[b->index] / n * (LANE - 10);
}

/* From blue to violet in the order of creation. */
static void colour_of(const struct picture *p, const struct ds_bundle *b, char out[32])
{
	double n = p->n_heights > 1 ? p->n_heights - 1 : 1;

	if (is_signal(b))
		snprintf(out, 32, SIGNAL);
	else
		snprintf(out, 32, "hsl(%.0f,75%%,38%%)", 195 + 85.0 * p->height[b->index] / n);
}

/* What goes to an administrative endpoint is a signal or a report. */
static bool is_signal(const struct ds_bundle *b)
{
	return b->has_dst && b->dst_service == 0 && b->src_service == 0;
}

static void put(struct picture *p, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (n > 0)
		buf_put(p->out,
			view_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

/* Escaped for XML. */
static void put_text(struct picture *p, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			buf_text(p->out, "&amp;");
		else if (*text == '<')
			buf_text(p->out, "&lt;");
		else if ((unsigned char)*text >= 0x20)
			buf_u8(p->out, (uint8_t)*text);
	}
}
