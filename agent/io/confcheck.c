#include "confcheck.h"

#include "err.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 64u /* bytes of a number worth reading */

/* ---- numbers ---------------------------------------------------------------- */

/* A text under a finger. */
struct scan {
	const char *name;
	const char *at;
	int line;
};

/* Over the text up to and with `end`, or to the end of it all. */
static void skip_past(struct scan *s, const char *end)
{
	const char *found = strstr(s->at, end);
	const char *stop = found ? found + strlen(end) : s->at + strlen(s->at);

	for (; s->at < stop; s->at++)
		s->line += *s->at == '\n';
}

static void skip_string(struct scan *s)
{
	for (s->at++; *s->at && *s->at != '"'; s->at++) {
		s->line += *s->at == '\n';
		if (*s->at == '\\' && s->at[1])
			s->at++;
	}
	if (*s->at)
		s->at++;
}

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '*';
}

/* A whole number, with all that libconfig allows in one: 10, -5, 0x1F, 7L. */
static int check_number(const struct scan *s, const char *p, size_t len,
                        struct mu_err *err)
{
	char digits[NUMBER_MAX + 1], *end;
	bool hex = len > 1 && (p[1] == 'x' || p[1] == 'X');
	bool fits;
	long long v;

	mu_format(digits, sizeof digits, "%.*s",
	          (int)(len < NUMBER_MAX ? len : NUMBER_MAX), p);
	if (!hex && strpbrk(digits, ".eE"))
		return 0;
	errno = 0;
	v = strtoll(digits, &end, hex ? 16 : 10);
	fits = errno != ERANGE && len <= NUMBER_MAX;
	if (fits && (*end == 'L' || (v >= INT32_MIN && v <= INT32_MAX)))
		return 0;
	if (fits)
		return mu_err(err, MU_ECONFIG,
		              "%s:%d: %s needs an L at its end: %sL", s->name,
		              s->line, digits, digits);
	return mu_err(err, MU_ECONFIG,
	              "%s:%d: %s is too large a number (allowed: up to "
	              "9223372036854775807L)",
	              s->name, s->line, digits);
}

/* A number, or a name with what is in it. */
static int scan_word(struct scan *s, struct mu_err *err)
{
	const char *start = s->at;
	bool number = isdigit((unsigned char)*start) || *start == '-';

	s->at++;
	while (in_word(*s->at) || (number && *s->at == '.'))
		s->at++;
	return number ? check_number(s, start, (size_t)(s->at - start), err)
	              : 0;
}

int mu_conf_check_text(const char *name, const char *text, size_t len,
                       struct mu_err *err)
{
	struct scan s = { name, text, 1 };
	int rc = 0;

	while (*s.at && !rc) {
		if (*s.at == '#' || strncmp(s.at, "//", 2) == 0)
			skip_past(&s, "\n");
		else if (strncmp(s.at, "/*", 2) == 0)
			skip_past(&s, "*/");
		else if (*s.at == '"')
			skip_string(&s);
		else if (in_word(*s.at))
			rc = scan_word(&s, err);
		else
			s.line += *s.at++ == '\n';
	}
	if (!rc && s.at < text + len)
		return mu_err(err, MU_ECONFIG, "%s:%d: there is a NUL byte",
		              name, s.line);
	return rc;
}
