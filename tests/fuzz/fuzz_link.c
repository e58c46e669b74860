/*
 * fuzz_link.c - a link machine with a hostile broker, a carrier that breaks and
 * a clock that leaps.
 *
 * The input is a list of steps of two bytes (what, a number) and what that step
 * needs beyond them. Whatever comes: every request that was taken ends exactly
 * once, and requests end in the order in which they were asked; a change is told
 * whole, and only while there is a connection to a server that has subscriptions.
 */
#include "fuzz.h"
#include "link.h"

#define LINK_HOSTS 3u
#define LINK_OUTSTANDING 8u

static struct bench {
	struct mu_link *l;
	struct mu_in in; /* the steps */
	uint64_t now_ms;
	uint64_t asked, ended; /* cookies, from 1 */
	bool carrier, opened;
	bool connected; /* as the link told last */
	struct mu_buf message;
} bench;

static uint8_t bench_take(struct bench *b)
{
	return mu_in_left(&b->in) ? *b->in.at++ : 0;
}

static volatile unsigned fuzz_sum; /* what was told can be read to its end */

static void bench_change(const struct bench *b, const struct mu_change_event *e)
{
	struct mu_link_info info;

	mu_link_info(b->l, &info);
	MU_BUG_ON(!b->connected || info.features < MU_FEATURES_SUBSCRIBE);
	MU_BUG_ON(mu_path_check(e->path, NULL));
	MU_BUG_ON(e->path.at[e->path.len] || e->origin.at[e->origin.len]);
	MU_BUG_ON(e->type < 1 || e->type > 4 || e->n < 0 || e->cause < 0);
	MU_BUG_ON(e->data.at && !e->whole);
	for (uint32_t i = 0; i < e->data.len; i++)
		fuzz_sum += (uint8_t)e->data.at[i];
}

static void bench_drain(struct bench *b)
{
	struct mu_link_action a;

	while (mu_link_action(b->l, &a)) {
		if (a.kind == MU_LA_OPEN) {
			MU_BUG_ON(b->carrier || a.host >= LINK_HOSTS);
			b->carrier = true;
			b->opened = false;
		} else if (a.kind == MU_LA_SHUT) {
			MU_BUG_ON(!b->carrier);
			b->carrier = false;
		} else if (a.kind == MU_LA_DONE) {
			MU_BUG_ON(a.cookie != b->ended + 1);
			b->ended++;
		} else if (a.kind == MU_LA_SEND) {
			MU_BUG_ON(!b->carrier || a.len == 0);
		} else if (a.kind == MU_LA_STATE) {
			b->connected = a.state == MU_LINK_CONNECTED;
		} else if (a.kind == MU_LA_CHANGE) {
			bench_change(b, a.change);
		}
	}
}

/* ---- what the broker says ---- */

static struct mu_str bench_path(uint8_t number)
{
	static const char *const paths[] = { "/a", "/a/b", "/", "/c", "c" };

	return mu_str_of(paths[number % 5]);
}

static void put_hello_back(struct bench *b, uint8_t number)
{
	struct mu_connect_response r = {
		.protocol = number & 1 ? MU_FEATURES - (number >> 7) : 0,
		.timeout_ms = (int32_t)((uint32_t)number << 25) / 1024,
		.session = number & 2 ? 0x77 : number & 0x40,
		.password = { "0123456789abcdef", number & 4 ? 15 : 16 },
		.has_read_only = true,
		.has_tree_id = number & 1,
		.tree_id = 9,
	};

	mu_put_connect_response(&b->message, &r);
}

/* A reply to the xid that comes next is the likely one. */
static void put_answer(struct bench *b, uint8_t number)
{
	static const int32_t errs[] = { 0, 0, MU_ENONODE, MU_EEXPIRED, 1 };
	int32_t xid = (int8_t)bench_take(b);

	mu_put_reply_header(&b->message, xid, number, errs[number % 5]);
}

static void put_fired(struct bench *b, uint8_t number)
{
	mu_put_reply_header(&b->message, MU_XID_NOTIFICATION, number, 0);
	mu_put_watcher_event(&b->message, number % 6, 3,
	                     bench_path(number / 6));
}

/* The number tells what is wrong with it, if anything. */
static void put_changed(struct bench *b, uint8_t number)
{
	static const struct mu_str origins[] = { { "web1", 4 },
		                                 { NULL, 0 },
		                                 { "we\0b", 4 } };
	struct mu_change_event e = {
		.id = number,
		.type = number & 1 ? 3 : (int32_t)(number >> 4),
		.zxid = number,
		.n = (int8_t)bench_take(b),
		.path = bench_path(bench_take(b)),
		.cause = number >> 6,
		.origin = origins[(number >> 1) % 3],
		.whole = number & 8,
		.data = { number & 4 ? NULL : "xxxx",
		          number & 4 ? 0 : number & 3 },
	};

	mu_put_reply_header(&b->message, MU_XID_CHANGE, number, 0);
	mu_put_change_event(&b->message, &e);
}

static void put_some(struct bench *b, uint8_t number)
{
	size_t len = mu_in_left(&b->in);

	if (len > number)
		len = number;
	mu_buf_put(&b->message, b->in.at, len);
	b->in.at += len;
}

/* Several records may share a message, and a message may be cut short. */
static void bench_message(struct bench *b, uint8_t number)
{
	static void (*const puts[])(struct bench *, uint8_t) = {
		put_hello_back, put_answer, put_fired, put_some, put_changed
	};

	mu_buf_reset(&b->message);
	for (unsigned n = number % 4; n > 0; n--) {
		size_t mark = mu_frame_begin(&b->message);
		uint8_t kind = bench_take(b);

		puts[kind % 5](b, bench_take(b));
		mu_frame_end(&b->message, mark);
	}
	if (number & 0x80 && b->message.len)
		mu_buf_cut(&b->message, b->message.len - 1);
	if (b->carrier)
		mu_link_on_message(b->l, b->message.data, b->message.len,
		                   b->now_ms);
}

/* ---- the rest of the world ---- */

static void bench_ask(struct bench *b, uint8_t number)
{
	struct mu_link_watch w = { .path = bench_path(number) };
	struct mu_link_info info;
	int32_t op = MU_OP_GET_DATA;

	w.kind = number % 5;
	if (number & 0x80)
		op = number & 1 ? MU_OP_SUBSCRIBE : MU_OP_UNSUBSCRIBE;
	if (w.path.at[0] != '/' || number & 0x80)
		w.path.at = NULL;
	if (!mu_link_request(b->l, op, &number, 1, &w, b->asked + 1, b->now_ms))
		b->asked++;
	mu_link_info(b->l, &info);
	MU_BUG_ON(info.outstanding > LINK_OUTSTANDING);
}

static void bench_step(struct bench *b)
{
	uint8_t what = bench_take(b), number = bench_take(b);

	switch (what % 8) {
	case 0:
		b->now_ms += number;
		mu_link_tick(b->l, b->now_ms);
		break;
	case 1:
		if (mu_link_deadline(b->l) != UINT64_MAX &&
		    mu_link_deadline(b->l) > b->now_ms)
			b->now_ms = mu_link_deadline(b->l);
		mu_link_tick(b->l, b->now_ms);
		break;
	case 2:
		if (b->carrier && !b->opened)
			mu_link_on_open(b->l, b->now_ms);
		b->opened = true;
		break;
	case 3:
		if (b->carrier)
			mu_link_on_lost(b->l, b->now_ms);
		break;
	case 4:
		bench_ask(b, number);
		break;
	case 5:
		if (number == 0xff)
			mu_link_close(b->l, b->now_ms);
		else
			mu_link_unwatch(b->l, bench_path(number), number % 5);
		break;
	default:
		bench_message(b, number);
	}
	if (!(what & 0x80))
		bench_drain(b);
}

int FUZZ_ENTRY(const uint8_t *bytes, size_t len);

int FUZZ_ENTRY(const uint8_t *bytes, size_t len)
{
	const struct mu_link_config config = { .timeout_ms = 300,
		                               .hosts = LINK_HOSTS,
		                               .outstanding_max =
		                                       LINK_OUTSTANDING };
	struct bench *b = &bench;

	*b = (struct bench){ .now_ms = 1000, .in = mu_in_of(bytes, len) };
	MU_BUG_ON(mu_link_new(&config, b->now_ms, &b->l));
	while (mu_in_left(&b->in))
		bench_step(b);
	/* Nobody answers any more: all that was asked comes to an end. */
	bench_drain(b);
	mu_link_close(b->l, b->now_ms);
	bench_drain(b);
	if (b->carrier)
		mu_link_on_lost(b->l, b->now_ms);
	bench_drain(b);
	MU_BUG_ON(b->ended != b->asked);
	mu_link_free(b->l);
	mu_buf_fini(&b->message);
	return 0;
}
