/*
 * bundle: what tools/bundle.c (check, show) and tools/bundle_make.c share.
 */
#ifndef OWLT_TOOLS_BUNDLE_H
#define OWLT_TOOLS_BUNDLE_H

#include "bundle/bundle.h"

/* Names of bundle flags, ended by name == NULL. */
struct flag_name {
	const char *name;
	uint64_t flag;
};
extern const struct flag_name bundle_flag_names[];

/* A whole file, or standard input for "-", in memory that the caller frees. 0, or negative after a
 * message. */
int input_read(const char *path, uint8_t **bytes, size_t *n) MUST_USE;
/* Bytes of hex text (blanks and line ends skipped) in memory that the caller frees. 0, -E_SYNTAX,
 * -ENOMEM. */
int input_hex(const char *hex, uint8_t **bytes, size_t *n) MUST_USE;

int bundle_make(int argc, char **argv);
int bundle_cancel(int argc, char **argv);
int bundle_sign(int argc, char **argv);
int bundle_encrypt(int argc, char **argv);

#endif
