/* Hex helpers of the codec tests: see vectors.h. */
#include "tests/unit/bundle/vectors.h"

#include "bundle/base/bytes.h"

#include <criterion/criterion.h>
#include <stdio.h>

static int nibble(char ch)
{
	const char *digits = "0123456789abcdef", *at = ch ? strchr(digits, ch) : NULL;

	return at ? (int)(at - digits) : -1;
}

size_t hex_bytes(const char *hex, uint8_t out[VECTOR_MAX])
{
	size_t n = 0;

	while (*hex) {
		if (*hex == ' ' || *hex == '\n') {
			hex++;
			continue;
		}
		int hi = nibble(hex[0]), lo = hi < 0 ? -1 : nibble(hex[1]);
		cr_assert(lo >= 0 && n < VECTOR_MAX, "bad hex at '%.10s'", hex);
		out[n++] = (uint8_t)(hi << 4 | lo);
		hex += 2;
	}
	return n;
}

size_t vector_load(const char *name, uint8_t out[VECTOR_MAX])
{
	char path[128], hex[2 * VECTOR_MAX + 2];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "tests/vectors/%s.hex", name);
	f = fopen(path, "r");
	cr_assert(f != NULL, "%s", path);
	n = fread(hex, 1, sizeof hex - 1, f);
	fclose(f);
	hex[n] = 0;
	return hex_bytes(hex, out);
}

void expect_hex(struct view got, const char *hex, const char *what)
{
	uint8_t want[VECTOR_MAX];
	char shown[2 * VECTOR_MAX + 1];
	size_t n = hex_bytes(hex, want);

	for (size_t i = 0; i < got.n && i < VECTOR_MAX; i++)
		snprintf(shown + 2 * i, 3, "%02x", got.p[i]);
	shown[2 * (got.n < VECTOR_MAX ? got.n : VECTOR_MAX)] = 0;
	cr_expect(
		got.n == n && memcmp(got.p, want, n) == 0, "%s: got %s, want %s", what, shown, hex);
}

size_t compose(const char *const item[ITEMS_MAX], uint8_t out[VECTOR_MAX])
{
	size_t n = 0;

	for (unsigned k = 0; k < ITEMS_MAX && item[k]; k++) {
		bool closed = item[k][0] == '+', open = item[k][0] == '~';
		uint8_t part[VECTOR_MAX];
		size_t len = hex_bytes(item[k] + (closed || open), part);
		if (closed || open) {
			memcpy(part + len, "\x42\0\0\xff", 4);
			uint16_t crc = crc16_x25(0, view_of(part, len + 3 + open));
			be16_put(part + len + 1, crc);
			len += 3 + (size_t)open;
		}
		cr_assert(n + len <= VECTOR_MAX);
		memcpy(out + n, part, len);
		n += len;
	}
	return n;
}
