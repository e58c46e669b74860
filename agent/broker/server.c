/*
 * server.c - the loop's turn, and the effects of the store.
 *
 * A turn: read what came, up to a share; hand each record to the store and
 * carry out what it answers; make what it logged durable, and carry out what
 * that applies; send. Reading is done in the same callback as the rest, so that
 * everything that happened in a turn leaves in one message a link.
 */
#include "server.h"

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "files.h"
#include "journal.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "quota_log.h"
#include "sha1.h"
#include "words.h"

#include <string.h>
#include <unistd.h>

#define COMMIT_ROUNDS 8       /* a turn; what is left waits for the next one */
#define GOODBYE_LINGER_MS 500 /* for peers that do not read */
#define ADDRESS_MAX 300u
#define ENTROPY_MAX 256u

struct mu_server {
	const struct mu_broker_options *options;
	struct mu_loop *loop;
	struct mu_journal *journal;
	struct mu_store *store;
	struct mu_native *native;
	struct mu_tcp *tcp;
	struct mu_words words;
	struct mu_poll *readable;
	struct mu_poll *synced; /* where the journal has a descriptor */
	struct mu_after *turn;
	struct mu_timer *tick, *retry;
	struct mu_buf addresses; /* text */
	size_t listening;        /* on so many of options->listen */
	struct mu_store_config config;
	struct mu_quota_log quota_log;
	int64_t wall_ms;          /* never decreases */
	uint64_t logged, durable; /* indices of commands */
	bool refused;             /* the journal did not take a command */
	bool failed;
};

static struct mu_when when(struct mu_server *s)
{
	const int64_t wall_ms = mu_clock_wall_ms();

	if (wall_ms > s->wall_ms)
		s->wall_ms = wall_ms;
	return (struct mu_when){ mu_loop_now_ms(s->loop), s->wall_ms };
}

static void fail(struct mu_server *s, const char *why)
{
	if (!s->failed)
		mu_log(MU_ERROR, MSG("the broker must stop"), KS("why", why));
	s->failed = true;
	mu_loop_stop(s->loop);
}

/* ---- effects of the store ------------------------------------------------------ */

static void append(struct mu_server *s, const struct mu_effect *fx)
{
	struct mu_err err = { 0 };

	if (s->refused)
		return; /* it would leave a gap */
	if (s->journal->append(s->journal, fx->index, fx->bytes, fx->len,
	                       &err)) {
		mu_log(MU_ERROR, MSG("the journal refused a command"),
		       KS("why", err.msg));
		s->refused = true;
		return;
	}
	s->logged = fx->index;
}

static void carry_out(struct mu_server *s, const struct mu_effect *fx)
{
	switch (fx->kind) {
	case MU_FX_SEND:
		if (fx->link & MU_LINK_TCP)
			mu_tcp_send(s->tcp, fx->link, fx->bytes, fx->len);
		else
			mu_native_send(s->native, fx->link, fx->bytes, fx->len);
		break;
	case MU_FX_FANOUT: /* each takes its own */
		mu_native_fanout(s->native, fx->links, fx->link_count,
		                 fx->bytes, fx->len);
		mu_tcp_fanout(s->tcp, fx->links, fx->link_count, fx->bytes,
		              fx->len);
		break;
	case MU_FX_CLOSE:
		mu_log(MU_DEBUG, MSG("link closed"), KI("link", fx->link),
		       KS("reason", mu_close_word(fx->reason)));
		if (fx->link & MU_LINK_TCP)
			mu_tcp_end(s->tcp, fx->link);
		else
			mu_native_end(s->native, fx->link);
		break;
	case MU_FX_LOG:
		append(s, fx);
		break;
	}
}

static void drain(struct mu_server *s)
{
	struct mu_effect fx;

	while (mu_store_effect(s->store, &fx))
		carry_out(s, &fx);
}

/* ---- what the carriers bring ----------------------------------------------------- */

static void refill_entropy(struct mu_server *s)
{
	uint8_t dice[ENTROPY_MAX];
	size_t wanted = mu_store_entropy_wanted(s->store);

	if (wanted == 0)
		return;
	if (wanted > sizeof dice)
		wanted = sizeof dice;
	mu_clock_random(dice, wanted);
	mu_store_entropy(s->store, dice, wanted);
}

static int on_open(void *arg, uint32_t link, const char *origin)
{
	struct mu_server *s = arg;
	int rc = mu_store_link_open(s->store, link, origin, when(s));

	drain(s);
	return rc;
}

static void on_record(void *arg, uint32_t link, const void *p, size_t len)
{
	struct mu_server *s = arg;

	refill_entropy(s);
	mu_store_receive(s->store, link, p, len, when(s));
	drain(s);
}

static void on_oversize(void *arg, uint32_t link, const void *head, size_t len)
{
	struct mu_server *s = arg;

	mu_store_oversize(s->store, link, head, len, when(s));
	drain(s);
}

static void on_lost(void *arg, uint32_t link)
{
	struct mu_server *s = arg;

	mu_store_link_lost(s->store, link);
	drain(s);
}

static bool on_takes(void *arg, uint32_t link, size_t len)
{
	const struct mu_server *s = arg;

	return mu_store_link_takes(s->store, link, len);
}

static size_t on_word_len(void *arg, const uint8_t first[4])
{
	(void)arg;
	return mu_words_len(first);
}

static void on_word(void *arg, uint32_t link, const uint8_t *p,
                    struct mu_buf *out)
{
	struct mu_server *s = arg;
	const struct mu_when now = when(s);

	(void)link;
	s->words.now_ms = now.mono_ms;
	s->words.wall_ms = now.wall_ms;
	mu_words_answer(&s->words, p, out);
}

/* ---- the turn ---------------------------------------------------------------------- */

/* What the journal did not take is answered with an error; what it took before
 * stands. */
static void refuse(struct mu_server *s)
{
	if (!s->refused || s->logged != s->durable)
		return;
	s->refused = false;
	mu_store_refused(s->store);
	drain(s);
}

/* False: nothing more is to be had now. */
static bool commit_round(struct mu_server *s)
{
	struct mu_err err = { 0 };
	const bool broken = s->journal->flush(s->journal, &err) != 0;
	const uint64_t durable = s->journal->durable(s->journal);
	const bool grown = durable != s->durable;

	if (broken) {
		mu_log(MU_ERROR, MSG("the journal cannot be written"),
		       KS("why", err.msg));
		s->refused = true;
		s->logged = durable;
	}
	s->durable = durable;
	if (grown && mu_store_durable(s->store, durable)) {
		fail(s, "out of memory while applying a command");
		return false;
	}
	drain(s);
	return grown && !broken;
}

static void commit(struct mu_server *s)
{
	int round;

	for (round = 0; round < COMMIT_ROUNDS && s->logged != s->durable;
	     round++) {
		if (!commit_round(s))
			break;
	}
	refuse(s);
}

static void flush(struct mu_server *s, uint64_t now)
{
	mu_native_flush(s->native, now);
	mu_tcp_flush(s->tcp);
}

static void on_turn(void *arg)
{
	struct mu_server *s = arg;
	const uint64_t now = mu_loop_now_ms(s->loop);
	bool more;

	if (s->failed)
		return;
	mu_native_read(s->native, now);
	mu_tcp_turn(s->tcp);
	commit(s);
	if (s->failed)
		return;
	flush(s, now);
	if (s->logged != s->durable) { /* for links that flush found gone */
		commit(s);
		flush(s, now);
	}
	if (mu_native_has_parked(s->native) && !mu_timer_armed(s->retry))
		mu_timer_arm(s->retry, MU_NATIVE_RETRY_MS, 0);
	/* libzmq's descriptor is edge-triggered: look before waiting for it. */
	more = mu_native_readable(s->native) || mu_tcp_has_more(s->tcp) ||
	       (s->logged != s->durable && !s->synced);
	mu_after_set(s->turn, true, more);
}

/* The turn follows every callback. */
static void on_readable(void *arg, int events)
{
	(void)arg, (void)events;
}

static void on_tick(void *arg)
{
	struct mu_server *s = arg;

	refill_entropy(s);
	mu_store_tick(s->store, when(s));
	drain(s);
	mu_quota_log_tick(&s->quota_log, s->store, mu_loop_now_ms(s->loop));
	mu_tcp_tick(s->tcp);
}

static void on_retry(void *arg)
{
	struct mu_server *s = arg;

	mu_native_retry(s->native, mu_loop_now_ms(s->loop));
}

/* ---- start and stop ------------------------------------------------------------------ */

static int open_store(struct mu_server *s, struct mu_err *err)
{
	struct mu_store_config *c = &s->config;

	mu_clock_random(c->hash_key, sizeof c->hash_key);
	mu_clock_random(&c->tree_id, sizeof c->tree_id);
	c->epoch = s->journal->epoch;
	c->sha1 = mu_sha1;
	mu_broker_options_store(s->options, c);
	return mu_store_new(c, when(s), &s->store, err);
}

/* The directory of an ipc socket, which a service manager would have made. */
static void make_ipc_dir(const char *url)
{
	char dir[ADDRESS_MAX];
	char *slash;

	if (strncmp(url, "ipc:///", 7) || strlen(url) >= sizeof dir)
		return;
	mu_format(dir, sizeof dir, "%s", url + strlen("ipc://"));
	slash = strrchr(dir, '/');
	*slash = '\0';
	if (*dir)
		mu_dir_make(dir, 0755, NULL); /* binding says what is wrong */
}

static void add_address(struct mu_server *s, const char *scheme,
                        const char *rest)
{
	mu_buf_put(&s->addresses, scheme, strlen(scheme));
	mu_buf_put(&s->addresses, rest, strlen(rest));
	mu_buf_put(&s->addresses, "\n", 1);
}

static int listen_zookeeper(struct mu_server *s, struct mu_err *err)
{
	const struct mu_conf_list *list = &s->options->listen_zookeeper;
	const char *actual;
	struct mu_err why;
	size_t i;
	int rc;

	for (i = 0; i < list->count; i++) {
		rc = mu_tcp_listen(s->tcp, list->item[i], &actual, &why);
		if (rc)
			return mu_err(err, rc,
			              "cannot listen for ZooKeeper clients on "
			              "%.300s; free the port, name another in "
			              "listen_zookeeper, or turn this off with "
			              "listen_zookeeper = [ ];",
			              why.msg);
		if (i == 0)
			s->words.address = actual;
		mu_log(MU_INFO, MSG("listening for ZooKeeper clients"),
		       KS("address", actual));
		add_address(s, "zookeeper://", actual);
	}
	return 0;
}

static int listen_all(struct mu_server *s, struct mu_err *err)
{
	const struct mu_conf_list *list = &s->options->listen;
	char actual[ADDRESS_MAX];
	size_t i;
	int rc;

	for (i = 0; i < list->count; i++) {
		make_ipc_dir(list->item[i]);
		rc = mu_native_listen(s->native, list->item[i], actual,
		                      sizeof actual, err);
		if (rc)
			return rc;
		s->listening++;
		mu_log(MU_INFO, MSG("listening"), KS("url", actual));
		add_address(s, "", actual);
	}
	rc = listen_zookeeper(s, err);
	if (rc)
		return rc;
	mu_buf_put(&s->addresses, "", 1);
	return mu_buf_failed(&s->addresses)
	               ? mu_err(err, MU_ENOMEM, "out of memory at start")
	               : 0;
}

static int open_tcp(struct mu_server *s, struct mu_err *err)
{
	const struct mu_tcp_limits limits = mu_broker_options_tcp(s->options);
	const struct mu_tcp_owner owner = {
		on_open, on_takes, on_record, on_word_len, on_word, on_lost, s
	};

	return mu_tcp_open(s->loop, &limits, s->config.hash_key, &owner,
	                   &s->tcp, err);
}

static int open_carriers(struct mu_server *s, struct mu_err *err)
{
	const struct mu_native_limits limits =
		mu_broker_options_native(s->options);
	const struct mu_native_owner owner = { on_open, on_record, on_oversize,
		                               on_lost, s };
	int rc = mu_native_open(&limits, &owner, &s->native, err);

	rc = rc ? rc : open_tcp(s, err);
	if (rc)
		return rc;
	s->words = (struct mu_words){ .options = s->options,
		                      .store = s->store,
		                      .tcp = s->tcp,
		                      .native = s->native,
		                      .address = "",
		                      .started_ms = mu_loop_now_ms(s->loop) };
	return listen_all(s, err);
}

static int open_handles(struct mu_server *s, struct mu_err *err)
{
	const int fd = s->journal->fd(s->journal);
	int rc = mu_poll_new(s->loop, mu_native_fd(s->native), on_readable, s,
	                     &s->readable);

	if (!rc && fd >= 0)
		rc = mu_poll_new(s->loop, fd, on_readable, s, &s->synced);
	rc = rc ? rc : mu_timer_new(s->loop, on_tick, s, &s->tick);
	rc = rc ? rc : mu_timer_new(s->loop, on_retry, s, &s->retry);
	rc = rc ? rc : mu_after_new(s->loop, on_turn, s, &s->turn);
	if (rc)
		return mu_err(err, rc, "cannot set up the event loop");
	mu_poll_set(s->readable, MU_POLL_READ);
	if (s->synced)
		mu_poll_set(s->synced, MU_POLL_READ);
	mu_timer_arm(s->tick, s->config.tick_ms, s->config.tick_ms);
	mu_after_set(s->turn, true, true);
	return 0;
}

/* libzmq leaves the sockets' files behind. */
static void remove_ipc_files(struct mu_server *s)
{
	static const char ipc[] = "ipc:///";
	const char *url;
	size_t i;

	for (i = 0; i < s->listening; i++) {
		url = s->options->listen.item[i];
		if (strncmp(url, ipc, strlen(ipc)) == 0)
			unlink(url + strlen(ipc) - 1);
	}
}

int mu_server_new(struct mu_loop *loop, const struct mu_broker_options *o,
                  struct mu_server **out, struct mu_err *err)
{
	struct mu_server *s = mu_alloc(sizeof *s);
	int rc;

	if (!s)
		return mu_err(err, MU_ENOMEM, "out of memory at start");
	s->options = o;
	s->loop = loop;
	rc = mu_journal_memory_open(o->data_dir, &s->journal, err);
	rc = rc ? rc : open_store(s, err);
	rc = rc ? rc : open_carriers(s, err);
	rc = rc ? rc : open_handles(s, err);
	if (rc) {
		mu_server_free(s);
		return rc;
	}
	if (!s->journal->keeps)
		mu_log(MU_WARN,
		       MSG("the tree is kept in memory only: it is gone when "
		           "the broker stops"));
	*out = s;
	return 0;
}

void mu_server_free(struct mu_server *s)
{
	if (!s)
		return;
	mu_timer_free(s->tick);
	mu_timer_free(s->retry);
	mu_after_free(s->turn);
	mu_poll_free(s->readable);
	mu_poll_free(s->synced);
	if (s->native)
		mu_native_goodbye(s->native, GOODBYE_LINGER_MS);
	mu_native_close(s->native);
	mu_tcp_close(s->tcp);
	remove_ipc_files(s);
	mu_store_free(s->store);
	if (s->journal)
		s->journal->close(s->journal);
	mu_buf_fini(&s->addresses);
	mu_free(s);
}

int mu_server_reconfigure(struct mu_server *s, struct mu_err *err)
{
	const struct mu_native_limits limits =
		mu_broker_options_native(s->options);
	const struct mu_tcp_limits tcp_limits =
		mu_broker_options_tcp(s->options);
	struct mu_store_config config = s->config;
	int rc;

	mu_broker_options_store(s->options, &config);
	rc = mu_store_reconfigure(s->store, &config, err);
	if (rc)
		return rc;
	s->config = config;
	mu_native_configure(s->native, &limits);
	mu_tcp_configure(s->tcp, &tcp_limits);
	mu_timer_arm(s->tick, config.tick_ms, config.tick_ms);
	return 0;
}

const char *mu_server_addresses(const struct mu_server *s)
{
	return (const char *)s->addresses.data;
}

bool mu_server_failed(const struct mu_server *s)
{
	return s->failed;
}

/* ---- numbers --------------------------------------------------------------------------- */

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
	       KI("zxid", st.zxid), KI("tree_bytes", st.tree_bytes),
	       KI("requests", st.requests), KI("replies", st.replies),
	       KI("events", st.events), KI("throttled", st.throttled),
	       KI("oversize", st.oversize), KI("expired", st.expired),
	       KI("stalled_ms", st.stalled_ms), KI("parked_links", nt.parked),
	       KI("parked_bytes", nt.parked_bytes), KI("tcp_links", tt.links),
	       KI("tcp_paused", tt.paused), KI("tcp_waiting", tt.waiting),
	       KI("tcp_waiting_bytes", tt.waiting_bytes), KS("ended", ended));
}
