/*
 * Input of `owlt bundle`: files, standard input, hex.
 */
#include "tools/bundle.h"
#include "tools/out.h"

#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX ((size_t)1 << 30)

/* All of a stream into growing memory. */
static int stream_read(FILE *f, uint8_t **bytes, size_t *n)
{
	size_t cap = 0;

	*bytes = NULL;
	*n = 0;
	do {
		if (*n == cap) {
			cap = cap ? 2 * cap : 65536;
			uint8_t *more = cap <= INPUT_MAX ? realloc(*bytes, cap) : NULL;
			if (!more)
				return cap <= INPUT_MAX ? -ENOMEM : -E_TOO_BIG;
			*bytes = more;
		}
		*n += fread(*bytes + *n, 1, cap - *n, f);
	} while (!feof(f) && !ferror(f));
	return ferror(f) ? -errno : 0;
}

int input_read(const char *path, uint8_t **bytes, size_t *n)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *f = standard ? stdin : fopen(path, "rb");
	int err;

	if (!f) {
		err = -errno;
		out_fail("%s: %s", path, err_text(err));
		return err;
	}
	err = stream_read(f, bytes, n);
	if (!standard)
		fclose(f);
	if (err) {
		out_fail("%s: %s", standard ? "standard input" : path, err_text(err));
		free(*bytes);
		*bytes = NULL;
	}
	return err;
}

static int digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

int input_hex(const char *hex, uint8_t **bytes, size_t *n)
{
	uint8_t *out = malloc(strlen(hex) / 2 + 1);
	int high = -1;

	*n = 0;
	if (!out)
		return -ENOMEM;
	for (; *hex; hex++) {
		if (strchr(" \t\r\n", *hex))
			continue;
		int d = digit(*hex);
		if (d < 0)
			break;
		if (high >= 0)
			out[(*n)++] = (uint8_t)(high << 4 | d);
		high = high >= 0 ? -1 : d;
	}
	if (*hex || high >= 0) {
		free(out);
		return -E_SYNTAX;
	}
	*bytes = out;
	return 0;
}
