/* Containers and nodes with a time to live that are due: every so often all of
 * them are looked at, a few a tick, and the removal of each that is due is
 * logged as a command, which looks again (command.h). Rules 70, 71. */
#include "store_impl.h"

#define LOOKS_MAX 4096u /* nodes looked at in one tick */
#define REMOVAL_MS 6u   /* a removal for so much time: 10,000 a minute */
#define CREDIT_MAX 500u /* ms: time that was not used, and may be later */

static int log_removal(struct mu_store *s, mu_node_id id)
{
	struct mu_delete_container_request q;
	struct mu_buf path = { 0 };
	uint64_t index;
	int err = MU_ENOMEM;

	mu_tree_path(s->tree, id, &path);
	q.path = (struct mu_str){ (const char *)path.data, (uint32_t)path.len };
	q.czxid = mu_tree_czxid(s->tree, id);
	if (!mu_buf_failed(&path)) {
		mu_log_begin(s, NULL, MU_OP_DELETE_CONTAINER, 0, 0);
		mu_put_delete_container(&s->scratch, &q);
		err = mu_log_commit(s, MU_OP_DELETE_CONTAINER, 0, &index);
	}
	mu_buf_fini(&path);
	return err;
}

/* False: not now, and so none after it. */
static bool look_at(struct mu_store *s, uint32_t slot)
{
	mu_node_id id = mu_tree_mortal_at(s->tree, slot);

	if (!id || !mu_node_is_due(s->tree, id, s->wall_ms))
		return true;
	if (s->sweep.credit_ms < REMOVAL_MS || log_removal(s, id))
		return false;
	s->sweep.credit_ms -= REMOVAL_MS;
	return true;
}

static bool is_time(struct mu_store *s)
{
	struct mu_sweep *w = &s->sweep;
	uint32_t interval_ms = s->config.container_check_interval_ms;

	w->credit_ms += s->mono_ms - w->last_ms;
	w->last_ms = s->mono_ms;
	if (w->credit_ms > CREDIT_MAX)
		w->credit_ms = CREDIT_MAX;
	if (w->slot)
		return true;
	if (!interval_ms || s->mono_ms - w->began_ms < interval_ms)
		return false;
	w->began_ms = s->mono_ms;
	w->slot = 1;
	return true;
}

void mu_mortals_sweep(struct mu_store *s)
{
	struct mu_sweep *w = &s->sweep;

	if (!is_time(s))
		return;
	for (uint32_t n = 0; n < LOOKS_MAX; n++) {
		if (w->slot > mu_tree_mortal_slots(s->tree)) {
			w->slot = 0;
			return;
		}
		if (!look_at(s, w->slot))
			return;
		w->slot++;
	}
}
