#include "conffile.h"

#include "bug.h"
#include "chan.h"
#include "confcheck.h"
#include "confrow.h"
#include "err.h"
#include "files.h"
#include "mem.h"

#include <libconfig.h>
#include <limits.h>
#include <string.h>

struct mu_conf {
	config_t lib; /* first: a setting points to it */
	char *name;   /* for errors, where libconfig has no file */
	char *dir;    /* where included files stand */
};

/* struct mu_conf_node has no body: it is libconfig's setting under our name. */
static const config_setting_t *see(const struct mu_conf_node *n)
{
	return (const config_setting_t *)n;
}

static const struct mu_conf_node *show(const config_setting_t *s)
{
	return (const struct mu_conf_node *)s;
}

static char *copy_of(const char *text, size_t len)
{
	char *copy = mu_alloc(len + 1);

	if (copy)
		memcpy(copy, text, len);
	return copy;
}

/* ---- reading ---------------------------------------------------------------- */

static int too_deep(const struct mu_conf_node *n, struct mu_err *err)
{
	return mu_err(err, MU_ECONFIG,
	              "%s:%d: nested deeper than %u, or a key longer than %u "
	              "bytes",
	              mu_conf_file(n), mu_conf_line(n), MU_CONF_DEPTH_MAX,
	              MU_CONF_KEY_MAX);
}

static int parse_failed(const struct mu_conf *c, struct mu_err *err)
{
	const char *file = config_error_file(&c->lib);
	const char *what = config_error_text(&c->lib);
	char hint[300] = "";

	if (!what)
		what = "cannot be read";
	if (strstr(what, "include"))
		mu_format(hint, sizeof hint,
		          " (its name is taken relative to %s/)", c->dir);
	return mu_err(err, MU_ECONFIG, "%s:%d: %s%s", file ? file : c->name,
	              config_error_line(&c->lib), what, hint);
}

/* What libconfig has let in by @include, held to the same limits. */
static int check_one_included(const struct mu_conf *c, const char *name,
                              struct mu_err *err)
{
	char path[PATH_MAX], *text;
	size_t len;
	int rc;

	mu_format(path, sizeof path, "%s/%s", c->dir, name);
	rc = mu_file_read(path, MU_CONF_FILE_MAX, &text, &len, err);
	if (rc == MU_ETOOBIG)
		return mu_err(err, MU_ECONFIG, "%s:1: larger than %u bytes",
		              name, MU_CONF_FILE_MAX);
	if (rc)
		return rc == MU_ENONODE ? MU_EIO : rc;
	rc = mu_conf_check_text(name, text, len, err);
	mu_free(text);
	return rc;
}

static int check_included(const struct mu_conf *c, struct mu_err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < c->lib.num_filenames && !rc; i++)
		rc = check_one_included(c, c->lib.filenames[i], err);
	return rc;
}

static int nothing(void *arg, const char *key, int type, const char *text,
                   int64_t number)
{
	(void)arg, (void)key, (void)type, (void)text, (void)number;
	return 0;
}

static int conf_new(const char *name, struct mu_conf **out, struct mu_err *err)
{
	const char *slash = strrchr(name, '/');
	struct mu_conf *c = mu_alloc(sizeof *c);

	if (c) {
		c->name = copy_of(name, strlen(name));
		c->dir = slash ? copy_of(name, (size_t)(slash - name))
		               : copy_of(".", 1);
		config_init(&c->lib);
	}
	if (!c || !c->name || !c->dir) {
		mu_conf_close(c);
		return mu_err(err, MU_ENOMEM, "no memory left to read %s",
		              name);
	}
	config_set_include_dir(&c->lib, c->dir);
	*out = c;
	return 0;
}

/* libconfig wants a newline behind a comment, even at the end of the file. */
static int conf_read(struct mu_conf *c, const char *text, size_t len,
                     struct mu_err *err)
{
	char *ended = mu_alloc(len + 2);
	int good;

	if (!ended)
		return mu_err(err, MU_ENOMEM, "no memory left to read %s",
		              c->name);
	memcpy(ended, text, len);
	ended[len] = '\n';
	good = config_read_string(&c->lib, ended);
	mu_free(ended);
	return good ? 0 : parse_failed(c, err);
}

static int conf_parse(const char *name, const char *text, size_t len,
                      struct mu_conf **out, struct mu_err *err)
{
	struct mu_conf *c = NULL;
	int rc = mu_conf_check_text(name, text, len, err);

	if (rc)
		return rc;
	rc = conf_new(name, &c, err);
	if (rc)
		return rc;
	rc = conf_read(c, text, len, err);
	if (rc == 0)
		rc = check_included(c, err);
	if (rc == 0 && mu_conf_walk(mu_conf_root(c), nothing, NULL))
		rc = too_deep(mu_conf_root(c), err);
	if (rc) {
		mu_conf_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

int mu_conf_parse(const char *name, const char *text, struct mu_conf **out,
                  struct mu_err *err)
{
	return conf_parse(name, text, strlen(text), out, err);
}

int mu_conf_open(const char *file, struct mu_conf **out, struct mu_err *err)
{
	char *text;
	size_t len;
	int rc = mu_file_read(file, MU_CONF_FILE_MAX, &text, &len, err);

	if (rc == MU_ENONODE)
		return mu_err(err, MU_EIO, "there is no file %s", file);
	if (rc == MU_ETOOBIG)
		return mu_err(err, MU_ECONFIG, "%s:1: larger than %u bytes",
		              file, MU_CONF_FILE_MAX);
	if (rc)
		return rc;
	rc = conf_parse(file, text, len, out, err);
	mu_free(text);
	return rc;
}

void mu_conf_close(struct mu_conf *c)
{
	if (!c)
		return;
	config_destroy(&c->lib);
	mu_free(c->name);
	mu_free(c->dir);
	mu_free(c);
}

/* ---- looking ---------------------------------------------------------------- */

const struct mu_conf_node *mu_conf_root(const struct mu_conf *c)
{
	return show(config_root_setting(&c->lib));
}

const struct mu_conf_node *mu_conf_sub(const struct mu_conf_node *node,
                                       const char *key)
{
	const config_setting_t *s;

	if (!node || !config_setting_is_group(see(node)))
		return NULL;
	s = config_setting_get_member(see(node), key);
	return s && config_setting_is_aggregate(s) ? show(s) : NULL;
}

size_t mu_conf_count(const struct mu_conf_node *node)
{
	return node ? (size_t)config_setting_length(see(node)) : 0;
}

const struct mu_conf_node *mu_conf_at(const struct mu_conf_node *node, size_t i)
{
	if (i >= mu_conf_count(node))
		return NULL;
	return show(config_setting_get_elem(see(node), (unsigned)i));
}

const char *mu_conf_file(const struct mu_conf_node *node)
{
	const char *file = config_setting_source_file(see(node));

	/* The config_t is the first member of our struct. */
	return file ? file : ((const struct mu_conf *)see(node)->config)->name;
}

int mu_conf_line(const struct mu_conf_node *node)
{
	return (int)config_setting_source_line(see(node));
}

/* ---- walking ---------------------------------------------------------------- */

struct walk {
	int (*each)(void *arg, const char *key, int type, const char *text,
	            int64_t number);
	void *arg;
	char key[MU_CONF_KEY_MAX + 1];
};

static int tell_scalar(struct walk *w, const config_setting_t *s)
{
	char text[32];

	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return w->each(w->arg, w->key, MU_SETTING_INT, NULL,
		               config_setting_get_int64(s));
	case CONFIG_TYPE_BOOL:
		return w->each(w->arg, w->key, MU_SETTING_BOOL, NULL,
		               config_setting_get_bool(s));
	case CONFIG_TYPE_FLOAT:
		mu_format(text, sizeof text, "%.17g",
		          config_setting_get_float(s));
		return w->each(w->arg, w->key, MU_SETTING_FLOAT, text, 0);
	case CONFIG_TYPE_STRING:
		return w->each(w->arg, w->key, MU_SETTING_STR,
		               config_setting_get_string(s), 0);
	default:
		return 0;
	}
}

/* Write the name of an element behind what is in w->key[0..len). The new
 * length, or 0 if it does not fit. */
static size_t key_extend(struct walk *w, size_t len, const config_setting_t *s,
                         unsigned i)
{
	size_t room = sizeof w->key - len, n;

	if (s->name)
		n = mu_format(w->key + len, room, "%s%s", len ? "." : "",
		              s->name);
	else
		n = mu_format(w->key + len, room, "[%u]", i);
	return n < room - 1 ? len + n : 0;
}

static int walk_parts(struct walk *w, const config_setting_t *s, size_t len,
                      unsigned depth)
{
	unsigned count = (unsigned)config_setting_length(s);
	int rc = 0;

	if (depth > MU_CONF_DEPTH_MAX)
		return MU_ETOOBIG;
	for (unsigned i = 0; i < count && !rc; i++) {
		const config_setting_t *part = config_setting_get_elem(s, i);
		size_t n = key_extend(w, len, part, i);

		if (n == 0)
			return MU_ETOOBIG;
		if (!config_setting_is_aggregate(part)) {
			rc = tell_scalar(w, part);
			continue;
		}
		if (!config_setting_is_group(part))
			rc = w->each(w->arg, w->key, MU_SETTING_COUNT, NULL,
			             config_setting_length(part));
		if (!rc)
			rc = walk_parts(w, part, n, depth + 1);
	}
	return rc;
}

int mu_conf_walk(const struct mu_conf_node *node,
                 int (*each)(void *arg, const char *key, int type,
                             const char *text, int64_t number),
                 void *arg)
{
	struct walk w = { .each = each, .arg = arg };

	return node ? walk_parts(&w, see(node), 0, 1) : 0;
}

/* ---- filling ---------------------------------------------------------------- */

static void *field(void *out, const struct mu_conf_row *row)
{
	return (char *)out + row->offset;
}

static void list_fini(struct mu_conf_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		mu_free(l->item[i]);
	mu_free(l->item);
	*l = (struct mu_conf_list){ NULL, 0 };
}

static void fields_zero(const struct mu_conf_row *rows, void *out)
{
	for (; rows->key; rows++) {
		if (rows->type == MU_CONF_INT)
			*(int64_t *)field(out, rows) = 0;
		else if (rows->type == MU_CONF_BOOL)
			*(bool *)field(out, rows) = false;
		else if (rows->type == MU_CONF_STR)
			*(char **)field(out, rows) = NULL;
		else if (rows->type == MU_CONF_LIST)
			*(struct mu_conf_list *)field(out, rows) =
				(struct mu_conf_list){ NULL, 0 };
	}
}

void mu_conf_wipe(const struct mu_conf_row *rows, void *out)
{
	for (const struct mu_conf_row *r = rows; r->key; r++) {
		if (r->type == MU_CONF_STR)
			mu_free(*(char **)field(out, r));
		else if (r->type == MU_CONF_LIST)
			list_fini(field(out, r));
	}
	fields_zero(rows, out);
}

static int refused(const config_setting_t *s, const struct mu_conf_row *row,
                   const char *what, struct mu_err *err)
{
	char allowed[128];

	mu_conf_allowed(row, allowed, sizeof allowed);
	return mu_err(err, MU_ECONFIG, "%s:%d: %s: %s (allowed: %s)",
	              mu_conf_file(show(s)), mu_conf_line(show(s)), row->key,
	              what, allowed);
}

/* min and max of the row, as its type means them. */
static bool in_range(const struct mu_conf_row *row, int64_t n)
{
	if (row->type == MU_CONF_INT)
		return (row->min == 0 && row->max == 0) ||
		       (n >= row->min && n <= row->max);
	return n >= row->min && (row->max == 0 || n <= row->max);
}

static int fill_int(const config_setting_t *s, const struct mu_conf_row *row,
                    void *out, struct mu_err *err)
{
	char what[64];
	int64_t v;

	if (config_setting_type(s) != CONFIG_TYPE_INT &&
	    config_setting_type(s) != CONFIG_TYPE_INT64)
		return refused(s, row, "must be a whole number", err);
	v = config_setting_get_int64(s);
	mu_format(what, sizeof what, "%lld is out of range", (long long)v);
	if (!in_range(row, v))
		return refused(s, row, what, err);
	*(int64_t *)field(out, row) = v;
	return 0;
}

static int fill_bool(const config_setting_t *s, const struct mu_conf_row *row,
                     void *out, struct mu_err *err)
{
	if (config_setting_type(s) != CONFIG_TYPE_BOOL)
		return refused(s, row, "must be true or false", err);
	*(bool *)field(out, row) = config_setting_get_bool(s);
	return 0;
}

static int out_of_memory(const struct mu_conf_row *row, struct mu_err *err)
{
	return mu_err(err, MU_ENOMEM, "no memory left for %s", row->key);
}

static int fill_str(const config_setting_t *s, const struct mu_conf_row *row,
                    void *out, struct mu_err *err)
{
	const char *text;
	char what[64];
	size_t len;

	if (config_setting_type(s) != CONFIG_TYPE_STRING)
		return refused(s, row, "must be a text in quotes", err);
	text = config_setting_get_string(s);
	len = strlen(text);
	mu_format(what, sizeof what, "has %zu bytes", len);
	if (!in_range(row, (int64_t)len))
		return refused(s, row, what, err);
	text = copy_of(text, len);
	*(const char **)field(out, row) = text;
	return text ? 0 : out_of_memory(row, err);
}

/* One text is a list of one. */
static unsigned list_count(const config_setting_t *s)
{
	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		return 1;
	return (unsigned)config_setting_length(s);
}

static const config_setting_t *list_at(const config_setting_t *s, unsigned i)
{
	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		return s;
	return config_setting_get_elem(s, i);
}

static int list_check(const config_setting_t *s, const struct mu_conf_row *row,
                      struct mu_err *err)
{
	char what[64];

	if (config_setting_type(s) != CONFIG_TYPE_STRING &&
	    config_setting_type(s) != CONFIG_TYPE_ARRAY &&
	    config_setting_type(s) != CONFIG_TYPE_LIST)
		return refused(s, row, "must be a list of texts", err);
	for (unsigned i = 0; i < list_count(s); i++)
		if (config_setting_type(list_at(s, i)) != CONFIG_TYPE_STRING)
			return refused(s, row, "must be a list of texts", err);
	mu_format(what, sizeof what, "has %u entries", list_count(s));
	return in_range(row, list_count(s)) ? 0 : refused(s, row, what, err);
}

static int fill_list(const config_setting_t *s, const struct mu_conf_row *row,
                     void *out, struct mu_err *err)
{
	struct mu_conf_list *l = field(out, row);
	unsigned count;
	int rc = list_check(s, row, err);

	if (rc)
		return rc;
	count = list_count(s);
	l->item = count ? mu_alloc(count * sizeof *l->item) : NULL;
	if (count && !l->item)
		return out_of_memory(row, err);
	for (unsigned i = 0; i < count; i++) {
		const char *text = config_setting_get_string(list_at(s, i));

		l->item[i] = copy_of(text, strlen(text));
		if (!l->item[i])
			return out_of_memory(row, err);
		l->count++;
	}
	return 0;
}

static int fill_group(const config_setting_t *s, const struct mu_conf_row *row,
                      void *out, struct mu_err *err)
{
	(void)out;
	if (config_setting_is_aggregate(s))
		return 0;
	return refused(s, row, "must be a group or a list", err);
}

static int fill_field(const config_setting_t *s, const struct mu_conf_row *row,
                      void *out, struct mu_err *err)
{
	static int (*const fill[])(const config_setting_t *,
	                           const struct mu_conf_row *, void *,
	                           struct mu_err *) = {
		[MU_CONF_INT] = fill_int,     [MU_CONF_BOOL] = fill_bool,
		[MU_CONF_STR] = fill_str,     [MU_CONF_LIST] = fill_list,
		[MU_CONF_GROUP] = fill_group,
	};

	return fill[row->type](s, row, out, err);
}

/* libconfig reads defaults too, so that they mean what they would in a file. */
static int fill_default(const struct mu_conf_row *row, void *out,
                        struct mu_err *err)
{
	const char *quote = "";
	struct mu_conf *c;
	size_t room;
	char *text;
	int rc;

	if (!row->fallback || row->type == MU_CONF_GROUP)
		return 0;
	if (row->type == MU_CONF_STR && row->fallback[0] != '"')
		quote = "\"";
	room = strlen(row->fallback) + sizeof "v = \"\";";
	text = mu_alloc(room);
	if (!text)
		return out_of_memory(row, err);
	mu_format(text, room, "v = %s%s%s;", quote, row->fallback, quote);
	rc = mu_conf_parse("the built-in default", text, &c, err);
	mu_free(text);
	MU_BUG_ON(rc == MU_ECONFIG);
	if (rc)
		return rc;
	rc = fill_field(see(mu_conf_at(mu_conf_root(c), 0)), row, out, err);
	mu_conf_close(c);
	MU_BUG_ON(rc == MU_ECONFIG);
	return rc;
}

static int check_known(const config_setting_t *s,
                       const struct mu_conf_row *rows, struct mu_err *err)
{
	const char *near;

	for (const struct mu_conf_row *r = rows; r->key; r++)
		if (strcmp(r->key, s->name) == 0)
			return 0;
	near = mu_conf_near(s->name, rows);
	return mu_err(err, MU_ECONFIG, "%s:%d: %s: unknown key%s%s%s",
	              mu_conf_file(show(s)), mu_conf_line(show(s)), s->name,
	              near ? " (did you mean " : "", near ? near : "",
	              near ? "?)" : "");
}

static int check_keys(const struct mu_conf_node *node,
                      const struct mu_conf_row *rows, struct mu_err *err)
{
	int rc = 0;

	if (!config_setting_is_group(see(node)))
		return mu_err(err, MU_ECONFIG,
		              "%s:%d: must be a group: { key = value; }",
		              mu_conf_file(node), mu_conf_line(node));
	for (size_t i = 0; i < mu_conf_count(node) && !rc; i++)
		rc = check_known(see(mu_conf_at(node, i)), rows, err);
	return rc;
}

int mu_conf_fill(const struct mu_conf_node *node,
                 const struct mu_conf_row *rows, void *out, struct mu_err *err)
{
	int rc = node ? check_keys(node, rows, err) : 0;

	fields_zero(rows, out);
	for (const struct mu_conf_row *r = rows; r->key && !rc; r++) {
		const config_setting_t *s =
			node ? config_setting_get_member(see(node), r->key)
			     : NULL;

		rc = s ? fill_field(s, r, out, err) : fill_default(r, out, err);
	}
	if (rc)
		mu_conf_wipe(rows, out);
	return rc;
}
