#include "asked.h"

#include "confrow.h"
#include "err.h"

#include <string.h>

/* Keys remembered to suggest; a plugin that asks for more is odd anyway. */
#define ASKED_MAX (16u * 1024) /* bytes */

/* Marks: the bit of each type that a row was asked for as, and */
#define TYPES ((1u << (MU_SETTING_COUNT + 1)) - 1)
#define FITS 0x20u /* one of them fits */
#define TOLD_MISTYPED 0x40u
#define TOLD_UNREAD 0x80u

static const char *const type_words[] = {
	[MU_SETTING_STR] = "a text",
	[MU_SETTING_INT] = "a whole number",
	[MU_SETTING_BOOL] = "a boolean",
	[MU_SETTING_FLOAT] = "a number with a fraction",
	[MU_SETTING_COUNT] = "a list",
};

/* ---- what was asked for ---- */

static const char *next_key(const struct mu_settings *s, const char *key)
{
	const char *end = (const char *)s->asked.data + s->asked.len;

	key = key ? key + strlen(key) + 1 : (const char *)s->asked.data;
	return s->asked.len && key < end ? key : NULL;
}

static void keep_key(struct mu_settings *s, const char *key)
{
	size_t len = strlen(key) + 1;

	for (const char *k = NULL; (k = next_key(s, k));)
		if (strcmp(k, key) == 0)
			return;
	if (s->asked.len + len <= ASKED_MAX &&
	    mu_buf_reserve(&s->asked, len) == 0)
		mu_buf_put(&s->asked, key, len);
	s->asked.failed = false; /* what is there is whole */
}

void mu_asked_note(struct mu_settings *s, const char *key,
                   enum mu_setting_type type)
{
	struct mu_str k = mu_str_of(key);

	if (s->count == 0 || !key)
		return;
	keep_key(s, key);
	for (size_t i = 0; i < s->count; i++) {
		enum mu_setting_type has = s->rows[i].type;

		if (!mu_str_eq(s->rows[i].key, k))
			continue;
		s->marks[i] |= (uint8_t)(1u << type);
		if (has == type ||
		    (has == MU_SETTING_INT && type == MU_SETTING_FLOAT))
			s->marks[i] |= FITS;
	}
}

/* ---- sentences ---- */

/* The first type that a row was asked for as. */
static const char *wanted(uint8_t marks)
{
	unsigned type = 0;

	while (!(marks & 1u << type))
		type++;
	return type == MU_SETTING_FLOAT ? "a number" : type_words[type];
}

bool mu_asked_mistyped(struct mu_settings *s, char *out, size_t room)
{
	for (size_t i = 0; i < s->count; i++) {
		uint8_t *m = &s->marks[i];

		if (!(*m & TYPES) || *m & (FITS | TOLD_MISTYPED))
			continue;
		*m |= TOLD_MISTYPED;
		mu_format(out, room,
		          "setting \"%s\" is %s, not %s: it has no effect, "
		          "the default is used",
		          s->rows[i].key.at, type_words[s->rows[i].type],
		          wanted(*m));
		return true;
	}
	return false;
}

/* True if the row of this key is a list that was never asked for. */
static bool is_unread_list(const struct mu_settings *s, struct mu_str key)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->rows[i].type == MU_SETTING_COUNT &&
		    mu_str_eq(s->rows[i].key, key))
			return !(s->marks[i] & TYPES);
	return false;
}

/* True for what is no news: an element of a list stands or falls with it, and
 * what is deeper in a list that was not read goes without saying. */
static bool is_said_by_list(const struct mu_settings *s, struct mu_str key)
{
	if (key.len && key.at[key.len - 1] == ']')
		return true;
	for (uint32_t i = 0; i < key.len; i++)
		if (key.at[i] == '[' &&
		    is_unread_list(s, (struct mu_str){ key.at, i }))
			return true;
	return false;
}

bool mu_asked_unread(struct mu_settings *s, const char *plugin, char *out,
                     size_t room)
{
	for (size_t i = 0; i < s->count; i++) {
		const char *key = s->rows[i].key.at, *near = NULL;
		unsigned limit = MU_CONF_NEAR;

		if (s->marks[i] & (TYPES | TOLD_UNREAD))
			continue;
		s->marks[i] |= TOLD_UNREAD;
		if (is_said_by_list(s, s->rows[i].key))
			continue;
		for (const char *k = NULL; (k = next_key(s, k));)
			if (mu_conf_is_nearer(key, k, &limit))
				near = k;
		mu_format(out, room,
		          "setting \"%s\" was not read by %s in init, and "
		          "probably has no effect%s%s%s",
		          key, plugin, near ? ": did you mean \"" : "",
		          near ? near : "", near ? "\"?" : "");
		return true;
	}
	return false;
}
