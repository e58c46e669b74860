/* Looking at the store from outside, and what it may look at: nothing here changes
 * what it holds. */
#include "store_impl.h"

bool mu_store_link_takes(const struct mu_store *s, uint32_t link, size_t len)
{
	const struct mu_peer *p = mu_peer_find(s, link);

	return !p || p->state == MU_PEER_ENDED ||
	       !mu_request_is_full(s, p, len);
}

void mu_store_on_busy(struct mu_store *s, mu_busy_fn *busy, void *arg)
{
	s->busy = busy;
	s->busy_arg = arg;
}

bool mu_store_link_look(const struct mu_store *s, uint32_t link,
                        struct mu_store_link *out)
{
	const struct mu_peer *p = mu_peer_find(s, link);

	if (!p)
		return false;
	*out = (struct mu_store_link){ .waiting = p->entries,
		                       .origin = p->origin };
	if (p->session) {
		out->session = p->session->id;
		out->timeout_ms = p->session->timeout_ms;
	}
	return true;
}

const struct mu_sessions *mu_store_sessions(const struct mu_store *s)
{
	return s->sessions;
}

const struct mu_watches *mu_store_watches(const struct mu_store *s)
{
	return s->watches;
}
