/* A bundle of a memory store whose bytes turn out to be damaged: see kit.h. It knows the store from inside, whose
 * names clash with those of the others here. */
#include "dtn/store/impl.h"

#include <assert.h>

void store_spoil(struct store *st, uint64_t id);

void store_spoil(struct store *st, uint64_t id)
{
	struct entry *e = table_find(st, STORE_BUNDLE, id);

	assert(e);
	quarantine_mark(st, e);
}
