#include "agent_options.h"

#include "agent_conf.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static const char help_text[] =
	"NAME\n"
	"       muster-agent - keep this host on the roll and run its plugins\n"
	"\n"
	"SYNOPSIS\n"
	"       muster-agent [-c FILE] [--check-config | --leave]\n"
	"       muster-agent --print-defaults | --help | --version\n"
	"\n"
	"DESCRIPTION\n"
	"       Registers this host as /members/<name> and runs one process\n"
	"       for each plugin instance of the configuration. Runs in the\n"
	"       foreground and logs to its standard error.\n"
	"\n"
	"PROCESSES\n"
	"       What is started is a small supervisor; the worker, a child "
	"of\n"
	"       its, does the work. A worker that ends or hangs is started\n"
	"       again at once and takes up its session: nobody sees that. "
	"One\n"
	"       that cannot be kept alive has its session closed, so that "
	"the\n"
	"       others see this host fail at once.\n"
	"\n"
	"OPTIONS\n"
	"       -c, --config FILE   configuration (" MU_AGENT_FILE ";\n"
	"                           defaults are used if that one is missing)\n"
	"       --check-config      read the configuration, say what is wrong\n"
	"                           with it, and end; the settings of an "
	"instance\n"
	"                           are for its plugin to judge: see\n"
	"                           muster plugin check --settings\n"
	"       --leave             make the running agent leave the cluster "
	"on\n"
	"                           purpose and end, and wait for that\n"
	"       --print-defaults    print a file with every key, its default\n"
	"                           and unit\n"
	"       -h, --help          this text\n"
	"       -V, --version       the version\n"
	"\n"
	"SIGNALS (to the supervisor)\n"
	"       SIGTERM, SIGINT     end; the session is kept for the next "
	"start\n"
	"       SIGUSR2             as --leave\n"
	"       SIGHUP              read conf.d again; of the configuration, "
	"log_level\n"
	"                           takes effect, the other keys at the next "
	"start\n"
	"\n"
	"EXIT STATUS\n"
	"       0   ended by a signal, or the configuration is good\n"
	"       1   could not start, or --leave did not work; it says why\n"
	"       2   the configuration is wrong\n"
	"       3   the worker could not be kept alive; its session was "
	"closed\n"
	"       64  wrong arguments\n"
	"\n"
	"CONFIGURATION\n"
	"       The keys of the file, with their defaults:\n"
	"\n";

enum mu_agent_what mu_agent_options(int argc, char **argv, const char **file)
{
	static const struct option rows[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "leave", no_argument, NULL, 'l' },
		{ "print-defaults", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	enum mu_agent_what what = MU_AGENT_RUN;
	int c;

	while ((c = getopt_long(argc, argv, "c:hV", rows, NULL)) != -1) {
		if (c == 'c')
			*file = optarg;
		else if (c == 'k')
			what = MU_AGENT_CHECK;
		else if (c == 'l')
			what = MU_AGENT_LEAVE;
		else if (c == 'd')
			what = MU_AGENT_DEFAULTS;
		else if (c == 'h')
			return MU_AGENT_HELP;
		else
			return c == 'V' ? MU_AGENT_VERSION : MU_AGENT_WRONG;
	}
	return optind == argc ? what : MU_AGENT_WRONG;
}

static void print_help(void)
{
	fputs(help_text, stdout);
	fflush(stdout);
	mu_conf_help(mu_agent_rows, STDOUT_FILENO);
	puts("\n# Each group of the list `instances` in conf_dir/*.conf:\n");
	fflush(stdout);
	mu_conf_help(mu_instance_rows, STDOUT_FILENO);
	puts("\n# Each group of its list `watch`:\n");
	fflush(stdout);
	mu_conf_help(mu_watch_rows, STDOUT_FILENO);
}

bool mu_agent_print(enum mu_agent_what what, int *code)
{
	*code = MU_AGENT_GOOD;
	if (what == MU_AGENT_HELP)
		print_help();
	else if (what == MU_AGENT_DEFAULTS)
		mu_conf_help(mu_agent_rows, STDOUT_FILENO);
	else if (what == MU_AGENT_VERSION)
		printf("muster-agent %s\n", MU_VERSION);
	else if (what == MU_AGENT_WRONG)
		*code = MU_AGENT_USAGE;
	else
		return false;
	if (what == MU_AGENT_WRONG)
		fputs("usage: muster-agent [-c FILE] [--check-config | "
		      "--leave]; --help tells more\n",
		      stderr);
	return true;
}
