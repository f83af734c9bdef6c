/*
 * Names of the rules that bundles are judged by; the list is rule.def.
 */
#include "bundle/rule.h"

#include "bundle/bundle.h"

const char *rule_name(unsigned rule)
{
	static const char *const name[] = {
		"none",
#define RULE(symbol, name, text) name,
#include "bundle/rule.def"
#undef RULE
	};

	return rule < RULES ? name[rule] : "unknown";
}

const char *rule_text(unsigned rule)
{
	static const char *const text[] = {
		"no rule is broken",
#define RULE(symbol, name, text) text,
#include "bundle/rule.def"
#undef RULE
	};

	return rule < RULES ? text[rule] : "no such rule";
}
