/*
 * agent_options.h - the command line of muster-agent: what is asked for, the
 * text of --help, the exit codes.
 */
#ifndef MU_HOST_AGENT_OPTIONS_H
#define MU_HOST_AGENT_OPTIONS_H

#include <stdbool.h>

#define MU_AGENT_FILE "/etc/muster/agent.conf" /* without -c */

enum mu_agent_exit {
	MU_AGENT_GOOD = 0,
	MU_AGENT_FAILED = 1,
	MU_AGENT_CONFIG = 2,
	MU_AGENT_GAVE_UP = 3,
	MU_AGENT_USAGE = 64,
};

enum mu_agent_what {
	MU_AGENT_RUN,
	MU_AGENT_CHECK,
	MU_AGENT_LEAVE,
	MU_AGENT_DEFAULTS,
	MU_AGENT_HELP,
	MU_AGENT_VERSION,
	MU_AGENT_WRONG, /* arguments that make no sense */
};

/* *file is left alone without -c. */
enum mu_agent_what mu_agent_options(int argc, char **argv, const char **file);

/* What needs no configuration is printed here, and *code is what to exit with.
 * False: it does need one. */
bool mu_agent_print(enum mu_agent_what what, int *code);

#endif /* MU_HOST_AGENT_OPTIONS_H */
