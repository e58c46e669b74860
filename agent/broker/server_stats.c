/* Numbers for the log. */
#include "server_impl.h"

#include "err.h"
#include "log.h"

/* "left=3,stopped reading=1": reasons that happened, with their counts. */
static size_t put_count(char *out, size_t room, size_t len, const char *word,
                        uint64_t count)
{
	if (count == 0 || len + 1 >= room)
		return len;
	return len + mu_format(out + len, room - len, "%s%s=%lu",
	                       len ? "," : "", word, (unsigned long)count);
}

void mu_server_log_stats(const struct mu_server *s)
{
	struct mu_store_stats st;
	struct mu_native_stats nt;
	struct mu_tcp_stats tt;
	char ended[800] = "";
	size_t len = 0;
	int i;

	mu_store_stats(s->store, &st);
	mu_native_stats(s->native, &nt);
	mu_tcp_stats(s->tcp, &tt);
	for (i = 0; i < MU_CLOSE_COUNT; i++)
		len = put_count(ended, sizeof ended, len,
		                mu_close_word((enum mu_close_reason)i),
		                st.closed[i]);
	for (i = 0; i < MU_CUT_COUNT; i++)
		len = put_count(ended, sizeof ended, len,
		                mu_cut_word((enum mu_cut)i), nt.cut[i]);
	for (i = 0; i < MU_TCP_CUT_COUNT; i++)
		len = put_count(ended, sizeof ended, len,
		                mu_tcp_cut_word((enum mu_tcp_cut)i), tt.cut[i]);
	mu_log(MU_INFO, MSG("stats"), KI("links", nt.links),
	       KI("sessions", st.sessions), KI("nodes", st.nodes),
	       KI("ephemerals", st.ephemerals), KI("watches", st.watches),
	       KI("subscriptions", st.subscriptions), KI("changes", st.changes),
	       KI("change_bytes", st.change_bytes), KI("gaps", st.gaps),
	       KI("zxid", st.zxid), KI("tree_bytes", st.tree_bytes),
	       KI("requests", st.requests), KI("replies", st.replies),
	       KI("events", st.events), KI("throttled", st.throttled),
	       KI("oversize", st.oversize), KI("expired", st.expired),
	       KI("stalled_ms", st.stalled_ms), KI("parked_links", nt.parked),
	       KI("parked_bytes", nt.parked_bytes), KI("tcp_links", tt.links),
	       KI("tcp_paused", tt.paused), KI("tcp_waiting", tt.waiting),
	       KI("tcp_waiting_bytes", tt.waiting_bytes), KS("ended", ended));
}
