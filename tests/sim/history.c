#include "history.h"

#include "buf.h"
#include "err.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DATA_NULL 0x6e756c6cu /* fingerprint of null data */

static void *grown(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room ? *room * 2 : 64;
	array = realloc(array, *room * size);
	if (!array)
		abort();
	return array;
}

static void make_tree(struct history *h)
{
	h->tree = mu_tree_new(h->key);
	h->sessions = mu_sessions_new(h->key, UINT32_MAX);
	if (!h->tree || !h->sessions)
		abort();
}

void history_init(struct history *h, struct world *w)
{
	memset(h, 0, sizeof *h);
	h->world = w;
	memset(h->key, 7, sizeof h->key);
	h->trees = 1;
	h->outcome.capture = true;
	make_tree(h);
}

void history_fini(struct history *h)
{
	mu_tree_free(h->tree);
	mu_sessions_free(h->sessions);
	mu_outcome_fini(&h->outcome);
	for (uint32_t i = 0; i < h->path_count; i++)
		free(h->paths[i].text);
	free(h->paths);
	for (size_t i = 0; i < h->change_count; i++)
		free(h->changes[i].tail);
	free(h->changes);
	free(h->writes);
	free(h->known);
}

void history_restart(struct history *h, int64_t first_zxid)
{
	mu_tree_free(h->tree);
	mu_sessions_free(h->sessions);
	make_tree(h);
	if (h->trees == HISTORY_TREES)
		abort();
	h->first_zxid[h->trees++] = first_zxid;
	for (size_t i = 0; i < h->known_count; i++)
		h->known[i].alive = false;
}

/* ---- paths ---- */

uint64_t history_print(const void *p, size_t len)
{
	const uint8_t *at = p;
	uint64_t print = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		print = (print ^ at[i]) * 0x100000001b3u;
	return print ^ print >> 29;
}

uint32_t history_path(struct history *h, struct mu_str path)
{
	uint32_t *head =
		&h->buckets[history_print(path.at, path.len) % HISTORY_BUCKETS];
	struct known_path *p;
	size_t room = h->path_room;

	for (uint32_t i = *head; i; i = h->paths[i - 1].chain)
		if (h->paths[i - 1].len == path.len &&
		    memcmp(h->paths[i - 1].text, path.at, path.len) == 0)
			return i;
	h->paths = grown(h->paths, h->path_count, &room, sizeof *h->paths);
	h->path_room = (uint32_t)room;
	p = &h->paths[h->path_count++];
	p->text = strndup(path.at, path.len);
	if (!p->text)
		abort();
	p->len = path.len;
	p->last = HISTORY_NONE;
	p->chain = *head;
	*head = h->path_count;
	return h->path_count;
}

struct mu_str history_path_text(const struct history *h, uint32_t path)
{
	return (struct mu_str){ h->paths[path - 1].text,
		                h->paths[path - 1].len };
}

/* ---- sessions ---- */

struct known_session *history_session(struct history *h, int64_t id)
{
	struct known_session *s;

	for (size_t i = h->known_count; i--;)
		if (h->known[i].id == id)
			return &h->known[i];
	h->known = grown(h->known, h->known_count, &h->known_room,
	                 sizeof *h->known);
	s = &h->known[h->known_count++];
	memset(s, 0, sizeof *s);
	s->id = id;
	return s;
}

static void note_session(struct history *h, const struct mu_command *c)
{
	struct mu_in body = c->body;
	struct mu_create_session q;
	struct known_session *s;

	if (c->type != MU_OP_CREATE_SESSION && c->type != MU_OP_CLOSE_SESSION)
		return;
	s = history_session(h, c->session);
	s->alive = c->type == MU_OP_CREATE_SESSION;
	if (s->alive && mu_get_create_session(&body, &q) == 0)
		s->timeout_ms = s->made_ms = (uint32_t)q.timeout_ms;
	if (s->alive) {
		s->ending = false;
		s->wire = 0;
		s->heard_ms = h->world->now_ms;
		s->stalls_ms = h->stalls_ms;
	} else {
		s->ending = true;
	}
	world_trace(h->world, "  session %" PRIx64 " %s", (uint64_t)c->session,
	            s->alive ? "is there" : "is gone");
}

/* ---- changes ---- */

static uint64_t children_print(const struct mu_tree *t, mu_node_id id)
{
	uint64_t print = 0;

	for (mu_node_id c = mu_tree_first(t, id); c; c = mu_tree_next(t, c)) {
		struct mu_str name = mu_tree_name(t, c);

		print += history_print(name.at, name.len);
	}
	return print;
}

static uint64_t data_print(const struct mu_tree *t, mu_node_id id)
{
	int32_t len;
	const uint8_t *data = mu_tree_data(t, id, &len);

	return len < 0 ? DATA_NULL : history_print(data, (size_t)len);
}

static void look(const struct history *h, struct change *c, struct mu_str path)
{
	mu_node_id id = mu_tree_find(h->tree, path);

	c->exists = id != MU_NODE_NONE;
	if (!c->exists)
		return;
	mu_tree_stat(h->tree, id, &c->stat);
	c->data = data_print(h->tree, id);
	c->children = children_print(h->tree, id);
}

static uint8_t *copy_of(struct mu_str s)
{
	uint8_t *copy = malloc(s.len);

	if (!copy)
		abort();
	memcpy(copy, s.at, s.len);
	return copy;
}

static void note_changes(struct history *h, int64_t zxid)
{
	struct mu_in walk =
		mu_in_of(h->outcome.events.data, h->outcome.events.len);
	struct mu_noted noted;
	int32_t n = 0;

	while (mu_noted_next(&walk, &noted)) {
		uint32_t number = history_path(h, noted.path);
		struct known_path *p = &h->paths[number - 1];
		struct change *c;

		h->changes = grown(h->changes, h->change_count, &h->change_room,
		                   sizeof *h->changes);
		c = &h->changes[h->change_count];
		*c = (struct change){ .zxid = zxid,
			              .n = n++,
			              .tail_len = noted.tail.len,
			              .tail = copy_of(noted.tail),
			              .type = noted.type,
			              .path = number,
			              .tree = h->trees - 1,
			              .before = p->last };
		p->last = h->change_count++;
		look(h, c, noted.path);
	}
}

void history_apply(struct history *h, const void *bytes, size_t len,
                   uint64_t now_ms)
{
	struct mu_command c;
	int err = mu_get_command(bytes, len, &c);

	if (!err)
		err = mu_command_apply(&c, h->tree, h->sessions, now_ms,
		                       &h->outcome);
	if (err) {
		world_fail(h->world, "a logged command does not apply: %s",
		           mu_err_name(err));
		return;
	}
	if (h->write_count && c.zxid <= h->writes[h->write_count - 1].zxid)
		world_fail(h->world, "zxid %" PRIx64 " follows %" PRIx64,
		           (uint64_t)c.zxid,
		           (uint64_t)h->writes[h->write_count - 1].zxid);
	h->writes = grown(h->writes, h->write_count, &h->write_room,
	                  sizeof *h->writes);
	h->writes[h->write_count++] = (struct written){
		.zxid = c.zxid,
		.session = c.session,
		.op = c.type,
		.err = h->outcome.err,
	};
	world_trace(h->world, "applied %" PRIx64 " %s %s", (uint64_t)c.zxid,
	            mu_op_name(c.type), mu_err_name(h->outcome.err));
	note_session(h, &c);
	note_changes(h, c.zxid);
}

const struct change *history_state(const struct history *h, uint32_t path,
                                   int64_t zxid)
{
	size_t i = h->paths[path - 1].last;
	uint32_t tree = h->trees - 1;

	while (tree && h->first_zxid[tree] > zxid)
		tree--;
	while (i != HISTORY_NONE && h->changes[i].zxid > zxid)
		i = h->changes[i].before;
	return i != HISTORY_NONE && h->changes[i].tree == tree ? &h->changes[i]
	                                                       : NULL;
}

const struct written *history_written(const struct history *h, int64_t zxid)
{
	size_t low = 0, high = h->write_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (h->writes[middle].zxid < zxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < h->write_count && h->writes[low].zxid == zxid
	               ? &h->writes[low]
	               : NULL;
}

size_t history_after(const struct history *h, int64_t zxid)
{
	size_t low = 0, high = h->change_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (h->changes[middle].zxid <= zxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- two trees ---- */

static bool same_node(const struct mu_tree *a, mu_node_id x,
                      const struct mu_tree *b, mu_node_id y)
{
	struct mu_stat s, t;

	mu_tree_stat(a, x, &s);
	mu_tree_stat(b, y, &t);
	return s.czxid == t.czxid && s.mzxid == t.mzxid && s.pzxid == t.pzxid &&
	       s.ctime == t.ctime && s.mtime == t.mtime &&
	       s.version == t.version && s.cversion == t.cversion &&
	       s.ephemeral_owner == t.ephemeral_owner &&
	       s.num_children == t.num_children && s.data_len == t.data_len &&
	       data_print(a, x) == data_print(b, y);
}

static void compare_below(struct history *h, mu_node_id x,
                          const struct mu_tree *other, mu_node_id y)
{
	const struct mu_tree *t = h->tree;

	if (!same_node(t, x, other, y)) {
		struct mu_str name = mu_tree_name(t, x);

		world_fail(h->world,
		           "the store's node %.*s is not what the "
		           "commands made",
		           (int)name.len, name.at);
		return;
	}
	for (mu_node_id c = mu_tree_first(t, x); c; c = mu_tree_next(t, c)) {
		struct mu_str name = mu_tree_name(t, c);
		mu_node_id d = mu_tree_child(other, y, name);

		if (d)
			compare_below(h, c, other, d);
		else
			world_fail(h->world, "the store has lost node %.*s",
			           (int)name.len, name.at);
	}
}

void history_compare(struct history *h, const struct mu_tree *other)
{
	if (mu_tree_count(h->tree) != mu_tree_count(other))
		world_fail(h->world,
		           "the store has %u nodes, the commands made %u",
		           (unsigned)mu_tree_count(other),
		           (unsigned)mu_tree_count(h->tree));
	compare_below(h, MU_NODE_ROOT, other, MU_NODE_ROOT);
}
