#include "typed.h"

#include "fail.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What a setting is, in words; NULL if there is none. A host that gives back
 * two fallbacks has nothing of that type. */
static const char *kind_of(const struct mu_host *h, const char *key)
{
	if (h->setting_str(h, key, NULL))
		return "a text";
	if (h->setting_count(h, key) >= 0)
		return "a list";
	if (h->setting_int(h, key, 0) == h->setting_int(h, key, 1))
		return "a whole number";
	if (h->setting_bool(h, key, false) == h->setting_bool(h, key, true))
		return "a boolean";
	if (!(h->setting_float(h, key, 0) < h->setting_float(h, key, 1)))
		return "a number with a fraction";
	return NULL;
}

/* `key` is not of the type that was wanted: 0 if it is not there at all. */
static int refuse(const struct mu_host *h, const char *key, const char *wanted,
                  struct mu_err *err)
{
	const char *kind = kind_of(h, key);

	if (!kind)
		return 0;
	return fail(err, MU_ECONFIG, "%s is %s, but must be %s", key, kind,
	            wanted);
}

int typed_text(const struct mu_host *h, const char *key, const char **out,
               struct mu_err *err)
{
	const char *text = h->setting_str(h, key, NULL);

	if (!text)
		return refuse(h, key, "a text in quotes", err);
	*out = text;
	return 0;
}

int typed_flag(const struct mu_host *h, const char *key, bool *out,
               struct mu_err *err)
{
	bool value = h->setting_bool(h, key, false);

	if (value != h->setting_bool(h, key, true))
		return refuse(h, key, "true or false", err);
	*out = value;
	return 0;
}

int typed_ms(const struct mu_host *h, const char *key, uint32_t *out,
             struct mu_err *err)
{
	int64_t value = h->setting_int(h, key, 0);

	if (value != h->setting_int(h, key, 1))
		return refuse(h, key, "a whole number of ms", err);
	if (value < 1 || value > UINT32_MAX)
		return fail(err, MU_ECONFIG,
		            "%s = %" PRId64 " is not between 1 and %" PRIu32,
		            key, value, UINT32_MAX);
	*out = (uint32_t)value;
	return 0;
}

int typed_number(const struct mu_host *h, const char *key, uint32_t max,
                 uint32_t *out, struct mu_err *err)
{
	int64_t value = h->setting_int(h, key, 0);

	if (value != h->setting_int(h, key, 1))
		return refuse(h, key, "a whole number", err);
	if (value < 0 || value > max)
		return fail(err, MU_ECONFIG,
		            "%s = %" PRId64 " is not between 0 and %" PRIu32,
		            key, value, max);
	*out = (uint32_t)value;
	return 0;
}

int typed_mode(const struct mu_host *h, const char *key, mode_t *out,
               struct mu_err *err)
{
	const char *text = NULL;
	unsigned long bits;
	char *end;
	int rc = typed_text(h, key, &text, err);

	if (rc || !text)
		return rc;
	bits = strtoul(text, &end, 8);
	if (text[0] < '0' || text[0] > '7' || *end || bits > 07777)
		return fail(err, MU_ECONFIG,
		            "%s = \"%.20s\" is no octal mode such as \"0644\"",
		            key, text);
	*out = (mode_t)bits;
	return 0;
}

/* The texts of a list that has n elements. */
static int fill_list(const struct mu_host *h, const char *key, int n,
                     const char **list, struct mu_err *err)
{
	char name[64];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%s[%d]", key, i);
		list[i] = h->setting_str(h, name, NULL);
		if (!list[i])
			return fail(err, MU_ECONFIG, "%s is not a text", name);
	}
	return 0;
}

int typed_list(const struct mu_host *h, const char *key, const char ***out,
               struct mu_err *err)
{
	int n = h->setting_count(h, key), rc = 0;
	const char *alone = h->setting_str(h, key, NULL);
	const char **list;

	if (n < 0 && !alone)
		return refuse(h, key, "a text or a list of texts", err);
	list = calloc(n < 0 ? 2 : (size_t)n + 1, sizeof *list);
	if (!list)
		return fail(err, MU_ENOMEM, "out of memory");
	if (n < 0)
		list[0] = alone;
	else
		rc = fill_list(h, key, n, list, err);
	if (rc)
		free(list);
	else
		*out = list;
	return rc;
}
