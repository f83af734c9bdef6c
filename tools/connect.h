/*
 * connect: what the subcommands that talk to a node share.
 */
#ifndef OWLT_TOOLS_CONNECT_H
#define OWLT_TOOLS_CONNECT_H

#include "dtn/client/owlt.h"

#define CONNECT_OPT(type)                                                                          \
	{                                                                                          \
		"socket", 0, OPT_TEXT, offsetof(type, socket), "PATH",                             \
			"the node's socket (default: OWLT_SOCKET, else the usual places)", NULL    \
	}

/* Connects, or says why not and gives NULL: the caller returns EXIT_USAGE. */
struct owlt *connect_node(const char *name, const char *socket);

#endif
