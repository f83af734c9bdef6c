/*
 * break: deliberate faults, for tests that must notice them (-DOWLT_BREAK=n). Never set in a build
 * that is used. 1: custody is signalled when the bundle is staged, not when it is durable. 2: a
 * custody duplicate is decided by the bundle's identity alone. 3: custody numbers begin again after
 * a restart. 4: the release after an acknowledgement does not write its tombstone. 5: an
 * application is told that its acknowledgement is durable before it is. 6: a bundle that came back
 * keeps its number, so that signals for its earlier life count. 7: a retransmission takes a new
 * number and does not wait for its commit. 8: the identifiers of contacts begin again after a
 * restart. 9: a signal releases what was sent to a custodian with a key, signed or not. 10: when a
 * new bundle's batch fails, other pairs under which it came meanwhile are accepted all the same.
 * 11: a transmission is answered when its bundle is staged. 12: numbers of transmissions begin again
 * after a restart. 13: a bundle that came back is still released by the answer to its transmission.
 */
#ifndef OWLT_AGENT_BREAK_H
#define OWLT_AGENT_BREAK_H

#ifndef OWLT_BREAK
#define OWLT_BREAK 0
#endif

#if OWLT_BREAK == 1
#define BREAK_SPEAK_EARLY 1
#else
#define BREAK_SPEAK_EARLY 0
#endif

#if OWLT_BREAK == 2
#define BREAK_DUPLICATE_BY_ID 1
#else
#define BREAK_DUPLICATE_BY_ID 0
#endif

#if OWLT_BREAK == 3
#define BREAK_NUMBERS_REPEAT 1
#else
#define BREAK_NUMBERS_REPEAT 0
#endif

#if OWLT_BREAK == 4
#define BREAK_NO_TOMBSTONE 1
#else
#define BREAK_NO_TOMBSTONE 0
#endif

#if OWLT_BREAK == 5
#define BREAK_ACKED_EARLY 1
#else
#define BREAK_ACKED_EARLY 0
#endif

#if OWLT_BREAK == 6
#define BREAK_NUMBER_KEPT 1
#else
#define BREAK_NUMBER_KEPT 0
#endif

#if OWLT_BREAK == 7
#define BREAK_NUMBER_UNSAVED 1
#else
#define BREAK_NUMBER_UNSAVED 0
#endif

#if OWLT_BREAK == 8
#define BREAK_CONTACTS_REPEAT 1
#else
#define BREAK_CONTACTS_REPEAT 0
#endif

#if OWLT_BREAK == 9
#define BREAK_UNSIGNED_RELEASES 1
#else
#define BREAK_UNSIGNED_RELEASES 0
#endif

#if OWLT_BREAK == 10
#define BREAK_ONE_PAIR 1
#else
#define BREAK_ONE_PAIR 0
#endif

#if OWLT_BREAK == 11
#define BREAK_ANSWER_EARLY 1
#else
#define BREAK_ANSWER_EARLY 0
#endif

#if OWLT_BREAK == 12
#define BREAK_TRANSMISSIONS_REPEAT 1
#else
#define BREAK_TRANSMISSIONS_REPEAT 0
#endif

#if OWLT_BREAK == 13
#define BREAK_TRANSMISSION_KEPT 1
#else
#define BREAK_TRANSMISSION_KEPT 0
#endif

#endif
