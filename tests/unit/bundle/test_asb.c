/* The abstract security block: RFC 9172 3.6; what is read is written again, what breaks a rule or a
 * limit is refused, each truncated prefix too. */
#include "bundle/asb.h"
#include "bundle/cbor.h"
#include "tests/unit/bundle/secured.h"

#include <criterion/criterion.h>

static const struct {
	const char *name, *hex;
	int err;
} rows[] = {
	{"one", "8101 01 00 8202820201 81 81820141aa", 0},
	{"two targets, two results", "820105 01 00 8202820201 82 81820141aa 82820141bb820200", 0},
	{"parameters", "8101 02 01 8202820201 82820143aabbcc82020a 81 81820141aa", 0},
	{"context -1", "8101 20 00 8202820201 81 81820141aa", 0},
	{"no result, as with a tag behind the ciphertext", "8101 02 00 8202820201 81 80", 0},
	{"dtn source", "8101 01 00 820167 2f2f6e6f64652f 81 81820141aa", 0},
	{"source of an unknown scheme", "8101 01 00 821863 4101 81 81820141aa", 0},
	{"values of all kinds",
		"8101 01 01 8202820201 8682008201a102038201f6820282f5f482030b8204d8184100820561 61 "
		"81 81820141aa",
		0},
	{"nothing", "", -E_TRUNCATED},
	{"no target", "80 01 00 8202820201 80", -E_FORM},
	{"a target twice", "820101 01 00 8202820201 82 81820141aa 81820141aa", -E_DUPLICATE},
	{"a parameter twice", "8101 01 01 8202820201 82820105820106 81 81820141aa", -E_DUPLICATE},
	{"a result twice", "8101 01 00 8202820201 81 82820141aa820141aa", -E_DUPLICATE},
	{"too few results", "820105 01 00 8202820201 81 81820141aa", -E_FORM},
	{"too many results", "8101 01 00 8202820201 82 81820141aa 81820141aa", -E_FORM},
	{"a target not in shortest form", "811801 01 00 8202820201 81 81820141aa", -E_NOT_SHORTEST},
	{"a negative target", "8120 01 00 8202820201 81 81820141aa", -E_TYPE},
	{"a text as context", "8101 6161 00 8202820201 81 81820141aa", -E_TYPE},
	{"a parameter of three", "8101 01 01 8202820201 8183010500 81 81820141aa", -E_FORM},
	{"a byte behind", "8101 01 00 8202820201 81 81820141aa 00", -E_TRAILING},
	{"an array around it", "85 8101 01 00 8202820201 81 81820141aa", -E_TYPE},
	{"17 targets", "910102030405060708090a0b0c0d0e0f1011 01 00 8202820201 80", -E_LIMIT},
	{"17 parameters",
		"8101 01 01 8202820201 91820100820200820300820400820500820600820700820800"
		"820900820a00820b00820c00820d00820e00820f008210008211 00 80",
		-E_LIMIT},
};

/* Truncated: one byte less than any of the forms above must be refused for just that, but where the
 * sequence happens to be another error already. */
Test(asb, each_form_and_its_prefixes)
{
	for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
		struct view v = view_of(in, hex_bytes(rows[k].hex, in));
		struct buf b = buf_of(out, sizeof out);
		struct asb a;
		int err = asb_read(&a, v);
		cr_expect_eq(err, rows[k].err, "%s: %s", rows[k].name, err_name(err));
		for (size_t cut = 0; cut < v.n && !rows[k].err; cut++)
			cr_expect_eq(asb_read(&a, view_sub(v, 0, cut)), -E_TRUNCATED, "%s at %zu",
				rows[k].name, cut);
		if (rows[k].err)
			continue;
		cr_assert_eq(asb_read(&a, v), 0);
		asb_write(&b, &a);
		expect_hex(buf_view(&b), rows[k].hex, rows[k].name);
		/* and without the source's own bytes */
		a.source_item = (struct view){0};
		b.len = 0;
		asb_write(&b, &a);
		expect_hex(buf_view(&b), rows[k].hex, rows[k].name);
	}
}

Test(asb, results_up_to_the_limit)
{
	for (unsigned n = 1; n <= 3; n++) {
		uint8_t out[VECTOR_MAX];
		struct buf b = buf_of(out, sizeof out);
		struct asb a;
		cbor_put_array(&b, ASB_TARGETS_MAX);
		for (unsigned k = 0; k < ASB_TARGETS_MAX; k++)
			cbor_put_uint(&b, k);
		buf_put(&b, view_text("\x01"));
		buf_u8(&b, 0);
		eid_write(&b, &(struct eid){.scheme = EID_SCHEME_IPN, .node = 1});
		cbor_put_array(&b, ASB_TARGETS_MAX);
		for (unsigned k = 0; k < ASB_TARGETS_MAX; k++) {
			cbor_put_array(&b, n);
			for (unsigned i = 0; i < n; i++) {
				cbor_put_array(&b, 2);
				cbor_put_uint(&b, i);
				cbor_put_uint(&b, 7);
			}
		}
		cr_expect_eq(asb_read(&a, buf_view(&b)),
			n * ASB_TARGETS_MAX <= ASB_RESULTS_MAX ? 0 : -E_LIMIT);
	}
}

/* Indefinite arrays are read; written they are definite. */
Test(asb, indefinite)
{
	uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
	struct view v = view_of(
		in, hex_bytes("9f01ff 02 01 8202820201 9f9f0141aaffff 9f9f9f0141bbffffff", in));
	struct buf b = buf_of(out, sizeof out);
	struct asb a;

	cr_assert_eq(asb_read(&a, v), 0);
	asb_write(&b, &a);
	expect_hex(buf_view(&b), "8101 02 01 8202820201 81820141aa 81 81820141bb", "definite");
}

/* Reserved context flags are ignored when read, and 0 when written. */
Test(asb, reserved_flags)
{
	static const struct {
		const char *in, *out;
	} t[] = {{"8101 01 06 8202820201 81 81820141aa", "8101 01 00 8202820201 81 81820141aa"},
		{"8101 01 07 8202820201 8182030a 81 81820141aa",
			"8101 01 01 8202820201 8182030a 81 81820141aa"},
		{"8101 01 19fffe 8202820201 81 81820141aa", "8101 01 00 8202820201 81 81820141aa"}};

	for (unsigned k = 0; k < sizeof t / sizeof t[0]; k++) {
		uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
		struct buf b = buf_of(out, sizeof out);
		struct asb a;

		cr_assert_eq(asb_read(&a, view_of(in, hex_bytes(t[k].in, in))), 0, "%s", t[k].in);
		asb_write(&b, &a);
		expect_hex(buf_view(&b), t[k].out, t[k].in);
	}
}

Test(asb, look_up_and_take_out)
{
	uint8_t in[VECTOR_MAX], out[VECTOR_MAX];
	struct view v = view_of(in,
		hex_bytes("83010509 01 01 8202820201 8182030a 83 82820141aa820200 80 81820141cc",
			in));
	struct asb a;

	cr_assert_eq(asb_read(&a, v), 0);
	cr_expect_eq(asb_target(&a, 5), 1);
	cr_expect_eq(asb_target(&a, 6), -1);
	cr_expect_eq(asb_results(&a, 0), 2);
	cr_expect_eq(asb_results(&a, 1), 0);
	cr_expect_eq(asb_results(&a, 2), 1);
	cr_expect_null(asb_result(&a, 1, 1));
	cr_expect_not_null(asb_result(&a, 0, 2));
	cr_expect_eq(asb_result(&a, 2, 1)->value.p[1], 0xcc);
	cr_expect_not_null(asb_param(&a, 3));
	cr_expect_null(asb_param(&a, 4));
	asb_remove(&a, 0);
	struct buf b = buf_of(out, sizeof out);
	asb_write(&b, &a);
	expect_hex(buf_view(&b), "820509 01 01 8202820201 8182030a 82 80 81820141cc", "first out");
	asb_remove(&a, 1);
	b.len = 0;
	asb_write(&b, &a);
	expect_hex(buf_view(&b), "8105 01 01 8202820201 8182030a 81 80", "last out");
}
