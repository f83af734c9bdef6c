/*
 * slice: the name of stored bytes. Only the node turns one into memory (a view), and only for one
 * turn of the loop; everything that must outlive the turn keeps the slice.
 */
#ifndef OWLT_BASE_SLICE_H
#define OWLT_BASE_SLICE_H

#include <stdint.h>

struct slice {
	uint64_t handle; /* the bundle's local id in the store; 0 names nothing */
	uint64_t off;    /* bytes from the start of the stored payload */
	uint64_t len;    /* bytes */
};

#endif
