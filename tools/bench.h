/*
 * bench: one row a benchmark, each in its own tools/bench_*.c; the shared clock and printing.
 */
#ifndef OWLT_TOOLS_BENCH_H
#define OWLT_TOOLS_BENCH_H

#include "tools/out.h"

/* A benchmark prints its figures with bench_figure(); 0, or an exit code after a message. */
int bench_codec(struct out *o);
int bench_instructions(struct out *o);

/* For profilers: one operation of the codec ("parse", "head", "forward", "build") n times, nothing
 * printed. */
int bench_codec_loop(const char *operation, size_t n);
int bench_emulator(struct out *o);
int bench_store(struct out *o);
int bench_udp(struct out *o);

/* One figure: "name  value unit   note". JSON: {"name","value","unit","note"}, a line. */
void bench_figure(
	struct out *o, const char *name, double value, const char *unit, const char *note);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t bench_now_ns(void);
/* The least time of one call in ns: run(arg, n) is called with rising n until it takes 10 ms, then
 * ten times. The least is the figure to trust on a shared machine. */
double bench_least_ns(void (*run)(void *arg, size_t n), void *arg);

#endif
