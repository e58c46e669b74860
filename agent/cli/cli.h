/*
 * cli.h - what every command of `muster` is given, and the rows it is made of.
 *
 * A command is a row (name, arguments, help, options, function) in commands.c
 * and a file cmd_<name>.c. Parsing, --help and the check of the number of
 * arguments come from the row.
 */
#ifndef MU_CLI_CLI_H
#define MU_CLI_CLI_H

#include <muster/client.h>

#include <stdio.h>

/* Exit codes, in each --help. X(name, number, text) */
#define CLI_EXIT_MAP(X) \
	X(CLI_OK, 0, "done") \
	X(CLI_FAILED, 1, "the broker refused, or something else went wrong") \
	X(CLI_NO_NODE, 2, "no such node") \
	X(CLI_VERSION, 3, "the version does not match (--if-version)") \
	X(CLI_NO_BROKER, 4, \
	  "no broker could be reached, or it did not answer") \
	X(CLI_EXISTS, 5, "the node exists already, or has children") \
	X(CLI_USAGE, 64, "the command line is wrong")

enum cli_exit {
#define CLI_EXIT_ENUM(name, number, text) name = number,
	CLI_EXIT_MAP(CLI_EXIT_ENUM)
#undef CLI_EXIT_ENUM
};

#define CLI_TIMEOUT_MAX_MS (24 * 3600 * 1000) /* of every --timeout */
#define CLI_OPTIONS_MAX 16u
#define CLI_AGAIN_MAX 64u /* options given, the repeated ones counted each */

/* An option of a command. */
struct cli_option {
	const char
		*name; /* long name, without the dashes; NULL ends the rows */
	char letter;   /* 0: none */
	const char *value; /* what it takes, "N"; NULL: it is a switch */
	const char *help;
};

struct cli;

struct cli_command {
	const char *name;
	const char *args; /* "PATH [VALUE]" */
	int args_min, args_max;
	const char *summary; /* one line */
	const char *text;    /* more, for --help; may be NULL */
	const struct cli_option *options;
	int (*run)(struct cli *cli); /* an exit code */
};

struct cli {
	const struct cli_command *command;
	int argc; /* arguments that are no options */
	char **argv;
	const char *given[CLI_OPTIONS_MAX]; /* by row; "" for a switch */
	/* the same in their order, for an option that may come many times */
	struct {
		int row;
		const char *value;
	} again[CLI_AGAIN_MAX];
	size_t agains;
	const char *brokers;
	uint32_t timeout_ms;
	bool json;
	bool json_errors; /* the same, from before the options are read */
	bool colour;      /* of stdout */
	struct mu_client *client; /* made by cli_connect */
	/* for commands that live on: NULL where they need nothing of it */
	void (*on_event)(struct cli *cli, const struct mu_watch_event *e);
	void (*on_change)(struct cli *cli, const struct mu_change *e);
	void (*on_state)(struct cli *cli, enum mu_client_state state, int why);
	void *arg;
};

extern const struct cli_command cli_commands[]; /* .name NULL ends */
extern const struct cli_option cli_common_options[];

/* The value of an option by its long name; NULL: not given. */
const char *cli_given(const struct cli *cli, const char *option);
/* The value with which it was given for the n-th time, from 0; NULL: it was not. */
const char *cli_given_nth(const struct cli *cli, const char *option, size_t n);
/* Its value as a number in [min, max]; `fallback` if not given. False: it is
 * not one (a sentence has been printed). */
bool cli_given_number(const struct cli *cli, const char *option, int64_t min,
                      int64_t max, int64_t fallback, int64_t *out);

/* A time as duration.h has it, of at least 1 ms; `fallback_ms` if not given. False:
 * it is none or not in that range (a sentence has been printed). */
bool cli_given_time(const struct cli *cli, const char *option, int64_t max_ms,
                    int64_t fallback_ms, int64_t *out_ms);
/* The same of its text. */
bool cli_time_of(const struct cli *cli, const char *option, const char *text,
                 int64_t max_ms, int64_t *out_ms);

/* Print "muster NAME: sentence" to stderr, or with --json an object with the code's
 * name and the sentence; returns the exit code for `rc`. */
int cli_fail(const struct cli *cli, int rc, const char *sentence);
/* The same with "PATH: what the code means". */
int cli_fail_at(const struct cli *cli, int rc, const char *path);
/* The same of the command line itself, whose code is "usage". */
int cli_usage(const struct cli *cli, const char *fmt, ...) MU_PRINTF(2, 3);
int cli_exit_of(int rc);

/* Connect. An exit code; CLI_OK: cli->client is up. */
int cli_connect(struct cli *cli);

/* The value that a command is to write: an argument, or -f FILE ("-": stdin).
 * index: of the argument. An exit code; free(*data) after CLI_OK. */
int cli_value(struct cli *cli, int index, void **data, int32_t *len);

/* A path argument: a trailing '/' is dropped, a missing leading one is an
 * error that says so. NULL after printing it. */
const char *cli_path(struct cli *cli, int index);

/* The same of another text, in memory of its own (free). */
char *cli_path_of(struct cli *cli, const char *text);

/* Can it be the name of an instance: letters, digits and -_. alone? */
bool cli_is_word(const char *text);

/* PATH/NAME in memory of its own (free), or NULL. */
char *cli_join(const char *path, const char *name);

/* Read many nodes at once, pipelined: values[i] of paths[i]; rcs[i] each one's
 * own code. stat_only: no data. Returns 0, or the code that ended it all. */
int cli_fetch(struct cli *cli, char *const *paths, size_t count, bool stat_only,
              struct mu_value *values, int *rcs);

/* For loops that wait for many answers: how far they are, and since when. */
struct cli_progress {
	size_t done;
	int64_t at_ms;
};

/* Wait for something to happen and do what is due. MU_ETIMEDOUT once `done` has
 * stayed the same for --timeout; else as mu_client_process. Start with zeros. */
int cli_turn(struct cli *cli, struct cli_progress *p, size_t done);

/* Call what is due until *done is set (NULL: never), SIGINT or SIGTERM comes, or
 * the handle is at its end (its code is returned, else 0). The signals are left
 * as they were. */
int cli_pump(struct cli *cli, const bool *done);

/* Close the session and let the handle go. */
void cli_disconnect(struct cli *cli);

struct mu_json;
/* Print a JSON value on a line and free it. An exit code. */
int cli_print_json(struct cli *cli, struct mu_json *j);
/* An array of objects: `fill` sets the fields of the i-th of `rows`; it returns
 * 0, MU_E*, or 1: this one is left out. NULL when memory is out. */
struct mu_json *cli_json_rows(const void *rows, size_t count,
                              int (*fill)(struct mu_json *o, const void *rows,
                                          size_t i));
/* Print such an array. An exit code. */
int cli_print_rows(struct cli *cli, const void *rows, size_t count,
                   int (*fill)(struct mu_json *o, const void *rows, size_t i));
/* The fields of a Stat, set on an object. */
int cli_json_stat(struct mu_json *o, const struct mu_stat *stat);

/* "2026-11-22 11:30:00" in local time. */
void cli_time(char *out, size_t room, int64_t wall_ms);

#endif /* MU_CLI_CLI_H */
