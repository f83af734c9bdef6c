/*
 * rule: the numbers of rule.def. Names and sentences: rule_name() and rule_text() in bundle.h.
 */
#ifndef OWLT_BUNDLE_RULE_H
#define OWLT_BUNDLE_RULE_H

enum rule {
	RULE_NONE,
#define RULE(symbol, name, text) RULE_##symbol,
#include "bundle/rule.def"
#undef RULE
	RULES
};

#endif
