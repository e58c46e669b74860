/* Is there room: among what waits, and in the tree; and is a path not too long. */
#include "store_impl.h"

/* Waiting requests of one link hold at most so many packets' bytes. */
#define WAITING_PACKETS 16u

/* Of a sequential node (rule 57), which is given it only when it is made. */
#define NUMBER_LEN 10u

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

/* What a write asks for, at most about. */
struct wish {
	uint64_t grown; /* by so much the tree may grow */
	uint32_t path;  /* bytes of the longest of a node that it makes */
	uint64_t owned; /* by so much what the session has to take with it */
};

/* A path is told in each event of its node, and in those of a session's end all
 * at once: what is small in the tree is large there. */
static bool is_too_long(const struct mu_store *s, uint32_t path)
{
	return s->config.path_max && path > s->config.path_max;
}

static void wish_create(struct wish *w, int32_t op, struct mu_in *in)
{
	struct mu_create_request r;
	uint32_t len;

	if (mu_get_create(in, op, &r))
		return;
	len = r.path.len;
	if (mu_mode_is_sequential(r.mode))
		len += NUMBER_LEN;
	if (len > w->path)
		w->path = len;
	if (mu_mode_is_ephemeral(r.mode))
		w->owned += MU_NODE_COST + len;
	w->grown += MU_NODE_COST + r.path.len +
	            (r.data.at ? (uint64_t)r.data.len : 0);
}

/* Data that takes no more than what stands there always fits. */
static void wish_set(const struct mu_store *s, struct wish *w, struct mu_in *in)
{
	struct mu_set_data_request r;
	mu_node_id id;
	int32_t old = 0;

	if (mu_get_set_data(in, &r) || !r.data.at)
		return;
	id = mu_path_check(r.path, NULL) ? MU_NODE_NONE
	                                 : mu_tree_find(s->tree, r.path);
	if (id)
		mu_tree_data(s->tree, id, &old);
	if (old <= 0 || r.data.len > (uint32_t)old)
		w->grown += r.data.len;
}

/* Add what one operation wishes; it is read. */
static void wish(const struct mu_store *s, struct wish *w, int32_t op,
                 struct mu_in *in)
{
	struct mu_delete_request del;
	struct mu_check_request check;

	switch (op) {
	case MU_OP_SET_DATA:
		wish_set(s, w, in);
		break;
	case MU_OP_DELETE:
		mu_get_delete(in, &del);
		break;
	case MU_OP_CHECK:
		mu_get_check(in, &check);
		break;
	case MU_OP_SET_ACL:
		break;
	default:
		wish_create(w, op, in);
	}
}

static void wish_multi(const struct mu_store *s, struct wish *w,
                       struct mu_in *in)
{
	struct mu_multi_header h;

	while (!mu_get_multi_header(in, &h) && !h.done)
		wish(s, w, h.op, in);
}

static bool has_room(const struct mu_store *s, uint64_t grown)
{
	return grown == 0 || !s->config.max_data ||
	       mu_tree_memory(s->tree) + s->pending_bytes + grown <=
	               s->config.max_data;
}

/* What its link has on the way to the disk counts too, whatever that is: none of
 * it is in the tree yet. */
static bool may_own(const struct mu_store *s, const struct mu_peer *p,
                    uint64_t owned)
{
	int64_t id = p->session->id;
	uint64_t has =
		mu_tree_owned_bytes(s->tree, id) +
		(uint64_t)MU_NODE_COST * mu_tree_owned_count(s->tree, id);

	return owned == 0 || !s->config.session_ephemeral_bytes_max ||
	       has + p->bytes + owned <= s->config.session_ephemeral_bytes_max;
}

int mu_request_judge(struct mu_store *s, const struct mu_peer *p, int32_t op,
                     struct mu_in body)
{
	struct wish w = { 0, 0, 0 };

	if (op == MU_OP_MULTI)
		wish_multi(s, &w, &body);
	else
		wish(s, &w, op, &body);
	if (is_too_long(s, w.path)) {
		s->stats.over_path_max++;
		return MU_EINVAL;
	}
	if (!may_own(s, p, w.owned)) {
		s->stats.over_ephemeral_bytes++;
		return MU_EQUOTA;
	}
	if (has_room(s, w.grown))
		return 0;
	s->stats.over_max_data++;
	return MU_EMAXDATA;
}

bool mu_path_fits(struct mu_store *s, struct mu_str path)
{
	bool fits = !is_too_long(s, path.len);

	if (!fits)
		s->stats.over_path_max++;
	return fits;
}
