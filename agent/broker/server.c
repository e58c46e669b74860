/*
 * server.c - the loop's turn, and the effects of the store.
 *
 * A turn: read what came, up to a share; hand each record to the store and
 * carry out what it answers; make what it logged durable, and carry out what
 * that applies; send. Reading is done in the same callback as the rest, so that
 * everything that happened in a turn leaves in one message a link.
 */
#include "server_impl.h"

#include "clock.h"
#include "epoch.h"
#include "log.h"
#include "loop.h"

#define COMMIT_ROUNDS 8 /* a turn; what is left waits for the next one */
#define ENTROPY_MAX 256u

struct mu_when mu_server_when(struct mu_server *s)
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

/* The disk's troubles are logged when they begin, and when they have not come
 * again for a while: a disk that is nearly full takes a small batch now and
 * then. */
static void note_trouble(struct mu_server *s, int code, const char *why)
{
	const uint64_t now_ms = mu_loop_now_ms(s->loop);

	if (code == MU_EDATA) {
		fail(s, why);
		return;
	}
	if (code && !s->trouble)
		mu_log(MU_ERROR,
		       MSG("writes are refused; reads and sessions go on"),
		       KS("why", why));
	if (code)
		s->trouble_ms = now_ms;
	else if (now_ms - s->trouble_ms < MU_SERVER_CALM_MS)
		return;
	if (!code && s->trouble)
		mu_log(MU_INFO, MSG("writes are taken again"));
	s->trouble = code;
}

/* ---- effects of the store ------------------------------------------------------ */

static void append(struct mu_server *s, const struct mu_effect *fx)
{
	struct mu_err err = { 0 };

	if (s->refused)
		return; /* it would leave a gap */
	s->refused = s->journal->append(s->journal, fx->index, fx->bytes,
	                                fx->len, &err);
	if (s->refused)
		note_trouble(s, s->refused, err.msg);
	else
		s->logged = fx->index;
}

/* What a peer has done wrong, or had no room, is told; but peers make these lines,
 * so there are only so many a second. */
static void log_close(struct mu_server *s, const struct mu_effect *fx)
{
	static const bool is_usual[MU_CLOSE_COUNT] = {
		[MU_CLOSE_SESSION_ENDED] = true, [MU_CLOSE_EXPIRED] = true,
		[MU_CLOSE_REFUSED] = true,       [MU_CLOSE_MOVED] = true,
		[MU_CLOSE_HANDSHAKE] = true,     [MU_CLOSE_SILENT] = true,
		[MU_CLOSE_JOURNAL] = true, /* told as the disk's trouble */
	};

	if (is_usual[fx->reason]) {
		mu_log(MU_DEBUG, MSG("link closed"), KI("link", fx->link),
		       KS("reason", mu_close_word(fx->reason)));
		return;
	}
	if (!mu_line_rate_take(&s->cut_lines, mu_loop_now_ms(s->loop)))
		return;
	mu_log(MU_WARN, MSG("link closed"), KI("link", fx->link),
	       KS("reason", mu_close_word(fx->reason)),
	       KI("unsaid", s->cut_lines.unsaid));
	s->cut_lines.unsaid = 0;
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
		log_close(s, fx);
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
	int rc = mu_store_link_open(s->store, link, origin, mu_server_when(s));

	drain(s);
	return rc;
}

static void on_record(void *arg, uint32_t link, const void *p, size_t len)
{
	struct mu_server *s = arg;

	refill_entropy(s);
	mu_store_receive(s->store, link, p, len, mu_server_when(s));
	drain(s);
}

static void on_oversize(void *arg, uint32_t link, const void *head, size_t len)
{
	struct mu_server *s = arg;

	mu_store_oversize(s->store, link, head, len, mu_server_when(s));
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
	const struct mu_when now = mu_server_when(s);

	(void)link;
	s->words.now_ms = now.mono_ms;
	s->words.wall_ms = now.wall_ms;
	mu_words_answer(&s->words, p, out);
}

bool mu_server_is_busy(void *arg, uint32_t link)
{
	const struct mu_server *s = arg;

	return link & MU_LINK_TCP ? mu_tcp_is_busy(s->tcp, link)
	                          : mu_native_is_busy(s->native, link);
}

struct mu_native_owner mu_server_native_owner(struct mu_server *s)
{
	return (struct mu_native_owner){ on_open, on_record, on_oversize,
		                         on_lost, s };
}

struct mu_tcp_owner mu_server_tcp_owner(struct mu_server *s)
{
	return (struct mu_tcp_owner){ on_open, on_takes, on_record, on_word_len,
		                      on_word, on_lost,  s };
}

/* ---- the turn ---------------------------------------------------------------------- */

/* What the journal did not take is answered with an error; what it took before
 * stands. */
static void refuse(struct mu_server *s)
{
	const int code = s->refused;

	if (!code || s->logged != s->durable)
		return;
	s->journal->settle(s->journal); /* nothing is under way: no wait */
	s->refused = 0;
	mu_store_refused(s->store, code);
	drain(s);
}

/* False: nothing more is to be had now. */
static bool commit_round(struct mu_server *s)
{
	struct mu_err err = { 0 };
	const int broken = s->journal->flush(s->journal, &err);
	const uint64_t durable = s->journal->durable(s->journal);
	const bool grown = durable != s->durable;

	/* That it takes a batch says nothing: one that grows has ended. */
	if (broken || (grown && !s->refused))
		note_trouble(s, broken, err.msg);
	if (s->failed)
		return false;
	if (broken) {
		s->refused = broken;
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

void mu_server_on_turn(void *arg)
{
	struct mu_server *s = arg;
	const uint64_t now = mu_loop_now_ms(s->loop);
	bool more;

	if (s->failed || s->again)
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
void mu_server_on_readable(void *arg, int events)
{
	struct mu_server *s = arg;

	(void)events;
	mu_native_wake(s->native);
}

/* Asked, it is quiet: a turn that waits for no command would not ask, and trouble
 * that ends by itself is news as well. */
void mu_server_on_synced(void *arg, int events)
{
	const struct mu_server *s = arg;

	(void)events;
	s->journal->durable(s->journal);
}

/* After 2^32 commands the next epoch has begun: no start may use it again. A disk
 * in trouble is asked again at the next tick; meanwhile the journal tells it. */
static void turn_epoch(struct mu_server *s)
{
	struct mu_err err = { 0 };
	struct mu_store_stats st;
	uint32_t epoch;

	mu_store_stats(s->store, &st);
	epoch = (uint32_t)((uint64_t)st.zxid >> 32);
	if (epoch > s->config.epoch &&
	    mu_epoch_raise(s->options->data_dir, epoch, &s->config.epoch,
	                   &err) == MU_EDATA)
		fail(s, err.msg);
}

static void take_snapshot(struct mu_server *s)
{
	struct mu_journal_stats st;
	struct mu_err err = { 0 };

	s->journal->stats(s->journal, &st);
	mu_snapshots_turn(s->snapshots, st.bytes + st.found.bytes);
	if (s->trouble && s->logged == s->durable)
		note_trouble(s, s->journal->trouble(s->journal, &err), err.msg);
}

void mu_server_on_tick(void *arg)
{
	struct mu_server *s = arg;

	refill_entropy(s);
	mu_store_tick(s->store, mu_server_when(s));
	drain(s);
	mu_quota_log_tick(&s->quota_log, s->store, mu_loop_now_ms(s->loop));
	mu_tcp_tick(s->tcp);
	mu_server_control_tick(s);
	turn_epoch(s);
	if (s->snapshots)
		take_snapshot(s);
}

void mu_server_on_retry(void *arg)
{
	struct mu_server *s = arg;

	mu_native_retry(s->native, mu_loop_now_ms(s->loop));
}

bool mu_server_wants_again(const struct mu_server *s)
{
	return s->again;
}

bool mu_server_failed(const struct mu_server *s)
{
	return s->failed;
}
