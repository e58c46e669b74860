/* link_message.c - what the broker says, made into moves of the machine. Any
 * record that does not fit ends the link: nothing behind it can be trusted. */
#include "link_impl.h"

#include "bug.h"
#include "watch.h"

#include <string.h>

static bool welcome_fits(const struct mu_link *l,
                         const struct mu_connect_response *r)
{
	if (r->session == 0 || r->password.len != MU_PASSWORD_BYTES)
		return false;
	return l->session == 0 || r->session == l->session;
}

/* What a muster-broker that has no room lacks (proto.h); 0: this is no such refusal.
 * Our session, if we have one, lives on. */
static int refusal_of(const struct mu_connect_response *r)
{
	static const int codes[] = { MU_EFULL, MU_ETHROTTLED, MU_ENOSPACE,
		                     MU_EIO };

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (r->protocol == codes[i] && r->timeout_ms == 0 &&
		    r->session == 0)
			return codes[i];
	return 0;
}

/* Rules 8 and 10. The number is a feature number, 0, or a refusal; another negative
 * one is the xid of another record, which must not be read as the end of the
 * session. */
static void take_welcome(struct mu_link *l, struct mu_in *in)
{
	struct mu_connect_response r;

	if (mu_get_connect_response(in, &r)) {
		mu_link_lose(l, MU_EPROTO);
		return;
	}
	if (r.protocol < 0) {
		int rc = refusal_of(&r);

		mu_link_lose(l, rc ? rc : MU_EPROTO);
		return;
	}
	if (r.timeout_ms <= 0) {
		if (l->session)
			mu_link_step(l, MU_LI_REFUSED, MU_EEXPIRED);
		else
			mu_link_lose(l, MU_EFULL);
		return;
	}
	if (!welcome_fits(l, &r)) {
		mu_link_lose(l, MU_EPROTO);
		return;
	}
	l->resumed = l->session != 0;
	l->session = r.session;
	memcpy(l->password, r.password.at, MU_PASSWORD_BYTES);
	l->timeout_ms = (uint32_t)r.timeout_ms;
	l->negotiated = true;
	l->features = r.protocol;
	l->tree_id = r.has_tree_id ? r.tree_id : 0;
	l->heard_ms = l->now_ms;
	mu_link_step(l, MU_LI_WELCOME, 0);
}

/* An event that nobody asks for any more is dropped (rule 34). The action is
 * made before the watch is spent: if there is no memory, the next link tells of
 * the change again. */
static void tell(struct mu_link *l, int32_t event, int64_t zxid,
                 struct mu_str path)
{
	if (!mu_book_wants(&l->book, path, event))
		return;
	if (mu_link_push_event(l, event, zxid, path)) {
		mu_link_lose(l, MU_ENOMEM);
		return;
	}
	mu_book_spend(&l->book, path, event);
}

/* The zxid of a notification moves nothing (rule 17). */
static void take_event(struct mu_link *l, int64_t zxid, struct mu_in *in)
{
	struct mu_watcher_event e;
	struct mu_str parent;

	if (mu_get_watcher_event(in, &e) || !e.path.at ||
	    mu_path_check(e.path, NULL)) {
		mu_link_lose(l, MU_EPROTO);
		return;
	}
	if (mu_link_tells_twice(l, e.type, e.path))
		return;
	tell(l, e.type, zxid, e.path);
	if (mu_link_state_has_link(l->state) &&
	    mu_link_hides_children(l, e.type, e.path, &parent))
		tell(l, MU_NODE_CHILDREN_CHANGED, zxid, parent);
}

/* A cause that is not known may be a later broker's: it is passed on. */
static bool change_fits(const struct mu_change_event *e)
{
	if (e->type < MU_NODE_CREATED || e->type > MU_NODE_CHILDREN_CHANGED ||
	    e->n < 0 || e->cause < 0)
		return false;
	if (!e->path.at || mu_path_check(e->path, NULL))
		return false;
	if (e->origin.len && memchr(e->origin.at, '\0', e->origin.len))
		return false;
	return e->whole || !e->data.at;
}

/* Nothing of a subscription can come before a link took one, nor from a server
 * that has none. Its zxid moves nothing either: what lies before it may be
 * anybody's. */
static void take_change(struct mu_link *l, const struct mu_reply_header *h,
                        struct mu_in *in)
{
	struct mu_change_event e;

	if (l->state != MU_LINK_CONNECTED ||
	    l->features < MU_FEATURES_SUBSCRIBE || h->err ||
	    mu_get_change_event(in, &e) || !change_fits(&e)) {
		mu_link_lose(l, MU_EPROTO);
		return;
	}
	if (mu_link_push_change(l, h->zxid, &e))
		mu_link_lose(l, MU_ENOMEM);
}

/* All batches say relative to what was seen when the link was lost, so what
 * their replies say counts only when all are there. */
static void take_armed(struct mu_link *l, const struct mu_reply_header *h)
{
	if (l->state != MU_LINK_REARMING || h->err) {
		mu_link_lose(l, h->err ? h->err : MU_EPROTO);
		return;
	}
	if (h->zxid > l->rearm_zxid)
		l->rearm_zxid = h->zxid;
	if (--l->rearm_left)
		return;
	if (l->rearm_zxid > l->last_zxid)
		l->last_zxid = l->rearm_zxid;
	mu_link_step(l, MU_LI_ARMED, 0);
}

static void take_reply(struct mu_link *l, struct mu_in *in)
{
	struct mu_reply_header h;
	int rc;

	if (mu_get_reply_header(in, &h) || h.err > 0) {
		mu_link_lose(l, MU_EPROTO);
		return;
	}
	switch (h.xid) {
	case MU_XID_PING:
		return;
	case MU_XID_NOTIFICATION:
		take_event(l, h.zxid, in);
		return;
	case MU_XID_CHANGE:
		take_change(l, &h, in);
		return;
	case MU_XID_SET_WATCHES:
		take_armed(l, &h);
		return;
	default:
		rc = mu_link_answer(l, &h, in->at, mu_in_left(in));
		if (rc)
			mu_link_lose(l, rc);
	}
}

static void take_records(struct mu_link *l, const void *message, size_t len)
{
	struct mu_in in = mu_in_of(message, len);
	struct mu_str rec;
	int more;

	while (mu_link_state_has_link(l->state)) {
		struct mu_in one;

		more = mu_frame_next(&in, &rec);
		if (more < 0)
			mu_link_lose(l, MU_EPROTO);
		if (more <= 0)
			return;
		one = mu_in_of(rec.at, rec.len);
		if (l->state == MU_LINK_HANDSHAKE)
			take_welcome(l, &one);
		else
			take_reply(l, &one);
	}
}

void mu_link_on_message(struct mu_link *l, const void *message, size_t len,
                        uint64_t now_ms)
{
	MU_BUG_ON(!l->carrier);
	if (!mu_link_state_has_link(l->state))
		return; /* late: the SHUT has not been taken yet */
	l->now_ms = now_ms;
	if (l->state == MU_LINK_OPENING) {
		mu_link_lose(l, MU_EPROTO); /* it spoke before we did */
		return;
	}
	if (len == 0) {
		mu_link_lose(l, MU_EGONE);
		return;
	}
	if (l->state != MU_LINK_HANDSHAKE)
		l->heard_ms = now_ms;
	take_records(l, message, len);
}
