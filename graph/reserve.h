/* Room for a removal on a full disk: naming what is left takes some, before anything is freed. */
#ifndef GRAPH_RESERVE_H
#define GRAPH_RESERVE_H

#include "graph/store.h"

/* Take it, if it is not there and the disk has it. turn held, or before there are threads. */
void reserve_take(struct graph *graph);
/* Give it to what comes now. False: there was none. turn held. */
bool reserve_give(struct graph *graph);

#endif
