/* Addresses in ACLs: IPv4 and IPv6, with the number of bits that count. */
#include "acl.h"

#include <string.h>

#define V4_BYTES 4u
#define V6_BYTES 16u

struct address {
	uint8_t byte[V6_BYTES];
	unsigned len; /* bytes: V4_BYTES or V6_BYTES */
};

/* Up to the first `c`; the rest, behind it, in *rest (at NULL: none). */
static struct mu_str until(struct mu_str s, char c, struct mu_str *rest)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (s.at[i] == c) {
			*rest = (struct mu_str){ s.at + i + 1, s.len - i - 1 };
			return (struct mu_str){ s.at, i };
		}
	*rest = (struct mu_str){ NULL, 0 };
	return s;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* A number of 1 to `digits` digits, at most `max`; -1: it is none. */
static int number(struct mu_str s, int base, uint32_t digits, int max)
{
	int n = 0;

	if (s.len == 0 || s.len > digits)
		return -1;
	for (uint32_t i = 0; i < s.len; i++) {
		int d = digit_of(s.at[i]);

		if (d >= base)
			return -1;
		n = n * base + d;
	}
	return n <= max ? n : -1;
}

static bool parse_v4(struct mu_str s, uint8_t out[V4_BYTES])
{
	for (unsigned i = 0; i < V4_BYTES; i++) {
		int n;

		if (!s.at)
			return false;
		n = number(until(s, '.', &s), 10, 3, 255);
		if (n < 0)
			return false;
		out[i] = (uint8_t)n;
	}
	return !s.at;
}

static bool has(struct mu_str s, char c)
{
	return s.len && memchr(s.at, c, s.len);
}

/* Groups of 16 bits up to the end; how many bytes, or -1. The last may be an
 * IPv4 address. */
static int parse_groups(struct mu_str s, uint8_t out[V6_BYTES])
{
	unsigned len = 0;

	while (s.at) {
		struct mu_str rest, group = until(s, ':', &rest);
		int n;

		if (!rest.at && has(group, '.')) {
			if (len + V4_BYTES > V6_BYTES ||
			    !parse_v4(group, out + len))
				return -1;
			return (int)(len + V4_BYTES);
		}
		n = number(group, 16, 4, 0xffff);
		if (n < 0 || len + 2 > V6_BYTES)
			return -1;
		out[len++] = (uint8_t)(n >> 8);
		out[len++] = (uint8_t)n;
		s = rest;
	}
	return (int)len;
}

/* Where "::" stands; s.len if it does not. */
static uint32_t find_gap(struct mu_str s)
{
	for (uint32_t i = 0; i + 1 < s.len; i++)
		if (s.at[i] == ':' && s.at[i + 1] == ':')
			return i;
	return s.len;
}

static bool parse_v6(struct mu_str s, uint8_t out[V6_BYTES])
{
	uint8_t tail[V6_BYTES];
	uint32_t gap = find_gap(s);
	struct mu_str front = { gap ? s.at : NULL, gap };
	struct mu_str back = { NULL, 0 };
	int n, m;

	if (gap == s.len)
		return parse_groups(s, out) == (int)V6_BYTES;
	if (gap + 2 < s.len)
		back = (struct mu_str){ s.at + gap + 2, s.len - gap - 2 };
	if (has(front, '.'))
		return false;
	n = parse_groups(front, out);
	m = parse_groups(back, tail);
	if (n < 0 || m < 0 || (unsigned)(n + m) + 2 > V6_BYTES)
		return false;
	memset(out + n, 0, V6_BYTES - (size_t)n);
	memcpy(out + V6_BYTES - (size_t)m, tail, (size_t)m);
	return true;
}

static bool parse(struct mu_str s, struct address *a)
{
	a->len = V4_BYTES;
	if (parse_v4(s, a->byte))
		return true;
	a->len = V6_BYTES;
	return s.len > 0 && parse_v6(s, a->byte);
}

/* An address and how many of its bits count. */
static bool parse_expr(struct mu_str expr, struct address *a, int *bits)
{
	struct mu_str rest;
	struct mu_str address = until(expr, '/', &rest);

	if (!parse(address, a))
		return false;
	*bits = (int)a->len * 8;
	if (rest.at)
		*bits = number(rest, 10, 3, *bits);
	return *bits >= 0;
}

bool mu_ip_is_valid(struct mu_str expr)
{
	struct address a;
	int bits;

	return parse_expr(expr, &a, &bits);
}

bool mu_ip_matches(struct mu_str address, struct mu_str expr)
{
	struct address a, want;
	int bits;

	if (!parse_expr(expr, &want, &bits) || !parse(address, &a) ||
	    a.len != want.len)
		return false;
	for (unsigned i = 0; bits > 0; i++, bits -= 8) {
		unsigned mask = bits >= 8 ? 0xff : 0xff00u >> bits & 0xff;

		if ((a.byte[i] ^ want.byte[i]) & mask)
			return false;
	}
	return true;
}

struct mu_str mu_origin_address(struct mu_str origin)
{
	static const struct mu_str tcp = { "tcp:", 4 };
	struct mu_str rest, colon;
	struct mu_str s = until(origin, ' ', &rest);

	if (s.len > tcp.len && memcmp(s.at, tcp.at, tcp.len) == 0) {
		s.at += tcp.len;
		s.len -= tcp.len;
	}
	if (s.len && s.at[0] == '[') {
		s.at++;
		s.len--;
		return until(s, ']', &rest);
	}
	(void)until(s, ':', &rest);
	if (!rest.at)
		return s;
	(void)until(rest, ':', &colon);
	/* Two colons are of an address, one is in front of a port. */
	return colon.at ? s : until(s, ':', &rest);
}
