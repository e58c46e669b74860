#include "duration.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* From the largest on. */
static const struct {
	const char *word;
	int64_t ms;
} units[] = {
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};

#define UNITS (sizeof units / sizeof units[0])
#define PARTS_MAX 1000000000 /* finer than a millisecond of the largest */

static int64_t unit_of(const char *word)
{
	for (size_t i = 0; i < UNITS; i++)
		if (strcmp(units[i].word, word[0] ? word : "s") == 0)
			return units[i].ms;
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Its digits from *at on; false: they are too many. */
static bool read_whole(const char **at, int64_t *out)
{
	for (; is_digit(**at); (*at)++) {
		int64_t digit = **at - '0';

		if (*out > (INT64_MAX - digit) / 10)
			return false;
		*out = *out * 10 + digit;
	}
	return true;
}

/* Digits behind a point: as parts of a whole, `of` of which are one. */
static const char *read_parts(const char *at, int64_t *parts, int64_t *of)
{
	for (; is_digit(*at); at++) {
		if (*of >= PARTS_MAX)
			continue;
		*parts = *parts * 10 + (*at - '0');
		*of *= 10;
	}
	return at;
}

bool duration_parse(const char *text, int64_t *out_ms)
{
	const char *at = text;
	int64_t whole = 0, parts = 0, of = 1, unit, more;

	if (!is_digit(*at) || !read_whole(&at, &whole))
		return false;
	if (*at == '.') {
		at = read_parts(at + 1, &parts, &of);
		if (of == 1)
			return false;
	}
	unit = unit_of(at);
	more = parts * unit / of;
	if (unit == 0 || whole > (INT64_MAX - more) / unit)
		return false;
	*out_ms = whole * unit + more;
	return true;
}

void duration_text(char out[DURATION_ROOM], int64_t ms)
{
	size_t i = 0;

	while (i + 1 < UNITS && (ms < units[i].ms || ms % units[i].ms != 0))
		i++;
	snprintf(out, DURATION_ROOM, "%" PRId64 "%s", ms / units[i].ms,
	         units[i].word);
}
