/*
 * faulty_memory: the n-th allocation is refused; part of the preloaded fault layer (faulty_disk.h). It covers
 * what liblmdb and the C library's own functions ask for as well. Counted from faulty_disk_arm() on, so
 * what is given back later than it was taken, and not at all, is seen in faulty_disk_live().
 * A build with AddressSanitizer has its own allocator and does not come through here.
 */
#include "tests/store/faulty_impl.h"

#include <errno.h>
#include <stdlib.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);

static bool refused(void)
{
	if (armed.fault != FAULT_MEMORY || ++armed.n != armed.at)
		return false;
	armed.is_hit = true;
	errno = ENOMEM;
	return true;
}

static void *counted(void *p)
{
	armed.live += armed.is_counting && p;
	return p;
}

void *malloc(size_t n)
{
	return refused() ? NULL : counted(__libc_malloc(n));
}

void *calloc(size_t n, size_t size)
{
	return refused() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *p, size_t n)
{
	void *q = refused() ? NULL : __libc_realloc(p, n);

	return p ? q : counted(q);
}

void *aligned_alloc(size_t align, size_t n)
{
	return refused() ? NULL : counted(__libc_memalign(align, n));
}

int posix_memalign(void **out, size_t align, size_t n)
{
	void *p = refused() ? NULL : counted(__libc_memalign(align, n));

	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

void free(void *p)
{
	armed.live -= armed.is_counting && p;
	__libc_free(p);
}
