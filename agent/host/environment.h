/*
 * environment.h - what of the agent's environment a runner is given: the little
 * that commands and libraries cannot do without. No way to the service manager,
 * no preloaded library, no secret that was meant for the agent.
 */
#ifndef MU_HOST_ENVIRONMENT_H
#define MU_HOST_ENVIRONMENT_H

#include "account.h"
#include "conffile.h"

/* more: "NAME=value", or "NAME" to pass the agent's on. A user of its own has
 * HOME, USER and LOGNAME of its own, or none if he has no name. Ends in NULL; freed with mu_free, all of it.
 * NULL: memory is out. */
char **mu_environment_new(const struct mu_account *account,
                          const struct mu_conf_list *more);

/* True if it is one of the two forms. */
bool mu_environment_is_item(const char *text);

#endif /* MU_HOST_ENVIRONMENT_H */
