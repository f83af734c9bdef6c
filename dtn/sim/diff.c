/*
 * diff: compares the lines of a played scenario with those its file expects: longest common subsequence
 * by the table of lengths, after what is equal at both ends is set aside. Lines that begin with # and
 * empty lines of the expectation are the author's and count for nothing.
 */
#include "dtn/sim/diff.h"

#include <stdlib.h>

#define LINES_MAX 4000u

struct lines {
	struct view v[LINES_MAX];
	size_t n;
};

static bool split_lines(struct view text, struct lines *out);
static void put_line(struct buf *out, const char *mark, struct view line);
static void list(const struct lines *a, const struct lines *b, uint16_t *len, struct buf *out);

bool diff_lines(struct view expected, struct view got, struct buf *out)
{
	struct lines *a = malloc(sizeof *a), *b = malloc(sizeof *b);
	uint16_t *len = NULL;
	bool equal = a && b && split_lines(expected, a) && split_lines(got, b) && a->n == b->n;

	for (size_t i = 0; equal && i < a->n; i++)
		equal = view_equal(a->v[i], b->v[i]);
	if (a && b && !equal)
		len = calloc((a->n + 1) * (b->n + 1), sizeof *len);
	if (len)
		list(a, b, len, out);
	else if (!equal)
		buf_text(out, "the traces differ (too long to compare)\n");
	free(len);
	free(a);
	free(b);
	return equal;
}

static bool split_lines(struct view text, struct lines *out)
{
	out->n = 0;
	while (text.n > 0) {
		const uint8_t *nl = memchr(text.p, '\n', text.n);
		size_t n = nl ? (size_t)(nl - text.p) : text.n;
		struct view line = view_sub(text, 0, n);

		text = view_sub(text, n + (nl != NULL), text.n - n - (nl != NULL));
		while (line.n > 0 && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\r'))
			line.n--;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (out->n == LINES_MAX)
			return false;
		out->v[out->n++] = line;
	}
	return true;
}

static void list(const struct lines *a, const struct lines *b, uint16_t *len, struct buf *out)
{
	size_t w = b->n + 1, i, j;

	for (i = a->n; i-- > 0;) {
		for (j = b->n; j-- > 0;) {
			uint16_t down = len[(i + 1) * w + j], right = len[i * w + j + 1];

			if (view_equal(a->v[i], b->v[j]))
				len[i * w + j] = (uint16_t)(len[(i + 1) * w + j + 1] + 1);
			else
				len[i * w + j] = down > right ? down : right;
		}
	}
	i = j = 0;
	while (i < a->n || j < b->n) {
		if (i < a->n && j < b->n && view_equal(a->v[i], b->v[j])) {
			put_line(out, "  ", a->v[i++]);
			j++;
		} else if (i < a->n && (j == b->n || len[(i + 1) * w + j] >= len[i * w + j + 1])) {
			put_line(out, "- ", a->v[i++]);
		} else {
			put_line(out, "+ ", b->v[j++]);
		}
	}
}

static void put_line(struct buf *out, const char *mark, struct view line)
{
	buf_text(out, mark);
	buf_put(out, line);
	buf_u8(out, '\n');
}
