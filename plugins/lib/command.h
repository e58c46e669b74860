/*
 * command.h - run a command with a time limit, for the shipped plugins.
 *
 * The command leads a process group of its own; at the limit the whole group is
 * killed. It begins with default signals, an empty mask, no descriptor beyond 0
 * to 2, and the agent's own limits on memory and CPU instead of the plugin's. It
 * dies with the plugin (what it has started itself does not).
 */
#ifndef MU_PLUGINS_COMMAND_H
#define MU_PLUGINS_COMMAND_H

#include <muster/types.h>

#include <sys/types.h>

#define MU_COMMAND_OUTPUT_MAX 1024u /* bytes kept of what it prints */

struct mu_command {
	const char *const
		*argv; /* argv[0] is looked for in PATH; ends in NULL */
	const char *const *env; /* "NAME=value" besides ours; NULL: none */
	const void *input;      /* what it reads from descriptor 0 */
	int32_t input_len;      /* bytes; -1: nothing, /dev/null */
	uint32_t timeout_ms;
	/* For mu_command_start: called with the number of the process that waits
	 * to become the command, and does not unless this gives 0. NULL: none. */
	int (*before)(void *arg, pid_t pid, struct mu_err *err);
	void *arg;
};

struct mu_command_end {
	bool timed_out;      /* killed at the limit, */
	uint32_t timeout_ms; /* which was this */
	int signum;          /* killed by this signal, else 0 */
	int status;          /* its exit status, when signum is 0 */
	/* The first bytes of standard output and standard error, a NUL after
	 * them. */
	char output[MU_COMMAND_OUTPUT_MAX + 1];
	size_t output_len;
};

/* Run to the end, or to the limit. 0: it ran, *end says how it went. MU_EIO: it
 * could not be started, for the reason in *err. What it left running in the
 * background when it ended by itself is left alone. */
int mu_command_run(const struct mu_command *c, struct mu_command_end *end,
                   struct mu_err *err);

/* Run by the shell: the command as `sh -c text`; c->argv is not read. */
int mu_command_run_shell(const char *text, const struct mu_command *c,
                         struct mu_command_end *end, struct mu_err *err);

/* Start one that lives on, whatever becomes of the plugin: it leads a session of
 * its own, and what it prints is added to `file` (NULL: to nothing). Input and
 * time limit of *c are not read. 0: it runs, as the child *pid, to be waited
 * for; MU_EIO, or what c->before gave. Of a plugin that dies meanwhile there is
 * no command, unless c->before was through with it. */
int mu_command_start(const struct mu_command *c, const char *file, pid_t *pid,
                     struct mu_err *err);

/* True if it ended by itself with status 0. */
bool mu_command_is_good(const struct mu_command_end *end);

/* How it went in a line: "exit status 1: nginx: [emerg] unknown directive". If it
 * did not go well, and nothing was printed, the command `text` is named. */
void mu_command_describe(const struct mu_command_end *end, const char *text,
                         char *out, size_t room);

#endif /* MU_PLUGINS_COMMAND_H */
