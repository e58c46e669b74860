#include "link_impl.h"

#include "bug.h"
#include "mem.h"

#include <string.h>

#define OUTSTANDING_DEFAULT 1000u
#define TIMEOUT_DEFAULT_MS 3000u
#define CONNECT_MIN_MS 200u
#define DELAY_MAX_MS 1000u

/* A link that stood for less does not count as a success: a broker that takes
 * us in only to cut us off is tried again no faster than one that refuses. */
#define STEADY_MS 1000u

/* ---- time ---- */

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t third_ms(const struct mu_link *l)
{
	uint64_t third = l->timeout_ms / 3;

	return third ? third : 1;
}

static uint64_t silent_by(const struct mu_link *l)
{
	return l->heard_ms + 2 * third_ms(l);
}

static uint64_t dead_by(const struct mu_link *l)
{
	return l->heard_ms + (uint64_t)l->timeout_ms * 4 / 3;
}

static uint64_t connect_ms(const struct mu_link *l)
{
	uint64_t share = l->timeout_ms / l->config.hosts;

	return share < CONNECT_MIN_MS ? CONNECT_MIN_MS : share;
}

static uint64_t delay_ms(struct mu_link *l)
{
	uint64_t most = third_ms(l);

	if (most > DELAY_MAX_MS)
		most = DELAY_MAX_MS;
	return splitmix(&l->random) % (most + 1);
}

/* ---- what a move does, once its state is entered ---- */

static void do_open(struct mu_link *l)
{
	l->tries++;
	l->attempt_by = l->now_ms + connect_ms(l);
}

static void do_hello(struct mu_link *l)
{
	struct mu_connect_request r = {
		.protocol = MU_PROTOCOL_ASK,
		.last_zxid = l->last_zxid,
		.timeout_ms = (int32_t)l->config.timeout_ms,
		.session = l->session,
		.password = { (const char *)l->password, MU_PASSWORD_BYTES },
		.has_read_only = true,
	};
	struct mu_buf b = { 0 };
	int rc = MU_ENOMEM;

	mu_put_connect_request(&b, &r);
	if (!mu_buf_failed(&b))
		rc = mu_link_send(l, 0, 0, b.data, b.len);
	mu_buf_fini(&b);
	if (rc)
		mu_link_lose(l, rc);
}

/* All batches at once; their replies are counted. */
static int send_batches(struct mu_link *l)
{
	bool two = l->book.lasting > 0; /* rule 39 */
	struct mu_book_walk walk = mu_book_walk_of(&l->book);
	struct mu_buf b = { 0 };
	int rc;

	while ((rc = mu_book_batch(&walk, two, l->last_zxid, &b)) > 0) {
		rc = mu_link_send(l, MU_XID_SET_WATCHES,
		                  two ? MU_OP_SET_WATCHES2 : MU_OP_SET_WATCHES,
		                  b.data, b.len);
		if (rc)
			break;
		l->rearm_left++;
		mu_buf_reset(&b);
	}
	mu_buf_fini(&b);
	return rc;
}

static void do_rearm(struct mu_link *l)
{
	int rc;

	l->rearm_left = 0;
	l->rearm_zxid = 0;
	rc = send_batches(l);
	if (rc)
		mu_link_lose(l, rc);
	else if (!l->rearm_left)
		mu_link_step(l, MU_LI_ARMED, 0);
}

static void do_flush(struct mu_link *l)
{
	int rc = mu_link_flush(l);

	l->up_ms = l->now_ms;
	if (rc)
		mu_link_lose(l, rc);
}

/* The first try of each host comes at once; after a round through all of them
 * there is a pause, drawn so that not all clients come back together. */
static void do_retry(struct mu_link *l)
{
	l->due_ms = l->now_ms;
	if (l->tries >= l->config.hosts) {
		l->due_ms += delay_ms(l);
		l->tries = 0;
	}
}

static void do_drop(struct mu_link *l)
{
	mu_link_fail_all(l, MU_ECONNLOSS);
	do_retry(l);
}

static void do_fall(struct mu_link *l)
{
	if (l->now_ms - l->up_ms >= STEADY_MS)
		l->tries = 0;
	do_drop(l);
}

static void do_end(struct mu_link *l)
{
	mu_link_fail_all(l, l->state == MU_LINK_EXPIRED ? MU_EEXPIRED
	                                                : MU_ECONNLOSS);
}

/* ---- the table ---- */

static const struct row {
	enum mu_link_state state;
	enum mu_link_input input;
	enum mu_link_state next;
	void (*act)(struct mu_link *l);
} rows[] = {
	{ MU_LINK_IDLE, MU_LI_DUE, MU_LINK_OPENING, do_open },
	{ MU_LINK_IDLE, MU_LI_DEAD, MU_LINK_EXPIRED, do_end },
	{ MU_LINK_IDLE, MU_LI_CLOSE, MU_LINK_CLOSED, do_end },
	{ MU_LINK_OPENING, MU_LI_OPEN, MU_LINK_HANDSHAKE, do_hello },
	{ MU_LINK_OPENING, MU_LI_LOST, MU_LINK_IDLE, do_retry },
	{ MU_LINK_OPENING, MU_LI_DEAD, MU_LINK_EXPIRED, do_end },
	{ MU_LINK_OPENING, MU_LI_CLOSE, MU_LINK_CLOSED, do_end },
	{ MU_LINK_HANDSHAKE, MU_LI_WELCOME, MU_LINK_REARMING, do_rearm },
	{ MU_LINK_HANDSHAKE, MU_LI_REFUSED, MU_LINK_EXPIRED, do_end },
	{ MU_LINK_HANDSHAKE, MU_LI_LOST, MU_LINK_IDLE, do_drop },
	{ MU_LINK_HANDSHAKE, MU_LI_DEAD, MU_LINK_EXPIRED, do_end },
	{ MU_LINK_HANDSHAKE, MU_LI_CLOSE, MU_LINK_CLOSED, do_end },
	{ MU_LINK_REARMING, MU_LI_ARMED, MU_LINK_CONNECTED, do_flush },
	{ MU_LINK_REARMING, MU_LI_LOST, MU_LINK_IDLE, do_drop },
	{ MU_LINK_REARMING, MU_LI_CLOSE, MU_LINK_CLOSED, do_end },
	{ MU_LINK_CONNECTED, MU_LI_LOST, MU_LINK_IDLE, do_fall },
	{ MU_LINK_CONNECTED, MU_LI_BYE, MU_LINK_CLOSED, do_end },
	{ MU_LINK_CONNECTED, MU_LI_CUT, MU_LINK_CLOSED, do_end },
};

bool mu_link_state_has_link(enum mu_link_state state)
{
	return state >= MU_LINK_OPENING && state <= MU_LINK_CONNECTED;
}

static bool is_established(enum mu_link_state state)
{
	return state == MU_LINK_REARMING || state == MU_LINK_CONNECTED;
}

static const struct row *row_of(enum mu_link_state state,
                                enum mu_link_input input)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].state == state && rows[i].input == input)
			return &rows[i];
	return NULL;
}

static void check(const struct mu_link *l)
{
	bool sent = l->reqs && l->reqs != l->unsent;

	MU_BUG_ON(sent && l->state != MU_LINK_CONNECTED);
	MU_BUG_ON(l->unsent && l->state == MU_LINK_CONNECTED);
	MU_BUG_ON(l->reqs && l->state > MU_LINK_CONNECTED);
	MU_BUG_ON(is_established(l->state) && l->session == 0);
}

/* Whatever the move, an open carrier link is shut when the new state has none,
 * and what was not sent on it never will be. Then the application hears of the
 * state, then of its requests. */
void mu_link_step(struct mu_link *l, enum mu_link_input input, int why)
{
	const struct row *row = row_of(l->state, input);
	bool had_link = mu_link_state_has_link(l->state);

	MU_BUG_ON(!row);
	if (input == MU_LI_DUE) {
		l->host = (l->host + 1) % l->config.hosts;
		mu_link_push(l, MU_LA_OPEN, 0);
	}
	l->state = row->next;
	if (had_link && !mu_link_state_has_link(l->state)) {
		mu_link_unsend(l);
		mu_link_push(l, MU_LA_SHUT, why);
	}
	mu_link_push(l, MU_LA_STATE, why);
	row->act(l);
	check(l);
}

void mu_link_lose(struct mu_link *l, int why)
{
	mu_link_step(l, l->closing ? MU_LI_CUT : MU_LI_LOST, why);
}

/* ---- the world ---- */

int mu_link_new(const struct mu_link_config *config, uint64_t now_ms,
                struct mu_link **out)
{
	struct mu_link *l = mu_alloc(sizeof *l);
	uint8_t key[16];

	MU_BUG_ON(config->hosts == 0);
	if (!l)
		return MU_ENOMEM;
	l->config = *config;
	if (!l->config.outstanding_max)
		l->config.outstanding_max = OUTSTANDING_DEFAULT;
	if (!l->config.packet_max)
		l->config.packet_max = MU_PACKET_MAX_DEFAULT;
	if (!l->config.timeout_ms)
		l->config.timeout_ms = TIMEOUT_DEFAULT_MS;
	if (l->config.timeout_ms > INT32_MAX)
		l->config.timeout_ms = INT32_MAX;
	l->random = config->seed;
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)splitmix(&l->random);
	if (mu_book_init(&l->book, key)) {
		mu_free(l);
		return MU_ENOMEM;
	}
	l->timeout_ms = l->config.timeout_ms;
	l->session = config->session;
	memcpy(l->password, config->password, MU_PASSWORD_BYTES);
	l->last_zxid = config->last_zxid;
	/* The first step goes to the host after this one. */
	l->host = (config->first_host + config->hosts - 1) % config->hosts;
	l->now_ms = l->heard_ms = l->due_ms = now_ms;
	l->reqs_end = &l->reqs;
	l->actions_end = &l->actions;
	*out = l;
	return 0;
}

void mu_link_free(struct mu_link *l)
{
	if (!l)
		return;
	mu_link_requests_fini(l);
	mu_link_queue_fini(l);
	mu_book_fini(&l->book);
	mu_free(l);
}

void mu_link_on_open(struct mu_link *l, uint64_t now_ms)
{
	MU_BUG_ON(!l->carrier);
	if (!mu_link_state_has_link(l->state))
		return; /* late: the SHUT has not been taken yet */
	l->now_ms = now_ms;
	mu_link_step(l, MU_LI_OPEN, 0);
}

void mu_link_on_lost(struct mu_link *l, uint64_t now_ms)
{
	MU_BUG_ON(!l->carrier);
	if (!mu_link_state_has_link(l->state))
		return;
	l->now_ms = now_ms;
	mu_link_lose(l, MU_EGONE);
}

static bool is_up_to_date(const struct mu_link *l)
{
	return !l->actions;
}

/* One move that time brings about; false when there is none. */
static bool tick_once(struct mu_link *l)
{
	uint64_t now = l->now_ms;

	if (l->state > MU_LINK_CONNECTED)
		return false;
	if (is_established(l->state)) {
		if (now < silent_by(l))
			return false;
		mu_link_lose(l, MU_ETIMEDOUT);
		return true;
	}
	if (l->session && now >= dead_by(l)) {
		mu_link_step(l, MU_LI_DEAD, MU_ETIMEDOUT);
		return true;
	}
	if (l->state == MU_LINK_IDLE) {
		if (now < l->due_ms || !is_up_to_date(l))
			return false;
		mu_link_step(l, MU_LI_DUE, 0);
		return true;
	}
	if (now < l->attempt_by)
		return false;
	mu_link_lose(l, MU_ETIMEDOUT);
	return true;
}

void mu_link_tick(struct mu_link *l, uint64_t now_ms)
{
	l->now_ms = now_ms;
	while (tick_once(l))
		;
	if (!is_established(l->state) || now_ms < l->sent_ms + third_ms(l))
		return;
	if (mu_link_send(l, MU_XID_PING, MU_OP_PING, NULL, 0))
		mu_link_lose(l, MU_ENOMEM);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t mu_link_deadline(const struct mu_link *l)
{
	uint64_t by;

	if (l->state > MU_LINK_CONNECTED)
		return UINT64_MAX;
	if (is_established(l->state))
		return earlier(silent_by(l), l->sent_ms + third_ms(l));
	by = l->state == MU_LINK_IDLE ? l->due_ms : l->attempt_by;
	return l->session ? earlier(by, dead_by(l)) : by;
}

void mu_link_unwatch(struct mu_link *l, struct mu_str path, int kind)
{
	mu_book_leave(&l->book, path, MU_BOOK(kind));
}

void mu_link_info(const struct mu_link *l, struct mu_link_info *out)
{
	*out = (struct mu_link_info){
		.state = l->state,
		.session = l->session,
		.timeout_ms = l->negotiated ? l->timeout_ms : 0,
		.features = l->features,
		.tree_id = l->tree_id,
		.last_zxid = l->last_zxid,
		.host = l->host,
		.outstanding = l->outstanding,
		.watches = l->book.watches,
		.resumed = l->resumed,
	};
	memcpy(out->password, l->password, MU_PASSWORD_BYTES);
}

static const char *const words[] = {
	[MU_LINK_IDLE] = "idle",           [MU_LINK_OPENING] = "opening",
	[MU_LINK_HANDSHAKE] = "handshake", [MU_LINK_REARMING] = "rearming",
	[MU_LINK_CONNECTED] = "connected", [MU_LINK_EXPIRED] = "expired",
	[MU_LINK_CLOSED] = "closed",
};

const char *mu_link_state_word(enum mu_link_state state)
{
	if ((size_t)state >= sizeof words / sizeof words[0])
		return "unknown";
	return words[state];
}
