/*
 * connect: opening a node's socket with a message that says what to do.
 */
#include "tools/connect.h"

#include "tools/out.h"

#include <stdlib.h>

struct owlt *connect_node(const char *name, const char *socket)
{
	const char *env = getenv("OWLT_SOCKET");
	struct owlt *o;
	int err = owlt_open(socket, &o);

	if (!err)
		return o;
	out_fail("%s: no node at %s: %s; %s", name,
		socket        ? socket
		: env && *env ? env
			      : "$XDG_RUNTIME_DIR/owlt/owltd.sock or /run/owlt/owltd.sock",
		owlt_error_text(err),
		err == -EACCES
			? "the socket's mode and the node's control.access say who may use it"
			: "is owltd running? --socket or OWLT_SOCKET tells where");
	return NULL;
}
