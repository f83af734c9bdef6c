/*
 * break: deliberate faults, for tests that must notice them (-DSTORE_BREAK=n, tests/run-store-faults). Never set
 * in a build that is used. 1: a batch is not flushed. 2: the index is durable before the log.
 * 3: a segment is used again that recovery still needs. 4: numbers are given out before their block is
 * durable. 5: the last batch that recovery finds is not made durable. 6: names of files are not.
 */
#ifndef OWLT_STORE_BREAK_H
#define OWLT_STORE_BREAK_H

#ifndef STORE_BREAK
#define STORE_BREAK 0
#endif

#define BREAK_NO_FLUSH (STORE_BREAK == 1)
#define BREAK_INDEX_FIRST (STORE_BREAK == 2)
#define BREAK_REUSE_EARLY (STORE_BREAK == 3)
#define BREAK_NUMBERS_EARLY (STORE_BREAK == 4)
#define BREAK_TAIL_LOOSE (STORE_BREAK == 5)
#define BREAK_NAMES_LOOSE (STORE_BREAK == 6)

#endif
