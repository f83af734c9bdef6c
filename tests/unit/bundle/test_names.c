/* Names of block types for people, in both profiles of custody. */
#include "bundle/block.h"

#include <criterion/criterion.h>

Test(names, block_types)
{
	struct custody_codes ccsds = custody_codes_ccsds(), bplib = custody_codes_bplib();
	static const struct {
		uint64_t type;
		const char *name;
	} rows[] = {{1, "payload"}, {6, "previous-node"}, {7, "bundle-age"}, {10, "hop-count"},
		{11, "integrity"}, {12, "confidentiality"}, {13, "custody"},
		{14, "compressed-reporting"}};

	for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
		cr_expect_str_eq(block_type_name(rows[k].type, &ccsds), rows[k].name);
	cr_expect_str_eq(block_type_name(15, &bplib), "custody");
	cr_expect_null(block_type_name(200, &ccsds));
	cr_expect_null(block_type_name(13, &bplib));
}
