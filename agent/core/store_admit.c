/* Is there room: among what waits, and in the tree. */
#include "store_impl.h"

/* Waiting requests of one link hold at most so many packets' bytes. */
#define WAITING_PACKETS 16u

/* ---- among what waits ---- */

bool mu_link_is_full(const struct mu_store *s, const struct mu_peer *p,
                     size_t len)
{
	uint64_t bytes_max = (uint64_t)s->config.packet_max * WAITING_PACKETS;

	return p->entries >= s->config.outstanding_max ||
	       p->bytes + len > bytes_max;
}

/* One request always finds room, however small the limit is. */
static bool all_are_full(const struct mu_store *s, size_t len)
{
	uint64_t waiting = s->pending_bytes + s->queued_bytes;

	return s->config.waiting_max && waiting &&
	       waiting + len > s->config.waiting_max;
}

bool mu_request_is_full(const struct mu_store *s, const struct mu_peer *p,
                        size_t len)
{
	return mu_link_is_full(s, p, len) || all_are_full(s, len);
}

bool mu_request_admit(struct mu_store *s, struct mu_peer *p, int32_t xid,
                      size_t len)
{
	if (!mu_request_is_full(s, p, len))
		return true;
	s->stats.throttled++;
	mu_reply_in_turn(s, p, xid, MU_ETHROTTLED, false);
	return false;
}

/* ---- in the tree ---- */

static uint64_t grown_by_create(int32_t op, struct mu_in *in)
{
	struct mu_create_request r;

	if (mu_get_create(in, op, &r))
		return 0;
	return MU_NODE_COST + r.path.len +
	       (r.data.at ? (uint64_t)r.data.len : 0);
}

/* Data that takes no more than what stands there always fits. */
static uint64_t grown_by_set(const struct mu_store *s, struct mu_in *in)
{
	struct mu_set_data_request r;
	mu_node_id id;
	int32_t old = 0;

	if (mu_get_set_data(in, &r) || !r.data.at)
		return 0;
	id = mu_path_check(r.path, NULL) ? MU_NODE_NONE
	                                 : mu_tree_find(s->tree, r.path);
	if (id)
		mu_tree_data(s->tree, id, &old);
	return old > 0 && r.data.len <= (uint32_t)old ? 0 : r.data.len;
}

/* By how much the tree may grow, at most about; and the operation is read. */
static uint64_t grown_by(const struct mu_store *s, int32_t op, struct mu_in *in)
{
	struct mu_delete_request del;
	struct mu_check_request check;

	switch (op) {
	case MU_OP_SET_DATA:
		return grown_by_set(s, in);
	case MU_OP_DELETE:
		mu_get_delete(in, &del);
		return 0;
	case MU_OP_CHECK:
		mu_get_check(in, &check);
		return 0;
	case MU_OP_SET_ACL:
		return 0;
	default:
		return grown_by_create(op, in);
	}
}

static uint64_t grown_by_multi(const struct mu_store *s, struct mu_in *in)
{
	struct mu_multi_header h;
	uint64_t sum = 0;

	while (!mu_get_multi_header(in, &h) && !h.done)
		sum += grown_by(s, h.op, in);
	return sum;
}

bool mu_request_fits(const struct mu_store *s, int32_t op, struct mu_in body)
{
	uint64_t grown = op == MU_OP_MULTI ? grown_by_multi(s, &body)
	                                   : grown_by(s, op, &body);

	return grown == 0 ||
	       mu_tree_memory(s->tree) + s->pending_bytes + grown <=
	               s->config.max_data;
}
