#include "log.h"

#include "clock.h"
#include "err.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096u /* with the newline; a pipe takes it whole */
#define LINE_TAIL 8u         /* kept free for: ... " newline */

static const struct {
	const char *word;
	const char *journal; /* sd-daemon(3) */
} levels[] = {
	[MU_ERROR] = { "error", "<3>" },
	[MU_WARN] = { "warn", "<4>" },
	[MU_INFO] = { "info", "<6>" },
	[MU_DEBUG] = { "debug", "<7>" },
};

#define LEVEL_COUNT (sizeof levels / sizeof levels[0])

/* Written by mu_log_open, before there are threads. */
static char program[32];
static bool to_journal;

static atomic_int threshold = MU_INFO;
static atomic_uint lost; /* lines that nobody could take */

/* A line that grows in whole units, so that a cut never tears one. */
struct line {
	char bytes[LINE_MAX_BYTES];
	size_t len;
	bool begun; /* has a pair */
	bool full;
};

static void put(struct line *l, const char *p, size_t n)
{
	if (l->full || l->len + n > sizeof l->bytes - LINE_TAIL) {
		l->full = true;
		return;
	}
	memcpy(l->bytes + l->len, p, n);
	l->len += n;
}

static void put_text(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

/* For the end of a line: there is always room for it. */
static void put_tail(struct line *l, const char *text)
{
	size_t n = strlen(text);

	memcpy(l->bytes + l->len, text, n);
	l->len += n;
}

/* ---- values ----------------------------------------------------------------- */

/* Bytes of the well-formed, visible UTF-8 character at p; 0: there is none. The
 * continuation bytes are looked at one by one, so the final NUL stops it. */
static size_t visible(const unsigned char *p)
{
	uint32_t least, code;
	size_t n;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	least = n == 2 ? 0xa0 : n == 3 ? 0x800 : 0x10000; /* 80..9f: controls */
	code = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	if (code < least || code > 0x10ffff)
		return 0;
	/* Surrogates; separators of lines; marks that turn text around. */
	if ((code >= 0xd800 && code <= 0xdfff) ||
	    (code >= 0x2028 && code <= 0x202e) ||
	    (code >= 0x2066 && code <= 0x2069))
		return 0;
	return n;
}

static bool is_bare(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	if (!*p)
		return false;
	while (*p) {
		size_t n = strchr(" =\"\\", *p) ? 0 : visible(p);

		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

static void put_escaped(struct line *l, unsigned char c)
{
	static const char letters[][2] = { { '\n', 'n' },
		                           { '\r', 'r' },
		                           { '\t', 't' },
		                           { '"', '"' },
		                           { '\\', '\\' } };
	char hex[5], pair[3] = "\\";

	for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
		if ((unsigned char)letters[i][0] != c)
			continue;
		pair[1] = letters[i][1];
		put(l, pair, 2);
		return;
	}
	mu_format(hex, sizeof hex, "\\x%02x", c);
	put(l, hex, 4);
}

static void put_quoted(struct line *l, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	put(l, "\"", 1);
	if (l->full) {
		put_tail(l, "...");
		return;
	}
	while (*p && !l->full) {
		size_t n = strchr("\"\\", *p) ? 0 : visible(p);

		if (n)
			put(l, (const char *)p, n);
		else
			put_escaped(l, *p);
		p += n ? n : 1;
	}
	if (l->full)
		put_tail(l, "...\"");
	else
		put_tail(l, "\"");
}

static void put_bare(struct line *l, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t n; *p && !l->full; p += n) {
		n = visible(p);
		put(l, (const char *)p, n);
	}
	if (l->full)
		put_tail(l, "...");
}

/* Nothing of a pair, if not even its key fits. */
static void put_pair(struct line *l, const struct mu_kv *kv)
{
	char number[24];
	size_t before = l->len;

	if (l->full)
		return;
	if (l->begun)
		put(l, " ", 1);
	l->begun = true;
	put_text(l, kv->key);
	put(l, "=", 1);
	if (!kv->text) {
		mu_format(number, sizeof number, "%lld", (long long)kv->number);
		put_text(l, number);
	}
	if (l->full) {
		l->len = before;
		put_tail(l, " ...");
		return;
	}
	if (kv->text && is_bare(kv->text))
		put_bare(l, kv->text);
	else if (kv->text)
		put_quoted(l, kv->text);
}

/* ---- lines ------------------------------------------------------------------ */

static void put_time(struct line *l)
{
	int64_t ms = mu_clock_wall_ms();
	time_t s = (time_t)(ms / 1000);
	char text[40] = "";
	struct tm tm;
	size_t n = 0;

	if (gmtime_r(&s, &tm))
		n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	mu_format(text + n, sizeof text - n, ".%03dZ", (int)(ms % 1000));
	put_pair(l, &(struct mu_kv){ "ts", text, 0 });
}

static void put_head(struct line *l, enum mu_level level)
{
	if (to_journal)
		put_text(l, levels[level].journal);
	else
		put_time(l);
	put_pair(l, &(struct mu_kv){ "level", levels[level].word, 0 });
	if (program[0])
		put_pair(l, &(struct mu_kv){ "prog", program, 0 });
}

/* Never waits: a reader that has stopped reading loses lines, and is told how
 * many with the next one it takes. */
static bool stderr_takes(void)
{
	struct pollfd p = { STDERR_FILENO, POLLOUT, 0 };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static void line_write(const struct line *l)
{
	ssize_t n;

	do
		n = write(STDERR_FILENO, l->bytes, l->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		atomic_fetch_add(&lost, 1);
}

void mu_log_write(enum mu_level level, const struct mu_kv *kv)
{
	struct line l = { .len = 0 };
	unsigned before;
	int kept = errno;

	if (!mu_log_wants(level))
		return;
	if (!stderr_takes()) {
		atomic_fetch_add(&lost, 1);
		errno = kept;
		return;
	}
	put_head(&l, level);
	before = atomic_exchange(&lost, 0);
	if (before)
		put_pair(&l, &KI("lost_lines", before));
	for (; kv->key; kv++)
		put_pair(&l, kv);
	put_tail(&l, "\n");
	line_write(&l);
	errno = kept;
}

bool mu_log_wants(enum mu_level level)
{
	return (int)level <=
	       atomic_load_explicit(&threshold, memory_order_relaxed);
}

void mu_log_level(enum mu_level level)
{
	atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

int mu_log_level_by_word(const char *word)
{
	for (size_t i = 0; i < LEVEL_COUNT; i++)
		if (strcmp(levels[i].word, word) == 0)
			return (int)i;
	return -1;
}

/* systemd.exec(5): JOURNAL_STREAM is the device and inode of the journal's
 * socket; a stderr that was redirected since is another one. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	char *end;

	if (!stream || fstat(STDERR_FILENO, &st) != 0)
		return false;
	dev = strtoull(stream, &end, 10);
	if (*end != ':')
		return false;
	ino = strtoull(end + 1, &end, 10);
	return *end == '\0' && dev == st.st_dev && ino == st.st_ino;
}

void mu_log_open(const char *name, enum mu_level level)
{
	mu_format(program, sizeof program, "%s", name);
	to_journal = stderr_is_journal();
	mu_log_level(level);
}
