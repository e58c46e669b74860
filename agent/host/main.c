/*
 * muster-agent - answers the roll call for one host, and runs its plugins.
 */
#include "agent_conf.h"
#include "clock.h"
#include "err.h"
#include "files.h"
#include "identity.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "member.h"
#include "notify.h"
#include "plugins.h"
#include "roster.h"
#include "uplink.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_FILE "/etc/muster/agent.conf"
#define LAST_WORDS_MS 1000u /* for each request of the farewell */
#define LEAVE_MAX_MS 10000u /* --leave waits that long after stop_grace_ms */
#define LEAVE_POLL_MS 20u

enum exit_code {
	EXIT_GOOD = 0,
	EXIT_FAILED = 1,
	EXIT_CONFIG = 2,
	EXIT_USAGE = 64,
};

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
	"OPTIONS\n"
	"       -c, --config FILE   configuration (" DEFAULT_FILE ";\n"
	"                           defaults are used if that one is missing)\n"
	"       --check-config      read the configuration, say what is wrong\n"
	"                           with it, and end\n"
	"       --leave             make the running agent leave the cluster "
	"on\n"
	"                           purpose and end, and wait for that\n"
	"       --print-defaults    print a file with every key, its default\n"
	"                           and unit\n"
	"       -h, --help          this text\n"
	"       -V, --version       the version\n"
	"\n"
	"SIGNALS\n"
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
	"       64  wrong arguments\n"
	"\n"
	"CONFIGURATION\n"
	"       The keys of the file, with their defaults:\n"
	"\n";

struct agent {
	const char *file; /* NULL: the defaults */
	struct mu_agent_conf conf;
	struct mu_instance_confs instances; /* until they are started */
	struct mu_loop *loop;
	struct mu_uplink *uplink;
	struct mu_plugins *plugins;
	struct mu_roster *roster;
	struct mu_signal *signal[4];
	char id[MU_ID_LEN + 1];
	char boot_id[64];
	int lock;
	bool ending, leave;
};

/* ---- the end ---- */

static void on_all_stopped(void *arg)
{
	struct agent *a = arg;

	mu_loop_stop(a->loop);
}

static void end(struct agent *a)
{
	if (a->ending)
		return;
	a->ending = true;
	mu_log(MU_INFO, MSG(a->leave ? "leaving" : "ending"));
	mu_notify("STOPPING=1");
	mu_plugins_stop(a->plugins);
}

static void on_end(void *arg)
{
	end(arg);
}

static void on_leave(void *arg)
{
	struct agent *a = arg;

	a->leave = true;
	end(a);
}

/* Outside of the loop: all instances have ended. */
static void farewell(struct agent *a)
{
	struct mu_err err, why;
	int rc = a->leave ? mu_roster_leave(a->roster, LAST_WORDS_MS, &err)
	                  : mu_roster_say_leaving(a->roster, LAST_WORDS_MS,
	                                          &err);

	/* Those who never saw it miss nothing. */
	if (rc && rc != MU_ENONODE && mu_roster_was_registered(a->roster))
		mu_log(MU_WARN,
		       MSG("the others could not be told that this host goes "
		           "on purpose"),
		       KS("reason", err.msg));
	if (a->leave &&
	    mu_leave_say(a->conf.runtime_dir, rc ? err.msg : NULL, &why))
		mu_log(MU_WARN, MSG("cannot tell --leave how it went"),
		       KS("reason", why.msg));
}

/* ---- the start ---- */

static bool is_conf_dir_missing(const struct mu_agent_conf *conf, char *text,
                                size_t room)
{
	if (access(conf->conf_dir, F_OK) == 0)
		return false;
	snprintf(text, room, "conf_dir %.400s is not there: no plugins",
	         conf->conf_dir);
	return true;
}

static void warn_without_conf_dir(const struct agent *a)
{
	char text[MU_ERR_MSG_MAX];

	if (!is_conf_dir_missing(&a->conf, text, sizeof text))
		return;
	mu_log(MU_WARN, MSG(text));
}

static void say_kept(void *arg, const struct mu_conf_row *row)
{
	(void)arg;
	if (!row->reloadable)
		mu_log(MU_WARN,
		       MSG("a changed key takes effect at the next start"),
		       KS("key", row->key));
}

/* Both files are read before anything changes. */
static int read_again(struct agent *a, struct mu_instance_confs *confs,
                      struct mu_err *err)
{
	struct mu_agent_conf fresh;
	int rc = mu_agent_conf_load(a->file, &fresh, err);

	if (rc)
		return rc;
	rc = mu_instance_confs_load(a->conf.conf_dir, confs, err);
	if (!rc) {
		mu_log_level((enum mu_level)fresh.level);
		mu_agent_conf_diff(&a->conf, &fresh, say_kept, NULL);
	}
	mu_agent_conf_wipe(&fresh);
	return rc;
}

static void on_reload(void *arg)
{
	struct agent *a = arg;
	struct mu_instance_confs confs;
	struct mu_err err;

	if (a->ending)
		return;
	if (read_again(a, &confs, &err)) {
		mu_log(MU_ERROR,
		       MSG("the new configuration is not used; all goes on as "
		           "before"),
		       KS("reason", err.msg));
		return;
	}
	warn_without_conf_dir(a);
	mu_log(MU_INFO, MSG("configuration read again"),
	       KI("instances", confs.count));
	mu_plugins_apply(a->plugins, &confs);
}

static int catch_signals(struct agent *a)
{
	static const struct {
		int signum;
		mu_loop_fn *fn;
	} rows[] = {
		{ SIGTERM, on_end },
		{ SIGINT, on_end },
		{ SIGUSR2, on_leave },
		{ SIGHUP, on_reload },
	};
	int rc = 0;

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !rc; i++)
		rc = mu_signal_new(a->loop, rows[i].signum, rows[i].fn, a,
		                   &a->signal[i]);
	return rc;
}

static void read_boot_id(struct agent *a)
{
	char *text;
	size_t len;

	if (mu_file_read("/proc/sys/kernel/random/boot_id",
	                 sizeof a->boot_id - 1, &text, &len, NULL))
		return;
	while (len > 0 && text[len - 1] == '\n')
		len--;
	memcpy(a->boot_id, text, len);
	a->boot_id[len] = '\0';
	mu_free(text);
}

static int open_session(struct agent *a, struct mu_err *err)
{
	struct mu_uplink_options u = { a->loop, a->conf.broker_urls,
		                       a->conf.runtime_dir,
		                       (uint32_t)a->conf.session_timeout_ms,
		                       a->conf.name };

	return mu_uplink_new(&u, &a->uplink, err);
}

static int open_parts(struct agent *a)
{
	struct mu_plugins_options p = { a->loop, a->uplink, &a->conf,
		                        on_all_stopped, a };
	struct mu_member self = { .size = sizeof self };
	int rc;

	self.name = a->conf.name;
	self.id = a->id;
	self.address = a->conf.address;
	self.port = (uint32_t)a->conf.port;
	self.version = MU_VERSION;
	self.boot_id = a->boot_id;
	self.started_ms = mu_clock_wall_ms();
	self.state = MU_MEMBER_UP;
	self.labels = a->conf.labels;
	rc = mu_roster_new(a->loop, a->uplink, &self, &a->roster);
	return rc ? rc : mu_plugins_new(&p, &a->plugins);
}

static int open_all(struct agent *a, struct mu_err *err)
{
	int rc = mu_loop_new(&a->loop, err);

	/* Before the lock tells anybody whom to signal. */
	if (!rc && catch_signals(a))
		rc = mu_err(err, MU_EIO, "signals cannot be caught");
	if (!rc)
		rc = mu_runtime_lock(a->conf.runtime_dir, &a->lock, err);
	if (!rc)
		rc = mu_identity_load(a->conf.state_dir, a->id, err);
	if (!rc)
		rc = open_session(a, err);
	if (rc)
		return rc;
	read_boot_id(a);
	rc = open_parts(a);
	return rc ? mu_err(err, rc, "the agent cannot start: %s",
	                   mu_err_text(rc))
	          : 0;
}

static void close_all(struct agent *a)
{
	for (size_t i = 0; i < sizeof a->signal / sizeof a->signal[0]; i++)
		if (a->signal[i])
			mu_signal_free(a->signal[i]);
	mu_plugins_free(a->plugins);
	mu_roster_free(a->roster);
	mu_uplink_free(a->uplink);
	mu_loop_free(a->loop);
	mu_instance_confs_wipe(&a->instances);
	if (a->lock >= 0)
		close(a->lock);
}

static int run(struct agent *a)
{
	struct mu_err err;

	mu_log_open("muster-agent", (enum mu_level)a->conf.level);
	a->lock = -1;
	if (open_all(a, &err)) {
		mu_log(MU_ERROR, MSG("cannot start"), KS("reason", err.msg));
		close_all(a);
		return EXIT_FAILED;
	}
	mu_log(MU_INFO, MSG("agent started"), KS("version", MU_VERSION),
	       KS("name", a->conf.name), KS("id", a->id),
	       KS("brokers", a->conf.broker_urls),
	       KI("instances", a->instances.count));
	warn_without_conf_dir(a);
	mu_plugins_apply(a->plugins, &a->instances);
	/* Ready as a service: it does its work with the broker away, too. */
	mu_notify("READY=1");
	mu_loop_run(a->loop);
	farewell(a);
	close_all(a);
	mu_log(MU_INFO, MSG("agent ended"));
	return EXIT_GOOD;
}

/* ---- from outside ---- */

/* The agent has ended: did it do as asked? */
static int leave_result(const struct mu_agent_conf *conf)
{
	struct mu_err err;
	int rc = mu_leave_read(conf->runtime_dir, &err);

	if (!rc)
		return EXIT_GOOD;
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
	return EXIT_FAILED;
}

static int cannot(const struct mu_err *err)
{
	fprintf(stderr, "muster-agent: %s\n", err->msg);
	return EXIT_FAILED;
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

enum what {
	DO_RUN,
	DO_CHECK,
	DO_LEAVE,
	DO_DEFAULTS,
	DO_HELP,
	DO_VERSION,
	DO_USAGE,
};

static enum what parse_options(int argc, char **argv, const char **file)
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
	enum what what = DO_RUN;
	int c;

	while ((c = getopt_long(argc, argv, "c:hV", rows, NULL)) != -1) {
		if (c == 'c')
			*file = optarg;
		else if (c == 'k')
			what = DO_CHECK;
		else if (c == 'l')
			what = DO_LEAVE;
		else if (c == 'd')
			what = DO_DEFAULTS;
		else if (c == 'h')
			return DO_HELP;
		else
			return c == 'V' ? DO_VERSION : DO_USAGE;
	}
	return optind == argc ? what : DO_USAGE;
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

/* What needs no configuration. False: it does. */
static bool print_only(enum what what, int *code)
{
	*code = EXIT_GOOD;
	if (what == DO_HELP)
		print_help();
	else if (what == DO_DEFAULTS)
		mu_conf_help(mu_agent_rows, STDOUT_FILENO);
	else if (what == DO_VERSION)
		printf("muster-agent %s\n", MU_VERSION);
	else if (what == DO_USAGE)
		*code = EXIT_USAGE;
	else
		return false;
	if (what == DO_USAGE)
		fputs("usage: muster-agent [-c FILE] [--check-config | "
		      "--leave]; --help tells more\n",
		      stderr);
	return true;
}

/* A file that is wrong, not there or not to be read is one thing, memory that
 * refuses another. */
static int complain(int rc, const struct mu_err *err)
{
	fprintf(stderr, "muster-agent: %s\n", err->msg);
	return rc == MU_ENOMEM ? EXIT_FAILED : EXIT_CONFIG;
}

/* Both were read; what is left are the files that they name. */
static int check(const struct agent *a)
{
	char text[MU_ERR_MSG_MAX];
	struct mu_err err;
	int rc = mu_agent_conf_check_files(&a->conf, &a->instances, &err);

	if (is_conf_dir_missing(&a->conf, text, sizeof text))
		fprintf(stderr, "muster-agent: warning: %s\n", text);
	if (rc)
		return complain(rc, &err);
	if (a->file)
		printf("%s: ok\n", a->file);
	else
		printf(DEFAULT_FILE ": not there; the defaults: ok\n");
	return EXIT_GOOD;
}

int main(int argc, char **argv)
{
	struct agent a = { 0 };
	enum what what = parse_options(argc, argv, &a.file);
	struct mu_err err;
	int code, rc;

	if (print_only(what, &code))
		return code;
	if (!a.file && access(DEFAULT_FILE, F_OK) == 0)
		a.file = DEFAULT_FILE;
	rc = mu_agent_conf_load(a.file, &a.conf, &err);
	if (rc)
		return complain(rc, &err);
	if (what == DO_LEAVE) {
		code = leave(&a.conf);
	} else {
		rc = mu_instance_confs_load(a.conf.conf_dir, &a.instances,
		                            &err);
		if (rc)
			code = complain(rc, &err);
		else
			code = what == DO_CHECK ? check(&a) : run(&a);
		mu_instance_confs_wipe(&a.instances);
	}
	mu_agent_conf_wipe(&a.conf);
	return code;
}
