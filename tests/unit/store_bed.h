/*
 * store_bed.h - a store with nothing around it: links are numbers, the journal
 * says "durable" when the test says so, time is what the test says it is.
 *
 * Records that the store sends are kept in one list, in the order in which they
 * came out, and taken from it link by link.
 */
#ifndef MU_TEST_STORE_BED_H
#define MU_TEST_STORE_BED_H

#include "command.h"
#include "err.h"
#include "fault.h"
#include "store.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct bed_record {
	uint32_t link;
	bool taken, fanned;
	size_t len;
	uint8_t *bytes;
};

struct bed_close {
	uint32_t link;
	enum mu_close_reason reason;
};

struct bed_command {
	uint64_t index;
	size_t len;
	uint8_t *bytes;
};

static struct {
	struct mu_store *s;
	struct mu_store_config config;
	struct mu_when now;
	bool slow; /* the journal waits for bed_durable */
	int32_t xid;
	uint64_t logged;
	struct bed_record *records;
	size_t record_count;
	struct bed_close *closes;
	size_t close_count;
	struct bed_command *commands;
	size_t command_count;
	size_t effects;
	struct mu_buf q;
	uint8_t password[MU_PASSWORD_LEN]; /* of the last connect */
} bed;

struct bed_reply {
	int32_t xid;
	int64_t zxid;
	int32_t err;
	struct mu_in body;
};

/* Not SHA-1, but as good where only the same must be the same. */
static inline void bed_sha1(const void *bytes, size_t len, uint8_t hash[20])
{
	memset(hash, 0, 20);
	for (size_t i = 0; i < len; i++)
		hash[i % 20] = (uint8_t)(hash[i % 20] * 31 +
		                         ((const uint8_t *)bytes)[i] + 7);
}

static inline struct mu_store_config bed_config(void)
{
	return (struct mu_store_config){
		.hash_key = { 1, 2, 3, 4, 5, 6, 7, 8 },
		.epoch = 1,
		.tree_id = 0x7433,
		.tick_ms = 50,
		.session_timeout_min_ms = 300,
		.session_timeout_max_ms = 60000,
		.handshake_timeout_ms = 2000,
		.packet_max = MU_PACKET_MAX_DEFAULT,
		.reply_max = 64u * 1024 * 1024,
		.outstanding_max = 1000,
		.sessions_max = 1000,
		.links_max = 1000,
		.watches_max = 100000,
		.ttl_nodes = true,
		.sha1 = bed_sha1,
	};
}

static inline void bed_open_with(const struct mu_store_config *config)
{
	struct mu_err err;

	memset(&bed, 0, sizeof bed);
	bed.config = *config;
	bed.now.mono_ms = 1000;
	bed.now.wall_ms = 1700000000000;
	ck_assert_int_eq(mu_store_new(config, bed.now, &bed.s, &err), 0);
}

static inline void bed_open(void)
{
	struct mu_store_config config = bed_config();

	bed_open_with(&config);
}

static inline void bed_forget(void)
{
	for (size_t i = 0; i < bed.record_count; i++)
		free(bed.records[i].bytes);
	for (size_t i = 0; i < bed.command_count; i++)
		free(bed.commands[i].bytes);
	free(bed.records);
	free(bed.closes);
	free(bed.commands);
	bed.records = NULL;
	bed.closes = NULL;
	bed.commands = NULL;
	bed.record_count = bed.close_count = bed.command_count = 0;
}

static inline void bed_close(void)
{
	bed_forget();
	mu_buf_fini(&bed.q);
	mu_store_free(bed.s);
}

static inline void *bed_more(void *array, size_t count, size_t size)
{
	if (count & (count + 1) && count) /* grow when count is 2^k - 1 */
		return array;
	array = realloc(array, (count + 1) * 2 * size);
	ck_assert_ptr_nonnull(array);
	return array;
}

static inline uint8_t *bed_copy(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	return copy;
}

static inline void bed_keep(uint32_t link, struct mu_str rec, bool fanned)
{
	bed.records =
		bed_more(bed.records, bed.record_count, sizeof *bed.records);
	bed.records[bed.record_count++] = (struct bed_record){
		.link = link,
		.fanned = fanned,
		.len = rec.len,
		.bytes = bed_copy(rec.at, rec.len),
	};
}

static inline void bed_deliver(const struct mu_effect *e, uint32_t link)
{
	struct mu_in in = mu_in_of(e->bytes, e->len);
	struct mu_str rec;
	int more;

	while ((more = mu_frame_next(&in, &rec)) == 1)
		bed_keep(link, rec, e->kind == MU_FX_FANOUT);
	ck_assert_int_eq(more, 0);
}

static inline void bed_effect(const struct mu_effect *e)
{
	bed.effects++;
	switch (e->kind) {
	case MU_FX_SEND:
		bed_deliver(e, e->link);
		break;
	case MU_FX_FANOUT:
		for (size_t i = 0; i < e->link_count; i++)
			bed_deliver(e, e->links[i]);
		break;
	case MU_FX_CLOSE:
		bed.closes = bed_more(bed.closes, bed.close_count,
		                      sizeof *bed.closes);
		bed.closes[bed.close_count++] =
			(struct bed_close){ e->link, e->reason };
		break;
	case MU_FX_LOG:
		ck_assert_uint_eq(e->index, bed.logged + 1);
		bed.logged = e->index;
		bed.commands = bed_more(bed.commands, bed.command_count,
		                        sizeof *bed.commands);
		bed.commands[bed.command_count++] =
			(struct bed_command){ e->index, e->len,
			                      bed_copy(e->bytes, e->len) };
		break;
	}
}

/* Take the effects out, without a word to the journal. */
static inline void bed_drain(void)
{
	struct mu_effect e;

	while (mu_store_effect(bed.s, &e))
		bed_effect(&e);
}

static inline void bed_durable(uint64_t index)
{
	ck_assert_int_eq(mu_store_durable(bed.s, index), 0);
	bed_drain();
	mu_store_verify(bed.s);
}

/* Take the effects out; unless the journal is slow, it answers at once. */
static inline void bed_pump(void)
{
	struct mu_store_stats stats;

	bed_drain();
	for (;;) {
		mu_store_stats(bed.s, &stats);
		if (bed.slow || stats.applied == bed.logged)
			break;
		bed_durable(bed.logged);
	}
	mu_store_verify(bed.s);
}

static inline void bed_entropy(void)
{
	uint8_t bytes[256];
	static uint8_t next;
	size_t n = mu_store_entropy_wanted(bed.s);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(next++ * 37 + 11);
	mu_store_entropy(bed.s, bytes, n);
}

static inline void bed_receive(uint32_t link, const void *bytes, size_t len)
{
	bed_entropy();
	mu_store_receive(bed.s, link, bytes, len, bed.now);
	bed_pump();
}

static inline void bed_tick(uint64_t ms)
{
	bed.now.mono_ms += ms;
	bed.now.wall_ms += (int64_t)ms;
	mu_store_tick(bed.s, bed.now);
	bed_pump();
}

/* Let time pass as a shell does that keeps its ticks. */
static inline void bed_pass(uint64_t ms)
{
	for (; ms > 50; ms -= 50)
		bed_tick(50);
	bed_tick(ms);
}

/* ---- what came out ---- */

static inline struct bed_record *bed_peek(uint32_t link)
{
	for (size_t i = 0; i < bed.record_count; i++)
		if (bed.records[i].link == link && !bed.records[i].taken)
			return &bed.records[i];
	return NULL;
}

static inline struct mu_in bed_take(uint32_t link)
{
	struct bed_record *r = bed_peek(link);

	ck_assert_msg(r != NULL, "nothing was sent to link %u", link);
	r->taken = true;
	return mu_in_of(r->bytes, r->len);
}

static inline struct bed_reply bed_reply(uint32_t link)
{
	struct mu_in in = bed_take(link);
	struct mu_reply_header h;

	ck_assert_int_eq(mu_get_reply_header(&in, &h), 0);
	ck_assert_int_ne(h.xid, MU_XID_NOTIFICATION);
	return (struct bed_reply){ h.xid, h.zxid, h.err, in };
}

static inline void bed_want(uint32_t link, int32_t xid, int32_t err)
{
	struct bed_reply r = bed_reply(link);

	ck_assert_int_eq(r.xid, xid);
	ck_assert_int_eq(r.err, err);
	if (err)
		ck_assert_uint_eq(mu_in_left(&r.body), 0); /* rule 5 */
}

static inline void bed_quiet(uint32_t link)
{
	ck_assert_msg(bed_peek(link) == NULL, "link %u got more", link);
}

/* The next record is this event; its header's zxid comes back. */
static inline int64_t bed_event(uint32_t link, enum mu_node_event type,
                                const char *path)
{
	struct mu_in in = bed_take(link);
	struct mu_reply_header h;
	struct mu_watcher_event e;

	ck_assert_int_eq(mu_get_reply_header(&in, &h), 0);
	ck_assert_int_eq(h.xid, MU_XID_NOTIFICATION);
	ck_assert_int_eq(h.err, 0);
	ck_assert_int_eq(mu_get_watcher_event(&in, &e), 0);
	ck_assert_uint_eq(mu_in_left(&in), 0);
	ck_assert_int_eq(e.type, type);
	ck_assert_int_eq(e.state, 3);
	ck_assert(mu_str_eq(e.path, mu_str_of(path)));
	return h.zxid;
}

static inline bool bed_is_closed(uint32_t link, enum mu_close_reason reason)
{
	for (size_t i = 0; i < bed.close_count; i++)
		if (bed.closes[i].link == link)
			return bed.closes[i].reason == reason;
	return false;
}

static inline bool bed_is_open(uint32_t link)
{
	for (size_t i = 0; i < bed.close_count; i++)
		if (bed.closes[i].link == link)
			return false;
	return true;
}

/* ---- requests ---- */

static inline const struct mu_buf *q_none(void)
{
	mu_buf_reset(&bed.q);
	return &bed.q;
}

static inline const struct mu_buf *q_path(const char *path, bool watch)
{
	struct mu_path_watch_request r = { mu_str_of(path), watch };

	mu_buf_reset(&bed.q);
	mu_put_path_watch(&bed.q, &r);
	return &bed.q;
}

static inline struct mu_create_request
bed_create_request(const char *path, const char *data, int32_t mode)
{
	return (struct mu_create_request){ .path = mu_str_of(path),
		                           .data = mu_str_of(data),
		                           .acl = mu_acl_open(),
		                           .mode = mode };
}

static inline const struct mu_buf *q_create(const char *path, const char *data,
                                            int32_t mode)
{
	struct mu_create_request r = bed_create_request(path, data, mode);

	mu_buf_reset(&bed.q);
	mu_put_create(&bed.q, MU_OP_CREATE, &r);
	return &bed.q;
}

static inline const struct mu_buf *q_delete(const char *path, int32_t version)
{
	struct mu_delete_request r = { mu_str_of(path), version };

	mu_buf_reset(&bed.q);
	mu_put_delete(&bed.q, &r);
	return &bed.q;
}

static inline const struct mu_buf *q_set(const char *path, const char *data,
                                         int32_t version)
{
	struct mu_set_data_request r = { mu_str_of(path), mu_str_of(data),
		                         version };

	mu_buf_reset(&bed.q);
	mu_put_set_data(&bed.q, &r);
	return &bed.q;
}

static inline const struct mu_buf *q_sync(const char *path)
{
	struct mu_sync_request r = { mu_str_of(path) };

	mu_buf_reset(&bed.q);
	mu_put_sync(&bed.q, &r);
	return &bed.q;
}

static inline const struct mu_buf *q_add_watch(const char *path, int32_t mode)
{
	struct mu_add_watch_request r = { mu_str_of(path), mode };

	mu_buf_reset(&bed.q);
	mu_put_add_watch(&bed.q, &r);
	return &bed.q;
}

/* One operation of a multi, appended to bed.q; begin with q_none(). */
static inline void q_sub(int32_t op, const char *path, const char *data,
                         int32_t number)
{
	mu_put_multi_header(&bed.q, op, false, -1);
	if (op == MU_OP_DELETE || op == MU_OP_CHECK) {
		struct mu_delete_request r = { mu_str_of(path), number };

		mu_put_delete(&bed.q, &r);
	} else if (op == MU_OP_SET_DATA) {
		struct mu_set_data_request r = { mu_str_of(path),
			                         mu_str_of(data), number };

		mu_put_set_data(&bed.q, &r);
	} else {
		struct mu_create_request r =
			bed_create_request(path, data, number);

		mu_put_create(&bed.q, op, &r);
	}
}

static inline const struct mu_buf *q_end(void)
{
	mu_put_multi_header(&bed.q, -1, true, -1);
	return &bed.q;
}

/* A whole record: header and body. The caller frees it with free(). */
static inline size_t bed_record(int32_t xid, int32_t op,
                                const struct mu_buf *body, uint8_t **out)
{
	struct mu_buf b;
	size_t len;

	mu_buf_init(&b);
	mu_put_request_header(&b, xid, op);
	mu_buf_put(&b, body->data, body->len);
	len = b.len;
	*out = bed_copy(b.data, len);
	mu_buf_fini(&b);
	return len;
}

static inline void bed_send(uint32_t link, int32_t xid, int32_t op,
                            const struct mu_buf *body)
{
	uint8_t *bytes;
	size_t len = bed_record(xid, op, body, &bytes);

	bed_receive(link, bytes, len);
	free(bytes);
}

/* Send with the next xid, which is given back; the reply is yet to be taken. */
static inline int32_t bed_ask(uint32_t link, int32_t op,
                              const struct mu_buf *body)
{
	bed_send(link, ++bed.xid, op, body);
	return bed.xid;
}

/* Send, and the next record is the reply. */
static inline struct bed_reply bed_do(uint32_t link, int32_t op,
                                      const struct mu_buf *body)
{
	int32_t xid = bed_ask(link, op, body);
	struct bed_reply r = bed_reply(link);

	ck_assert_int_eq(r.xid, xid);
	return r;
}

static inline int bed_err(uint32_t link, int32_t op, const struct mu_buf *body)
{
	return bed_do(link, op, body).err;
}

static inline void bed_make(uint32_t link, const char *path, const char *data)
{
	ck_assert_int_eq(bed_err(link, MU_OP_CREATE, q_create(path, data, 0)),
	                 0);
}

static inline struct mu_stat bed_stat(uint32_t link, const char *path)
{
	struct bed_reply r = bed_do(link, MU_OP_EXISTS, q_path(path, false));
	struct mu_stat stat;

	ck_assert_int_eq(r.err, 0);
	ck_assert_int_eq(mu_get_stat(&r.body, &stat), 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	return stat;
}

/* ---- handshake ---- */

static inline struct mu_connect_request bed_hello(void)
{
	return (struct mu_connect_request){
		.protocol = MU_PROTOCOL_ASK,
		.timeout_ms = 3000,
		.has_read_only = true,
	};
}

static inline void bed_shake(uint32_t link, const struct mu_connect_request *q)
{
	struct mu_buf b;
	uint8_t *bytes;
	size_t len;

	mu_buf_init(&b);
	mu_put_connect_request(&b, q);
	len = b.len;
	bytes = bed_copy(b.data, len);
	mu_buf_fini(&b);
	bed_receive(link, bytes, len);
	free(bytes);
}

static inline void bed_link(uint32_t link)
{
	ck_assert_int_eq(
		mu_store_link_open(bed.s, link, "10.0.0.7:4711", bed.now), 0);
}

static inline struct mu_connect_response bed_welcome(uint32_t link)
{
	struct mu_in in = bed_take(link);
	struct mu_connect_response r;

	ck_assert_int_eq(mu_get_connect_response(&in, &r), 0);
	ck_assert_uint_eq(mu_in_left(&in), 0);
	ck_assert_uint_eq(r.password.len, MU_PASSWORD_LEN);
	memcpy(bed.password, r.password.at, MU_PASSWORD_LEN);
	return r;
}

/* A new session on a new link; its id. */
static inline int64_t bed_connect(uint32_t link)
{
	struct mu_connect_request q = bed_hello();

	bed_link(link);
	bed_shake(link, &q);
	return bed_welcome(link).session;
}

/* Ask to resume a session with the password of the last connect. */
static inline void bed_resume(uint32_t link, int64_t session)
{
	struct mu_connect_request q = bed_hello();

	q.session = session;
	q.password =
		(struct mu_str){ (const char *)bed.password, MU_PASSWORD_LEN };
	bed_link(link);
	bed_shake(link, &q);
}

static inline struct mu_store_stats bed_stats(void)
{
	struct mu_store_stats stats;

	mu_store_stats(bed.s, &stats);
	return stats;
}

/* ---- a suite of one case ---- */

static inline int bed_run(const char *name, const TTest *const *tests,
                          size_t count, void (*setup)(void),
                          void (*teardown)(void))
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

#endif
