/* tcp_link.c - the life of one TCP link, and its end. See tcp_link.h. */
#include "tcp_link.h"

#include "bug.h"
#include "log.h"
#include "mem.h"

const char *mu_tcp_cut_word(enum mu_tcp_cut reason)
{
	static const char *const words[] = {
#define CUT_WORD(name, word) word,
		MU_TCP_CUT_MAP(CUT_WORD)
#undef CUT_WORD
	};
	return words[reason];
}

/* Peers make these lines, so there are only so many a second. */
void mu_tlink_log(struct mu_tcp *t, const char *where, uint32_t link,
                  enum mu_tcp_cut reason)
{
	t->stats.cut[reason]++;
	if (reason <= MU_TCP_CUT_WORD) { /* what is usual */
		mu_log(MU_DEBUG, MSG("link ended"), KI("link", link),
		       KS("from", where),
		       KS("reason", mu_tcp_cut_word(reason)));
		return;
	}
	if (!mu_line_rate_take(&t->log_lines, mu_loop_now_ms(t->loop)))
		return;
	mu_log(MU_WARN, MSG("link cut"), KI("link", link), KS("from", where),
	       KS("reason", mu_tcp_cut_word(reason)),
	       KI("unsaid", t->log_lines.unsaid));
	t->log_lines.unsaid = 0;
}

static struct mu_tlink_list *pause_list(struct mu_tlink *l)
{
	if (l->pause == MU_TLINK_READY)
		return &l->t->ready;
	return l->pause == MU_TLINK_HELD ? &l->t->held : NULL;
}

void mu_tlink_pause(struct mu_tlink *l, enum mu_tlink_pause pause)
{
	struct mu_tlink_list *list;

	if (pause == l->pause)
		return;
	list = pause_list(l);
	if (list)
		TAILQ_REMOVE(list, l, on_pause);
	if (l->pause == MU_TLINK_READ)
		l->t->stats.paused++;
	l->pause = pause;
	list = pause_list(l);
	if (list)
		TAILQ_INSERT_TAIL(list, l, on_pause);
	if (pause == MU_TLINK_READ)
		l->t->stats.paused--;
	mu_tcpsock_read(l->socket, pause == MU_TLINK_READ);
}

void mu_tlink_to_send(struct mu_tlink *l, bool on)
{
	if (on == l->to_send || (on && l->blocked))
		return;
	l->to_send = on;
	if (on)
		TAILQ_INSERT_TAIL(&l->t->to_send, l, on_send);
	else
		TAILQ_REMOVE(&l->t->to_send, l, on_send);
}

void mu_tlink_block(struct mu_tlink *l, bool on)
{
	if (on == l->blocked)
		return;
	mu_tlink_to_send(l, false);
	l->blocked = on;
	l->stuck_ms = mu_loop_now_ms(l->t->loop);
	l->unsent = mu_tcpsock_unsent(l->socket);
	if (on)
		TAILQ_INSERT_TAIL(&l->t->blocked, l, on_send);
	else
		TAILQ_REMOVE(&l->t->blocked, l, on_send);
}

void mu_tlink_forget(struct mu_tlink *l)
{
	struct mu_tcp *t = l->t;

	mu_tlink_pause(l, MU_TLINK_FULL);
	t->stats.paused--;
	mu_tlink_to_send(l, false);
	mu_tlink_block(l, false);
	if (l->state == MU_TLINK_LINGERING)
		TAILQ_REMOVE(&t->lingering, l, on_send);
	mu_tcpsock_close(l->socket);
	mu_tcp_out_fini(&l->out);
	mu_buf_fini(&l->in);
	mu_idmap_drop(&t->links, l->id);
	mu_places_leave(t->places, l->ip);
	TAILQ_REMOVE(&t->all, l, on_all);
	t->stats.links--;
	mu_free(l);
}

void mu_tlink_cut(struct mu_tlink *l, enum mu_tcp_cut reason)
{
	MU_BUG_ON(l->state != MU_TLINK_OPEN);
	mu_tlink_log(l->t, l->where, l->id, reason);
	mu_tlink_pause(l, MU_TLINK_FULL);
	mu_tlink_to_send(l, false);
	l->state = MU_TLINK_GONE;
	TAILQ_INSERT_TAIL(&l->t->lost, l, on_lost);
}

void mu_tlink_end(struct mu_tlink *l)
{
	mu_tlink_pause(l, MU_TLINK_FULL);
	l->state = MU_TLINK_CLOSING;
	mu_tlink_to_send(l, true);
}

void mu_tlink_reap(struct mu_tcp *t)
{
	struct mu_tlink *l;

	while ((l = TAILQ_FIRST(&t->lost))) {
		TAILQ_REMOVE(&t->lost, l, on_lost);
		t->owner.lost(t->owner.arg, l->id);
		mu_tlink_forget(l);
	}
}
