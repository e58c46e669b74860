/* Coming out of a snapshot, and beginning after it. */
#include "store_impl.h"

#include "err.h"
#include "snapshot.h"
#include "tree_load.h"

int mu_store_bare(const struct mu_store_config *config, struct mu_when when,
                  const struct mu_snapshot_info *info, uint32_t nodes,
                  struct mu_store **out, struct mu_err *err)
{
	struct mu_tree *tree;
	struct mu_store *s;
	int rc = mu_store_new(config, when, &s, err);

	if (rc)
		return rc;
	tree = mu_tree_load_new(config->hash_key, nodes);
	if (!tree) {
		mu_store_free(s);
		return mu_err(err, MU_ENOMEM, "no memory for the tree");
	}
	mu_tree_free(s->tree);
	s->tree = tree;
	s->config.tree_id = info->tree_id;
	s->config.epoch = 0;
	mu_changelog_start(s->changes, info->zxid,
	                   info->changes < 0 ? MU_CHANGE_N_END
	                                     : info->changes - 1);
	s->zxid = s->zxid_taken = s->zxid_replayed = info->zxid;
	s->logged = s->applied = info->index;
	s->applied_ms = info->wall_ms;
	if (info->wall_ms > s->wall_ms)
		s->wall_ms = info->wall_ms;
	s->next_session = s->applied_session = info->next_session;
	*out = s;
	return 0;
}

struct fresh {
	struct mu_sessions *sessions;
	uint64_t now_ms;
};

static void touch(void *arg, struct mu_session *session)
{
	const struct fresh *f = arg;

	mu_sessions_touch(f->sessions, session, f->now_ms);
}

void mu_store_begin(struct mu_store *s, uint32_t epoch, struct mu_when when)
{
	int64_t least = (int64_t)((uint64_t)epoch << 32);
	struct fresh fresh = { s->sessions, when.mono_ms };

	s->config.epoch = epoch;
	s->hole_from = s->hole_to = s->zxid;
	if (s->zxid < least)
		s->zxid = s->zxid_taken = s->hole_to = least;
	if (s->applied == 0) /* nothing was ever before */
		mu_changelog_start(s->changes, s->zxid, -1);
	if (when.wall_ms > s->wall_ms)
		s->wall_ms = when.wall_ms;
	s->mono_ms = s->last_tick_ms = when.mono_ms;
	s->sweep = (struct mu_sweep){ .began_ms = when.mono_ms,
		                      .last_ms = when.mono_ms };
	mu_sessions_each(s->sessions, touch, &fresh);
}

uint64_t mu_store_index(const struct mu_store *s)
{
	return s->applied;
}

void mu_store_set_tree_id(struct mu_store *s, int64_t tree_id)
{
	s->config.tree_id = tree_id;
}

int64_t mu_store_tree_id(const struct mu_store *s)
{
	return s->config.tree_id;
}
