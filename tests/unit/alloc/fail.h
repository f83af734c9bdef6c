/*
 * fail: the n-th allocation fails. malloc and its kin are wrapped by the linker (Makefile), cJSON's by
 * its hooks; LMDB's and OpenSSL's own are not ours to fail.
 *
 *	FAIL_EACH(k) {
 *		err = thing_new(&t);
 *		if (!err) thing_free(t);
 *		fail_judge(&k, err);
 *	}
 *
 * runs the body with the 1st, 2nd, ... allocation failing until none did, and wants an error each
 * time one did, success the last time, and everything given back.
 */
#ifndef OWLT_TESTS_UNIT_ALLOC_FAIL_H
#define OWLT_TESTS_UNIT_ALLOC_FAIL_H

#include <stdbool.h>
#include <stddef.h>

struct fail {
	unsigned at;   /* which allocation fails */
	bool done;     /* the last round: nothing failed */
	bool may_pass; /* an allocation that failed may do no harm */
	long live;     /* allocations at the start of the round */
};

#define FAIL_EACH(k) for (struct fail k = {0}; fail_next(&k);)
/* The same where what fails may be done without. */
#define FAIL_EACH_SOFT(k) for (struct fail k = {.may_pass = true}; fail_next(&k);)

bool fail_next(struct fail *k);
/* Ends a round: err is what the body came to. */
void fail_judge(struct fail *k, int err);
/* From here on nothing fails any more in this round; true if something did. */
bool fail_off(struct fail *k);
/* How often an allocation was made to fail, in all; so that a test can say it did something. */
unsigned fail_total(void);

#endif
