/*
 * cl: the table of convergence layers. A new layer is one file and one row here.
 */
#include "convergence/cl.h"

#include "convergence/udpcl.h"

const struct cl_ops *cl_find(const char *name)
{
	static const struct cl_ops *const all[] = {&udpcl_ops};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}
