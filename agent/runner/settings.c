#include "settings.h"

#include "mem.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

int mu_settings_load(struct mu_settings *s, const struct mu_vec *v)
{
	struct mu_in in = mu_in_of(v->at, v->len);
	size_t count = v->count > 0 ? (size_t)v->count : 0;

	*s = (struct mu_settings){ 0 };
	if (count == 0)
		return 0;
	s->rows = mu_alloc(count * sizeof *s->rows);
	s->marks = mu_alloc(count);
	if (!s->rows || !s->marks) {
		mu_free(s->rows);
		mu_free(s->marks);
		*s = (struct mu_settings){ 0 };
		return MU_ENOMEM;
	}
	memset(s->marks, 0, count);
	s->count = count;
	for (size_t i = 0; i < count; i++)
		(void)mu_get_setting(&in, &s->rows[i]); /* was validated */
	for (size_t i = 0; i < count; i++) {
		(void)mu_text_end(s->rows[i].key);
		(void)mu_text_end(s->rows[i].text);
	}
	return 0;
}

static const struct mu_setting *find(const struct mu_settings *s,
                                     const char *key, enum mu_setting_type type)
{
	struct mu_str k = mu_str_of(key);

	for (size_t i = 0; i < s->count; i++)
		if (s->rows[i].type == type && mu_str_eq(s->rows[i].key, k))
			return &s->rows[i];
	return NULL;
}

const char *mu_settings_str(const struct mu_settings *s, const char *key,
                            const char *fallback)
{
	const struct mu_setting *row = find(s, key, MU_SETTING_STR);

	return row && row->text.at ? row->text.at : fallback;
}

int64_t mu_settings_int(const struct mu_settings *s, const char *key,
                        int64_t fallback)
{
	const struct mu_setting *row = find(s, key, MU_SETTING_INT);

	return row ? row->number : fallback;
}

bool mu_settings_bool(const struct mu_settings *s, const char *key,
                      bool fallback)
{
	const struct mu_setting *row = find(s, key, MU_SETTING_BOOL);

	return row ? row->number != 0 : fallback;
}

double mu_settings_float(const struct mu_settings *s, const char *key,
                         double fallback)
{
	const struct mu_setting *row = find(s, key, MU_SETTING_FLOAT);
	char *end;
	double v;

	if (!row) {
		row = find(s, key, MU_SETTING_INT);
		return row ? (double)row->number : fallback;
	}
	if (!row->text.at)
		return fallback;
	v = strtod(row->text.at, &end);
	return end != row->text.at && *end == '\0' ? v : fallback;
}

int mu_settings_count(const struct mu_settings *s, const char *key)
{
	const struct mu_setting *row = find(s, key, MU_SETTING_COUNT);

	return row ? (int)row->number : -1;
}
