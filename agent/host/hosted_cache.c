/* The last known state of an instance: what the cache has of it, and writing it
 * down. See hosted.h and keep.h. */
#include "hosted_impl.h"

#include "err.h"
#include "log.h"
#include "mem.h"
#include "member.h"

#include <stdlib.h>
#include <string.h>

/* ---- what it has ---- */

int mu_hosted_cached_member(const struct mu_cache_node *node,
                            struct mu_hosted_cached *out)
{
	struct mu_str name = mu_path_name(node->path);

	*out = (struct mu_hosted_cached){ 0 };
	out->name = mu_alloc((size_t)name.len + 1);
	if (!out->name)
		return MU_ENOMEM;
	memcpy(out->name, name.at, name.len);
	mu_record_decode(node->data, out->name, node->stat.czxid, &out->record);
	return 0;
}

void mu_hosted_cached_wipe(struct mu_hosted_cached *c)
{
	if (c->name)
		mu_record_wipe(&c->record);
	mu_free(c->name);
}

/* What is there now, sorted: paths of nodes, names of members. */
struct census {
	struct mu_str *at; /* borrowed texts */
	size_t count, room;
};

static int count_in(struct census *c, struct mu_str name)
{
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		struct mu_str *at = mu_realloc(c->at, room * sizeof *at);

		if (!at)
			return MU_ENOMEM;
		c->at = at;
		c->room = room;
	}
	c->at[c->count++] = name;
	return 0;
}

static int count_node(void *arg, const struct mu_mirror_event *e)
{
	return count_in(arg, e->path);
}

static int by_text(const void *a, const void *b)
{
	const struct mu_str *x = a, *y = b;
	uint32_t len = x->len < y->len ? x->len : y->len;
	int d = len ? memcmp(x->at, y->at, len) : 0;

	return d ? d : (x->len > y->len) - (x->len < y->len);
}

static int take_census(const struct mu_hosted_source *s, struct census *c)
{
	const struct mu_member *m = NULL;
	int rc = 0;

	if (s->sub)
		rc = mu_sub_present(s->sub, count_node, c);
	while (!s->sub && !rc && (m = mu_members_next(s->h->o.members, m)))
		rc = count_in(c, mu_str_of(m->name));
	if (c->count > 0)
		qsort(c->at, c->count, sizeof *c->at, by_text);
	return rc;
}

static bool is_there(const struct census *c, struct mu_str name)
{
	return c->count > 0 &&
	       bsearch(&name, c->at, c->count, sizeof *c->at, by_text);
}

static int64_t place_zxid(const struct mu_hosted_source *s)
{
	return mu_kept_place(s->h->kept, (size_t)s->index)->zxid;
}

static int tell_node_gone(struct mu_hosted_source *s,
                          const struct mu_cache_node *node)
{
	struct mu_mirror_event e = { .type = MU_EVENT_DELETED,
		                     .flags = MU_EVENT_COALESCED,
		                     .count = 1,
		                     .zxid = place_zxid(s),
		                     .path = node->path,
		                     .old_data = node->data };

	return mu_hosted_change(s, &e);
}

/* Whether it left or failed nobody can say any more, unless it was leaving. */
static void tell_member_gone(struct mu_hosted_source *s,
                             const struct mu_cache_node *node)
{
	struct mu_roll_event e = { .flags = MU_EVENT_COALESCED, .count = 1 };
	struct mu_hosted_cached c;

	if (mu_hosted_cached_member(node, &c) == 0) {
		e.type = mu_member_end(&c.record.member, (struct mu_str){ 0 });
		e.zxid = place_zxid(s);
		e.member = &c.record.member;
		mu_hosted_member(s->h, &e);
	}
	mu_hosted_cached_wipe(&c);
}

/* It had no room: nobody else will tell it. */
static void log_untold(const struct mu_hosted_source *s, struct mu_str what,
                       int rc)
{
	char path[400];

	mu_format(path, sizeof path, "%.*s", (int)what.len, what.at);
	mu_log(MU_ERROR,
	       MSG("an instance cannot be told what went while the agent was "
	           "away"),
	       KS("instance", s->h->conf->name), KS("path", path),
	       KS("reason", mu_err_text(rc)));
}

/* What is there was told as PRESENT, and what is not there any more is told here.
 * A member that a process has not heard of is not missed. */
void mu_hosted_tell_gone(struct mu_hosted_source *s)
{
	struct census c = { 0 };
	struct mu_cache_part part;
	struct mu_cache_node node;
	int rc, refused = 0;

	if (!mu_kept_cached(s->h->kept, (size_t)s->index, &part) ||
	    (!s->sub && !s->stale))
		return;
	rc = take_census(s, &c);
	while (!rc && mu_cache_next(&part, &node)) {
		if (is_there(&c, s->sub ? node.path : mu_path_name(node.path)))
			continue;
		if (!s->sub)
			tell_member_gone(s, &node);
		else if ((refused = tell_node_gone(s, &node)))
			log_untold(s, node.path, refused);
	}
	if (rc)
		log_untold(s, MU_STR("all of it"), rc);
	mu_free(c.at);
}

/* Without memory for one of them it is told of more than is new. */
void mu_hosted_members_were(struct mu_hosted_source *s,
                            const struct mu_sub_position *from)
{
	struct mu_hosted *h = s->h;
	struct mu_cache_part part;
	struct mu_cache_node node;
	struct mu_hosted_cached c;

	if (!mu_kept_cached(h->kept, (size_t)s->index, &part) ||
	    part.at.zxid != from->zxid || part.at.n != from->n)
		return;
	while (mu_cache_next(&part, &node)) {
		if (mu_hosted_cached_member(&node, &c) == 0)
			(void)mu_members_was(h->o.members, from,
			                     &c.record.member);
		mu_hosted_cached_wipe(&c);
	}
}

/* ---- writing it ---- */

static int put_node(void *arg, const struct mu_mirror_event *e)
{
	mu_cache_node(arg, e->path, e->data, e->stat);
	return 0;
}

static void put_members(const struct mu_hosted *h, struct mu_cache_writer *w)
{
	const struct mu_member *m = NULL;
	char path[MU_MEMBER_PATH_MAX];

	while ((m = mu_members_next(h->o.members, m))) {
		struct mu_stat stat = { .czxid = m->czxid, .mzxid = m->czxid };
		char *json = mu_record_encode(m, NULL);

		mu_format(path, sizeof path, "/members/%s", m->name);
		if (json)
			mu_cache_node(w, mu_str_of(path), mu_str_of(json),
			              &stat);
		else
			w->b->failed = true;
		free(json);
	}
}

static void put_source(void *arg, size_t i, struct mu_cache_writer *w)
{
	struct mu_hosted *h = arg;

	if (!h->source[i].sub)
		put_members(h, w);
	else if (mu_sub_present(h->source[i].sub, put_node, w))
		w->b->failed = true;
}

/* Is what is held all that was told? */
static bool is_whole(const struct mu_hosted *h)
{
	if (h->stop || h->prologue_due || h->missed_members ||
	    mu_mailbox_count(h->prologue))
		return false;
	for (size_t i = 0; i < h->sources; i++)
		if (!h->source[i].ready)
			return false;
	return true;
}

/* As of when is what is held of the source? No, where nothing would tell that what
 * waits was handled: a ZooKeeper's place is always the same, and after a gap the
 * next one may lie behind. */
static bool held_at(const struct mu_hosted *h, size_t i,
                    struct mu_keep_place *out)
{
	const struct mu_keep_place *had = mu_kept_place(h->kept, i);

	*out = *had;
	if (!mu_mailbox_waits(h->mail, (int32_t)i))
		return true;
	out->known = true;
	return mu_mailbox_put_up_to(h->mail, (int32_t)i, &out->zxid, &out->n) &&
	       !(had->known && mu_keep_place_le(out, had));
}

/* Where there is always something that waits, the cache is taken as of now, and
 * written when that is handled. */
static void keep_ahead(struct mu_hosted *h)
{
	struct mu_keep_place *at;
	bool known = true;

	if (mu_kept_has_ahead(h->kept))
		return;
	at = mu_alloc((h->sources + 1) * sizeof *at);
	for (size_t i = 0; at && known && i < h->sources; i++)
		known = held_at(h, i, &at[i]);
	/* If not now, then when the next one comes or the last one is handled. */
	if (at && known)
		mu_kept_save_ahead(h->kept, at, put_source, h);
	mu_free(at);
}

void mu_hosted_keep(struct mu_hosted *h, bool at_end)
{
	bool wanted =
		at_end ? mu_kept_is_changed(h->kept) : mu_kept_is_due(h->kept);

	if (!wanted || !is_whole(h))
		return;
	if (mu_mailbox_count(h->mail) == 0)
		mu_kept_save(h->kept, put_source, h);
	else if (!at_end)
		keep_ahead(h);
}
