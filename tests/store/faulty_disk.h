/*
 * faulty_disk: what the fault layer (faulty_disk.c, preloaded) can do to files below one folder. The
 * functions are weak: a program that runs without the layer finds them NULL.
 */
#ifndef OWLT_TESTS_STORE_FAULTY_DISK_H
#define OWLT_TESTS_STORE_FAULTY_DISK_H

#include <stdint.h>

/* What happens at the n-th call. */
#define FAULTS(X)                                                                                  \
	X(NOTHING, "nothing")                                                                      \
	X(LOSE_NONE, "power lost, nothing unsynced kept")                                          \
	X(LOSE_ALL, "power lost, all unsynced kept")                                               \
	X(LOSE_SOME, "power lost, some sectors kept")                                              \
	X(LOSE_TORN, "power lost, last write torn")                                                \
	X(KILL, "process killed in the middle of the call")                                        \
	X(ENOSPC, "no space, once")                                                                \
	X(FULL, "no space for a while")                                                            \
	X(EIO, "I/O error")                                                                        \
	X(SHORT, "short read or write")                                                            \
	X(EINTR, "interrupted")                                                                    \
	X(MEMORY, "memory refused")

enum fault {
#define FAULT_ENUM(name, text) FAULT_##name,
	FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
		FAULT_KINDS
};

#define FAULTY_STATUS 77 /* how a process ends that lost power or was killed by the layer */

/* Files below `dir` (absolute) are watched from now on, also in children; what they hold is durable. */
extern void faulty_disk_begin(const char *dir) __attribute__((weak));
/* In this process the at-th call (or allocation) from now on meets the fault. */
extern void faulty_disk_arm(enum fault fault, uint64_t at, uint64_t seed) __attribute__((weak));
/* Nothing more happens in this process; did the fault happen? */
extern int faulty_disk_disarm(void) __attribute__((weak));
/* Power is lost now, while nobody runs: LOSE_NONE, LOSE_ALL or LOSE_SOME. */
extern void faulty_disk_lose(enum fault fault, uint64_t seed) __attribute__((weak));
/* Calls (or allocations) since faulty_disk_arm(). */
extern uint64_t faulty_disk_calls(void) __attribute__((weak));
/* Allocations that were not given back since faulty_disk_arm(). */
extern int64_t faulty_disk_live(void) __attribute__((weak));

#endif
