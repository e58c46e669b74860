#include "quota.h"

#include "err.h"

#include <string.h>

#define TEXT_MAX 128u

static const struct row {
	const char *key;
	size_t at;
} rows[] = {
	{ "count", offsetof(struct mu_quota, count) },
	{ "bytes", offsetof(struct mu_quota, bytes) },
	{ "countHardLimit", offsetof(struct mu_quota, count_hard) },
	{ "byteHardLimit", offsetof(struct mu_quota, bytes_hard) },
};

static int64_t *field(struct mu_quota *q, struct mu_str key)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (mu_str_eq(key, mu_str_of(rows[i].key)))
			return (int64_t *)(void *)((char *)q + rows[i].at);
	return NULL;
}

/* A decimal number; -1 where there is none, or one that is too large. */
static int64_t number(struct mu_str s)
{
	bool negative = s.len && s.at[0] == '-';
	int64_t n = 0;

	if (s.len == (negative ? 1u : 0u))
		return -1;
	for (uint32_t i = negative; i < s.len; i++) {
		int d = s.at[i] - '0';

		if (d < 0 || d > 9 || n > (INT64_MAX - d) / 10)
			return -1;
		n = n * 10 + d;
	}
	return negative ? -n : n;
}

/* The front of *text up to one of `ends`, which is taken off too. */
static struct mu_str take(struct mu_str *text, const char *ends)
{
	struct mu_str front = *text;

	for (uint32_t i = 0; i < text->len; i++)
		if (text->at[i] && strchr(ends, text->at[i])) {
			front.len = i;
			text->at += i + 1;
			text->len -= i + 1;
			return front;
		}
	text->len = 0;
	return front;
}

struct mu_quota mu_quota_parse(struct mu_str text)
{
	struct mu_quota q = { -1, -1, -1, -1 };

	while (text.len) {
		struct mu_str pair = take(&text, ",;");
		struct mu_str key = take(&pair, "=");
		int64_t *to = field(&q, key);

		if (to)
			*to = number(take(&pair, "="));
	}
	return q;
}

static void put(struct mu_buf *b, const char *fmt, int64_t n)
{
	char text[TEXT_MAX];

	mu_buf_put(b, text, mu_format(text, sizeof text, fmt, (long long)n));
}

void mu_put_quota(struct mu_buf *b, const struct mu_quota *q)
{
	put(b, "count=%lld", q->count);
	put(b, ",bytes=%lld", q->bytes);
	/* The '=' keeps the oldest parsers from reading on. */
	if (q->bytes_hard > -1 || q->count_hard > -1)
		mu_buf_put(b, "=", 1);
	if (q->bytes_hard > -1)
		put(b, ";byteHardLimit=%lld", q->bytes_hard);
	if (q->count_hard > -1)
		put(b, ";countHardLimit=%lld", q->count_hard);
}

static enum mu_quota_verdict judge(int64_t soft, int64_t hard, int64_t used,
                                   int64_t more)
{
	int64_t limit = hard > -1 ? hard : soft;

	if (more <= 0 || limit < 0)
		return MU_QUOTA_FITS;
	if (used < 0)
		used = 0;
	if (more <= limit && used <= limit - more)
		return MU_QUOTA_FITS;
	return hard > -1 ? MU_QUOTA_HARD : MU_QUOTA_SOFT;
}

enum mu_quota_verdict mu_quota_judge(const struct mu_quota *limits,
                                     const struct mu_quota *used, int64_t count,
                                     int64_t bytes)
{
	enum mu_quota_verdict by_count =
		judge(limits->count, limits->count_hard, used->count, count);
	enum mu_quota_verdict by_bytes =
		judge(limits->bytes, limits->bytes_hard, used->bytes, bytes);

	return by_count > by_bytes ? by_count : by_bytes;
}
