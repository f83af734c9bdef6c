/*
 * Our side of the differential test: cases come in on standard input, each {flags: 1 octet, length:
 * 4 octets, bytes}; one line a case goes out: "valid" or the broken rule's name. Flags: leniencies and
 * code points, as CASE_ in oracle.py.
 */
#include "bundle/bundle.h"

#include <stdio.h>
#include <stdlib.h>

static struct bundle_rules rules_of(unsigned flags)
{
	struct bundle_rules rules = bundle_rules_default();

	rules.allow_no_primary_crc = flags & 1;
	rules.allow_no_age = flags & 2;
	rules.allow_definite = flags & 4;
	rules.allow_short_dtn = flags & 8;
	rules.from_outside = flags & 16;
	if (flags & 32)
		rules.custody = custody_codes_bplib();
	return rules;
}

int main(void)
{
	uint8_t head[5];

	while (fread(head, 1, sizeof head, stdin) == sizeof head) {
		struct bundle_rules rules = rules_of(head[0]);
		size_t n = be32_get(head + 1);
		uint8_t *bytes = malloc(n ? n : 1);
		struct bundle_fault fault;
		struct bundle b;

		if (!bytes || fread(bytes, 1, n, stdin) != n)
			return 2;
		if (bundle_read(&b, view_of(bytes, n), &rules, &fault) == 0)
			puts("valid");
		else
			puts(rule_name(fault.rule));
		free(bytes);
	}
	return 0;
}
