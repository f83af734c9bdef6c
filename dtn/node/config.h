/*
 * config: the settings of a node as schema rows: the agent's, the links', the routes', the clock's.
 */
#ifndef OWLT_NODE_CONFIG_H
#define OWLT_NODE_CONFIG_H

#include "dtn/node/node.h"

/* Rows over struct node_cfg; the agent's own rows (agent_rows) stand beside them, at the offset of
 * node_cfg.agent. */
extern const struct schema_row node_rows[];

/* A node's configuration as one schema part list for a struct that begins with struct node_cfg:
 * ended by rows == NULL. */
extern const struct schema_part node_parts[];

/* Settings with their defaults, for tests and tools; id is left empty. 0 or negative with *e filled. */
int node_cfg_defaults(struct node_cfg *cfg, struct schema_error *e) MUST_USE;

#endif
