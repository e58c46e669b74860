/* commands.c - the rows of all commands. */
#include "cli.h"
#include "commands.h"
#include "ctl.h"
#include "duration.h"

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
	{ "long", 'l', NULL,
	  "with the zxid of each change, its cause, and the\n"
	  "                        session and host that made it" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option status_options[] = {
	{ "watch", 'w', NULL, "show it again at each change, until stopped" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option wait_options[] = {
	{ "applied", 'a', "PATH", "the node that is to be applied" },
	{ "instance", 'i', "NAME", "by this instance; else by all" },
	{ "hosts", 'n', "N", "by at least N of them; 1" },
	{ "version", 0, "N",
	  "version N or a later one, and no longer the newest" },
	{ "timeout", 't', "TIME",
	  "at most this long: " DURATION_FORM ";\n"
	  "                        5m unless given" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option export_options[] = {
	{ "output", 'o', "FILE",
	  "write FILE, whole or not at all; - is standard\n"
	  "                        output, and so without it" },
	{ "no-acl", 0, NULL, "leave ACLs out" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option import_options[] = {
	{ "at", 'a', "PATH", "put the node of the first line at PATH" },
	{ "dry-run", 'n', NULL, "show what would be done, and do nothing" },
	{ "cas", 0, NULL, "refuse where a node has changed since the export" },
	{ "delete", 0, NULL, "delete what is not in the file" },
	{ "yes", 'y', NULL, "do not ask before deleting" },
	{ NULL, 0, NULL, NULL },
};

#define CONTROL_OPTION \
	{ \
		"control", 0, "PATH", \
			"the broker's control socket; else\n" \
			"                        " CTL_PATH_DEFAULT \
	}

static const struct cli_option broker_options[] = {
	CONTROL_OPTION,
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option backup_options[] = {
	CONTROL_OPTION,
	{ "force", 0, NULL, "replace FILE if it is there" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option plugin_options[] = {
	{ "dir", 0, "DIR",
	  "new: write there; else into the new directory NAME" },
	{ "settings", 0, "FILE",
	  "check, run: what stands between the braces of\n"
	  "                        settings in conf.d" },
	{ "runner", 0, "FILE",
	  "check, run: muster-runner; else $MUSTER_RUNNER, else\n"
	  "                        the one that the agent uses" },
	{ "rounds", 0, "N", "check: init and fini so many times; 50" },
	{ "events", 0, "FILE", "run: what to replay; - is standard input" },
	{ "no-figures", 0, NULL,
	  "run: leave out time and memory, so that two runs\n"
	  "                        can be compared" },
	{ "watch", 0, "PATH[:MODE]",
	  "record: a node; MODE is exact, children or subtree,\n"
	  "                        as in conf.d. May be repeated" },
	{ "members", 0, NULL, "record: members too" },
	{ "output", 'o', "FILE",
	  "record: write FILE, whole or not at all; - is\n"
	  "                        standard output, and so without it" },
	{ "for", 0, "TIME",
	  "record: end after that time; else at SIGINT or\n"
	  "                        SIGTERM" },
	{ "host", 0, "HOST",
	  "release, reload: on this host alone; else on all" },
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
	{ "ls", "[PATH]", 0, 1, "list the children of a node",
	  "All of them or none: the protocol has no pages. Where they do not\n"
	  "fit into one reply (reply_max in broker.conf, 64 MiB unless set:\n"
	  "about three million short names) it says how many they are, and\n"
	  "ends with 1. Then raise reply_max, or spread them over several\n"
	  "nodes; get, set and stat of one by its name work all the while.",
	  ls_options, cmd_ls },
	{ "tree", "[PATH]", 0, 1, "draw a node and all below it",
	  "Ephemeral nodes are marked with *.", tree_options, cmd_tree },
	{ "stat", "PATH", 1, 1, "show the Stat of a node", NULL, none,
	  cmd_stat },
	{ "watch", "PATH", 1, 1, "print each change of a node until stopped",
	  "PATH need not exist. Each change is shown once: after a broken\n"
	  "connection, a restart of the broker or the end of its session it\n"
	  "goes on behind the last one shown. Where the broker cannot tell "
	  "any\n"
	  "more what happened meanwhile, a line \"gap\" says so. A ZooKeeper\n"
	  "does not tell what happened meanwhile.\n"
	  "With --json each is an object with time, event, path and zxid; n,\n"
	  "cause, session and origin (not of a ZooKeeper); version and data. "
	  "A\n"
	  "value over 4 KiB that was replaced meanwhile has data_length "
	  "instead.",
	  watch_options, cmd_watch },
	{ "members", "", 0, 0, "show the hosts that answer the roll call", NULL,
	  none, cmd_members },
	{ "status", "[INSTANCE]", 0, 1,
	  "show the broker, and which host runs what",
	  "The last table is about what each instance of a plugin has in\n"
	  "force on each host (VERSION, - if that is not known), which newer\n"
	  "value was refused (TRIED), and the node as it is now (NODE). STATE\n"
	  "is\n"
	  "  applied        the node as it is now is in force\n"
	  "  behind         an older version is; the host is at it, or cut "
	  "off\n"
	  "  rejected       a check refused it; what was before is in force\n"
	  "  failed         it was tried, and undone; it is tried again\n"
	  "  no report yet  the host has not reported, while others have; or\n"
	  "                 the instance does not run, and REASON says why\n"
	  "  no reports     the instance runs, and no host has reported: some\n"
	  "                 plugins (log, exec, webhook) never do\n"
	  "  quarantined    failed too often, and was stopped: see muster\n"
	  "                 plugin release\n"
	  "  stale (...)    of a host that is not a member now\n"
	  "An instance that runs well and of which no host has reported is\n"
	  "shown only where it is named; muster members --json names the\n"
	  "instances of each host.\n"
	  "Alarms, which wait for a person, stand before it. With INSTANCE:\n"
	  "only that one, with the zxid and digest of VERSION too, and exit\n"
	  "code 1 unless all of its hosts that are members are at "
	  "\"applied\".\n"
	  "In JSON: version_in_force, version_tried, node_version; -1 for -,\n"
	  "-2 for a node that is gone.",
	  status_options, cmd_status },
	{ "wait", "--applied PATH", 0, 0,
	  "wait until the hosts that follow a node have applied it",
	  "Ends with 0 once each host that counts has applied the node as it\n"
	  "is then; with 1 at the timeout, saying who lags and why. Those\n"
	  "count that are members now and have an instance which has reported\n"
	  "on PATH in /applied, or has not reported yet while its like on\n"
	  "other hosts reports on PATH; with --instance that one alone, be\n"
	  "there reports or not. So an instance of a plugin that never\n"
	  "reports (log, exec, webhook) does not count unless --instance\n"
	  "names it. An instance that reports on several nodes counts for\n"
	  "each of them. There must be one, or N with --hosts. An\n"
	  "edit meanwhile is said, and then waited for, unless --version\n"
	  "tells another. How far they are is shown on standard error: on a\n"
	  "terminal in one line, else in a line for each change. It follows\n"
	  "watches and asks for nothing by the clock.",
	  wait_options, cmd_wait },
	{ "export", "[PATH]", 0, 1, "write a node and all below it as JSON",
	  "A line of JSON for each node, parents first: path, data (or\n"
	  "data_base64 for what is not text), its acl if it is not open to\n"
	  "all, and version, mzxid and mtime for the reader. Ephemeral nodes\n"
	  "and /zookeeper are left out. A client cannot see that a node is a\n"
	  "container or has a time to live: such a node becomes an ordinary\n"
	  "one, unless \"kind\":\"container\", or \"kind\":\"ttl\" with\n"
	  "\"ttl_ms\", is added to its line. Nodes are read one after the\n"
	  "other while others may write.",
	  export_options, cmd_export },
	{ "import", "[FILE]", 0, 1, "make nodes as a file of export says",
	  "Makes the nodes that are missing, parents first, and sets those\n"
	  "that differ; an ACL is changed only where the file has one. The\n"
	  "whole file is read and checked, and compared with the tree, before\n"
	  "anything is changed; changes are not one transaction. Without FILE\n"
	  "standard input is read. With --cas a node that differs is set only\n"
	  "if it has the version of the export; else nothing is changed (exit\n"
	  "code 3). --delete goes over what is below the node of the first\n"
	  "line, leaves ephemeral nodes, and asks, unless --yes.",
	  import_options, cmd_import },
	{ "broker", "status|snapshot|verify", 1, 1,
	  "ask the broker of this host about itself",
	  "status: its numbers, and the limits that they are held to.\n"
	  "snapshot: write one now, and wait for it. verify: check the data\n"
	  "directory and the tree. It is asked over its control socket, on\n"
	  "this host, which only root and the broker's own user may use; "
	  "where\n"
	  "broker.conf names another (control), as for a broker that is run "
	  "by\n"
	  "hand, name it with --control. --broker is not looked at.",
	  broker_options, cmd_broker },
	{ "backup", "FILE", 1, 1, "write all that the broker has to a file",
	  "A consistent state, taken while the broker serves: every node with\n"
	  "its ACL, and sessions. Packed with zstd, with a checksum, and read\n"
	  "back before it takes its name. FILE - is standard output, which is\n"
	  "not read back. Over the control socket, as muster broker.",
	  backup_options, cmd_backup },
	{ "restore", "FILE", 1, 1, "give a backup to a broker that is empty",
	  "Refused by a broker that has nodes of its own: it says what to do.\n"
	  "FILE - is standard input. Over the control socket, as muster\n"
	  "broker.",
	  broker_options, cmd_restore },
	{ "plugin", "new|check|run|record|release|reload [ARGUMENT]", 1, 2,
	  "write a plugin, judge it, try it out; release, reload",
	  "new NAME: writes a plugin that works, its Makefile and its test.\n"
	  "check FILE.so: reads the file, then has a muster-runner load it,\n"
	  "and begin and end it many times; each finding comes with what to\n"
	  "do. run FILE.so --events FILE: replays events to it, with a tree\n"
	  "in memory for get, children and set, and shows time and memory of\n"
	  "each callback; the time includes the way to its process and back.\n"
	  "record: writes such a file from a cluster, first what is there,\n"
	  "then what happens, with zxid, cause and author of each change, and\n"
	  "none missing over a cut link; of a ZooKeeper as far as watches\n"
	  "tell. --timeout is for one callback of run, and for\n"
	  "all rounds of check. A plugin that is not\n"
	  "fit, of which a callback fails or takes too long, or whose process\n"
	  "ends, gives exit code 1.\n"
	  "release INSTANCE: an instance that failed too often, and is in\n"
	  "quarantine, is started again; without INSTANCE what is in\n"
	  "quarantine is listed. reload INSTANCE: its agents start a new\n"
	  "runner from the plugin's file, and end the old one. There must be\n"
	  "a host that has it (else exit code 2, and nothing is asked): a\n"
	  "member that names it, or a host that is away and has left a report\n"
	  "below /applied or an alarm. One that is cut off hears of it when "
	  "it\n"
	  "is back; an agent that starts loads the file as it is then. Only\n"
	  "record, release and reload ask a broker.",
	  plugin_options, cmd_plugin },
	{ "version", "", 0, 0, "show the version of this program", NULL, none,
	  cmd_version },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};
