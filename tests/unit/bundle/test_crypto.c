/* SHA-256 against the examples of FIPS 180-4 (NIST), in one piece and in pieces. */
#include "bundle/crypto.h"

#include <criterion/criterion.h>

static const struct {
	const char *text, *hex;
} sums[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

Test(crypto, sha256_at_once_and_in_pieces)
{
	for (size_t k = 0; k < sizeof sums / sizeof *sums; k++) {
		struct view v = view_text(sums[k].text);
		uint8_t sum[SHA256_BYTES];
		char hex[SHA256_HEX];
		struct sha256 s;

		cr_assert_eq(sha256_of(v, sum), 0);
		sha256_hex(sum, sizeof sum, hex);
		cr_assert_str_eq(hex, sums[k].hex);
		cr_assert_eq(sha256_init(&s), 0);
		for (size_t i = 0; i < v.n; i++)
			sha256_update(&s, view_sub(v, i, 1));
		cr_assert_eq(sha256_final(&s, sum), 0);
		sha256_hex(sum, sizeof sum, hex);
		cr_assert_str_eq(hex, sums[k].hex);
	}
}

Test(crypto, sha256_may_be_given_up)
{
	struct sha256 s;

	cr_assert_eq(sha256_init(&s), 0);
	cr_assert_eq(sha256_final(&s, NULL), 0);
}
