/* The store's promises to itself, for tests. */
#include "store_impl.h"

#include "bug.h"

struct tally {
	const struct mu_store *s;
	uint32_t owned;    /* ephemerals of living sessions */
	uint32_t attached; /* sessions with a link */
	uint32_t up;       /* links with a session */
	uint64_t queued;   /* bytes of entries */
};

static void check_session(void *arg, struct mu_session *session)
{
	struct tally *t = arg;
	const struct mu_peer *p;

	t->owned += mu_tree_owned_count(t->s->tree, session->id);
	MU_BUG_ON(session->logged > t->s->logged);
	if (!session->link)
		return;
	t->attached++;
	p = mu_peer_find(t->s, session->link);
	MU_BUG_ON(!p || p->state != MU_PEER_UP || p->session != session);
}

static void check_queue(struct tally *t, const struct mu_peer *p)
{
	const struct mu_store *s = t->s;
	const struct mu_entry *last = NULL;
	size_t bytes = 0;
	uint32_t count = 0;

	for (const struct mu_entry *e = p->head; e; e = e->next) {
		MU_BUG_ON(last && e->wait < last->wait);
		bytes += e->charge;
		t->queued += sizeof *e + e->len;
		count++;
		last = e;
	}
	MU_BUG_ON(last != p->tail || count != p->entries || bytes != p->bytes);
	MU_BUG_ON((p->head != NULL) != (p->waits_for != NULL));
	MU_BUG_ON(p->head && p->waits_for != mu_log_at(s, p->head->wait));
}

static void check_peer(void *arg, uint32_t id)
{
	struct tally *t = arg;
	const struct mu_peer *p = mu_slab_at(&t->s->peers, id);

	check_queue(t, p);
	MU_BUG_ON((p->state == MU_PEER_UP) != (p->session != NULL));
	MU_BUG_ON(p->session && p->session->link != p->number);
	MU_BUG_ON(p->head &&
	          (p->state == MU_PEER_NEW || p->state == MU_PEER_ENDED));
	MU_BUG_ON(p->state != MU_PEER_UP &&
	          mu_watches_link_count(t->s->watches, p->number));
	MU_BUG_ON(p->state != MU_PEER_UP &&
	          mu_subs_link_count(t->s->subs, p->number));
	MU_BUG_ON(p->doomed);
	t->up += p->state == MU_PEER_UP;
}

static void check_pending(const struct mu_store *s)
{
	int64_t zxid = s->zxid;
	uint64_t bytes = 0;
	uint32_t creating = 0;

	for (uint64_t i = s->applied + 1; i <= s->logged; i++) {
		const struct mu_pending *c = mu_log_at(s, i);
		struct mu_command command;
		int err = mu_get_command(c->bytes, c->len, &command);

		MU_BUG_ON(err || c->index != i);
		MU_BUG_ON(command.zxid != ++zxid);
		bytes += sizeof *c + c->len;
		creating += c->type == MU_OP_CREATE_SESSION;
		for (const struct mu_peer *p = c->wait_first; p;
		     p = p->wait_next)
			MU_BUG_ON(p->waits_for != c);
	}
	MU_BUG_ON(zxid != s->zxid_taken || creating != s->creating ||
	          bytes != s->pending_bytes);
}

void mu_store_verify(const struct mu_store *s)
{
	struct tally t = { .s = s };

	mu_tree_verify(s->tree);
	mu_sessions_each(s->sessions, check_session, &t);
	mu_table_each(&s->by_number, check_peer, &t);
	MU_BUG_ON(t.owned != mu_tree_ephemerals(s->tree));
	MU_BUG_ON(t.attached != t.up);
	MU_BUG_ON(t.queued != s->queued_bytes);
	check_pending(s);
}
