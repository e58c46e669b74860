/*
 * main.c - the command line: find the command, read its options, run it.
 *
 * Options may stand before and after the command's name. Everything --help says
 * comes from the rows of commands.c.
 */
#include "cli.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "confrow.h"
#include "duration.h"
#include "tty.h"

#define BROKER_DEFAULT "tcp://127.0.0.1:7400"
#define TIMEOUT_DEFAULT_MS 5000u
#define OPTION_BASE 256 /* of getopt's numbers, beyond all letters */

const struct cli_option cli_common_options[] = {
	{ "broker", 'b', "URL",
	  "broker, or several with commas; else $MUSTER_BROKER,\n"
	  "                        else " BROKER_DEFAULT },
	{ "timeout", 't', "TIME",
	  "wait at most this long: " DURATION_FORM ";\n"
	  "                        5s unless given" },
	{ "json", 'j', NULL,
	  "print JSON; on standard error each error is a line\n"
	  "                        "
	  "{\"error\":\"MU_ENONODE\",\"message\":\"...\"},\n"
	  "                        \"usage\" where the command line is wrong" },
	{ "help", 'h', NULL, "print this" },
	{ "version", 'V', NULL, "print the version" },
	{ NULL, 0, NULL, NULL },
};

/* A command may mean something of its own by a common name. */
static bool has_row(const struct cli_option *rows, const char *name)
{
	for (; rows && rows->name; rows++)
		if (strcmp(rows->name, name) == 0)
			return true;
	return false;
}

/* All rows but those that are in `own`, too. */
static void print_options(const struct cli_option *o,
                          const struct cli_option *own)
{
	for (; o->name; o++) {
		char left[64];

		if (has_row(own, o->name))
			continue;

		snprintf(left, sizeof left, "%c%c%s--%s%s%s",
		         o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		         o->letter ? ", " : "  ", o->name, o->value ? " " : "",
		         o->value ? o->value : "");
		printf("  %-20s  %s\n", left, o->help);
	}
}

static void print_exit_codes(void)
{
	printf("\nEXIT STATUS\n");
#define EXIT_ROW(name, number, text) printf("  %-4d %s\n", number, text);
	CLI_EXIT_MAP(EXIT_ROW)
#undef EXIT_ROW
}

static void print_time_note(void)
{
	printf("\n  A TIME without a unit is in seconds; units are ms, s, m "
	       "and "
	       "h.\n");
}

static void help_all(void)
{
	printf("NAME\n  muster - read and edit the tree of a Muster cluster\n"
	       "\nSYNOPSIS\n  muster [OPTION...] COMMAND [ARGUMENT...]\n"
	       "\nCOMMANDS\n");
	for (const struct cli_command *c = cli_commands; c->name; c++) {
		char left[64];

		snprintf(left, sizeof left, "%s %s", c->name, c->args);
		printf("  %-20s  %s\n", left, c->summary);
	}
	printf("\nOPTIONS\n");
	print_options(cli_common_options, NULL);
	print_time_note();
	print_exit_codes();
	printf("\nmuster COMMAND --help tells more of each.\n");
}

static void help_command(const struct cli_command *c)
{
	printf("NAME\n  muster %s - %s\n\nSYNOPSIS\n  muster %s "
	       "[OPTION...]%s%s\n",
	       c->name, c->summary, c->name, c->args[0] ? " " : "", c->args);
	if (c->text) {
		printf("\nDESCRIPTION\n  ");
		for (const char *p = c->text; *p; p++)
			printf("%c%s", *p, *p == '\n' ? "  " : "");
		putchar('\n');
	}
	printf("\nOPTIONS\n");
	print_options(c->options, NULL);
	print_options(cli_common_options, c->options);
	print_time_note();
	print_exit_codes();
}

static const struct cli_command *command_find(const char *name)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static bool takes_value(const struct cli_option *o, char letter)
{
	for (; o->name; o++)
		if (o->letter == letter)
			return o->value != NULL;
	return false;
}

/* Is the next word the value of this one, as far as the common options go?
 * Long ones may be cut short, short ones stand together: -jt 500. */
static bool value_follows(const char *a)
{
	size_t len = strlen(a);

	if (a[1] == '-') {
		for (const struct cli_option *o = cli_common_options; o->name;
		     o++)
			if (len > 2 && strncmp(a + 2, o->name, len - 2) == 0)
				return o->value != NULL;
		return false;
	}
	for (const char *p = a + 1; *p; p++)
		if (takes_value(cli_common_options, *p))
			return p[1] == '\0';
	return false;
}

/* The nearest of the rows' names, as " (did you mean ls?)"; "" where none is
 * near. Static text. */
static const char *suggest(const char *word, const char *dashes,
                           const char *(*name_at)(const void *rows, size_t i),
                           const void *const lists[], size_t count)
{
	static char text[80];
	const char *best = NULL, *name;
	unsigned limit = MU_CONF_NEAR;

	for (size_t k = 0; k < count; k++)
		for (size_t i = 0; (name = name_at(lists[k], i)); i++)
			if (mu_conf_is_nearer(word, name, &limit))
				best = name;
	if (!best)
		return "";
	snprintf(text, sizeof text, " (did you mean %s%s?)", dashes, best);
	return text;
}

static const char *command_at(const void *rows, size_t i)
{
	return ((const struct cli_command *)rows)[i].name;
}

static const char *option_at(const void *rows, size_t i)
{
	return ((const struct cli_option *)rows)[i].name;
}

/* The command is the first word that is neither an option nor the value of a
 * common one. Takes it out of argv. 0, or an exit code. */
static int command_take(struct cli *cli, int *argc, char **argv)
{
	int i = 1;

	while (i < *argc && argv[i][0] == '-' && argv[i][1])
		i += value_follows(argv[i]) ? 2 : 1;
	if (i >= *argc)
		return CLI_OK;
	cli->command = command_find(argv[i]);
	if (!cli->command)
		return cli_usage(
			cli, "there is no command \"%s\"%s; see muster --help",
			argv[i],
			suggest(argv[i], "", command_at,
		                (const void *const[]){ cli_commands }, 1));
	memmove(argv + i, argv + i + 1, (size_t)(*argc - i) * sizeof *argv);
	(*argc)--;
	return CLI_OK;
}

/* Append rows to getopt's two forms of the same list, but for those that are in
 * `own`. */
static size_t getopt_add(const struct cli_option *rows, int base,
                         const struct cli_option *own, struct option *out,
                         size_t n, char *letters)
{
	for (int i = 0; rows[i].name; i++) {
		if (has_row(own, rows[i].name))
			continue;
		out[n++] = (struct option){ rows[i].name,
			                    rows[i].value ? required_argument
			                                  : no_argument,
			                    NULL, base + i };
		if (rows[i].letter) {
			size_t at = strlen(letters);

			letters[at++] = rows[i].letter;
			if (rows[i].value)
				letters[at++] = ':';
			letters[at] = '\0';
		}
	}
	return n;
}

static int row_by_letter(const struct cli_option *rows, int letter)
{
	for (int i = 0; rows[i].name; i++)
		if (rows[i].letter == letter)
			return i;
	return -1;
}

enum {
	COMMON_BROKER,
	COMMON_TIMEOUT,
	COMMON_JSON,
	COMMON_HELP,
	COMMON_VERSION
};

/* One common option. -1: go on; else an exit code. */
static int take_common(struct cli *cli, int row, const char *value)
{
	int64_t ms;

	switch (row) {
	case COMMON_BROKER:
		cli->brokers = value;
		return -1;
	case COMMON_TIMEOUT:
		if (!cli_time_of(cli, "timeout", value, CLI_TIMEOUT_MAX_MS,
		                 &ms))
			return CLI_USAGE;
		cli->timeout_ms = (uint32_t)ms;
		return -1;
	case COMMON_JSON:
		cli->json = cli->json_errors = true;
		return -1;
	case COMMON_VERSION:
		printf("muster %s\n", mu_client_version());
		return CLI_OK;
	default:
		if (cli->command)
			help_command(cli->command);
		else
			help_all();
		return CLI_OK;
	}
}

/* An option of the command. -1: go on; else an exit code. */
static int take_own(struct cli *cli, int row, const char *value)
{
	cli->given[row] = value;
	if (cli->agains == CLI_AGAIN_MAX)
		return cli_usage(cli, "takes at most %u options",
		                 CLI_AGAIN_MAX);
	cli->again[cli->agains].row = row;
	cli->again[cli->agains++].value = value;
	return -1;
}

/* "--if-version=3" without dashes and value; static text. */
static const char *bare_name(const char *word)
{
	static char name[64];

	snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="),
	         word + 2);
	return name;
}

static int bad_option(const struct cli *cli, int why, const char *word)
{
	static const struct cli_option none[] = { { NULL, 0, NULL, NULL } };
	char letter[3] = { '-', (char)optopt, '\0' };
	const void *const lists[] = { cli->command ? cli->command->options
		                                   : none,
		                      cli_common_options };
	const char *near = "";

	/* A letter may stand among others; a long one is the word itself. */
	if (optopt > 0 && optopt < OPTION_BASE)
		word = letter;
	else if (why != ':' && strncmp(word, "--", 2) == 0)
		near = suggest(bare_name(word), "--", option_at, lists, 2);
	return cli_usage(cli, "%s %s%s; see muster%s%s --help", word,
	                 why == ':' ? "wants a value" : "is no option here",
	                 near, cli->command ? " " : "",
	                 cli->command ? cli->command->name : "");
}

/* Read all options. -1: go on; else an exit code. */
static int options_read(struct cli *cli, int argc, char **argv)
{
	static const struct cli_option none[] = { { NULL, 0, NULL, NULL } };
	const struct cli_option *own =
		cli->command ? cli->command->options : none;
	struct option all[2 * CLI_OPTIONS_MAX + 1] = { { 0 } };
	char letters[4 * CLI_OPTIONS_MAX] = ":"; /* we print errors */
	size_t n = getopt_add(own, OPTION_BASE, NULL, all, 0, letters);
	int c, rc = -1;

	getopt_add(cli_common_options, 2 * OPTION_BASE, own, all, n, letters);
	while (rc < 0 &&
	       (c = getopt_long(argc, argv, letters, all, NULL)) != -1) {
		int row = c >= OPTION_BASE && c < 2 * OPTION_BASE
		                  ? c - OPTION_BASE
		                  : row_by_letter(own, c);

		if (c == '?' || c == ':')
			return bad_option(cli, c, argv[optind - 1]);
		if (row >= 0)
			rc = take_own(cli, row, optarg ? optarg : "");
		else
			rc = take_common(
				cli,
				c >= 2 * OPTION_BASE
					? c - 2 * OPTION_BASE
					: row_by_letter(cli_common_options, c),
				optarg);
	}
	cli->argc = argc - optind;
	cli->argv = argv + optind;
	return rc;
}

/* What was printed must have arrived, else nothing was done. */
static int end(const struct cli *cli, int rc)
{
	if ((fflush(stdout) || ferror(stdout)) && rc == CLI_OK)
		return cli_fail(cli, MU_EIO, "cannot write standard output");
	return rc;
}

/* An error may come before it is read: is it there? */
static bool has_json(char **argv)
{
	for (; *argv && strcmp(*argv, "--") != 0; argv++)
		if (strcmp(*argv, "--json") == 0 || strcmp(*argv, "-j") == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const char *env = getenv("MUSTER_BROKER");
	struct cli cli = {
		.brokers = env && env[0] ? env : BROKER_DEFAULT,
		.timeout_ms = TIMEOUT_DEFAULT_MS,
		.colour = mu_tty_colour(1),
		.json_errors = has_json(argv),
	};
	int rc;

	signal(SIGPIPE, SIG_DFL);
	opterr = 0;
	rc = command_take(&cli, &argc, argv);
	if (rc)
		return rc;
	rc = options_read(&cli, argc, argv);
	if (rc >= 0)
		return end(&cli, rc);
	if (!cli.command)
		return cli_usage(&cli, "which command? see muster --help");
	if (cli.argc < cli.command->args_min ||
	    cli.argc > cli.command->args_max)
		return cli_usage(&cli, "takes %s; see muster %s --help",
		                 cli.command->args[0] ? cli.command->args
		                                      : "no arguments",
		                 cli.command->name);
	rc = cli.command->run(&cli);
	cli_disconnect(&cli);
	return end(&cli, rc);
}
