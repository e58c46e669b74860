/* What may stand in the way of a change: ACLs (rules 74, 75) and quotas (rules
 * 79, 100). */
#include "command_impl.h"

#include "err.h"
#include "quota.h"

/* ---- ACLs ---- */

int mu_run_may(const struct run *r, mu_node_id id, int32_t perm)
{
	struct mu_vec acl;

	if (mu_tree_is_open(r->tree, id))
		return 0;
	acl = mu_tree_acl(r->tree, id);
	return mu_acl_allows(&acl, perm, &r->who) ? 0 : MU_ENOAUTH;
}

int mu_run_fix_acl(struct run *r, struct mu_vec *acl)
{
	if (mu_acl_is_open(acl))
		return 0;
	mu_buf_reset(&r->out->acl);
	return mu_acl_fix(acl, &r->who, &r->out->acl, acl);
}

/* ---- quotas ----
 *
 * The quota for a path stands at /zookeeper/quota/<path or an ancestor of it>,
 * the deepest that has limits: found by walking down both, so that a write costs
 * one look-up a level, and where there is no quota nothing. */

struct found {
	mu_node_id limits, stats;
	uint32_t len; /* of the path's part that has the quota */
};

static bool find_quota(const struct mu_tree *t, struct mu_str path,
                       struct found *f)
{
	struct mu_str left = path, part;
	mu_node_id at = MU_NODE_QUOTA, quota = MU_NODE_NONE;

	if (mu_tree_children(t, at) == 0 ||
	    mu_path_is_within(path, MU_STR("/zookeeper")))
		return false;
	while (mu_path_step(&left, &part)) {
		mu_node_id limits;

		at = mu_tree_child(t, at, part);
		if (!at)
			break;
		limits = mu_tree_child(t, at, MU_QUOTA_LIMITS);
		if (!limits)
			continue;
		quota = at;
		f->limits = limits;
		f->len = path.len - left.len;
	}
	if (quota)
		f->stats = mu_tree_child(t, quota, MU_QUOTA_STATS);
	return quota != MU_NODE_NONE;
}

static struct mu_quota quota_at(const struct mu_tree *t, mu_node_id id)
{
	int32_t len;
	const uint8_t *text = mu_tree_data(t, id, &len);

	return mu_quota_parse((struct mu_str){ (const char *)text,
	                                       len < 0 ? 0 : (uint32_t)len });
}

int mu_quota_check(struct run *r, struct mu_str path, int64_t count,
                   int64_t bytes)
{
	struct mu_outcome *out = r->out;
	enum mu_quota_verdict verdict;
	struct mu_quota limits, used;
	struct found f;

	if (!find_quota(r->tree, path, &f) || !f.stats)
		return 0;
	limits = quota_at(r->tree, f.limits);
	used = quota_at(r->tree, f.stats);
	verdict = mu_quota_judge(&limits, &used, count, bytes);
	if (verdict == MU_QUOTA_FITS)
		return 0;
	mu_format(out->quota_path, sizeof out->quota_path, "%.*s", (int)f.len,
	          path.at);
	if (verdict == MU_QUOTA_HARD && (r->c->rules & MU_RULE_QUOTAS)) {
		out->quota_hard++;
		return MU_EQUOTA;
	}
	out->quota_soft++;
	return 0;
}

static int put_used(struct run *r, mu_node_id stats, const struct mu_quota *q)
{
	struct mu_buf text = { 0 };
	int err = MU_ENOMEM;

	mu_put_quota(&text, q);
	if (!mu_buf_failed(&text))
		err = mu_tree_put_text(r->tree, stats, text.data,
		                       (int32_t)text.len);
	mu_buf_fini(&text);
	return err;
}

int mu_quota_count(struct run *r, struct mu_str path, int64_t count,
                   int64_t bytes)
{
	struct mu_quota used;
	struct found f;

	if ((!count && !bytes) || !find_quota(r->tree, path, &f) || !f.stats)
		return 0;
	used = quota_at(r->tree, f.stats);
	/* Unsigned, for the text may say anything. */
	used.count = (int64_t)((uint64_t)used.count + (uint64_t)count);
	used.bytes = (int64_t)((uint64_t)used.bytes + (uint64_t)bytes);
	return put_used(r, f.stats, &used);
}

static void count_node(const struct mu_tree *t, mu_node_id id,
                       struct mu_quota *used)
{
	int32_t len;

	(void)mu_tree_data(t, id, &len);
	used->count++;
	used->bytes += len < 0 ? 0 : len;
}

int mu_quota_made(struct run *r, struct mu_str path, mu_node_id id)
{
	const struct mu_str above = MU_STR("/zookeeper/quota/");
	const struct mu_tree *t = r->tree;
	struct mu_quota used = { 0, 0, -1, -1 };
	mu_node_id top;

	if (!mu_str_eq(mu_path_name(path), MU_QUOTA_STATS) ||
	    !mu_str_starts(path, above) ||
	    path.len == above.len + MU_QUOTA_STATS.len)
		return 0;
	/* The path for which it is, with the '/' in front. */
	path = mu_path_parent(path);
	path.at += above.len - 1;
	path.len -= above.len - 1;
	top = mu_tree_find(t, path);
	for (mu_node_id n = top; n; n = mu_tree_walk(t, n, top))
		count_node(t, n, &used);
	return put_used(r, id, &used);
}
