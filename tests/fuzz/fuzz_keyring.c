/*
 * Key files (owlt-keys(5)): what is accepted writes and reads the same; what is refused says why and
 * never tells a value.
 */
#include "bundle/keyring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[1 << 20];
	struct buf b = buf_of(room, sizeof room);
	struct keyring_fault fault = {0};
	struct keyring *ring = NULL, *again = NULL;

	if (keyring_parse(view_of(data, size), &ring, &fault) != 0) {
		assert(!ring && fault.text[0] && memchr(fault.text, 0, sizeof fault.text));
		return 0;
	}
	keyring_write(&b, ring, true);
	assert(buf_fits(&b) && keyring_parse(buf_view(&b), &again, &fault) == 0);
	assert(keyring_count(again) == keyring_count(ring) && keyring_count(ring) <= KEYS_MAX);
	for (unsigned k = 0; k < keyring_count(ring); k++) {
		const struct key *x = keyring_at(ring, k), *y = keyring_at(again, k);

		assert(keyring_find(ring, view_text(x->id)) == x);
		assert(x->n_secret == y->n_secret &&
			memcmp(x->secret, y->secret, x->n_secret) == 0);
		(void)key_serves(x, 11, x->context, true);
	}
	b.len = 0;
	keyring_write(&b, ring, false);
	keyring_free(ring);
	keyring_free(again);
	return 0;
}
