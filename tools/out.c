/*
 * Printing for the owlt command: see out.h. Everything goes through stdio's stdout, which is
 * flushed per line for streams, so a reader at the other end of a pipe sees events as they happen.
 */
#include "tools/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define DOCUMENT_MAX (64u << 20)

void out_begin(struct out *o, bool json)
{
	*o = (struct out){.json = json};
	o->w.out = &o->buf;
	if (!json)
		return;
	o->buf = buf_of(malloc(DOCUMENT_MAX), DOCUMENT_MAX);
	if (!o->buf.p)
		exit(out_fail("no memory for output"));
}

void out_line(struct out *o)
{
	if (o->json && o->buf.len > 0) {
		if (buf_fits(&o->buf))
			fwrite(o->buf.p, 1, o->buf.len, stdout);
		else
			out_fail("the JSON document is larger than %u bytes; ask for less",
				DOCUMENT_MAX);
		putchar('\n');
		o->buf.len = 0;
		o->w.comma = false;
	}
	fflush(stdout);
}

int out_end(struct out *o)
{
	bool fits = buf_fits(&o->buf);

	out_line(o);
	free(o->buf.p);
	o->buf = (struct buf){0};
	if (ferror(stdout))
		return out_fail("writing to standard output failed");
	return fits ? 0 : EXIT_USAGE;
}

void out_text(struct out *o, const char *fmt, ...)
{
	va_list ap;

	if (o->json)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

void out_eid(struct out *o, const char *key, const struct eid *e)
{
	char text[EID_TEXT_MAX];
	size_t n = eid_print(e, text, sizeof text);

	if (o->json)
		jw_text(&o->w, key, view_of(text, n));
}

void out_string(struct out *o, const char *key, const char *text)
{
	if (o->json)
		jw_text(&o->w, key, view_text(text));
}

void out_hex(struct out *o, const char *key, struct view v)
{
	static const char digit[] = "0123456789abcdef";
	uint8_t *hex;

	if (!o->json)
		return;
	hex = malloc(2 * v.n + 1);
	if (!hex)
		exit(out_fail("no memory for output"));
	for (size_t i = 0; i < v.n; i++) {
		hex[2 * i] = (uint8_t)digit[v.p[i] >> 4];
		hex[2 * i + 1] = (uint8_t)digit[v.p[i] & 15];
	}
	jw_text(&o->w, key, view_of(hex, 2 * v.n));
	free(hex);
}

/* What somebody else wrote (a name, an operand) reaches no terminal as a control character, nor
 * without end. */
static void complain(const char *fmt, va_list ap)
{
	char text[1024];
	int n = vsnprintf(text, sizeof text, fmt, ap);

	for (char *p = text; *p; p++)
		if (((unsigned char)*p < 0x20 && *p != '\n') || *p == 0x7f)
			*p = '?';
	fflush(stdout);
	fprintf(stderr, "owlt: %s%s\n", text, n < (int)sizeof text ? "" : "...");
}

int out_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return EXIT_USAGE;
}

int out_no(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return EXIT_NO;
}
