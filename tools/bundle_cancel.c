/*
 * owlt bundle cancel: gives up a transmission of this node, RFC 9171 5.12: what is still here of it is
 * deleted (reason 3); what has left, or is in another's custody, is beyond our reach.
 */
#include "tools/bundle.h"
#include "tools/connect.h"
#include "tools/opt.h"
#include "tools/out.h"

#include <stdlib.h>

struct args {
	const char *socket;
};

static const struct opt opts[] = {CONNECT_OPT(struct args), {0}};

static const struct opt_command command = {"bundle cancel", "SOURCE MS SEQ",
	"Gives up a bundle that was sent from here, as far as it is still here", opts,
	"Takes what owlt send printed. Exit status: 0 given up, 1 nothing of it is here any more, "
	"2 "
	"usage, no node, not allowed."};

static bool number(const char *text, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return *end == 0 && errno == 0;
}

int bundle_cancel(int argc, char **argv)
{
	struct args a = {0};
	struct opt_rest rest = opt_read(&command, argc, argv, &a, 3, 3);
	uint64_t created_ms, seq;
	struct owlt *node;
	int err;

	if (rest.done)
		return rest.code;
	if (!number(rest.argv[1], &created_ms) || !number(rest.argv[2], &seq))
		return out_fail("bundle cancel: MS and SEQ are numbers, as owlt send prints them");
	node = connect_node("bundle cancel", a.socket);
	if (!node)
		return EXIT_USAGE;
	err = owlt_cancel(node, rest.argv[0], created_ms, seq);
	owlt_close(node);
	if (err == -E_UNKNOWN)
		return out_no("bundle cancel: nothing of it is here any more");
	return err ? out_fail("bundle cancel: %s: %s", rest.argv[0], owlt_error_text(err))
		   : EXIT_YES;
}
