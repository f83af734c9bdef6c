/*
 * break: three deliberate faults, for tests that must notice them (-DOWLT_BREAK=n). Never set in a
 * build that is used. 1: custody is signalled when the bundle is staged, not when it is durable. 2:
 * a custody duplicate is decided by the bundle's identity alone. 3: custody numbers begin again
 * after a restart.
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

#endif
