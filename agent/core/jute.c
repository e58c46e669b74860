#include "jute.h"

#include "bug.h"

#include <string.h>

struct mu_in mu_in_of(const void *p, size_t len)
{
	const uint8_t *at = p;

	return (struct mu_in){ at, at ? at + len : at, !at && len };
}

bool mu_in_ok(const struct mu_in *in)
{
	return !in->bad;
}

size_t mu_in_left(const struct mu_in *in)
{
	return in->bad || in->at == in->end ? 0 : (size_t)(in->end - in->at);
}

/* The next n bytes, or NULL from the first time on that they are not there. */
static const uint8_t *take(struct mu_in *in, size_t n)
{
	const uint8_t *p = in->at;

	if (mu_in_left(in) < n)
		in->bad = true;
	if (in->bad)
		return NULL;
	in->at += n;
	return p;
}

int32_t mu_get_int(struct mu_in *in)
{
	const uint8_t *p = take(in, 4);

	if (!p)
		return 0;
	return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	                 (uint32_t)p[2] << 8 | (uint32_t)p[3]);
}

int64_t mu_get_long(struct mu_in *in)
{
	const uint8_t *p = take(in, 8);

	if (!p)
		return 0; /* below: one load for a compiler */
	return (int64_t)((uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 |
	                 (uint64_t)p[2] << 40 | (uint64_t)p[3] << 32 |
	                 (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
	                 (uint64_t)p[6] << 8 | (uint64_t)p[7]);
}

bool mu_get_bool(struct mu_in *in)
{
	const uint8_t *p = take(in, 1);

	return p && *p;
}

struct mu_str mu_get_str(struct mu_in *in)
{
	int32_t len = mu_get_int(in);
	const uint8_t *p;

	if (len < -1)
		in->bad = true;
	if (in->bad || len == -1)
		return (struct mu_str){ NULL, 0 };
	p = take(in, (size_t)len);
	return (struct mu_str){ (const char *)p, p ? (uint32_t)len : 0 };
}

int32_t mu_get_count(struct mu_in *in, size_t least)
{
	int32_t n = mu_get_int(in);

	MU_BUG_ON(least == 0);
	if (n < -1 || (n > 0 && (size_t)n > mu_in_left(in) / least))
		in->bad = true;
	return in->bad ? 0 : n;
}

/* mu_buf_grow, with the usual case (there is room) free of calls. */
static inline uint8_t *grow(struct mu_buf *b, size_t n)
{
	if (b->failed || b->room - b->len < n)
		return mu_buf_grow(b, n);
	b->len += n;
	return b->data + b->len - n;
}

static void store_int(uint8_t *p, int32_t v)
{
	uint32_t u = (uint32_t)v;

	p[0] = (uint8_t)(u >> 24);
	p[1] = (uint8_t)(u >> 16);
	p[2] = (uint8_t)(u >> 8);
	p[3] = (uint8_t)u;
}

void mu_put_int(struct mu_buf *b, int32_t v)
{
	uint8_t *p = grow(b, 4);

	if (p)
		store_int(p, v);
}

void mu_put_long(struct mu_buf *b, int64_t v)
{
	uint8_t *p = grow(b, 8);

	if (!p)
		return;
	store_int(p, (int32_t)(uint32_t)((uint64_t)v >> 32));
	store_int(p + 4, (int32_t)(uint32_t)v);
}

void mu_put_bool(struct mu_buf *b, bool v)
{
	uint8_t *p = grow(b, 1);

	if (p)
		*p = v;
}

void mu_put_str(struct mu_buf *b, struct mu_str s)
{
	MU_BUG_ON(s.len > INT32_MAX);
	mu_put_data(b, s.at, s.at ? (int32_t)s.len : -1);
}

void mu_put_data(struct mu_buf *b, const void *p, int32_t len)
{
	const size_t n = len > 0 ? (size_t)len : 0;
	uint8_t *at;

	MU_BUG_ON(len < -1);
	at = grow(b, 4 + n);
	if (!at)
		return;
	store_int(at, len);
	if (n)
		memcpy(at + 4, p, n);
}

void mu_patch_int(struct mu_buf *b, size_t at, int32_t v)
{
	if (mu_buf_failed(b))
		return;
	MU_BUG_ON(at > b->len || b->len - at < 4);
	store_int(b->data + at, v);
}
