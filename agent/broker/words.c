/* words.c - which words there are, who may ask them, and the short ones. */
#include "words_impl.h"

#include "err.h"
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_BYTES 1024u

/* ---- saying ------------------------------------------------------------------- */

void mu_say_text(struct mu_say *s, const void *p, size_t len)
{
	static const char cut[] = "\n(cut: larger than reply_max)\n";
	const size_t max = (size_t)s->w->options->reply_max;

	if (s->cut)
		return;
	if (s->out->len + len <= max) {
		mu_buf_put(s->out, p, len);
		return;
	}
	s->cut = true;
	mu_buf_put(s->out, cut, strlen(cut));
}

void mu_say(struct mu_say *s, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (n > 0)
		mu_say_text(s, line,
		            n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

void mu_say_date(struct mu_say *s, int64_t wall_ms)
{
	const time_t t = (time_t)(wall_ms / 1000);
	char text[64];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof text, "%a %b %d %H:%M:%S UTC %Y", &tm);
	mu_say(s, "%s", text);
}

/* ---- the short ones --------------------------------------------------------------- */

static void word_ruok(struct mu_say *s)
{
	mu_say(s, "imok");
}

/* One broker is never read-only. */
static void word_isro(struct mu_say *s)
{
	mu_say(s, "rw");
}

static void word_srst(struct mu_say *s)
{
	struct mu_store_stats st;

	mu_store_stats(s->w->store, &st);
	s->w->requests_0 = st.requests;
	s->w->replies_0 = st.replies + st.events;
	mu_tcp_stats_reset(s->w->tcp);
	mu_say(s, "Server stats reset.\n");
}

static void word_crst(struct mu_say *s)
{
	mu_tcp_links_reset(s->w->tcp);
	mu_say(s, "Connection stats reset.\n");
}

static void word_gtmk(struct mu_say *s)
{
	mu_say(s, "%lld", (long long)s->w->trace_mask);
}

static void word_stmk(struct mu_say *s)
{
	uint64_t mask = 0;
	int i;

	for (i = 0; i < 8; i++)
		mask = mask << 8 | s->arg[i];
	s->w->trace_mask = (int64_t)mask;
	word_gtmk(s);
}

/* ---- all of them ------------------------------------------------------------------ */

static const struct {
	const char *word;
	void (*say)(struct mu_say *s);
	size_t len; /* of the word and what follows it */
} words[] = {
	{ "ruok", word_ruok, 4 },    { "srvr", mu_word_srvr, 4 },
	{ "stat", mu_word_stat, 4 }, { "cons", mu_word_cons, 4 },
	{ "crst", word_crst, 4 },    { "dump", mu_word_dump, 4 },
	{ "envi", mu_word_envi, 4 }, { "mntr", mu_word_mntr, 4 },
	{ "isro", word_isro, 4 },    { "wchs", mu_word_wchs, 4 },
	{ "wchc", mu_word_wchc, 4 }, { "wchp", mu_word_wchp, 4 },
	{ "dirs", mu_word_dirs, 4 }, { "conf", mu_word_conf, 4 },
	{ "srst", word_srst, 4 },    { "stmk", word_stmk, 12 },
	{ "gtmk", word_gtmk, 4 },
};
#define WORDS (sizeof words / sizeof *words)

/* WORDS: there is none. */
static size_t find(const void *first)
{
	size_t i = 0;

	while (i < WORDS && memcmp(words[i].word, first, 4) != 0)
		i++;
	return i;
}

/* A browser, curl or a health check that has the wrong port begins with one of
 * these; as a length each would be of some 1 GB. */
static bool is_http(const void *first)
{
	static const char *const verbs[] = { "GET ", "HEAD", "POST",
		                             "PUT ", "DELE", "OPTI" };

	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (memcmp(verbs[i], first, 4) == 0)
			return true;
	return false;
}

static void answer_http(struct mu_say *s)
{
	static const char text[] =
		"This is the port of muster-broker for ZooKeeper's clients; "
		"it does not speak HTTP.\n";

	mu_say(s,
	       "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n"
	       "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
	       sizeof text - 1, text);
	if (s->w->now_ms / 1000 != s->w->http_second)
		mu_log(MU_WARN, MSG("somebody speaks HTTP to the port for "
		                    "ZooKeeper's clients; is it the port that "
		                    "was meant?"));
	s->w->http_second = s->w->now_ms / 1000;
}

size_t mu_words_len(const uint8_t first[4])
{
	const size_t i = find(first);

	if (is_http(first))
		return 4;
	return i < WORDS ? words[i].len : 0;
}

bool mu_words_is_known(const char *word)
{
	return strcmp(word, "*") == 0 ||
	       (strlen(word) == 4 && find(word) < WORDS);
}

static bool is_allowed(const struct mu_words *w, const char *word)
{
	const struct mu_conf_list *list = &w->options->words;
	size_t i;

	for (i = 0; i < list->count; i++) {
		if (strcmp(list->item[i], "*") == 0 ||
		    strcmp(list->item[i], word) == 0)
			return true;
	}
	return false;
}

void mu_words_answer(struct mu_words *w, const uint8_t *p, struct mu_buf *out)
{
	struct mu_say s = { .w = w, .out = out, .arg = p + 4 };
	const size_t i = find(p);

	if (is_http(p))
		answer_http(&s);
	if (i == WORDS)
		return;
	if (is_allowed(w, words[i].word))
		words[i].say(&s);
	else
		mu_say(&s,
		       "%s is not executed because it is not in the "
		       "whitelist.\n",
		       words[i].word);
}
