/*
 * Abstract security blocks (RFC 9172 3.6): what is read writes the same again, target by target gets
 * smaller, and a removed target is gone.
 */
#include "bundle/asb.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[1 << 17];
	struct buf b = buf_of(room, sizeof room);
	static struct asb a, again;

	if (asb_read(&a, view_of(data, size)) != 0)
		return 0;
	assert(a.n_targets > 0 && a.n_targets <= ASB_TARGETS_MAX && a.n_params <= ASB_PARAMS_MAX &&
		a.n_results <= ASB_RESULTS_MAX);
	asb_write(&b, &a);
	assert(buf_fits(&b) && asb_read(&again, buf_view(&b)) == 0);
	assert(again.n_targets == a.n_targets && again.context == a.context &&
		eid_equal(&again.source, &a.source) && again.n_results == a.n_results);
	for (unsigned k = 0; k < a.n_targets; k++) {
		assert(asb_target(&a, a.target[k]) == (int)k);
		assert(asb_results(&a, k) <= a.n_results);
		(void)asb_result(&a, k, 1);
	}
	for (unsigned i = 0; i < a.n_params; i++)
		assert(asb_param(&a, a.param[i].id) == &a.param[i]);
	while (a.n_targets > 1) {
		uint64_t gone = a.target[a.n_targets / 2];

		asb_remove(&a, a.n_targets / 2);
		assert(asb_target(&a, gone) < 0);
		b.len = 0;
		asb_write(&b, &a);
		assert(asb_read(&again, buf_view(&b)) == 0 && again.n_targets == a.n_targets);
	}
	return 0;
}
