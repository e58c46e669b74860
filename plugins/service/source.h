/*
 * source.h - where the process of a service is found, and how one is started: a
 * unit of systemd, a file with its number, or a command of the plugin's own.
 */
#ifndef MU_SERVICE_SOURCE_H
#define MU_SERVICE_SOURCE_H

#include "pidfile.h"
#include "process.h"

#include <muster/plugin.h>

struct source { /* one of the first three is there; texts are the host's */
	const char *unit;
	struct pidfile pid_file; /* path NULL: none */
	const char **command;    /* owned; NULL: none */
	const char *start;       /* for pid_file: a command line, or NULL */
	const char *systemctl;
	const char *output; /* for command: a file, or NULL */
	const char *memory; /* for command: the file with its number */
	bool restart;       /* it may be started here */
	uint32_t timeout_ms;
	uint32_t stop_ms; /* for command: from SIGTERM to SIGKILL */
};

/* Read the settings. MU_ECONFIG, MU_ENOMEM: nothing is owned. */
int source_init(struct source *s, const struct mu_host *h, struct mu_err *err);
void source_fini(struct source *s);

/* Hold the process that runs now. MU_ENONODE: none does, and the sentence says
 * how that is known; MU_EIO: it cannot be told. */
int source_find(struct source *s, struct process *p, struct mu_err *err);

/* Start it; that it runs is for source_find to say. */
int source_start(struct source *s, struct mu_err *err);

/* Does a command run that was started here, and is not what the settings say? Another
 * command is not counted where none may be started in its place. */
bool source_is_other(const struct source *s);

/* End the command that was started here. 0: *pid was it, and *killed says that
 * SIGTERM did not do. MU_ENONODE: none runs; MU_EIO: it cannot be told. */
int source_end(const struct source *s, pid_t *pid, bool *killed,
               struct mu_err *err);

/* May the process be another one while that which is held still lives? */
bool source_may_move(const struct source *s);

#endif /* MU_SERVICE_SOURCE_H */
