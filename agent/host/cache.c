#include "cache.h"

#include "err.h"

/* The smallest source: an empty path, a mode, a place, no nodes. And node: two
 * texts, and a Stat. */
#define SOURCE_LEAST 24u
#define NODE_LEAST 76u

static const struct mu_sealed_kind kind = { "MU-CACHE", 1, "a cache" };

/* ---- writing ---- */

void mu_cache_begin(struct mu_cache_writer *w, struct mu_buf *b,
                    int64_t tree_id, uint32_t brokers)
{
	*w = (struct mu_cache_writer){ .b = b };
	mu_sealed_begin(b, &kind);
	mu_put_long(b, tree_id);
	mu_put_int(b, (int32_t)brokers);
	w->sources_at = b->len;
	mu_put_int(b, 0);
}

static void end_source(struct mu_cache_writer *w)
{
	if (w->sources > 0 && !mu_buf_failed(w->b))
		mu_patch_int(w->b, w->nodes_at, w->nodes);
	w->nodes = 0;
}

void mu_cache_source(struct mu_cache_writer *w, const struct mu_keep_source *s,
                     const struct mu_keep_place *at)
{
	end_source(w);
	w->sources++;
	mu_put_str(w->b, s->path);
	mu_put_int(w->b, s->mode);
	mu_put_long(w->b, at->zxid);
	mu_put_int(w->b, at->n);
	w->nodes_at = w->b->len;
	mu_put_int(w->b, 0);
}

void mu_cache_node(struct mu_cache_writer *w, struct mu_str path,
                   struct mu_str data, const struct mu_stat *stat)
{
	w->nodes++;
	mu_put_str(w->b, path);
	mu_put_str(w->b, data);
	mu_put_stat(w->b, stat);
}

void mu_cache_end(struct mu_cache_writer *w)
{
	end_source(w);
	if (!mu_buf_failed(w->b))
		mu_patch_int(w->b, w->sources_at, w->sources);
	mu_sealed_end(w->b);
}

/* ---- reading ---- */

static void get_node(struct mu_in *in, struct mu_cache_node *out)
{
	out->path = mu_get_str(in);
	out->data = mu_get_str(in);
	if (mu_get_stat(in, &out->stat) || !out->path.at)
		in->bad = true;
}

/* A source; *in then stands on its first node. */
static struct mu_keep_source get_source(struct mu_in *in,
                                        struct mu_cache_part *part)
{
	struct mu_keep_source s;

	s.path = mu_get_str(in);
	s.mode = mu_get_int(in);
	part->at.known = true;
	part->at.zxid = mu_get_long(in);
	part->at.n = mu_get_int(in);
	part->count = mu_get_count(in, NODE_LEAST);
	part->nodes = *in;
	return s;
}

static void skip_nodes(struct mu_in *in, int32_t count)
{
	struct mu_cache_node node;

	for (int32_t i = 0; i < count && mu_in_ok(in); i++)
		get_node(in, &node);
}

static int32_t open_head(struct mu_in *in, int64_t *tree_id, uint32_t *brokers)
{
	*tree_id = mu_get_long(in);
	*brokers = (uint32_t)mu_get_int(in);
	return mu_get_count(in, SOURCE_LEAST);
}

int mu_cache_check(const void *p, size_t len, int64_t *tree_id,
                   uint32_t *brokers, struct mu_err *err)
{
	struct mu_cache_part part;
	struct mu_in in;
	int32_t count;
	int rc = mu_sealed_open(p, len, &kind, &in, err);

	if (rc)
		return rc;
	count = open_head(&in, tree_id, brokers);
	for (int32_t i = 0; i < count && mu_in_ok(&in); i++) {
		get_source(&in, &part);
		skip_nodes(&in, part.count);
	}
	if (!mu_in_ok(&in) || mu_in_left(&in) > 0)
		return mu_err(err, MU_EDATA, "what is in it makes no sense");
	return 0;
}

/* The head is known to be good; its checksum was looked at once. */
static struct mu_in inside(const void *p, size_t len)
{
	const uint8_t *bytes = p;

	return mu_in_of(bytes + MU_SEALED_HEAD,
	                len - MU_SEALED_HEAD - MU_SEALED_SUM);
}

bool mu_cache_find(const void *p, size_t len, const struct mu_keep_source *s,
                   struct mu_cache_part *out)
{
	struct mu_in in = inside(p, len);
	struct mu_cache_part part;
	struct mu_keep_source found;
	uint32_t brokers;
	int64_t tree_id;
	int32_t count = open_head(&in, &tree_id, &brokers);

	for (int32_t i = 0; i < count && mu_in_ok(&in); i++) {
		found = get_source(&in, &part);
		if (found.mode == s->mode && mu_str_eq(found.path, s->path)) {
			*out = part;
			return true;
		}
		skip_nodes(&in, part.count);
	}
	return false;
}

bool mu_cache_next(struct mu_cache_part *rest, struct mu_cache_node *out)
{
	if (rest->count <= 0)
		return false;
	rest->count--;
	get_node(&rest->nodes, out);
	return mu_in_ok(&rest->nodes);
}
