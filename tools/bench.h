/*
 * bench: one row a benchmark, each in its own tools/bench_*.c; the shared clock and printing.
 */
#ifndef OWLT_TOOLS_BENCH_H
#define OWLT_TOOLS_BENCH_H

#include "tools/out.h"

/* A benchmark prints its figures with bench_figure(); 0, or an exit code after a message. */
int bench_codec(struct out *o);
int bench_crc(struct out *o);
int bench_instructions(struct out *o);

/* For profilers: one operation of the codec ("parse", "head", "forward", "build") n times, nothing
 * printed. */
int bench_codec_loop(const char *operation, size_t n);
int bench_crypto(struct out *o);
int bench_custody(struct out *o);
int bench_emulator(struct out *o);
int bench_node(struct out *o);
int bench_million(struct out *o);
int bench_steps(struct out *o);
int bench_store(struct out *o);
int bench_udp(struct out *o);

/* The same for a relay node ("node", "node-custody", "node-disk"); false: none of these. */
bool bench_node_loop(const char *operation, size_t n, int *code);

/* One figure: "name  value unit   note". JSON: {"name","value","unit","note"}, a line. */
void bench_figure(
	struct out *o, const char *name, double value, const char *unit, const char *note);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t bench_now_ns(void);
/* The least time of one call in ns: run(arg, n) is called with rising n until it takes 10 ms, then
 * ten times. The least is the figure to trust on a shared machine. */
double bench_least_ns(void (*run)(void *arg, size_t n), void *arg);

/* The path of this program, to run it as a child, good between single quotes. 0 or -errno. */
#define BENCH_SELF 4096
int bench_self(char path[BENCH_SELF]) MUST_USE;
/* A folder of its own in the current folder, and away with it and the files in it ("": nothing). */
#define BENCH_DIR 64
int bench_dir_make(char dir[BENCH_DIR]) MUST_USE;
void bench_dir_remove(const char *dir);

#endif
