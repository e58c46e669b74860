/*
 * main.c - muster-broker: arguments, signals, start and stop.
 */
#include "datacheck.h"
#include "err.h"
#include "files.h"
#include "log.h"
#include "loop.h"
#include "notify.h"
#include "server.h"
#include "zsock.h"

#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_CONFIG = 2, EXIT_USAGE = 64 };

#define FDS_BESIDES_LINKS 64 /* descriptors */

struct broker {
	const char *file; /* NULL: defaults only */
	bool file_given;
	struct mu_broker_options options;
	struct mu_loop *loop;
	struct mu_server *server;
	bool stopped; /* by a signal */
	bool ready;   /* the ready file is ours */
};

static const char help[] =
	"NAME\n"
	"    muster-broker - hold the tree of a Muster cluster\n"
	"\n"
	"SYNOPSIS\n"
	"    muster-broker [-c FILE]\n"
	"    muster-broker [-c FILE] --check-config\n"
	"    muster-broker --check-data DIR\n"
	"    muster-broker --repair DIR [--yes]\n"
	"    muster-broker --print-defaults | --help | --version\n"
	"\n"
	"DESCRIPTION\n"
	"    Serves a tree of nodes to agents and to the command line, in the\n"
	"    foreground, and logs to stderr. A write is on disk before it is\n"
	"    answered (durability in the configuration). This build listens "
	"on\n"
	"    loopback and ipc addresses only.\n"
	"\n"
	"OPTIONS\n"
	"    -c, --config FILE   read FILE; default " MU_BROKER_CONF "\n"
	"                        (defaults are used if that one is missing)\n"
	"    --check-config      read it, say what is wrong, and exit\n"
	"    --check-data DIR    read a data directory to the last byte, with "
	"no\n"
	"                        broker at work in it, and say what is wrong\n"
	"    --repair DIR        say what a cut at the first damaged place of "
	"the\n"
	"                        journal would lose; with --yes, cut there\n"
	"    --print-defaults    print a file with every key, its default and "
	"unit\n"
	"    -h, --help          print this\n"
	"    -V, --version       print the version\n"
	"\n"
	"SIGNALS\n"
	"    SIGTERM, SIGINT     say goodbye to all clients and exit\n"
	"    SIGHUP              read the configuration again\n"
	"    SIGUSR1             log a line of numbers\n"
	"\n"
	"EXIT STATUS\n"
	"    0    stopped by a signal, or what was checked is good\n"
	"    1    could not start, or could not go on (the log says why); or "
	"the\n"
	"         data is damaged\n"
	"    2    the configuration is wrong\n"
	"    64   wrong arguments\n";

/* ---- configuration ----------------------------------------------------------- */

static int load(const struct broker *b, struct mu_broker_options *out,
                struct mu_err *err)
{
	if (!b->file_given && access(b->file, F_OK) != 0)
		return mu_broker_options_load(NULL, out, err);
	return mu_broker_options_load(b->file, out, err);
}

static int check_config(const struct broker *b)
{
	struct mu_broker_options o;
	struct mu_err err;

	if (mu_broker_options_load(b->file, &o, &err)) {
		fprintf(stderr, "muster-broker: %s\n", err.msg);
		return EXIT_CONFIG;
	}
	mu_broker_options_fini(&o);
	printf("%s: ok\n", b->file);
	return 0;
}

static void log_level(const struct broker *b)
{
	mu_log_level((enum mu_level)mu_log_level_by_word(b->options.log_level));
}

static void say_kept(void *arg, const char *key)
{
	(void)arg;
	mu_log(MU_WARN, MSG("a changed key is ignored until a restart"),
	       KS("key", key));
}

static void reload(void *arg)
{
	struct broker *b = arg;
	struct mu_broker_options fresh;
	struct mu_err err = { 0 };

	if (load(b, &fresh, &err)) {
		mu_log(MU_ERROR, MSG("configuration not reloaded"),
		       KS("why", err.msg));
		return;
	}
	mu_broker_options_reload(&b->options, &fresh, say_kept, NULL);
	mu_broker_options_fini(&fresh);
	log_level(b);
	if (mu_server_reconfigure(b->server, &err))
		mu_log(MU_ERROR, MSG("limits stay as they were"),
		       KS("why", err.msg));
	else
		mu_log(MU_INFO, MSG("configuration reloaded"),
		       KS("file", b->file));
}

/* ---- running --------------------------------------------------------------------- */

static void stop(void *arg)
{
	struct broker *b = arg;

	b->stopped = true;
	mu_loop_stop(b->loop);
}

static void log_stats(void *arg)
{
	mu_server_log_stats(((struct broker *)arg)->server);
}

static const struct {
	int signum;
	mu_loop_fn *fn;
} signals[] = {
	{ SIGTERM, stop },
	{ SIGINT, stop },
	{ SIGHUP, reload },
	{ SIGUSR1, log_stats },
};
#define SIGNALS (sizeof signals / sizeof *signals)

/* A link over TCP is a descriptor; ask for as many as we may have. */
static void raise_fd_limit(const struct broker *b)
{
	const rlim_t want = (rlim_t)b->options.links_max + FDS_BESIDES_LINKS;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur >= want)
		return;
	r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
	setrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur < want)
		mu_log(MU_WARN,
		       MSG("fewer descriptors than links_max; raise "
		           "LimitNOFILE or lower links_max"),
		       KI("descriptors", r.rlim_cur),
		       KI("links_max", b->options.links_max));
}

static int tell_ready(struct broker *b, struct mu_err *err)
{
	const char *file = b->options.ready_file;
	const char *text = mu_server_addresses(b->server);
	int rc;

	if (*file) {
		rc = mu_file_replace(file, text, strlen(text), 0644, err);
		if (rc)
			return rc;
		b->ready = true;
	}
	if (mu_notify("READY=1"))
		mu_log(MU_WARN, MSG("the service manager cannot be told"));
	return 0;
}

static void not_ready(struct broker *b)
{
	if (b->ready)
		unlink(b->options.ready_file);
	b->ready = false;
}

/* One server's life; after a restore another begins. */
static int serve_once(struct broker *b, struct mu_err *err)
{
	int rc = mu_server_new(b->loop, &b->options, &b->server, err);

	rc = rc ? rc : tell_ready(b, err);
	if (!rc)
		mu_loop_run(b->loop);
	return rc;
}

static int serve_all(struct broker *b, struct mu_err *err)
{
	int rc = serve_once(b, err);

	while (!rc && !b->stopped && mu_server_wants_again(b->server) &&
	       !mu_server_failed(b->server)) {
		not_ready(b);
		mu_server_free(b->server);
		b->server = NULL;
		rc = serve_once(b, err);
	}
	return rc;
}

static int serve(struct broker *b, struct mu_err *err)
{
	struct mu_signal *handle[SIGNALS] = { NULL };
	size_t i;
	int rc = 0;

	for (i = 0; i < SIGNALS && !rc; i++)
		rc = mu_signal_new(b->loop, signals[i].signum, signals[i].fn, b,
		                   &handle[i]);
	if (rc)
		mu_err(err, rc, "cannot watch for signals");
	else
		rc = serve_all(b, err);
	if (b->stopped)
		mu_log(MU_INFO, MSG("stopping"));
	mu_notify("STOPPING=1");
	if (b->server && mu_server_failed(b->server))
		rc = mu_err(err, MU_ENOMEM, "could not go on");
	not_ready(b);
	mu_server_free(b->server);
	for (i = 0; i < SIGNALS; i++) {
		if (handle[i])
			mu_signal_free(handle[i]);
	}
	return rc;
}

/* glibc takes huge pages only if it is told so before main. With them the fork
 * for a snapshot holds the broker a tenth as long. Not possible: go on without. */
static void take_huge_pages(char **argv)
{
	static const char key[] = "GLIBC_TUNABLES";
	char self[PATH_MAX];
	ssize_t len;

	if (getenv(key))
		return;
	len = readlink("/proc/self/exe", self, sizeof self - 1);
	if (len < 0 || setenv(key, "glibc.malloc.hugetlb=1", 1))
		return;
	self[len] = '\0';
	execv(self, argv);
}

static int run(struct broker *b)
{
	struct mu_err err = { 0 };
	int rc;

	mu_log_open("muster-broker", MU_INFO);
	signal(SIGCHLD, SIG_DFL); /* who started us may have ignored it */
	if (load(b, &b->options, &err)) {
		fprintf(stderr, "muster-broker: %s\n", err.msg);
		return EXIT_CONFIG;
	}
	log_level(b);
	mu_log(MU_INFO, MSG("starting"), KS("version", MU_VERSION),
	       KS("libzmq", mu_zsock_version()), KI("pid", getpid()),
	       KS("data_dir", b->options.data_dir));
	raise_fd_limit(b);
	rc = mu_loop_new(&b->loop, &err);
	rc = rc ? rc : serve(b, &err);
	mu_loop_free(b->loop);
	if (rc)
		mu_log(MU_ERROR, MSG("muster-broker failed"),
		       KS("why", err.msg));
	else
		mu_log(MU_INFO, MSG("stopped"));
	mu_broker_options_fini(&b->options);
	return rc ? EXIT_FAILED : 0;
}

/* ---- arguments ------------------------------------------------------------------------ */

enum { OPT_CHECK = 256, OPT_DEFAULTS, OPT_CHECK_DATA, OPT_REPAIR, OPT_YES };

static int usage(void)
{
	fprintf(stderr, "Try 'muster-broker --help'.\n");
	return EXIT_USAGE;
}

struct wants {
	bool check, yes;
	const char *check_data, *repair; /* directories */
};

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check-config", no_argument, NULL, OPT_CHECK },
	{ "check-data", required_argument, NULL, OPT_CHECK_DATA },
	{ "repair", required_argument, NULL, OPT_REPAIR },
	{ "yes", no_argument, NULL, OPT_YES },
	{ "print-defaults", no_argument, NULL, OPT_DEFAULTS },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

/* -1: go on; else the exit status. */
static int take_option(struct broker *b, struct wants *w, int c)
{
	switch (c) {
	case 'c':
		b->file = optarg;
		b->file_given = true;
		return -1;
	case OPT_CHECK:
		w->check = true;
		return -1;
	case OPT_CHECK_DATA:
		w->check_data = optarg;
		return -1;
	case OPT_REPAIR:
		w->repair = optarg;
		return -1;
	case OPT_YES:
		w->yes = true;
		return -1;
	case OPT_DEFAULTS:
		mu_conf_help(mu_broker_rows, STDOUT_FILENO);
		return 0;
	case 'h':
		fputs(help, stdout);
		return 0;
	case 'V':
		puts("muster-broker " MU_VERSION);
		return 0;
	default:
		return usage();
	}
}

int main(int argc, char **argv)
{
	struct broker b = { .file = MU_BROKER_CONF };
	struct wants w = { 0 };
	int c, status;

	while ((c = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		status = take_option(&b, &w, c);
		if (status >= 0)
			return status;
	}
	if (optind < argc) {
		fprintf(stderr, "muster-broker: unexpected argument '%s'\n",
		        argv[optind]);
		return usage();
	}
	if ((w.check_data && w.repair) || (w.yes && !w.repair)) {
		fprintf(stderr, "muster-broker: --check-data and --repair are "
		                "one or the other; --yes goes with --repair\n");
		return usage();
	}
	if (w.check_data)
		return mu_check_data(w.check_data, false, stdout);
	if (w.repair)
		return mu_repair_data(w.repair, w.yes);
	if (w.check)
		return check_config(&b);
	take_huge_pages(argv);
	return run(&b);
}
