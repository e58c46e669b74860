/*
 * muster-runner - the process that one instance of a plugin lives in. Started
 * by muster-agent, with the channel as descriptor MU_CHAN_FD; its one argument,
 * the instance's name, is there for ps alone. For muster plugin check there are
 * two: --rounds=N and the name, see rounds.h.
 */
#include "chan.h"
#include "rounds.h"
#include "serve.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"muster-runner loads one plugin for muster-agent, which starts it.\n"
	"There is nothing to run by hand: an instance of a plugin is "
	"configured\n"
	"in a file of conf_dir (agent.conf), by default /etc/muster/conf.d, "
	"and\n"
	"a plugin is tried out with muster plugin check and muster plugin "
	"run.\n"
	"  --help     this text\n"
	"  --version  its version, and those of the channel and the plugin "
	"ABI\n";

int main(int argc, char **argv)
{
	pid_t parent = getppid();
	static struct mu_channel channel; /* until the very end, see serve.c */
	struct mu_err err;

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		fputs(help, stdout);
		return MU_RUNNER_DONE;
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		printf("muster-runner %s (channel %d, plugin ABI %u)\n",
		       MU_VERSION, MU_CHAN_VERSION, MU_PLUGIN_ABI);
		return MU_RUNNER_DONE;
	}
	if (mu_channel_open(&channel, MU_CHAN_FD, &err)) {
		fprintf(stderr,
		        "muster-runner is started by muster-agent: %s\n",
		        err.msg);
		return MU_RUNNER_USAGE;
	}
	return mu_serve(&channel, parent,
	                mu_rounds_asked(argc > 1 ? argv[1] : ""));
}
