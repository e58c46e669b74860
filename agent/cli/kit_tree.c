#include "kit_tree.h"

#include "err.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX (1024u * 1024) /* bytes; what a broker takes, or nearly */
#define SESSION 1                /* the one that there is */

/* Where the path is, or would be. */
static size_t place(const struct kit_tree *t, const char *path)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(t->node[mid].path, path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_at(const struct kit_tree *t, size_t i, const char *path)
{
	return i < t->count && strcmp(t->node[i].path, path) == 0;
}

struct kit_node *kit_tree_find(const struct kit_tree *t, const char *path)
{
	size_t i = place(t, path);

	return is_at(t, i, path) ? &t->node[i] : NULL;
}

static void node_fini(struct kit_node *n)
{
	free(n->path);
	free(n->data);
}

void kit_tree_fini(struct kit_tree *t)
{
	for (size_t i = 0; i < t->count; i++)
		node_fini(&t->node[i]);
	free(t->node);
	*t = (struct kit_tree){ 0 };
}

/* The parent's path to `out`, which has room for it; false: "/" has none. */
static bool parent_of(const char *path, char *out)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash > path ? (size_t)(slash - path) : 1;

	if (path[1] == '\0')
		return false;
	memcpy(out, path, len);
	out[len] = '\0';
	return true;
}

static void count_child(struct kit_tree *t, const char *path, char *room,
                        int by)
{
	struct kit_node *n = NULL;

	if (parent_of(path, room))
		n = kit_tree_find(t, room);
	if (!n)
		return;
	n->stat.num_children += by;
	n->stat.cversion++;
}

/* A place for the path, which is not there. */
static struct kit_node *insert(struct kit_tree *t, const char *path)
{
	size_t at = place(t, path);
	char *copy = strdup(path);

	if (copy && t->count == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		struct kit_node *more = realloc(t->node, room * sizeof *more);

		if (!more) {
			free(copy);
			return NULL;
		}
		t->node = more;
		t->room = room;
	}
	if (!copy)
		return NULL;
	memmove(&t->node[at + 1], &t->node[at],
	        (t->count - at) * sizeof *t->node);
	t->node[at] = (struct kit_node){ .path = copy, .len = -1 };
	t->count++;
	return &t->node[at];
}

/* The node, made with all that is missing above it. */
static struct kit_node *reach(struct kit_tree *t, const char *path)
{
	struct kit_node *n = kit_tree_find(t, path);
	char *above;

	if (n)
		return n;
	above = malloc(strlen(path) + 2);
	if (!above)
		return NULL;
	if (parent_of(path, above) && !reach(t, above)) {
		free(above);
		return NULL;
	}
	if (insert(t, path))
		count_child(t, path, above, 1);
	free(above);
	return kit_tree_find(t, path);
}

int kit_tree_put(struct kit_tree *t, const char *path, const void *data,
                 int32_t len, const struct mu_stat *stat)
{
	void *copy = len < 0 ? NULL : malloc((size_t)len + 1);
	struct kit_node *n;
	int32_t children;

	if (len >= 0 && !copy)
		return MU_ENOMEM;
	n = reach(t, path);
	if (!n) {
		free(copy);
		return MU_ENOMEM;
	}
	if (len > 0)
		memcpy(copy, data, (size_t)len);
	free(n->data);
	children = n->stat.num_children;
	n->data = copy;
	n->len = len;
	n->stat = *stat;
	n->stat.data_len = len < 0 ? 0 : len;
	n->stat.num_children = children;
	return 0;
}

void kit_tree_remove(struct kit_tree *t, const char *path)
{
	size_t len = strlen(path), kept = 0;
	char *room = malloc(len + 2);

	if (room && kit_tree_find(t, path))
		count_child(t, path, room, -1);
	free(room);
	for (size_t i = 0; i < t->count; i++) {
		const char *p = t->node[i].path;

		if (strncmp(p, path, len) == 0 &&
		    (p[len] == '\0' || p[len] == '/' || len == 1))
			node_fini(&t->node[i]);
		else
			t->node[kept++] = t->node[i];
	}
	t->count = kept;
}

/* ---- calls ---- */

static int set(struct kit_tree *t, struct kit_node *n,
               const struct mu_chan_call *call, struct mu_chan_result *m)
{
	struct mu_stat stat = n->stat;
	int32_t len = call->data.at ? (int32_t)call->data.len : -1;
	int rc;

	if (call->version != -1 && call->version != stat.version)
		return MU_EBADVERSION;
	if (len > (int32_t)VALUE_MAX)
		return MU_ETOOBIG;
	stat.version++;
	stat.mzxid = t->zxid + 1;
	rc = kit_tree_put(t, n->path, call->data.at, len, &stat);
	if (rc)
		return rc;
	t->zxid++;
	m->stat = n->stat;
	return 0;
}

/* May a node come there? */
static int check_new(const struct kit_tree *t, const char *path)
{
	char *above = malloc(strlen(path) + 2);
	const struct kit_node *n;
	int rc = 0;

	if (!above)
		return MU_ENOMEM;
	/* The root is there, if nobody speaks of it. */
	n = parent_of(path, above) ? kit_tree_find(t, above) : NULL;
	if (kit_tree_find(t, path) || strcmp(path, "/") == 0)
		rc = MU_EEXISTS;
	else if (!n && strcmp(above, "/") != 0)
		rc = MU_ENONODE;
	else if (n && n->stat.ephemeral_owner)
		rc = MU_ENOCHILDREN;
	free(above);
	return rc;
}

static int create(struct kit_tree *t, const char *path,
                  const struct mu_chan_call *call, struct mu_chan_result *m)
{
	int32_t len = call->data.at ? (int32_t)call->data.len : -1;
	int64_t zxid = t->zxid + 1;
	struct mu_stat stat = { .czxid = zxid, .mzxid = zxid, .pzxid = zxid };
	int rc = check_new(t, path);

	if (rc || len > (int32_t)VALUE_MAX)
		return rc ? rc : MU_ETOOBIG;
	if (call->flags & MU_PLUGIN_EPHEMERAL)
		stat.ephemeral_owner = SESSION;
	rc = kit_tree_put(t, path, call->data.at, len, &stat);
	if (rc)
		return rc;
	t->zxid = zxid;
	m->stat = stat;
	m->stat.data_len = len < 0 ? 0 : len;
	return 0;
}

static int take_out(struct kit_tree *t, const struct kit_node *n,
                    const struct mu_chan_call *call, const char *path)
{
	if (call->version != -1 && call->version != n->stat.version)
		return MU_EBADVERSION;
	if (strcmp(path, "/") == 0)
		return MU_EINVAL;
	if (n->stat.num_children)
		return MU_ENOTEMPTY;
	kit_tree_remove(t, path);
	t->zxid++;
	return 0;
}

/* The names of the direct children, in the order of their bytes. */
static int put_names(const struct kit_tree *t, const char *path,
                     struct mu_buf *b, int32_t *count)
{
	size_t len = path[1] ? strlen(path) : 0;

	*count = 0;
	for (size_t i = 0; i < t->count; i++) {
		const char *p = t->node[i].path;

		if (strncmp(p, path, len) != 0 || p[len] != '/' ||
		    !p[len + 1] || strchr(p + len + 1, '/'))
			continue;
		mu_put_str(b, mu_str_of(p + len + 1));
		++*count;
	}
	return mu_buf_failed(b) ? MU_ENOMEM : 0;
}

static int look(struct kit_tree *t, const char *path,
                const struct mu_chan_call *call, struct mu_chan_result *m,
                struct mu_buf *names)
{
	struct kit_node *n = kit_tree_find(t, path);

	if (call->op == MU_CALL_CREATE)
		return create(t, path, call, m);
	if (!n)
		return MU_ENONODE;
	if (call->op == MU_CALL_SET)
		return set(t, n, call, m);
	if (call->op == MU_CALL_DELETE)
		return take_out(t, n, call, path);
	m->stat = n->stat;
	if (call->op == MU_CALL_GET) {
		if (n->len >= 0)
			m->data = (struct mu_str){ n->data, (uint32_t)n->len };
		return 0;
	}
	if (put_names(t, path, names, &m->names.count))
		return MU_ENOMEM;
	m->names.at = names->data;
	m->names.len = names->len;
	return 0;
}

int kit_tree_answer(struct kit_tree *t, const struct mu_chan_call *call,
                    struct mu_buf *out)
{
	struct mu_chan_result m = { .id = call->id };
	struct mu_buf names = { 0 };
	char *path = NULL;

	m.rc = mu_path_check(call->path, NULL);
	if (!m.rc) {
		path = strndup(call->path.at, call->path.len);
		m.rc = path ? look(t, path, call, &m, &names) : MU_ENOMEM;
	}
	if (m.rc)
		m = (struct mu_chan_result){
			.id = call->id,
			.rc = m.rc,
			.reason = mu_str_of(mu_err_text(m.rc)),
		};
	mu_put_chan_result(out, &m);
	mu_buf_fini(&names);
	free(path);
	return m.rc;
}
