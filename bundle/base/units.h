/*
 * units: the texts of the command line and of configuration for durations, sizes and rates.
 */
#ifndef OWLT_BASE_UNITS_H
#define OWLT_BASE_UNITS_H

#include "bundle/base/err.h"

#include <stddef.h>
#include <stdint.h>

/* "250ms" "10s" "5m" "1h" "2d"; a bare number is seconds, fractions allowed: microseconds, >= 0.
 * 0, -E_SYNTAX or -E_RANGE. */
int units_duration(const char *text, int64_t *us) MUST_USE;
/* "64Ki" "1M": bytes; k M G = 1000, Ki Mi Gi = 1024. */
int units_bytes(const char *text, uint64_t *bytes) MUST_USE;
/* "256k" "10M": bits per second; k M G = 1000. */
int units_rate(const char *text, uint64_t *bps) MUST_USE;
/* A duration for people: "1h 20m", "250ms". Writes at most n bytes with its end. */
void units_print_duration(int64_t us, char *out, size_t n);
/* A size for people: "1.5 MiB". */
void units_print_bytes(uint64_t bytes, char *out, size_t n);

#endif
