/*
 * writer: the second thread. It runs store_commit_run() and nothing else. The loop gives it a batch
 * when it is idle and goes on gathering the next one meanwhile: a lone bundle waits for one flush,
 * and a thousand share one.
 */
#ifndef OWLT_IO_WRITER_H
#define OWLT_IO_WRITER_H

#include "bundle/base/err.h"

#include <stdbool.h>

struct writer;
struct store_batch;

/* 0, -errno, -ENOMEM. Open after signal_open(). */
int writer_open(struct writer **out) MUST_USE;
/* Waits for the batch that runs, then ends the thread. Batches not taken back are lost. */
void writer_close(struct writer *w);
/* Ready to read when a batch has ended. */
int writer_fd(const struct writer *w);
bool writer_is_busy(const struct writer *w);
/* Runs a batch; the writer must be idle. */
void writer_start(struct writer *w, struct store_batch *b);
/* The batch that ended and its result, once; then the writer is idle. With `wait`, waits for it. */
bool writer_take(struct writer *w, bool wait, struct store_batch **b, int *err);

#endif
