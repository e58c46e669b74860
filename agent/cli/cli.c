/* cli.c - what the commands share: errors, the connection, values. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "duration.h"
#include "err.h"
#include "json.h"
#include "path.h"

#define VALUE_MAX (64u * 1024 * 1024) /* the broker's limit is lower */
#define SESSION_TIMEOUT_MS 10000u

const char *cli_given(const struct cli *cli, const char *option)
{
	const struct cli_option *rows = cli->command->options;

	for (int i = 0; rows[i].name; i++)
		if (strcmp(rows[i].name, option) == 0)
			return cli->given[i];
	return NULL;
}

const char *cli_given_nth(const struct cli *cli, const char *option, size_t n)
{
	const struct cli_option *rows = cli->command->options;

	for (size_t i = 0; i < cli->agains; i++)
		if (strcmp(rows[cli->again[i].row].name, option) == 0 &&
		    n-- == 0)
			return cli->again[i].value;
	return NULL;
}

bool cli_given_number(const struct cli *cli, const char *option, int64_t min,
                      int64_t max, int64_t fallback, int64_t *out)
{
	const char *text = cli_given(cli, option);
	char *end;
	long long v;

	*out = fallback;
	if (!text)
		return true;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (end == text || *end || errno || v < min || v > max) {
		cli_usage(cli, "--%s takes a number from %lld to %lld", option,
		          (long long)min, (long long)max);
		return false;
	}
	*out = v;
	return true;
}

bool cli_time_of(const struct cli *cli, const char *option, const char *text,
                 int64_t max_ms, int64_t *out_ms)
{
	char most[DURATION_ROOM];
	int64_t ms;

	if (duration_parse(text, &ms) && ms >= 1 && ms <= max_ms) {
		*out_ms = ms;
		return true;
	}
	duration_text(most, max_ms);
	cli_usage(cli,
	          "--%s takes a time from 1ms to %s, such as " DURATION_FORM
	          "; not \"%.40s\"",
	          option, most, text);
	return false;
}

bool cli_given_time(const struct cli *cli, const char *option, int64_t max_ms,
                    int64_t fallback_ms, int64_t *out_ms)
{
	const char *text = cli_given(cli, option);

	*out_ms = fallback_ms;
	return !text || cli_time_of(cli, option, text, max_ms, out_ms);
}

int cli_exit_of(int rc)
{
	switch (rc) {
	case MU_OK:
		return CLI_OK;
	case MU_ENONODE:
		return CLI_NO_NODE;
	case MU_EBADVERSION:
		return CLI_VERSION;
	case MU_EEXISTS:
	case MU_ENOTEMPTY:
		return CLI_EXISTS;
	case MU_EINVAL: /* a path, mostly: what stands on the command line */
		return CLI_USAGE;
	case MU_ECONNLOSS:
	case MU_ETIMEDOUT:
	case MU_EEXPIRED:
		return CLI_NO_BROKER;
	default:
		return CLI_FAILED;
	}
}

/* What to do next, where a code alone does not tell. */
static const struct {
	int rc;
	const char *advice;
} advices[] = {
	{ MU_EINVAL,
	  "a path has at most path_max bytes, 4096 unless broker.conf says "
	  "otherwise: use a shorter one, or raise that" },
	{ MU_ENONODE, "`muster ls` of its parent shows what is there" },
	{ MU_EEXISTS, "`muster set` changes its value" },
	{ MU_ENOCHILDREN, "make it below a node that is not ephemeral" },
	{ MU_ETOOBIG,
	  "packet_max in broker.conf is the limit of a request, 1 MiB unless "
	  "set. Keep large data elsewhere, and in the node where it is" },
	{ MU_ENOAUTH,
	  "its ACL lets others do that, but not you, and this program cannot "
	  "authenticate yet" },
	{ MU_EQUOTA,
	  "a node above has a quota, below /zookeeper/quota: delete something, "
	  "or raise it; of ephemerals, session_ephemeral_bytes_max in "
	  "broker.conf is one too" },
	{ MU_ETHROTTLED, "try again, with fewer requests at once" },
	{ MU_ENOSPACE, "`muster broker status`, on its host, says why" },
	{ MU_EMAXDATA, "delete nodes, or raise max_data in broker.conf" },
	{ MU_ECONNLOSS,
	  "it may have been carried out or not: look before you do it again" },
};

/* A sentence that says what to do next says more than the code's own words. */
static const char *advice_of(int rc, const char *sentence)
{
	const char *words = mu_client_strerror(rc);
	size_t len = strlen(sentence), n = strlen(words);

	if (len < n || strcmp(sentence + len - n, words) != 0)
		return NULL;
	for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++)
		if (advices[i].rc == rc)
			return advices[i].advice;
	return NULL;
}

/* What JSON has no place for. */
static void make_ascii(char *text)
{
	for (char *p = text; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
}

/* False: no memory for it. */
static bool tell_json(const char *name, char *text)
{
	struct mu_json *o = mu_json_object();
	char *line = NULL;
	int rc = mu_json_set_str(o, "error", name);

	if (!rc && mu_json_set_str(o, "message", text)) {
		make_ascii(text);
		rc = mu_json_set_str(o, "message", text);
	}
	if (!rc)
		line = mu_json_text(o);
	mu_json_free(o);
	if (line)
		fprintf(stderr, "%s\n", line);
	free(line);
	return line != NULL;
}

/* name: of the code, for programs. */
static void tell(const struct cli *cli, const char *name, const char *sentence,
                 const char *advice)
{
	char text[8192];

	snprintf(text, sizeof text, "%s%s%s", sentence, advice ? "; " : "",
	         advice ? advice : "");
	if (!cli->json_errors || !tell_json(name, text))
		fprintf(stderr, "muster%s%s: %s\n", cli->command ? " " : "",
		        cli->command ? cli->command->name : "", text);
}

int cli_fail(const struct cli *cli, int rc, const char *sentence)
{
	const char *text =
		sentence && sentence[0] ? sentence : mu_client_strerror(rc);

	tell(cli, mu_err_name(rc), text, advice_of(rc, text));
	return cli_exit_of(rc);
}

int cli_fail_at(const struct cli *cli, int rc, const char *path)
{
	char text[512];

	snprintf(text, sizeof text, "%.400s: %s", path, mu_client_strerror(rc));
	return cli_fail(cli, rc, text);
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	tell(cli, "usage", text, NULL);
	return CLI_USAGE;
}

static void event_in(struct mu_client *c, const struct mu_watch_event *e,
                     void *arg)
{
	struct cli *cli = arg;

	(void)c;
	if (cli->on_event)
		cli->on_event(cli, e);
}

static void change_in(struct mu_client *c, const struct mu_change *e, void *arg)
{
	struct cli *cli = arg;

	(void)c;
	if (cli->on_change)
		cli->on_change(cli, e);
}

static void state_in(struct mu_client *c, enum mu_client_state state, int why,
                     void *arg)
{
	struct cli *cli = arg;

	(void)c;
	if (cli->on_state)
		cli->on_state(cli, state, why);
}

int cli_connect(struct cli *cli)
{
	struct mu_client_options o = {
		.size = sizeof o,
		.brokers = cli->brokers,
		.timeout_ms = SESSION_TIMEOUT_MS,
		.on_event = event_in,
		.on_change = change_in,
		.on_state = state_in,
		.arg = cli,
	};
	struct mu_err err = { 0, "" };
	int rc = mu_client_new(&o, &cli->client, &err);

	if (rc == MU_EINVAL) {
		cli_fail(cli, rc, err.msg);
		return CLI_USAGE;
	}
	if (rc == 0)
		rc = mu_client_wait(cli->client, cli->timeout_ms, &err);
	if (rc == 0)
		return CLI_OK;
	cli_fail(cli, rc, err.msg);
	return CLI_NO_BROKER;
}

void cli_disconnect(struct cli *cli)
{
	if (!cli->client)
		return;
	mu_client_close(cli->client, 1000);
	mu_client_free(cli->client);
	cli->client = NULL;
}

/* Read a stream to its end. */
static int slurp(struct cli *cli, FILE *in, const char *name, void **data,
                 int32_t *len)
{
	size_t n = 0, room = 4096;
	char *p = malloc(room);

	while (p) {
		char *more;

		n += fread(p + n, 1, room - n, in);
		if (n < room)
			break;
		more = room < VALUE_MAX ? realloc(p, room * 2) : NULL;
		if (!more)
			goto too_big;
		p = more;
		room *= 2;
	}
	if (!p || ferror(in)) {
		char text[512];

		snprintf(text, sizeof text, "cannot read %s: %s", name,
		         strerror(errno));
		free(p);
		return cli_fail(cli, MU_EIO, text);
	}
	*data = p;
	*len = (int32_t)n;
	return CLI_OK;

too_big:
	free(p);
	return cli_fail(cli, MU_ETOOBIG, "the value is larger than any node");
}

int cli_value(struct cli *cli, int index, void **data, int32_t *len)
{
	const char *file = cli_given(cli, "file");
	const char *text = index < cli->argc ? cli->argv[index] : NULL;
	FILE *in;
	int rc;

	*data = NULL;
	*len = -1;
	if (file && text)
		return cli_usage(cli, "give a value or --file, not both");
	if (!file && !text)
		return CLI_OK;
	if (text) {
		*data = strdup(text);
		*len = (int32_t)strlen(text);
		return *data ? CLI_OK : cli_fail(cli, MU_ENOMEM, NULL);
	}
	in = strcmp(file, "-") == 0 ? stdin : fopen(file, "rb");
	if (!in) {
		char why[512];

		snprintf(why, sizeof why, "cannot open %s: %s", file,
		         strerror(errno));
		return cli_fail(cli, MU_EIO, why);
	}
	rc = slurp(cli, in, file, data, len);
	if (in != stdin)
		fclose(in);
	return rc;
}

/* False: it is none; a sentence has been printed. */
static bool path_trim(struct cli *cli, char *path)
{
	size_t len = strlen(path);
	struct mu_err err;
	bool sequential;

	if (path[0] != '/') {
		snprintf(err.msg, sizeof err.msg,
		         "a path starts with /: try /%s", path);
		cli_fail(cli, MU_EINVAL, err.msg);
		return false;
	}
	sequential = cli_given(cli, "sequential") != NULL;
	if (len > 1 && path[len - 1] == '/' && !sequential)
		path[len - 1] = '\0';
	if (sequential ? mu_path_check_sequential(mu_str_of(path), &err)
	               : mu_path_check(mu_str_of(path), &err)) {
		cli_fail(cli, MU_EINVAL, err.msg);
		return false;
	}
	return true;
}

const char *cli_path(struct cli *cli, int index)
{
	static char root[] = "/";
	char *path = index < cli->argc ? cli->argv[index] : root;

	return path_trim(cli, path) ? path : NULL;
}

char *cli_path_of(struct cli *cli, const char *text)
{
	char *path = strdup(text);

	if (!path)
		cli_fail(cli, MU_ENOMEM, NULL);
	else if (path_trim(cli, path))
		return path;
	free(path);
	return NULL;
}

bool cli_is_word(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
	                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	return n > 0 && text[n] == '\0' && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}

char *cli_join(const char *path, const char *name)
{
	size_t room = strlen(path) + strlen(name) + 2;
	char *out = malloc(room);

	if (out)
		snprintf(out, room, "%s/%s", path[1] ? path : "", name);
	return out;
}

/* ---- waiting ----------------------------------------------------------- */

static int64_t mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int cli_turn(struct cli *cli, struct cli_progress *p, size_t done)
{
	struct pollfd fd = { mu_client_fd(cli->client), POLLIN, 0 };
	int most = mu_client_timeout_ms(cli->client);
	int64_t now = mono_ms(), left;

	if (p->done != done || p->at_ms == 0) {
		p->done = done;
		p->at_ms = now;
	}
	left = p->at_ms + cli->timeout_ms - now;
	if (left <= 0)
		return MU_ETIMEDOUT;
	poll(&fd, 1, left < most ? (int)left : most);
	return mu_client_process(cli->client);
}

static volatile sig_atomic_t signalled;

static void on_signal(int signum)
{
	signalled = signum;
}

/* Signals come only inside ppoll, so that none is missed before it; outside of
 * this function they end the program as ever. */
int cli_pump(struct cli *cli, const bool *done)
{
	struct sigaction sa = { .sa_handler = on_signal }, on_int, on_term;
	sigset_t stop, before;
	int rc = 0;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, &before);
	sigaction(SIGINT, &sa, &on_int);
	sigaction(SIGTERM, &sa, &on_term);
	while (rc == 0 && !signalled && !(done && *done)) {
		struct pollfd p = { mu_client_fd(cli->client), POLLIN, 0 };
		int ms = mu_client_timeout_ms(cli->client);
		struct timespec wait = { ms / 1000, ms % 1000 * 1000000L };

		ppoll(&p, 1, &wait, &before);
		rc = mu_client_process(cli->client);
	}
	sigaction(SIGINT, &on_int, NULL);
	sigaction(SIGTERM, &on_term, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return signalled ? 0 : rc;
}

/* ---- printing ------------------------------------------------------------ */

int cli_print_json(struct cli *cli, struct mu_json *j)
{
	char *text = j ? mu_json_text(j) : NULL;

	mu_json_free(j);
	if (!text)
		return cli_fail(cli, MU_ENOMEM, NULL);
	puts(text);
	fflush(stdout);
	free(text);
	return CLI_OK;
}

struct mu_json *cli_json_rows(const void *rows, size_t count,
                              int (*fill)(struct mu_json *o, const void *rows,
                                          size_t i))
{
	struct mu_json *a = mu_json_array();
	int rc = a ? 0 : MU_ENOMEM;

	for (size_t i = 0; i < count && rc >= 0; i++) {
		struct mu_json *o = mu_json_object();

		rc = o ? fill(o, rows, i) : MU_ENOMEM;
		if (rc == 0)
			rc = mu_json_add(a, o);
		else
			mu_json_free(o);
	}
	if (rc >= 0)
		return a;
	mu_json_free(a);
	return NULL;
}

int cli_print_rows(struct cli *cli, const void *rows, size_t count,
                   int (*fill)(struct mu_json *o, const void *rows, size_t i))
{
	struct mu_json *a = cli_json_rows(rows, count, fill);

	return a ? cli_print_json(cli, a) : cli_fail(cli, MU_ENOMEM, NULL);
}

int cli_json_stat(struct mu_json *o, const struct mu_stat *s)
{
	const struct {
		const char *key;
		int64_t v;
	} row[] = {
		{ "czxid", s->czxid },
		{ "mzxid", s->mzxid },
		{ "pzxid", s->pzxid },
		{ "ctime", s->ctime },
		{ "mtime", s->mtime },
		{ "version", s->version },
		{ "cversion", s->cversion },
		{ "aversion", s->aversion },
		{ "ephemeral_owner", s->ephemeral_owner },
		{ "data_length", s->data_len },
		{ "children", s->num_children },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof row / sizeof row[0] && rc == 0; i++)
		rc = mu_json_set_int(o, row[i].key, row[i].v);
	return rc;
}

void cli_time(char *out, size_t room, int64_t wall_ms)
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (wall_ms <= 0 || !localtime_r(&t, &tm) ||
	    strftime(out, room, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(out, room, "-");
}
