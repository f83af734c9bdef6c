/*
 * commands: the subcommands of owlt: name (its function is cmd_NAME, in tools/NAME.c) and a sentence.
 */
#ifndef OWLT_TOOLS_COMMANDS_H
#define OWLT_TOOLS_COMMANDS_H

#define COMMANDS(X)                                                                                \
	X(send, "send a file or standard input as bundles")                                        \
	X(recv, "receive bundles for an endpoint")                                                 \
	X(ping, "send echo requests and measure round trips")                                      \
	X(status, "what a node knows and does")                                                    \
	X(bundle, "make, check and show bundles")                                                  \
	X(store, "check, list and move what a stopped node has stored")                            \
	X(key, "make and list the keys of secured bundles")                                        \
	X(plan, "show, check, compare and convert contact plans, ask for routes")                  \
	X(lab, "run networks of nodes in namespaces")                                              \
	X(capture, "capture frames, or one line per bundle")                                       \
	X(dataset, "join captures and logs into tables")                                           \
	X(sim, "play a topology in virtual time")                                                  \
	X(demo, "watch a lab until bundles are delivered (make demo runs one)")                    \
	X(bench, "what things cost here")

#define DECLARE(name, text) int cmd_##name(int argc, char **argv);
COMMANDS(DECLARE)
#undef DECLARE

#endif
