/* kit_record.c - muster plugin record: write what an instance on this cluster would
 * be given, present state first. What is watched, and for how long. */
#include "kit.h"
#include "kit_record_impl.h"

#include "err.h"
#include "savefile.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define NODES_MAX 1000000u
#define QUEUE_MAX 1000000u
#define BYTES_MAX (1u << 30)
#define FILE_MODE 0600 /* it may hold what an ACL protects */
#define FOR_MAX_MS ((int64_t)240 * 3600 * 1000)

void record_fail(struct recording *r, int rc, const char *what)
{
	if (rc == 0 || r->rc)
		return;
	r->rc = rc;
	mu_format(r->why, sizeof r->why, "%.300s: %s", what,
	          mu_client_strerror(rc));
}

/* ---- what to watch ---- */

static const struct {
	const char *word;
	enum mu_mirror_mode mode;
} modes[] = {
	{ ":exact", MU_MIRROR_EXACT },
	{ ":children", MU_MIRROR_CHILDREN },
	{ ":subtree", MU_MIRROR_SUBTREE },
};

static int add(struct recording *r, const char *path, size_t len,
               enum mu_mirror_mode mode, mu_mirror_fn *fn)
{
	static const struct mu_mirror_limits limits = { NODES_MAX, QUEUE_MAX,
		                                        BYTES_MAX };
	struct watcher *w = &r->watcher[r->watchers];
	int rc;

	*w = (struct watcher){ .r = r, .mode = mode };
	w->path = strndup(path, len);
	rc = w->path ? mu_mirror_new(w->path, mode, &limits, fn, w, &w->mirror)
	             : MU_ENOMEM;
	if (rc == 0) {
		r->watchers++;
		return CLI_OK;
	}
	free(w->path);
	return rc == MU_EINVAL
	               ? cli_usage(r->cli,
	                           "--watch %s: a path, with :exact, "
	                           ":children or :subtree behind it if you "
	                           "like",
	                           path)
	               : cli_fail(r->cli, rc, NULL);
}

/* Where a mode would stand there is a word that is none: ":subtre". */
static const char *odd_mode(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (!colon || !colon[1] ||
	    strspn(colon + 1, "abcdefghijklmnopqrstuvwxyz") !=
	            strlen(colon + 1))
		return NULL;
	return colon + 1;
}

static int add_given(struct recording *r, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		size_t n = strlen(modes[i].word);

		if (len > n && strcmp(text + len - n, modes[i].word) == 0)
			return add(r, text, len - n, modes[i].mode,
			           record_change);
	}
	if (odd_mode(text))
		return cli_usage(r->cli,
		                 "--watch %s: \"%s\" is none of exact, "
		                 "children and subtree; of a path that ends "
		                 "so, say \"%s:exact\"",
		                 text, odd_mode(text), text);
	return add(r, text, len, MU_MIRROR_EXACT, record_change);
}

static int add_all(struct recording *r)
{
	const char *text;
	int rc = CLI_OK;

	for (size_t i = 0; !rc && (text = cli_given_nth(r->cli, "watch", i));
	     i++)
		rc = add_given(r, text);
	if (rc == CLI_OK && cli_given(r->cli, "members")) {
		r->roll = mu_roll_new(record_member, r);
		rc = r->roll ? add(r, MEMBERS, strlen(MEMBERS),
		                   MU_MIRROR_CHILDREN, record_member_node)
		             : cli_fail(r->cli, MU_ENOMEM, NULL);
	}
	if (rc == CLI_OK && r->watchers == 0)
		return cli_usage(r->cli,
		                 "record what? --watch PATH[:MODE], --members");
	return rc;
}

/* ---- recording ---- */

static int64_t mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the time is over, a signal comes (signals: it can be read then), or
 * something is wrong. */
static int turn_until(struct recording *r, int signals, int64_t end_ms)
{
	struct mu_client *c = r->cli->client;

	while (!r->rc) {
		struct pollfd p[2] = { { mu_client_fd(c), POLLIN, 0 },
			               { signals, POLLIN, 0 } };
		int64_t left = end_ms - mono_ms();
		int ms = mu_client_timeout_ms(c);
		int rc;

		if (left <= 0)
			return CLI_OK;
		poll(p, 2, left < ms ? (int)left : ms);
		if (p[1].revents)
			return CLI_OK;
		rc = mu_client_process(c);
		if (rc)
			return cli_fail(r->cli, rc, NULL);
	}
	return cli_fail(r->cli, r->rc, r->why);
}

static int record(struct recording *r, int64_t for_ms)
{
	struct cli *cli = r->cli;
	sigset_t stop;
	int signals, rc;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signals = signalfd(-1, &stop, SFD_CLOEXEC);
	if (signals < 0)
		return cli_fail(cli, MU_EIO, strerror(errno));
	rc = cli_connect(cli);
	if (rc == CLI_OK) {
		record_follow(r);
		rc = turn_until(r, signals, mono_ms() + for_ms);
	}
	/* Closing still answers requests: to nobody. */
	r->rc = r->rc ? r->rc : MU_ECLOSED;
	record_unfollow(r);
	cli_disconnect(cli);
	close(signals);
	return rc;
}

static void recording_fini(struct recording *r)
{
	for (size_t i = 0; i < r->watchers; i++) {
		mu_mirror_free(r->watcher[i].mirror);
		free(r->watcher[i].path);
	}
	free(r->watcher);
	mu_roll_free(r->roll);
}

/* What was recorded before something went wrong is kept. */
static int record_to_file(struct recording *r, const char *file, int64_t for_ms)
{
	struct mu_savefile *s;
	struct mu_err err = { 0, "" };
	int fd, rc = mu_savefile_open(file, true, FILE_MODE, &s, &err);
	bool whole;

	if (rc)
		return cli_fail(r->cli, rc, err.msg);
	fd = dup(mu_savefile_fd(s));
	r->out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!r->out) {
		mu_savefile_abort(s);
		return cli_fail(r->cli, MU_EIO, strerror(errno));
	}
	rc = record(r, for_ms);
	whole = fclose(r->out) == 0 && r->rc != MU_EIO;
	if (!whole || (rc && r->written == 0)) {
		mu_savefile_abort(s);
		return rc ? rc : cli_fail(r->cli, MU_EIO, file);
	}
	if (mu_savefile_commit(s, &err))
		return cli_fail(r->cli, MU_EIO, err.msg);
	fprintf(stderr, "muster plugin: %zu event%s in %s\n", r->written,
	        r->written == 1 ? "" : "s", file);
	return rc;
}

int kit_record(struct cli *cli)
{
	struct recording r = { .cli = cli, .out = stdout };
	const char *file = cli_given(cli, "output");
	int64_t for_ms;
	int rc;

	if (!cli_given_time(cli, "for", FOR_MAX_MS, FOR_MAX_MS, &for_ms))
		return CLI_USAGE;
	r.watcher = calloc(CLI_AGAIN_MAX + 1, sizeof *r.watcher);
	rc = r.watcher ? add_all(&r) : cli_fail(cli, MU_ENOMEM, NULL);
	if (rc == CLI_OK && file && strcmp(file, "-") != 0)
		rc = record_to_file(&r, file, for_ms);
	else if (rc == CLI_OK)
		rc = record(&r, for_ms);
	recording_fini(&r);
	return rc;
}
