/* cmd_plugin.c - muster plugin: write one, judge it, try it out, record for it;
 * and have the agents release or reload its instances. */
#include "cli.h"
#include "commands.h"
#include "kit.h"

#include "err.h"

#include <string.h>

static const struct verb {
	const char *name, *args;
	int args_min, args_max; /* behind the verb */
	const char *options;    /* that it takes, each between blanks */
	int (*run)(struct cli *cli);
} verbs[] = {
	{ "new", "NAME", 1, 1, " dir ", kit_new },
	{ "check", "FILE.so", 1, 1, " settings runner rounds ", kit_check },
	{ "run", "FILE.so", 1, 1, " events settings runner no-figures ",
	  kit_run },
	{ "record", "no more arguments", 0, 0, " watch members output for ",
	  kit_record },
	{ "release", "at most the name of an instance", 0, 1, " host ",
	  hosts_release },
	{ "reload", "the name of an instance", 1, 1, " host ", hosts_reload },
};
#define VERBS (sizeof verbs / sizeof *verbs)

/* An option of another verb is a mistake, not to be passed over. */
static const char *stray_option(const struct cli *cli, const struct verb *v)
{
	const struct cli_option *rows = cli->command->options;
	char word[64];

	for (size_t i = 0; rows[i].name; i++) {
		mu_format(word, sizeof word, " %s ", rows[i].name);
		if (cli->given[i] && !strstr(v->options, word))
			return rows[i].name;
	}
	return NULL;
}

int cmd_plugin(struct cli *cli)
{
	const struct verb *v = verbs;
	const char *stray;

	while (v < verbs + VERBS && strcmp(v->name, cli->argv[0]) != 0)
		v++;
	if (v == verbs + VERBS)
		return cli_usage(cli,
		                 "\"%s\" is none of new, check, run, record, "
		                 "release, reload",
		                 cli->argv[0]);
	if (cli->argc - 1 < v->args_min || cli->argc - 1 > v->args_max)
		return cli_usage(cli, "%s takes %s", v->name, v->args);
	stray = stray_option(cli, v);
	if (stray)
		return cli_usage(cli, "--%s is no option of %s", stray,
		                 v->name);
	return v->run(cli);
}

int kit_plugin_of(struct cli *cli, struct kit_plugin *out)
{
	const char *given = cli->argv[1];
	const char *slash = strrchr(given, '/');
	const char *base = slash ? slash + 1 : given;
	size_t len = strlen(base);

	if (strlen(given) + 3 > sizeof out->file || len >= sizeof out->name)
		return cli_usage(cli, "the name of the file is too long");
	if (len < 4 || strcmp(base + len - 3, ".so") != 0)
		return cli_usage(cli,
		                 "%s: a plugin's file is called NAME.so, for "
		                 "that is how the agent finds it",
		                 given);
	mu_format(out->file, sizeof out->file, "%s%s", slash ? "" : "./",
	          given);
	mu_format(out->name, sizeof out->name, "%.*s", (int)len - 3, base);
	return CLI_OK;
}
