/*
 * Configuration: JSON over the schema of a node, single settings by path, and the JSON reader and units
 * below them. What is accepted can be written and gives the same again.
 */
#include "bundle/base/units.h"
#include "dtn/io/udp.h"
#include "dtn/node/config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buf written(const struct node_cfg *cfg)
{
	struct buf b = buf_of(NULL, 0);
	struct json_writer w = {.out = &b};

	schema_write(node_parts, cfg, &w);
	b = buf_of(malloc(b.len + 1), b.len + 1);
	w = (struct json_writer){.out = &b};
	schema_write(node_parts, cfg, &w);
	assert(b.p && buf_fits(&b));
	return b;
}

static void whole(struct view text)
{
	struct node_cfg *cfg = calloc(2, sizeof *cfg);
	struct schema_error e = {0};
	struct buf one, two;

	assert(cfg);
	assert(node_cfg_defaults(&cfg[0], &e) == 0 && node_cfg_defaults(&cfg[1], &e) == 0);
	if (schema_json(node_parts, &cfg[0], text, &e) == 0) {
		(void)!schema_complete(node_parts, &cfg[0], &e);
		one = written(&cfg[0]);
		assert(schema_json(node_parts, &cfg[1], buf_view(&one), &e) == 0);
		two = written(&cfg[1]);
		assert(view_equal(buf_view(&one), buf_view(&two)));
		free(one.p);
		free(two.p);
	} else {
		assert(e.text[0] && memchr(e.text, 0, sizeof e.text) &&
			memchr(e.path, 0, sizeof e.path));
	}
	free(cfg);
}

/* "path=value", as from the environment. */
static void single(char *text)
{
	struct node_cfg *cfg = calloc(1, sizeof *cfg);
	struct schema_error e = {0};
	char *value = strchr(text, '='), *line = malloc(strlen(text) + 8);
	union udp_address address;
	int64_t us;
	uint64_t n;

	assert(cfg && line);
	sprintf(line, "OWLT_%s", text);
	assert(node_cfg_defaults(cfg, &e) == 0);
	(void)!schema_env(node_parts, cfg, (char *[]){line, NULL}, (const char *[]){NULL}, &e);
	if (value) {
		*value++ = 0;
		(void)!schema_set(node_parts, cfg, text, value, &e);
		if (units_duration(value, &us) == 0)
			assert(us >= 0);
		(void)!units_bytes(value, &n);
		(void)!units_rate(value, &n);
		(void)!udp_address_parse(value, &address);
	}
	free(line);
	free(cfg);
}

static void document(struct view text, const char *path)
{
	struct json *doc = NULL;
	unsigned line = 0;

	if (json_parse(text, &doc, &line) == 0)
		(void)json_type(doc);
	else
		assert(!doc);
	json_free(doc);
	assert(json_line(text, path) <= text.n + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	assert(text);
	if (size)
		memcpy(text, data, size);
	text[size] = 0;
	whole(view_of(data, size));
	document(view_of(data, size), "links[1].remote");
	document(view_of(data, size), text);
	single(text);
	free(text);
	return 0;
}
