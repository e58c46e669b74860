/* commands.c - the rows of all commands. */
#include "cli.h"
#include "commands.h"

#include <stddef.h>

static const struct cli_option none[] = { { NULL, 0, NULL, NULL } };

static const struct cli_option set_options[] = {
	{ "file", 'f', "FILE",
	  "take the value from FILE; - is standard input" },
	{ "if-version", 'i', "N", "only if the node has this version" },
	{ "create", 'c', NULL, "make the node, and its parents, if missing" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option create_options[] = {
	{ "file", 'f', "FILE",
	  "take the value from FILE; - is standard input" },
	{ "parents", 'p', NULL,
	  "make missing parents; no error if PATH exists,\n                    "
	  "    unless there is a value to give it" },
	{ "sequential", 's', NULL, "add a number that was never used" },
	{ "ephemeral", 'e', NULL, "hold it until this command is stopped" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option rm_options[] = {
	{ "recursive", 'r', NULL, "with all below it" },
	{ "yes", 'y', NULL, "do not ask" },
	{ "if-version", 'i', "N", "only if the node has this version" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option ls_options[] = {
	{ "long", 'l', NULL, "version, bytes, children and time of each" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option tree_options[] = {
	{ "depth", 'd', "N", "no deeper than this" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option watch_options[] = {
	{ "recursive", 'r', NULL, "all below PATH too" },
	{ "count", 'n', "N", "stop after N events" },
	{ NULL, 0, NULL, NULL },
};

const struct cli_command cli_commands[] = {
	{ "get", "PATH", 1, 1, "print the value of a node",
	  "The bytes as they are. --json adds the Stat; a value that is not\n"
	  "UTF-8 is then base64, and null is null.",
	  none, cmd_get },
	{ "set", "PATH [VALUE]", 1, 2, "change the value of a node",
	  "Prints the new version. --if-version N refuses to overwrite what\n"
	  "somebody else has changed meanwhile (exit code 3). A VALUE that\n"
	  "begins with - stands after --.",
	  set_options, cmd_set },
	{ "create", "PATH [VALUE]", 1, 2, "make a node",
	  "Prints its path. Without VALUE and --file the value is null.",
	  create_options, cmd_create },
	{ "rm", "PATH", 1, 1, "delete a node",
	  "--recursive shows what would go, and asks, unless --yes.",
	  rm_options, cmd_rm },
	{ "ls", "[PATH]", 0, 1, "list the children of a node", NULL, ls_options,
	  cmd_ls },
	{ "tree", "[PATH]", 0, 1, "draw a node and all below it",
	  "Ephemeral nodes are marked with *.", tree_options, cmd_tree },
	{ "stat", "PATH", 1, 1, "show the Stat of a node", NULL, none,
	  cmd_stat },
	{ "watch", "PATH", 1, 1, "print each change of a node until stopped",
	  "PATH need not exist. After a broken connection a line says so, for\n"
	  "what happened meanwhile is not told.",
	  watch_options, cmd_watch },
	{ "members", "", 0, 0, "show the hosts that answer the roll call", NULL,
	  none, cmd_members },
	{ "status", "[INSTANCE]", 0, 1,
	  "show the broker, and which host runs what",
	  "The second table comes from /applied: what each instance of a\n"
	  "plugin last reported from each host. A host that is not a member\n"
	  "now is shown as stale.",
	  none, cmd_status },
	{ "version", "", 0, 0, "show the version of this program", NULL, none,
	  cmd_version },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};
