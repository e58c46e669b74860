/*
 * muster-agent - answers the roll call for one host, and runs its plugins.
 */
#include "agent_conf.h"
#include "agent_options.h"
#include "err.h"
#include "identity.h"
#include "supervisor.h"
#include "unheard.h"
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LEAVE_MAX_MS 10000u /* --leave waits that long after stop_grace_ms */
#define LEAVE_POLL_MS 20u

/* ---- from outside ---- */

/* The agent has ended: did it do as asked? */
static int leave_result(const struct mu_agent_conf *conf)
{
	struct mu_err err;
	int rc = mu_leave_read(conf->runtime_dir, &err);

	if (!rc)
		return MU_AGENT_GOOD;
	if (rc == MU_ENONODE)
		fputs("muster-agent: the agent has ended without a word; if it "
		      "was on the roll the others see it fail\n",
		      stderr);
	else
		fprintf(stderr,
		        "muster-agent: the agent has ended, but the others "
		        "could "
		        "not be told that it left: %s; if it was on the roll "
		        "they see it fail\n",
		        err.msg);
	return MU_AGENT_FAILED;
}

static int cannot(const struct mu_err *err)
{
	fprintf(stderr, "muster-agent: %s\n", err->msg);
	return MU_AGENT_FAILED;
}

/* Ask the agent that runs with this configuration to leave, and wait for it. */
static int leave(const struct mu_agent_conf *conf)
{
	struct timespec nap = { 0, LEAVE_POLL_MS * 1000000 };
	uint64_t limit = (uint64_t)conf->stop_grace_ms + LEAVE_MAX_MS;
	struct mu_err err;
	int pid, now;

	if (mu_runtime_holder(conf->runtime_dir, &pid, &err))
		return cannot(&err);
	mu_leave_forget(conf->runtime_dir);
	if (kill(pid, SIGUSR2)) {
		mu_err(&err, MU_EIO, "cannot signal process %d: %s", pid,
		       strerror(errno));
		return cannot(&err);
	}
	/* Another pid: it has ended, and was started again. */
	for (uint64_t ms = 0; ms < limit; ms += LEAVE_POLL_MS) {
		int rc = mu_runtime_holder(conf->runtime_dir, &now, &err);

		if (rc == MU_ENONODE || (rc == 0 && now != pid))
			return leave_result(conf);
		nanosleep(&nap, NULL);
	}
	mu_err(&err, MU_ETIMEDOUT,
	       "process %d has not ended within %llu ms; it goes on", pid,
	       (unsigned long long)limit);
	return cannot(&err);
}

/* ---- the configuration ---- */

/* A file that is wrong, not there or not to be read is one thing, memory that
 * refuses another. */
static int complain(int rc, const struct mu_err *err)
{
	fprintf(stderr, "muster-agent: %s\n", err->msg);
	return rc == MU_ENOMEM ? MU_AGENT_FAILED : MU_AGENT_CONFIG;
}

static void warn_unheard(void *arg, const char *text)
{
	const struct mu_instance_conf *c = arg;

	fprintf(stderr, "muster-agent: warning: instance %s: %s\n", c->name,
	        text);
}

/* Both files are read; what is left are the files that they name. */
static int check(const char *file, const struct mu_agent_conf *conf)
{
	struct mu_instance_confs instances;
	char text[MU_ERR_MSG_MAX];
	struct mu_err err;
	int rc = mu_instance_confs_load(conf->conf_dir, &instances, &err);

	if (rc)
		return complain(rc, &err);
	rc = mu_agent_conf_check_files(conf, &instances, &err);
	for (size_t i = 0; i < instances.count; i++)
		mu_unheard_each(instances.at[i], warn_unheard, instances.at[i]);
	mu_instance_confs_wipe(&instances);
	if (mu_worker_lacks_conf_dir(conf, text, sizeof text))
		fprintf(stderr, "muster-agent: warning: %s\n", text);
	if (mu_agent_conf_is_slow_to_kill(conf, text, sizeof text))
		fprintf(stderr, "muster-agent: warning: %s\n", text);
	if (rc)
		return complain(rc, &err);
	if (file)
		printf("%s: ok\n", file);
	else
		printf(MU_AGENT_FILE ": not there; the defaults: ok\n");
	return MU_AGENT_GOOD;
}

int main(int argc, char **argv)
{
	const char *file = NULL;
	enum mu_agent_what what = mu_agent_options(argc, argv, &file);
	struct mu_agent_conf conf;
	struct mu_err err;
	int code, rc;

	if (mu_agent_print(what, &code))
		return code;
	if (!file && access(MU_AGENT_FILE, F_OK) == 0)
		file = MU_AGENT_FILE;
	rc = mu_agent_conf_load(file, &conf, &err);
	if (rc)
		return complain(rc, &err);
	if (what == MU_AGENT_LEAVE)
		code = leave(&conf);
	else if (what == MU_AGENT_CHECK)
		code = check(file, &conf);
	else
		code = mu_supervisor_run(file, &conf);
	mu_agent_conf_wipe(&conf);
	return code;
}
