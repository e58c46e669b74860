/*
 * unheard.h - nodes that the settings of an instance name, and of which it hears
 * nothing, for none of its watches covers them. Which settings name nodes is known of
 * the shipped plugins only.
 */
#ifndef MU_HOST_UNHEARD_H
#define MU_HOST_UNHEARD_H

#include "agent_conf.h"

/* Call `say` with a sentence about each, which names its key and the node; lent for
 * the call. */
void mu_unheard_each(const struct mu_instance_conf *c,
                     void (*say)(void *arg, const char *text), void *arg);

#endif /* MU_HOST_UNHEARD_H */
