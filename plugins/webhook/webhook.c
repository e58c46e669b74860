/*
 * webhook - POST chosen events to a URL, as JSON.
 *
 *     url = "https://hooks.example.net/muster";   # http or https
 *     events = ["left", "failed"];  # default: all but present, member-present,
 *                                   # connected and disconnected
 *     headers = ["Authorization: Bearer ..."];    # more than our own
 *     timeout_ms = 10000;      # of a request, from the look-up of the name on
 *     attempts_max = 0;        # then the event is given up; 0: never
 *     redirects_max = 0;       # followed; the headers go there too. 0: a
 *                              # redirect is a failure
 *     tls_verify = true;       # the server's certificate and name
 *     ca_file = "/etc/ssl/own-ca.pem";  # default: the system's
 *
 * The body is one object:
 *     id        "0x<zxid>/<n>", names the event; it may come twice
 *     type      "changed", "failed", ...: the words of `events`
 *     path, zxid, n, count, attempt, instance, host (this one)
 *     version   of the node, or null
 *     again, coalesced, overflow, stale   flags, as muster/plugin.h has them
 *     cause     "request", "close", "expiry" or "ttl"; null where it is not told,
 *               as of what is present, or by an older agent
 *     session, author   that did it, or that ended: "0x1f", and where it came
 *               from as the broker saw it, "tcp:ADDRESS" or "ipc:UID:GID:PID";
 *               null where it is not told, author "" where that is unknown
 *     member    null, or name, id, address, port, version, state and labels
 *     data      the node's value: a text, or in base64 if it is not UTF-8, or
 *               null; encoding says which: "text", "base64", null
 *
 * An answer of 200 to 299 is well. Anything else is an error, and the agent
 * gives the event again: with its back-off of 0.1 to 60 s, beyond a restart of
 * this process, and not at all once a newer event for the same path has come.
 * Tries of our own would add nothing to that but use up the deadline of a
 * callback. Meanwhile later events wait; a receiver that must not be waited for
 * gets an instance of its own, and attempts_max.
 *
 * libcurl takes a proxy from the environment: http_proxy, https_proxy, no_proxy.
 */
#include <muster/plugin.h>

#include "body.h"
#include "event_rows.h"
#include "fail.h"
#include "typed.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_MS 10000
#define REDIRECTS_MAX 20u
#define ANSWER_MAX (64u * 1024) /* bytes read of an answer */
#define SHOWN_MAX 160u          /* bytes of it in a sentence */

struct webhook {
	const struct mu_host *host;
	const char *url, *ca_file; /* the host's */
	bool wants[EVENT_ROWS];    /* by row of event_rows */
	bool tls_verify;
	uint32_t timeout_ms, attempts_max, redirects_max;
	struct curl_slist *headers; /* owned */
	CURL *curl;                 /* owned; keeps its connection */
	char why[CURL_ERROR_SIZE];
};

/* What came back. */
struct answer {
	char shown[SHOWN_MAX + 1]; /* the beginning */
	size_t len;                /* of all */
	bool cut;
};

/* ---- settings ---- */

static int read_url(struct webhook *w, struct mu_err *err)
{
	CURLU *url;
	CURLUcode rc;
	int bad = typed_text(w->host, "url", &w->url, err);

	if (bad)
		return bad;
	if (!w->url || (strncasecmp(w->url, "http://", 7) != 0 &&
	                strncasecmp(w->url, "https://", 8) != 0))
		return fail(err, MU_ECONFIG,
		            "webhook needs `url`: http:// or https://");
	url = curl_url();
	if (!url)
		return fail(err, MU_ENOMEM, "out of memory");
	rc = curl_url_set(url, CURLUPART_URL, w->url, 0);
	curl_url_cleanup(url);
	if (rc)
		return fail(err, MU_ECONFIG, "url: %s", curl_url_strerror(rc));
	return 0;
}

static int add_header(struct webhook *w, const char *text, struct mu_err *err)
{
	struct curl_slist *more = curl_slist_append(w->headers, text);

	if (!more)
		return fail(err, MU_ENOMEM, "out of memory");
	w->headers = more;
	return 0;
}

/* Without the text in the sentence: it may be secret. */
static int check_header(const char *text, size_t i, struct mu_err *err)
{
	const char *colon = strchr(text, ':');

	if (!colon || colon == text || strpbrk(text, "\r\n"))
		return fail(
			err, MU_ECONFIG,
			"headers[%zu] is not of the form \"Name: value\" in "
			"one line",
			i);
	return 0;
}

static int read_headers(struct webhook *w, struct mu_err *err)
{
	const char **list = NULL;
	int rc = typed_list(w->host, "headers", &list, err);

	rc = rc ? rc : add_header(w, "Content-Type: application/json", err);
	/* No round trip before a large value. */
	rc = rc ? rc : add_header(w, "Expect:", err);
	for (size_t i = 0; rc == 0 && list && list[i]; i++) {
		rc = check_header(list[i], i, err);
		rc = rc ? rc : add_header(w, list[i], err);
	}
	free(list);
	return rc;
}

static int read_settings(struct webhook *w, struct mu_err *err)
{
	const struct mu_host *h = w->host;
	int rc = read_url(w, err);

	w->timeout_ms = TIMEOUT_MS;
	w->tls_verify = true;
	rc = rc ? rc : event_rows_read(h, "events", w->wants, err);
	rc = rc ? rc : read_headers(w, err);
	rc = rc ? rc : typed_ms(h, "timeout_ms", &w->timeout_ms, err);
	rc = rc ? rc
	        : typed_number(h, "attempts_max", UINT32_MAX, &w->attempts_max,
	                       err);
	rc = rc ? rc
	        : typed_number(h, "redirects_max", REDIRECTS_MAX,
	                       &w->redirects_max, err);
	rc = rc ? rc : typed_flag(h, "tls_verify", &w->tls_verify, err);
	return rc ? rc : typed_text(h, "ca_file", &w->ca_file, err);
}

static size_t on_answer(char *p, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;
	size_t len = size * n;

	for (size_t i = 0; i < len && a->len + i < SHOWN_MAX; i++) {
		bool plain = p[i] >= ' ' && p[i] <= '~';

		a->shown[a->len + i] = plain ? p[i] : ' ';
	}
	a->len += len;
	a->cut = a->len > ANSWER_MAX;
	return a->cut ? 0 : len; /* 0: curl stops reading */
}

/* All that stays the same from one request to the next. */
static int prepare(struct webhook *w, struct mu_err *err)
{
	bool secure = strncasecmp(w->url, "https://", 8) == 0;
	CURL *c = w->curl = curl_easy_init();
	unsigned bad = 0;

	if (!c)
		return fail(err, MU_ENOMEM, "out of memory");
	bad |= curl_easy_setopt(c, CURLOPT_URL, w->url);
	bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	/* Never from a link that is secret to one that is not. */
	bad |= curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR,
	                        secure ? "https" : "http,https");
	bad |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION,
	                        w->redirects_max ? 1L : 0L);
	bad |= curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)w->redirects_max);
	bad |= curl_easy_setopt(c, CURLOPT_POSTREDIR, CURL_REDIR_POST_ALL);
	bad |= curl_easy_setopt(c, CURLOPT_HTTPHEADER, w->headers);
	bad |= curl_easy_setopt(c, CURLOPT_USERAGENT, "muster-webhook");
	bad |= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)w->timeout_ms);
	bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, w->why);
	bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_answer);
	bad |= curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER,
	                        w->tls_verify ? 1L : 0L);
	bad |= curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST,
	                        w->tls_verify ? 2L : 0L);
	if (w->ca_file)
		bad |= curl_easy_setopt(c, CURLOPT_CAINFO, w->ca_file);
	return bad ? fail(err, MU_ESYSTEM, "libcurl refuses a setting") : 0;
}

static void webhook_fini(void *self)
{
	struct webhook *w = self;

	curl_easy_cleanup(w->curl);
	curl_slist_free_all(w->headers);
	free(w);
	curl_global_cleanup();
}

static int webhook_init(const struct mu_host *h, void **self,
                        struct mu_err *err)
{
	struct webhook *w;
	int rc;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return fail(err, MU_ESYSTEM, "libcurl does not start");
	w = calloc(1, sizeof *w);
	if (!w) {
		curl_global_cleanup();
		return fail(err, MU_ENOMEM, "out of memory");
	}
	w->host = h;
	rc = read_settings(w, err);
	if (rc == 0)
		rc = prepare(w, err);
	if (rc) {
		webhook_fini(w);
		return rc;
	}
	if (!w->tls_verify)
		h->log(h, MU_WARN,
		       "tls_verify is off: whoever is on the way can read and "
		       "change what is sent");
	*self = w;
	return 0;
}

/* ---- events ---- */

/* The request ran, or not: 0 if all is well. */
static int judge(const struct webhook *w, CURLcode code,
                 const struct answer *got, struct mu_err *err)
{
	const char *place = NULL;
	long status = 0;

	if (code && !(code == CURLE_WRITE_ERROR && got->cut))
		return fail(err,
		            code == CURLE_OPERATION_TIMEDOUT ? MU_ETIMEDOUT
		                                             : MU_EIO,
		            "%.300s",
		            w->why[0] ? w->why : curl_easy_strerror(code));
	(void)curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status <= 299)
		return 0;
	(void)curl_easy_getinfo(w->curl, CURLINFO_REDIRECT_URL, &place);
	if (place)
		return fail(err, MU_EIO,
		            "answered with status %ld, a redirect to %.200s, "
		            "which is not followed (redirects_max)",
		            status, place);
	return fail(err, MU_EIO, "answered with status %ld%s%s", status,
	            got->len ? ": " : "", got->shown);
}

static int post(struct webhook *w, const char *body, struct mu_err *err)
{
	struct answer got = { .len = 0 };
	CURLcode code;

	w->why[0] = '\0';
	code = curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE_LARGE,
	                        (curl_off_t)strlen(body));
	if (code == CURLE_OK)
		code = curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, body);
	if (code == CURLE_OK)
		code = curl_easy_setopt(w->curl, CURLOPT_WRITEDATA, &got);
	if (code == CURLE_OK)
		code = curl_easy_perform(w->curl);
	return judge(w, code, &got, err);
}

static int webhook_event(void *self, const struct mu_event *e,
                         struct mu_err *err)
{
	struct webhook *w = self;
	size_t row = event_row_of_type(e->type);
	char *body;
	int rc;

	if (row == EVENT_ROWS || !w->wants[row])
		return 0;
	body = body_new(w->host, e);
	if (!body)
		return fail(err, MU_ENOMEM, "out of memory");
	rc = post(w, body, err);
	free(body);
	if (rc == 0 || !w->attempts_max || e->attempt < w->attempts_max)
		return rc;
	w->host->log(w->host, MU_ERROR,
	             "%s %s (0x%" PRIx64 "/%" PRId32 ") is given up after "
	             "%" PRIu32 " attempts: %s",
	             event_word(e->type), e->path, (uint64_t)e->zxid, e->n,
	             e->attempt, err->msg);
	return 0;
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "webhook",
	.help = "sends chosen events to a URL, as JSON",
	.init = webhook_init,
	.event = webhook_event,
	.fini = webhook_fini,
};
