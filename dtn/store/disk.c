/*
 * disk: the disk store (being built; opening says so).
 */
#include "dtn/store/store.h"

int store_disk_open(const char *path, const struct store_limits *limits, struct store **out)
{
	(void)path, (void)limits, (void)out;
	return -ENOSYS;
}
