/* What is kept of one instance. See keep.h. */
#include "keep_impl.h"

#include "err.h"
#include "log.h"
#include "mem.h"

#include <string.h>

#define RETRY_MS 1000u /* after memory was out */

void mu_kept_name(char out[NAME_MAX + 1], const struct mu_kept *p,
                  const char *ext)
{
	mu_format(out, NAME_MAX + 1, "%s%s", p->o.name, ext);
}

/* ---- marks, and what failed ---- */

static bool is_source(const struct mu_keep_source *a,
                      const struct mu_keep_source *b)
{
	return a->mode == b->mode && mu_str_eq(a->path, b->path);
}

/* Of two sources that are alike the one that is behind counts. */
void mu_kept_take_mark(void *arg, const struct mu_cursor_mark *mark)
{
	struct mu_kept *p = arg;

	for (size_t i = 0; i < p->o.count; i++) {
		struct mu_cursor_mark *own = &p->mark[i];

		if (is_source(&own->source, &mark->source) &&
		    (!own->at.known || mu_keep_place_le(&mark->at, &own->at)))
			own->at = mark->at;
	}
}

bool mu_kept_has_place(const struct mu_kept *p)
{
	size_t i = 0;

	while (i < p->o.count && !p->mark[i].at.known)
		i++;
	return i < p->o.count;
}

void mu_kept_failure_drop(struct mu_kept_failure *f)
{
	mu_free(f->text);
	*f = (struct mu_kept_failure){ 0 };
}

/* Without memory it is not remembered: the event comes again all the same. */
void mu_kept_failure_put(struct mu_kept_failure *f,
                         const struct mu_mailbox_failure *from)
{
	const struct mu_chan_event *e = from->e;
	char *text = mu_alloc((size_t)e->path.len + 1);

	mu_kept_failure_drop(f);
	if (!text)
		return;
	memcpy(text, e->path.at ? e->path.at : "", e->path.len);
	f->e = (struct mu_chan_event){ .type = e->type,
		                       .source = e->source,
		                       .zxid = e->zxid,
		                       .n = e->n,
		                       .path = { text, e->path.len } };
	f->attempts = from->attempts;
	f->yields = from->yields;
	f->text = text;
}

void mu_kept_take_failure(struct mu_kept *p, const struct mu_cursor *c)
{
	struct mu_chan_event e = { .type = c->failed_type,
		                   .zxid = c->failed_zxid,
		                   .n = c->failed_n,
		                   .path = c->failed_path };
	struct mu_mailbox_failure f = { &e, c->attempts, c->yields };

	for (size_t i = 0; i < p->o.count && c->attempts; i++) {
		if (!is_source(&p->mark[i].source, &c->failed_of))
			continue;
		e.source = (int32_t)i;
		mu_kept_failure_put(&p->failure, &f);
		return;
	}
}

/* ---- written ---- */

/* False: memory is out. b is used up in any case. */
static bool put(struct mu_kept *p, const char *ext, struct mu_buf *b)
{
	char name[NAME_MAX + 1];
	uint8_t *bytes;
	size_t len;

	if (mu_buf_failed(b)) {
		mu_buf_fini(b);
		return false;
	}
	mu_kept_name(name, p, ext);
	len = mu_buf_take(b, &bytes);
	return mu_saver_put(p->k->saver, name, bytes, len) == 0;
}

void mu_kept_remove_files(struct mu_kept *p)
{
	static const char *const exts[] = { MU_CURSOR_EXT, MU_CACHE_EXT };
	char name[NAME_MAX + 1];

	for (size_t i = 0; i < sizeof exts / sizeof *exts; i++) {
		mu_kept_name(name, p, exts[i]);
		(void)mu_saver_remove(p->k->saver, name);
	}
}

void mu_kept_put_failure(const struct mu_kept *p, struct mu_cursor *c)
{
	struct mu_mailbox_failure f = p->open && p->o.failed
	                                      ? p->o.failed(p->o.arg)
	                                      : mu_kept_failed(p);
	const struct mu_chan_event *e = f.e;

	if (!e || e->source < 0 || (size_t)e->source >= p->o.count)
		return;
	c->failed_of = p->mark[e->source].source;
	c->failed_path = e->path;
	c->failed_type = e->type;
	c->failed_zxid = e->zxid;
	c->failed_n = e->n;
	c->attempts = f.attempts;
	c->yields = f.yields;
}

void mu_kept_write_cursor(struct mu_kept *p)
{
	struct mu_cursor c = { .tree_id = p->tree_id,
		               .brokers = p->k->o.brokers };
	struct mu_buf b = { 0 };

	p->dirty = false;
	if (!mu_kept_has_place(p) && !p->stored)
		return;
	mu_kept_put_failure(p, &c);
	mu_cursor_put(&b, &c, p->mark, p->o.count);
	p->stored = true;
	if (put(p, MU_CURSOR_EXT, &b))
		return;
	p->dirty = true;
	mu_timer_arm(p->k->timer, RETRY_MS, 0);
}

void mu_kept_touch(struct mu_kept *p)
{
	p->dirty = true;
	if (!mu_timer_armed(p->k->timer))
		mu_timer_arm(p->k->timer, MU_KEEP_CURSOR_MS, 0);
}

/* ---- the cache ---- */

static uint64_t due_ms(const struct mu_kept *p)
{
	uint64_t pause = p->saved_len > MU_KEEP_SMALL ? MU_KEEP_CACHE_MS
	                                              : MU_KEEP_SMALL_MS;

	return p->saved_ms ? p->saved_ms + pause : 0;
}

bool mu_kept_is_changed(const struct mu_kept *p)
{
	return p->changed || p->ahead_at;
}

bool mu_kept_is_due(const struct mu_kept *p)
{
	return mu_kept_is_changed(p) &&
	       mu_loop_now_ms(p->k->o.loop) >= due_ms(p);
}

static void await_due(struct mu_kept *p)
{
	uint64_t now = mu_loop_now_ms(p->k->o.loop), due = due_ms(p);

	if (!mu_timer_armed(p->timer))
		mu_timer_arm(p->timer, due > now ? due - now : 0, 0);
}

static void on_due(void *arg)
{
	struct mu_kept *p = arg;

	/* It was written since the timer was armed, and has changed again. */
	if (mu_kept_is_changed(p) && !mu_kept_is_due(p))
		await_due(p);
	else if (mu_kept_is_changed(p) && p->o.on_due)
		p->o.on_due(p->o.arg);
}

void mu_kept_changed(struct mu_kept *p)
{
	p->changed = true;
	await_due(p);
}

static bool is_too_big(struct mu_kept *p, const struct mu_buf *b)
{
	if (mu_buf_failed(b) || b->len <= MU_KEEP_FILE_MAX)
		return false;
	if (!p->too_big)
		mu_log(MU_WARN,
		       MSG("the state of an instance is too large to be kept; "
		           "without a broker it would start with an older one, "
		           "or none"),
		       KS("instance", p->o.name), KI("bytes", b->len));
	p->too_big = true;
	return true;
}

static void save(struct mu_kept *p, struct mu_buf *b)
{
	p->saved_ms = mu_loop_now_ms(p->k->o.loop);
	p->saved_len = b->len;
	if (is_too_big(p, b)) {
		mu_buf_fini(b);
	} else if (!put(p, MU_CACHE_EXT, b)) {
		mu_kept_changed(p); /* when it is due once more */
	}
}

static void drop_ahead(struct mu_kept *p)
{
	mu_buf_fini(&p->ahead);
	mu_free(p->ahead_at);
	p->ahead_at = NULL;
}

void mu_kept_drop_ahead(struct mu_kept *p)
{
	if (!p->ahead_at)
		return;
	drop_ahead(p);
	mu_kept_changed(p); /* what it held is still not written */
}

static void build(struct mu_kept *p, const struct mu_keep_place *at,
                  mu_kept_fn *each, void *arg, struct mu_buf *b)
{
	struct mu_cache_writer w;

	p->changed = false;
	mu_cache_begin(&w, b, p->tree_id, p->k->o.brokers);
	for (size_t i = 0; i < p->o.count; i++) {
		const struct mu_keep_place *place =
			at ? &at[i] : &p->mark[i].at;

		if (!place->known)
			continue;
		mu_cache_source(&w, &p->mark[i].source, place);
		each(arg, i, &w);
	}
	mu_cache_end(&w);
}

void mu_kept_save(struct mu_kept *p, mu_kept_fn *each, void *arg)
{
	struct mu_buf b = { 0 };

	drop_ahead(p);
	build(p, NULL, each, arg, &b);
	save(p, &b);
}

/* Is all handled that it holds? */
static void save_reached(struct mu_kept *p)
{
	struct mu_buf b = p->ahead;

	for (size_t i = 0; i < p->o.count; i++)
		if (p->ahead_at[i].known &&
		    !(p->mark[i].at.known &&
		      mu_keep_place_le(&p->ahead_at[i], &p->mark[i].at)))
			return;
	p->ahead = (struct mu_buf){ 0 };
	drop_ahead(p);
	save(p, &b);
}

void mu_kept_save_ahead(struct mu_kept *p, const struct mu_keep_place *at,
                        mu_kept_fn *each, void *arg)
{
	size_t size = p->o.count * sizeof *at;
	struct mu_keep_place *copy = mu_alloc(size);

	drop_ahead(p);
	p->saved_ms = mu_loop_now_ms(p->k->o.loop);
	if (copy) {
		memcpy(copy, at, size);
		build(p, at, each, arg, &p->ahead);
		p->ahead_at = copy;
		p->saved_len = p->ahead.len;
	}
	if (!copy || mu_buf_failed(&p->ahead)) {
		drop_ahead(p);
		mu_kept_changed(p); /* when it is due once more */
	} else if (is_too_big(p, &p->ahead)) {
		drop_ahead(p);
	} else {
		await_due(p);    /* all may be handled, and more, before */
		save_reached(p); /* what waits may be of no source */
	}
}

bool mu_kept_has_ahead(const struct mu_kept *p)
{
	return p->ahead_at;
}

void mu_kept_drop_cache(struct mu_kept *p)
{
	mu_free(p->cache);
	p->cache = NULL;
	p->cache_len = 0;
}

bool mu_kept_cached(const struct mu_kept *p, size_t i,
                    struct mu_cache_part *out)
{
	return p->cache &&
	       mu_cache_find(p->cache, p->cache_len, &p->mark[i].source, out);
}

/* ---- places ---- */

const struct mu_keep_place *mu_kept_place(const struct mu_kept *p, size_t i)
{
	return &p->mark[i].at;
}

int64_t mu_kept_tree(const struct mu_kept *p)
{
	return p->tree_id;
}

bool mu_kept_is_foreign(const struct mu_kept *p, int64_t tree_id)
{
	return mu_kept_has_place(p) && p->tree_id != tree_id;
}

struct mu_mailbox_failure mu_kept_failed(const struct mu_kept *p)
{
	const struct mu_kept_failure *f = &p->failure;

	return (struct mu_mailbox_failure){ f->attempts ? &f->e : NULL,
		                            f->attempts, f->yields };
}

void mu_kept_reached(struct mu_kept *p, size_t i, int64_t zxid, int32_t n)
{
	struct mu_keep_place at = { true, zxid, n };
	struct mu_keep_place *own = &p->mark[i].at;

	if (own->known && !p->mark[i].restart && mu_keep_place_le(&at, own))
		return;
	p->mark[i].restart = false;
	*own = at;
	p->tree_id = p->k->tree_id;
	mu_kept_touch(p);
	if (p->ahead_at)
		save_reached(p);
}

void mu_kept_restart(struct mu_kept *p, size_t i)
{
	p->mark[i].restart = true;
	mu_kept_drop_ahead(p);
}

void mu_kept_forget(struct mu_kept *p)
{
	for (size_t i = 0; i < p->o.count; i++)
		p->mark[i].at = (struct mu_keep_place){ 0 };
	mu_kept_failure_drop(&p->failure);
	mu_kept_drop_cache(p);
	drop_ahead(p);
	p->dirty = p->stored = false;
	p->saved_ms = 0;
	mu_kept_remove_files(p);
}

/* ---- opening and closing ---- */

void mu_kept_free(struct mu_kept *p)
{
	if (!p)
		return;
	mu_timer_free(p->timer);
	mu_kept_failure_drop(&p->failure);
	mu_kept_drop_cache(p);
	drop_ahead(p);
	mu_free(p->mark);
	mu_free((char *)(uintptr_t)p->o.name);
	mu_free(p);
}

/* The marks, with the texts of their paths behind them. */
static struct mu_cursor_mark *copy_sources(const struct mu_kept_options *o)
{
	size_t len = 0, used = 0;
	struct mu_cursor_mark *mark;
	char *text;

	for (size_t i = 0; i < o->count; i++)
		len += o->source[i].path.len;
	mark = mu_alloc((o->count + 1) * sizeof *mark + len);
	if (!mark)
		return NULL;
	text = (char *)(mark + o->count + 1);
	for (size_t i = 0; i < o->count; i++) {
		struct mu_str from = o->source[i].path;

		memcpy(text + used, from.at, from.len);
		mark[i].source.path = (struct mu_str){ text + used, from.len };
		mark[i].source.mode = o->source[i].mode;
		used += from.len;
	}
	return mark;
}

static int kept_new(struct mu_keep *k, const char *name, struct mu_kept **out)
{
	size_t len = strlen(name) + 1;
	struct mu_kept *p = mu_alloc(sizeof *p);
	char *copy = mu_alloc(len);

	if (p)
		p->o.name = copy;
	else
		mu_free(copy);
	if (!p || !copy || mu_timer_new(k->o.loop, on_due, p, &p->timer)) {
		mu_kept_free(p);
		return MU_ENOMEM;
	}
	memcpy(copy, name, len);
	p->k = k;
	*out = p;
	return 0;
}

static void set_options(struct mu_kept *p, const struct mu_kept_options *o)
{
	const char *name = p->o.name;

	p->o = *o;
	p->o.name = name;
	p->o.source = NULL;
	p->open = true;
}

/* One that was closed goes on with other sources, maybe. */
static int open_again(struct mu_kept *p, const struct mu_kept_options *o)
{
	struct mu_cursor_mark *was = p->mark, *mark = copy_sources(o);
	size_t count = p->o.count;
	struct mu_kept_failure failure = p->failure;
	struct mu_cursor c = { 0 };

	if (!mark)
		return MU_ENOMEM;
	if (failure.attempts)
		mu_kept_put_failure(p, &c);
	p->mark = mark;
	p->failure = (struct mu_kept_failure){ 0 };
	set_options(p, o);
	for (size_t i = 0; i < count; i++)
		if (was[i].at.known)
			mu_kept_take_mark(p, &was[i]);
	mu_kept_take_failure(p, &c);
	mu_kept_failure_drop(&failure);
	mu_free(was);
	mu_kept_touch(p);
	return 0;
}

static int open_first(struct mu_keep *k, const struct mu_kept_options *o,
                      struct mu_kept **out)
{
	struct mu_kept *p;
	int rc = kept_new(k, o->name, &p);

	if (rc)
		return rc;
	p->mark = copy_sources(o);
	if (!p->mark) {
		mu_kept_free(p);
		return MU_ENOMEM;
	}
	set_options(p, o);
	p->tree_id = k->tree_id;
	mu_kept_read(p);
	p->next = k->all;
	k->all = p;
	*out = p;
	return 0;
}

int mu_kept_open(struct mu_keep *k, const struct mu_kept_options *o,
                 struct mu_kept **out)
{
	struct mu_kept *p = mu_keep_find(k, o->name);

	if (!p)
		return open_first(k, o, out);
	*out = p;
	return open_again(p, o);
}

void mu_kept_close(struct mu_kept *p)
{
	struct mu_mailbox_failure f = { 0 };

	if (!p)
		return;
	if (p->o.failed)
		f = p->o.failed(p->o.arg);
	if (f.e)
		mu_kept_failure_put(&p->failure, &f);
	else
		mu_kept_failure_drop(&p->failure);
	mu_timer_disarm(p->timer);
	mu_kept_drop_cache(p);
	drop_ahead(p);
	p->open = false;
	p->changed = false;
	mu_kept_touch(p);
}
