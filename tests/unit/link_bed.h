/*
 * link_bed.h - a link machine on a bench: what it wants done is written down as
 * a line of text, and the broker's part is played by hand.
 *
 *     open H; shut; state WORD RC; event TYPE PATH; done COOKIE RC;
 *     hello ZXID SESSION TIMEOUT; send OP#XID; change ID N PATH
 */
#ifndef MU_TEST_LINK_BED_H
#define MU_TEST_LINK_BED_H

#include "err.h"
#include "link.h"
#include "watch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SESSION 0x1234
#define PASSWORD "0123456789abcdef"
#define TIMEOUT 3000u

static struct mu_link *l;
static uint64_t now;
static struct mu_link_config config;
static char said[1 << 16];
static int32_t bed_features = 1;  /* that the broker answers with */
static bool hello;                /* the next record sent is a ConnectRequest */
static struct mu_buf last_record; /* of the last send, without its header */
static struct mu_buf last_body;   /* of the last done */

static inline void say(const char *fmt, const char *word, long long a,
                       long long b)
{
	size_t len = strlen(said);

	if (len)
		len += mu_format(said + len, sizeof said - len, "; ");
	mu_format(said + len, sizeof said - len, fmt, word, a, b);
}

static inline void note_hello(struct mu_in *in)
{
	struct mu_connect_request r;

	ck_assert_int_eq(mu_get_connect_request(in, &r), 0);
	ck_assert_int_eq(r.protocol, MU_PROTOCOL_ASK);
	ck_assert_uint_eq(r.password.len, 16);
	say("%s %lld %lld", "hello", r.last_zxid, r.session);
	say("%s%lld", "timeout ", r.timeout_ms, 0);
	hello = false;
}

static inline void note_frames(const struct mu_link_action *a)
{
	struct mu_in message = mu_in_of(a->bytes, a->len);
	struct mu_str rec;

	while (mu_frame_next(&message, &rec) == 1) {
		struct mu_in in = mu_in_of(rec.at, rec.len);
		struct mu_request_header h;

		if (hello) {
			note_hello(&in);
			continue;
		}
		ck_assert_int_eq(mu_get_request_header(&in, &h), 0);
		say("send %s#%lld", mu_op_name(h.op), h.xid, 0);
		mu_buf_reset(&last_record);
		mu_buf_put(&last_record, in.at, mu_in_left(&in));
	}
	ck_assert_uint_eq(mu_in_left(&message), 0);
}

static inline void note(const struct mu_link_action *a)
{
	char path[256];

	switch (a->kind) {
	case MU_LA_OPEN:
		say("%s %lld", "open", a->host, 0);
		hello = true;
		break;
	case MU_LA_SEND:
		note_frames(a);
		break;
	case MU_LA_SHUT:
		say("%s", "shut", 0, 0);
		break;
	case MU_LA_STATE:
		say("state %s %lld", mu_link_state_word(a->state), a->rc, 0);
		break;
	case MU_LA_EVENT:
		mu_format(path, sizeof path, "%.*s", (int)a->path.len,
		          a->path.at);
		say("event %s %lld", path, a->event, 0);
		break;
	case MU_LA_CHANGE:
		ck_assert_uint_eq(strlen(a->change->path.at),
		                  a->change->path.len);
		ck_assert_uint_eq(strlen(a->change->origin.at),
		                  a->change->origin.len);
		mu_format(path, sizeof path, "change %s", a->change->path.at);
		say("%s %lld %lld", path, a->change->id, a->change->n);
		break;
	case MU_LA_DONE:
		say("%s %lld %lld", "done", (long long)a->cookie, a->rc);
		mu_buf_reset(&last_body);
		mu_buf_put(&last_body, a->bytes, a->len);
		break;
	}
}

/* All that is to be done now, as text. */
static inline const char *drain(void)
{
	struct mu_link_action a;

	said[0] = '\0';
	while (mu_link_action(l, &a))
		note(&a);
	return said;
}

static inline void tick_at(uint64_t at)
{
	now = at;
	mu_link_tick(l, now);
}

/* ---- the broker ---- */

static inline void feed(const struct mu_buf *b)
{
	ck_assert(!mu_buf_failed(b));
	mu_link_on_message(l, b->data, b->len, now);
}

static inline void feed_free(struct mu_buf *b)
{
	feed(b);
	mu_buf_fini(b);
}

static inline void put_welcome(struct mu_buf *b, int32_t timeout,
                               int64_t session, const char *password)
{
	size_t at = mu_frame_begin(b);

	mu_put_connect_response(
		b, &(struct mu_connect_response){
			   .protocol = bed_features,
			   .timeout_ms = timeout,
			   .session = session,
			   .password = { password, (uint32_t)strlen(password) },
			   .has_read_only = true,
			   .has_tree_id = true,
			   .tree_id = 77,
		   });
	mu_frame_end(b, at);
}

static inline void put_reply(struct mu_buf *b, int32_t xid, int64_t zxid,
                             int32_t err, const char *body)
{
	size_t at = mu_frame_begin(b);

	mu_put_reply_header(b, xid, zxid, err);
	mu_buf_put(b, body, strlen(body));
	mu_frame_end(b, at);
}

static inline void put_event(struct mu_buf *b, int64_t zxid, int32_t type,
                             const char *path)
{
	size_t at = mu_frame_begin(b);

	mu_put_reply_header(b, MU_XID_NOTIFICATION, zxid, 0);
	mu_put_watcher_event(b, type, 3, mu_str_of(path));
	mu_frame_end(b, at);
}

static inline void welcome(int32_t timeout, int64_t session)
{
	struct mu_buf b = { 0 };

	put_welcome(&b, timeout, session, PASSWORD);
	feed_free(&b);
}

static inline void reply(int32_t xid, int64_t zxid, int32_t err)
{
	struct mu_buf b = { 0 };

	put_reply(&b, xid, zxid, err, "");
	feed_free(&b);
}

static inline void event(int64_t zxid, int32_t type, const char *path)
{
	struct mu_buf b = { 0 };

	put_event(&b, zxid, type, path);
	feed_free(&b);
}

/* ---- the application ---- */

static inline int ask(uint64_t cookie)
{
	return mu_link_request(l, MU_OP_SYNC, "body", 4, NULL, cookie, now);
}

static inline int ask_watch(int32_t op, const char *path, int kind,
                            uint64_t cookie)
{
	struct mu_link_watch w = { .path = mu_str_of(path) };

	w.kind = (unsigned)kind;
	return mu_link_request(l, op, "body", 4, &w, cookie, now);
}

static inline struct mu_link_info info(void)
{
	struct mu_link_info i;

	mu_link_info(l, &i);
	return i;
}

/* ---- on the way ---- */

static inline void make(void)
{
	ck_assert_int_eq(mu_link_new(&config, now, &l), 0);
}

static inline void go_opening(void)
{
	tick_at(mu_link_deadline(l) > now ? mu_link_deadline(l) : now);
	drain();
	ck_assert_int_eq(info().state, MU_LINK_OPENING);
}

static inline void go_handshake(void)
{
	go_opening();
	mu_link_on_open(l, now);
	drain();
	ck_assert_int_eq(info().state, MU_LINK_HANDSHAKE);
}

/* CONNECTED, or REARMING where there are watches. */
static inline void go_up(void)
{
	go_handshake();
	welcome((int32_t)TIMEOUT, SESSION);
}

static inline void go_connected(void)
{
	go_up();
	drain();
	ck_assert_int_eq(info().state, MU_LINK_CONNECTED);
}

static inline void bed_setup(void)
{
	config = (struct mu_link_config){ .timeout_ms = TIMEOUT,
		                          .hosts = 1,
		                          .seed = 42 };
	now = 1000;
	make();
}

static inline void bed_teardown(void)
{
	mu_link_free(l);
	l = NULL;
	mu_buf_fini(&last_record);
	mu_buf_fini(&last_body);
}

/* Set up again with what the test wrote into config. */
static inline void remake(void)
{
	mu_link_free(l);
	make();
}

static inline int bed_run(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline TCase *bed_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, bed_setup, bed_teardown);
	suite_add_tcase(s, tc);
	return tc;
}

#endif /* MU_TEST_LINK_BED_H */
