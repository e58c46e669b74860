#include "path.h"

#include "bug.h"
#include "err.h"

#include <string.h>

struct mu_str mu_str_of(const char *text)
{
	return (struct mu_str){ text, text ? (uint32_t)strlen(text) : 0 };
}

bool mu_str_eq(struct mu_str a, struct mu_str b)
{
	if (!a.at || !b.at)
		return !a.at && !b.at;
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

bool mu_str_starts(struct mu_str s, struct mu_str prefix)
{
	if (s.len < prefix.len)
		return false;
	return prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0;
}

/* ---- the rules ------------------------------------------------------------ */

/* What stands before a fault is legal, and so may be shown; this much of it. */
#define SHOWN_MAX 200u

/* The last SHOWN_MAX bytes of path[0..at), not beginning within a character. */
static struct mu_str shown(struct mu_str path, uint32_t at)
{
	uint32_t from = at > SHOWN_MAX ? at - SHOWN_MAX : 0;

	while (from < at && ((uint8_t)path.at[from] & 0xc0) == 0x80)
		from++;
	return (struct mu_str){ path.at + from, at - from };
}

static int refuse(struct mu_str path, uint32_t at, const char *why,
                  struct mu_err *err)
{
	struct mu_str s = shown(path, at);

	return mu_err(err, MU_EINVAL,
	              "the path is not legal at byte %u, after '%.*s': %s", at,
	              (int)s.len, s.at, why);
}

static int refuse_char(struct mu_str path, uint32_t at, uint32_t c,
                       struct mu_err *err)
{
	char why[96];

	mu_format(why, sizeof why,
	          "the character U+%04X is not allowed; leave it out", c);
	return refuse(path, at, why, err);
}

static int refuse_byte(struct mu_str path, uint32_t at, struct mu_err *err)
{
	char why[96];

	mu_format(why, sizeof why,
	          "the byte 0x%02X is not UTF-8 there; write the path in UTF-8",
	          (uint8_t)path.at[at]);
	return refuse(path, at, why, err);
}

/* The forms of UTF-8: first byte, length, and the least character that needs
 * so many bytes. */
static const struct {
	uint8_t mask, lead;
	uint8_t len;
	uint32_t least;
} forms[] = {
	{ 0x80, 0x00, 1, 0 },
	{ 0xe0, 0xc0, 2, 0x80 },
	{ 0xf0, 0xe0, 3, 0x800 },
	{ 0xf8, 0xf0, 4, 0x10000 },
};

/* Decode the character at `at`: its length in bytes, 0 if there is none. */
static uint32_t char_decode(struct mu_str s, uint32_t at, uint32_t *out)
{
	const uint8_t *p = (const uint8_t *)s.at + at;
	size_t f = 0;
	uint32_t c;

	while (f < 4 && (p[0] & forms[f].mask) != forms[f].lead)
		f++;
	if (f == 4 || forms[f].len > s.len - at)
		return 0;
	c = p[0] & (uint8_t)~forms[f].mask;
	for (uint32_t i = 1; i < forms[f].len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < forms[f].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*out = c;
	return forms[f].len;
}

/* Rule 59, and nothing beyond three bytes. */
static const struct {
	uint32_t from, to;
} forbidden[] = {
	{ 0x00, 0x1f },     { 0x7f, 0x9f },        { 0xd800, 0xf8ff },
	{ 0xfff0, 0xffff }, { 0x10000, 0x10ffff },
};

static bool char_is_forbidden(uint32_t c)
{
	for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
		if (c >= forbidden[i].from && c <= forbidden[i].to)
			return true;
	return false;
}

static int chars_check(struct mu_str path, struct mu_err *err)
{
	uint32_t at = 0, c = 0, n;

	while (at < path.len) {
		/* Printable ASCII is nearly all there is, and legal. */
		if (path.at[at] >= 0x20 && path.at[at] < 0x7f) {
			at++;
			continue;
		}
		n = char_decode(path, at, &c);
		if (n == 0)
			return refuse_byte(path, at, err);
		if (char_is_forbidden(c))
			return refuse_char(path, at, c, err);
		at += n;
	}
	return 0;
}

static bool part_is_relative(struct mu_str part)
{
	return mu_str_eq(part, MU_STR(".")) || mu_str_eq(part, MU_STR(".."));
}

/* The parts of a path; of an `open` one the last will yet grow, and may be
 * anything now. */
static int parts_check(struct mu_str path, bool open, struct mu_err *err)
{
	struct mu_str rest = path, part;
	uint32_t at;

	if (!open && path.len > 1 && path.at[path.len - 1] == '/')
		return refuse(path, path.len - 1, "leave the last '/' out",
		              err);
	while (mu_path_step(&rest, &part)) {
		if (open && rest.len == 0)
			return 0;
		at = (uint32_t)(part.at - path.at);
		if (part.len == 0)
			return refuse(path, at,
			              "an empty part; write one '/' only", err);
		if (part_is_relative(part))
			return refuse(path, at,
			              "a part may not be '.' or '..'; name the "
			              "node from the root",
			              err);
	}
	return 0;
}

static int check(struct mu_str path, bool open, struct mu_err *err)
{
	int rc;

	if (path.len == 0)
		return mu_err(err, MU_EINVAL,
		              "the path is empty; the root is '/'");
	if (path.at[0] != '/')
		return mu_err(err, MU_EINVAL,
		              "the path starts with the byte 0x%02X and not "
		              "with '/'; name the node from the root",
		              (uint8_t)path.at[0]);
	rc = chars_check(path, err);
	return rc ? rc : parts_check(path, open, err);
}

int mu_path_check(struct mu_str path, struct mu_err *err)
{
	return check(path, false, err);
}

int mu_path_check_sequential(struct mu_str path, struct mu_err *err)
{
	return check(path, true, err);
}

/* ---- walking -------------------------------------------------------------- */

/* Where the name begins: one past the last '/'. */
static uint32_t name_start(struct mu_str path)
{
	uint32_t at = path.len;

	while (at > 0 && path.at[at - 1] != '/')
		at--;
	return at;
}

struct mu_str mu_path_parent(struct mu_str path)
{
	uint32_t at = name_start(path);

	MU_BUG_ON(at == 0 || path.len == 1);
	return (struct mu_str){ path.at, at == 1 ? 1 : at - 1 };
}

struct mu_str mu_path_name(struct mu_str path)
{
	uint32_t at = name_start(path);

	return (struct mu_str){ path.at + at, path.len - at };
}

uint32_t mu_path_depth(struct mu_str path)
{
	struct mu_str part;
	uint32_t n = 0;

	while (mu_path_step(&path, &part))
		n++;
	return n;
}

bool mu_path_is_within(struct mu_str path, struct mu_str top)
{
	if (top.len == 1 || !mu_str_starts(path, top))
		return top.len == 1;
	return path.len == top.len || path.at[top.len] == '/';
}

bool mu_path_step(struct mu_str *path, struct mu_str *part)
{
	const char *end;

	if (path->len <= 1)
		return false;
	MU_BUG_ON(path->at[0] != '/');
	part->at = path->at + 1;
	end = memchr(part->at, '/', path->len - 1);
	part->len = end ? (uint32_t)(end - part->at) : path->len - 1;
	path->at = part->at + part->len;
	path->len -= 1 + part->len;
	return true;
}
