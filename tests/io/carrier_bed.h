/*
 * carrier_bed.h - a broker in a process of its own, and raw peers of one of its
 * carriers. What semantics/bed.h declares is implemented here.
 */
#ifndef MU_TEST_CARRIER_BED_H
#define MU_TEST_CARRIER_BED_H

#include "bed.h"
#include "peer.h"

/* Run the whole suite over this carrier; what a main returns. */
int carrier_bed_run(enum peer_carrier carrier, const char *name);

#endif /* MU_TEST_CARRIER_BED_H */
