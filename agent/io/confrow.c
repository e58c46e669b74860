#include "confrow.h"

#include "err.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 64u /* bytes of a key worth a suggestion */

/* ---- did you mean ----------------------------------------------------------- */

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Letters to add, drop or change (Levenshtein), one row of the table at a
 * time. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[WORD_MAX + 1];
	size_t n = strlen(b);

	if (n > WORD_MAX || strlen(a) > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (; *a; a++) {
		unsigned corner = row[0]++;

		for (size_t j = 1; j <= n; j++) {
			unsigned here = least(row[j] + 1, row[j - 1] + 1,
			                      corner + (*a != b[j - 1]));

			corner = row[j];
			row[j] = here;
		}
	}
	return row[n];
}

bool mu_conf_is_nearer(const char *word, const char *key, unsigned *limit)
{
	unsigned d = distance(word, key);

	/* Two letters of a word of two are another word. */
	if (d >= *limit || d >= strlen(word))
		return false;
	*limit = d;
	return true;
}

const char *mu_conf_near(const char *word, const struct mu_conf_row *rows)
{
	const char *best = NULL;
	unsigned limit = MU_CONF_NEAR;

	for (; rows->key; rows++)
		if (mu_conf_is_nearer(word, rows->key, &limit))
			best = rows->key;
	return best;
}

/* ---- ranges in words -------------------------------------------------------- */

static void range_of(const struct mu_conf_row *row, const char *unit, char *out,
                     size_t room)
{
	const char *gap = unit[0] ? " " : "";

	if (row->max == 0 && row->min == 0)
		mu_format(out, room, "any number%s%s", unit[0] ? " of " : "",
		          unit);
	else if (row->max == 0 && row->type != MU_CONF_INT)
		mu_format(out, room, "at least %lld%s%s", (long long)row->min,
		          gap, unit);
	else if (row->max == INT64_MAX)
		mu_format(out, room, "%lld or more%s%s", (long long)row->min,
		          gap, unit);
	else
		mu_format(out, room, "%lld to %lld%s%s", (long long)row->min,
		          (long long)row->max, gap, unit);
}

void mu_conf_allowed(const struct mu_conf_row *row, char *out, size_t room)
{
	char range[96];
	bool bounded = row->min || row->max;

	switch (row->type) {
	case MU_CONF_INT:
		range_of(row, row->unit ? row->unit : "", out, room);
		break;
	case MU_CONF_BOOL:
		mu_format(out, room, "true or false");
		break;
	case MU_CONF_STR:
		range_of(row, "bytes", range, sizeof range);
		mu_format(out, room, "a text in quotes%s%s",
		          bounded ? ", " : "", bounded ? range : "");
		break;
	case MU_CONF_LIST:
		range_of(row, "entries", range, sizeof range);
		mu_format(out, room, "a text or a list of texts%s%s",
		          bounded ? ", " : "", bounded ? range : "");
		break;
	default:
		mu_format(out, room, "a group or a list");
	}
}

/* ---- the sample file -------------------------------------------------------- */

/* What stands behind "key = ": the default, or what shows the type. */
static const char *sample_of(const struct mu_conf_row *row)
{
	static const char *const none[] = {
		[MU_CONF_INT] = "0",     [MU_CONF_BOOL] = "false",
		[MU_CONF_STR] = "\"\"",  [MU_CONF_LIST] = "[ ]",
		[MU_CONF_GROUP] = "{ }",
	};

	return row->fallback ? row->fallback : none[row->type];
}

static void help_row(const struct mu_conf_row *row, int fd)
{
	const char *sample = sample_of(row);
	const char *quote = "";
	char allowed[128];

	if (row->type == MU_CONF_STR && sample[0] != '"')
		quote = "\"";
	mu_conf_allowed(row, allowed, sizeof allowed);
	dprintf(fd, "# %s\n# Allowed: %s.", row->help ? row->help : row->key,
	        allowed);
	if (row->fallback)
		dprintf(fd, " Default: %s%s%s.", quote, sample, quote);
	if (row->reloadable)
		dprintf(fd, " SIGHUP may change it.");
	dprintf(fd, "\n# %s = %s%s%s;\n", row->key, quote, sample, quote);
}

void mu_conf_help(const struct mu_conf_row *rows, int fd)
{
	for (const struct mu_conf_row *r = rows; r->key; r++) {
		if (r != rows)
			dprintf(fd, "\n");
		help_row(r, fd);
	}
}
