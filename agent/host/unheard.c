#include "unheard.h"

#include "chan.h"
#include "err.h"
#include "path.h"

#include <string.h>

#define PATH_SHOWN 200u /* bytes */

/* Settings that name a node, '#' standing for a number. Where the other one is true
 * the nodes below it are meant, and not itself; NULL: there is none. */
static const struct row {
	const char *plugin, *key, *children;
} rows[] = {
	{ "config-file", "path", NULL },
	{ "template", "nodes[#].path", "nodes[#].children" },
};

/* "/usr/lib/x/template.so" is the plugin template, as "template" is. */
static bool is_plugin(const struct mu_instance_conf *c, const char *name)
{
	const char *slash = strrchr(c->plugin, '/');
	size_t len = strlen(name);

	if (!slash)
		return strcmp(c->plugin, name) == 0;
	return strncmp(slash + 1, name, len) == 0 &&
	       strcmp(slash + 1 + len, ".so") == 0;
}

/* Is it that key? *number is what '#' stands for. */
static bool is_key(struct mu_str key, const char *form, struct mu_str *number)
{
	const char *sign = strchr(form, '#');
	struct mu_str head, tail;

	if (!sign)
		return mu_str_eq(key, mu_str_of(form));
	head = (struct mu_str){ form, (uint32_t)(sign - form) };
	tail = mu_str_of(sign + 1);
	if (!mu_str_starts(key, head) || key.len <= head.len + tail.len)
		return false;
	*number = (struct mu_str){ key.at + head.len,
		                   key.len - head.len - tail.len };
	return memcmp(number->at + number->len, tail.at, tail.len) == 0 &&
	       !memchr(number->at, ']', number->len);
}

/* Is there a setting of this form and number that is true? */
static bool is_true(const struct mu_instance_conf *c, const char *form,
                    struct mu_str number)
{
	struct mu_in in = mu_in_of(c->settings.data, c->settings.len);
	struct mu_setting s;
	struct mu_str n;

	while (form && mu_in_left(&in) > 0 && mu_get_setting(&in, &s) == 0)
		if (is_key(s.key, form, &n) && mu_str_eq(n, number))
			return s.type == MU_SETTING_BOOL && s.number;
	return false;
}

static bool covers(const struct mu_watch_conf *w, struct mu_str path)
{
	struct mu_str top = mu_str_of(w->path);

	if (mu_str_eq(path, top))
		return true;
	if (w->mode == MU_MIRROR_CHILDREN)
		return path.len > 1 && mu_str_eq(mu_path_parent(path), top);
	return w->mode == MU_MIRROR_SUBTREE && mu_path_is_within(path, top);
}

/* Or at least some of the nodes below it. */
static bool covers_below(const struct mu_watch_conf *w, struct mu_str path)
{
	struct mu_str top = mu_str_of(w->path);

	if (mu_str_eq(path, top))
		return w->mode != MU_MIRROR_EXACT;
	return mu_path_is_within(top, path) ||
	       (w->mode == MU_MIRROR_SUBTREE && mu_path_is_within(path, top));
}

static bool is_heard(const struct mu_instance_conf *c, struct mu_str path,
                     bool below)
{
	for (size_t i = 0; i < c->watches; i++)
		if ((below ? covers_below : covers)(&c->watch[i], path))
			return true;
	return false;
}

static void look_at(const struct mu_instance_conf *c, const struct row *row,
                    const struct mu_setting *s,
                    void (*say)(void *arg, const char *text), void *arg)
{
	struct mu_str number = { 0 };
	char text[MU_ERR_MSG_MAX];

	if (s->type != MU_SETTING_STR || !is_key(s->key, row->key, &number) ||
	    mu_path_check(s->text, NULL) ||
	    is_heard(c, s->text, is_true(c, row->children, number)))
		return;
	mu_format(text, sizeof text,
	          "settings.%.*s = \"%.*s\" is covered by no `watch` of the "
	          "instance: it hears nothing of that node",
	          (int)s->key.len, s->key.at,
	          (int)(s->text.len < PATH_SHOWN ? s->text.len : PATH_SHOWN),
	          s->text.at);
	say(arg, text);
}

void mu_unheard_each(const struct mu_instance_conf *c,
                     void (*say)(void *arg, const char *text), void *arg)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mu_in in = mu_in_of(c->settings.data, c->settings.len);
		struct mu_setting s;

		if (!is_plugin(c, rows[i].plugin))
			continue;
		while (mu_in_left(&in) > 0 && mu_get_setting(&in, &s) == 0)
			look_at(c, &rows[i], &s, say, arg);
	}
}
