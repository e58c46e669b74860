/* cmd_wait.c - muster wait: until the hosts that follow a node have applied it. */
#include "cli.h"
#include "commands.h"
#include "duration.h"
#include "standing.h"
#include "table.h"

#include "json.h"
#include "tty.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS (300 * 1000)
#define HOSTS_MAX 1000000
#define TEXT_ROOM 2048u  /* of one line of progress */
#define REASON_SHOWN 160 /* bytes of one host's reason */
#define NAMED_MAX 20u    /* hosts named in a line */

struct waiting {
	struct cli *cli;
	const char *instance; /* NULL: any */
	char *path;
	int64_t hosts, want; /* at least so many; this version, or -1 */
	int64_t until_ms, timeout_ms;
	struct view *view;
	struct standings standings;
	/* how things are */
	int64_t version, czxid, zxid; /* of the node */
	bool there, was_there;
	size_t counted, applied;
	bool many_instances; /* of one path: they are named, too */
	char text[TEXT_ROOM];
	/* The same without the digits of reasons (the time and process that a
	 * check prints are no news), and as it was when it was last told. */
	char gist[TEXT_ROOM], said[TEXT_ROOM];
	bool on_line; /* of the terminal something stands */
};

/* ---- judging ---- */

static bool counts(const struct waiting *w, const struct standing *s)
{
	if (!s->is_member)
		return false;
	return strcmp(s->path, w->path) == 0 || (w->instance && !s->record);
}

static bool is_done(const struct waiting *w, const struct standing *s)
{
	if (w->want < 0)
		return s->is_current;
	return s->says_applied && s->version >= w->want && s->zxid >= w->czxid;
}

static void start_line(struct waiting *w)
{
	w->text[0] = w->gist[0] = '\0';
}

/* Append to the line; what does not fit is left out. */
static void say(struct waiting *w, const char *fmt, ...) MU_PRINTF(2, 3);
static void say(struct waiting *w, const char *fmt, ...)
{
	size_t len = strlen(w->text), gist = strlen(w->gist);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->text + len, sizeof w->text - len, fmt, ap);
	va_end(ap);
	snprintf(w->gist + gist, sizeof w->gist - gist, "%s", w->text + len);
}

static void say_reason(struct waiting *w, const char *reason)
{
	size_t len = strlen(w->text), gist = strlen(w->gist);
	size_t said = said_len(reason);

	snprintf(w->text + len, sizeof w->text - len, "%.*s",
	         (int)(said < REASON_SHOWN ? said : REASON_SHOWN), reason);
	for (const char *p = w->text + len; *p; p++)
		if ((*p < '0' || *p > '9') && gist < sizeof w->gist - 1)
			w->gist[gist++] = *p;
	w->gist[gist] = '\0';
}

/* "failed: no such user"; of a version that is not the newest "failed version 6: ...";
 * if it is known what is in force "failed, version 5 is in force: ..." */
static void say_trouble(struct waiting *w, const struct standing *s)
{
	char word[32];

	standing_word(s, word, sizeof word);
	say(w, "%s", word);
	if (s->state != STANDING_QUARANTINED && s->version >= 0 &&
	    s->version != w->version)
		say(w, " version %" PRId64, s->version);
	if (s->in_force.version >= 0)
		say(w, ", version %" PRId64 " is in force",
		    s->in_force.version);
	if (s->reason[0])
		say(w, ": ");
	say_reason(w, s->reason);
}

/* "web2 (failed: no such user)", "web4 (at version 6)" */
static void say_host(struct waiting *w, const struct standing *s)
{
	say(w, "%.100s%s%s (", s->host, w->many_instances ? "/" : "",
	    w->many_instances ? s->instance : "");
	if (s->state == STANDING_BEHIND && s->version < 0)
		say(w, "has applied that it was deleted");
	else if (s->state == STANDING_BEHIND || s->state == STANDING_APPLIED)
		say(w, "at version %" PRId64, s->version);
	else if (s->state == STANDING_NONE)
		say(w, "no report yet");
	else if (s->state == STANDING_SILENT)
		say(w, "no report yet, of any host: not every plugin reports");
	else
		say_trouble(w, s);
	say(w, ")");
}

static void say_who_lags(struct waiting *w)
{
	size_t named = 0, left = w->counted - w->applied;
	const char *between = "; waiting for ";

	for (size_t i = 0; i < w->standings.count; i++) {
		const struct standing *s = &w->standings.at[i];

		if (!counts(w, s) || is_done(w, s))
			continue;
		if (named++ == NAMED_MAX)
			break;
		say(w, "%s", between);
		between = ", ";
		say_host(w, s);
	}
	if (left > NAMED_MAX)
		say(w, " and %zu more", left - NAMED_MAX);
	if ((int64_t)w->counted < w->hosts && w->counted > 0)
		say(w, "%s%" PRId64 " more to report", between,
		    w->hosts - (int64_t)w->counted);
}

static void count(struct waiting *w)
{
	const char *instance = NULL;

	w->counted = w->applied = 0;
	w->many_instances = false;
	for (size_t i = 0; i < w->standings.count; i++) {
		const struct standing *s = &w->standings.at[i];

		if (!counts(w, s))
			continue;
		if (instance && strcmp(instance, s->instance) != 0)
			w->many_instances = true;
		instance = s->instance;
		w->counted++;
		w->applied += is_done(w, s);
	}
}

static bool judge(struct waiting *w)
{
	const struct view_node *n = view_find(w->view, w->path);

	w->there = n && n->there;
	if (w->there) {
		w->version = n->stat.version;
		w->czxid = n->stat.czxid;
		w->zxid = n->stat.mzxid;
	}
	count(w);
	start_line(w);
	if (w->counted > 0)
		say(w, "%zu of %zu applied", w->applied, w->counted);
	else if (w->instance)
		say(w,
		    "no live host has an instance \"%.64s\" that reports on "
		    "%.200s",
		    w->instance, w->path);
	else
		say(w, "no host has reported on %.200s yet", w->path);
	say_who_lags(w);
	if (w->there && w->want > w->version)
		say(w, "; the node itself is at version %" PRId64, w->version);
	return w->applied == w->counted && (int64_t)w->applied >= w->hosts;
}

/* ---- telling ---- */

/* A terminal has one line, written over; elsewhere each change is one. */
static void tell(struct waiting *w)
{
	if (strcmp(w->gist, w->said) == 0)
		return;
	memcpy(w->said, w->gist, sizeof w->said);
	for (char *p = w->text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (mu_tty_is(2)) {
		fprintf(stderr, "\r\033[K%.*s", mu_tty_width(2) - 1, w->text);
		w->on_line = true;
	} else {
		fprintf(stderr, "%s\n", w->text);
	}
	fflush(stderr);
}

static void end_line(struct waiting *w)
{
	if (w->on_line)
		fputc('\n', stderr);
	w->on_line = false;
}

static void tell_edit(struct waiting *w, int64_t before)
{
	end_line(w);
	fprintf(stderr,
	        "muster wait: %s was edited meanwhile: waiting for version "
	        "%" PRId64 " now, no longer %" PRId64 "\n",
	        w->path, w->version, before);
}

static int fill(struct mu_json *o, const void *rows, size_t i)
{
	const struct waiting *w = rows;
	const struct standing *s = &w->standings.at[i];

	if (!counts(w, s))
		return 1;
	if (mu_json_set_bool(o, "done", is_done(w, s)))
		return MU_ENOMEM;
	return standing_json(o, s);
}

static int print_json(const struct waiting *w, bool done)
{
	struct mu_json *o = mu_json_object();
	struct mu_json *hosts = cli_json_rows(w, w->standings.count, fill);
	int rc = hosts ? 0 : MU_ENOMEM;

	rc = rc ? rc : mu_json_set_str(o, "path", w->path);
	rc = rc ? rc
	        : mu_json_set_int(o, "version",
	                          w->want < 0 ? w->version : w->want);
	rc = rc ? rc : mu_json_set_int(o, "zxid", w->zxid);
	rc = rc ? rc : mu_json_set_bool(o, "done", done);
	rc = rc ? rc : mu_json_set_int(o, "applied", (int64_t)w->applied);
	rc = rc ? rc : mu_json_set_int(o, "of", (int64_t)w->counted);
	if (rc)
		mu_json_free(hosts);
	else
		rc = mu_json_set(o, "hosts", hosts);
	if (rc == 0)
		return cli_print_json(w->cli, o);
	mu_json_free(o);
	return cli_fail(w->cli, rc, NULL);
}

static int finish(struct waiting *w)
{
	tell(w);
	end_line(w);
	if (w->cli->json)
		return print_json(w, true);
	printf("%s version %" PRId64 ": applied by %zu of %zu\n", w->path,
	       w->want < 0 ? w->version : w->want, w->applied, w->counted);
	return CLI_OK;
}

static int give_up(struct waiting *w)
{
	int64_t version = w->want < 0 ? w->version : w->want;
	char time[DURATION_ROOM], text[4096 + 256 + TEXT_ROOM];

	duration_text(time, w->timeout_ms);
	end_line(w);
	if (w->cli->json)
		print_json(w, false);
	for (char *p = w->text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	snprintf(text, sizeof text,
	         "after %s version %" PRId64
	         " of %.4096s is not applied by all: %s",
	         time, version, w->path, w->text);
	cli_fail(w->cli, MU_ETIMEDOUT, text);
	return CLI_FAILED;
}

/* ---- the command ---- */

static int is_gone(struct waiting *w)
{
	char text[512];

	end_line(w);
	snprintf(text, sizeof text,
	         w->was_there ? "%.400s was deleted meanwhile: there is "
	                        "nothing to wait for"
	                      : "%.400s does not exist: make it, or look at "
	                        "its name",
	         w->path);
	return cli_fail(w->cli, MU_ENONODE, text);
}

static int look(struct waiting *w, bool *done)
{
	int64_t before = w->version;
	int rc;

	standings_free(&w->standings);
	rc = standings_read_about(w->view, w->instance, w->path, &w->standings);
	if (rc)
		return rc;
	*done = judge(w);
	if (!w->there)
		return MU_ENONODE;
	if (w->was_there && w->want < 0 && w->version != before)
		tell_edit(w, before);
	w->was_there = true;
	return 0;
}

static void tell_away(struct waiting *w)
{
	start_line(w);
	say(w, "the broker is away; waiting for it");
	tell(w);
}

/* Until done, or an exit code. */
static int wait_on(struct waiting *w)
{
	for (;;) {
		bool done = false;
		int rc = look(w, &done);

		if (rc == MU_ENONODE)
			return is_gone(w);
		if (rc && cli_exit_of(rc) != CLI_NO_BROKER)
			return cli_fail(w->cli, rc, NULL);
		if (done)
			return finish(w);
		if (rc)
			tell_away(w);
		else
			tell(w);
		rc = view_wait(w->view, w->until_ms);
		if (rc == MU_ETIMEDOUT)
			return give_up(w);
		if (rc && (rc = view_restart(w->view, w->until_ms)))
			return rc;
	}
}

static int read_options(struct waiting *w)
{
	const char *path = cli_given(w->cli, "applied");

	if (!path)
		return cli_usage(w->cli, "for what? give --applied PATH");
	w->instance = cli_given(w->cli, "instance");
	if (w->instance && !cli_is_word(w->instance))
		return cli_usage(w->cli,
		                 "\"%s\" is no name of an instance: letters, "
		                 "digits and -_.",
		                 w->instance);
	if (!cli_given_number(w->cli, "hosts", 1, HOSTS_MAX, 1, &w->hosts) ||
	    !cli_given_number(w->cli, "version", 0, INT32_MAX, -1, &w->want) ||
	    !cli_given_time(w->cli, "timeout", CLI_TIMEOUT_MAX_MS, TIMEOUT_MS,
	                    &w->timeout_ms))
		return CLI_USAGE;
	w->path = cli_path_of(w->cli, path);
	return w->path ? CLI_OK : CLI_USAGE;
}

static int follow(struct waiting *w)
{
	int rc;

	w->view = view_new(w->cli, true);
	if (!w->view || view_add(w->view, w->path, 0) ||
	    standings_cover(w->view, w->instance))
		rc = cli_fail(w->cli, MU_ENOMEM, NULL);
	else
		rc = wait_on(w);
	standings_free(&w->standings);
	view_free(w->view);
	return rc;
}

int cmd_wait(struct cli *cli)
{
	struct waiting *w = calloc(1, sizeof *w);
	int rc;

	if (!w)
		return cli_fail(cli, MU_ENOMEM, NULL);
	w->cli = cli;
	rc = read_options(w);
	w->until_ms = view_clock_ms() + w->timeout_ms;
	if (rc == CLI_OK)
		rc = cli_connect(cli);
	if (rc == CLI_OK)
		rc = follow(w);
	free(w->path);
	free(w);
	return rc;
}
