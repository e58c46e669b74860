/*
 * agent/core/proto.h: the records byte for byte, as zookeeper.jute has them.
 * The bytes are written by hand here, so that an error of the encoder cannot
 * hide behind the same error of the decoder.
 */
#include "../fuzz/proto_records.h"

#include "fault.h"

#include <check.h>
#include <string.h>

#define ZERO16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define PASSWORD "\0\0\0\20pw-of-16-bytes-!"
#define LONG7 "\0\0\0\0\0\0\0\7"
#define OPEN_ACL "\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6anyone"
#define STR_NULL "\xff\xff\xff\xff"

static struct mu_buf b;
static union proto_any r;

static void setup(void)
{
	mu_buf_init(&b);
	memset(&r, 0xee, sizeof r);
}

static void teardown(void)
{
	mu_buf_fini(&b);
}

static void assert_str(struct mu_str s, const char *want)
{
	ck_assert_ptr_nonnull(s.at);
	ck_assert_uint_eq(s.len, strlen(want));
	ck_assert_mem_eq(s.at, want, s.len);
}

#define STAT \
	"\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4" \
	"\0\0\0\5\0\0\0\6\0\0\0\7\0\0\0\0\0\0\0\10\0\0\0\11\0\0\0\12" \
	"\0\0\0\0\0\0\0\13"
/* id 3, data changed (9, 1) after (7, 2), by an expiry of session 7 */
#define CHANGE_HEAD \
	"\0\0\0\3\0\0\0\3\0\0\0\0\0\0\0\11\0\0\0\1" LONG7 "\0\0\0\2" \
	"\0\0\0\2/a\0\0\0\2" LONG7 "\0\0\0\5tcp:1" STAT

#define IN(lit) mu_in_of(lit, sizeof(lit) - 1)

/* ---- every record: its bytes ---- */

#define GOLDEN(id, lit) \
	{ \
		RECORD_##id, lit, sizeof(lit) - 1 \
	}
static const struct golden {
	enum proto_record_id id;
	const char *bytes;
	size_t len;
} golden[] = {
	GOLDEN(connect_request, "\0\0\0\0" LONG7 "\0\0\x0b\xb8" LONG7 PASSWORD),
	GOLDEN(connect_request,
	       "\0\0\0\1" LONG7 "\0\0\x0b\xb8" LONG7 PASSWORD "\1"),
	GOLDEN(connect_response, "\0\0\0\0\0\0\x0b\xb8" LONG7 PASSWORD),
	GOLDEN(connect_response, "\0\0\0\0\0\0\x0b\xb8" LONG7 PASSWORD "\1"),
	GOLDEN(connect_response,
	       "\0\0\0\1\0\0\x0b\xb8" LONG7 PASSWORD "\0" LONG7),
	GOLDEN(request_header, "\0\0\0\1\0\0\0\4"),
	GOLDEN(reply_header, "\0\0\0\1" LONG7 "\xff\xff\xff\x9b"),
	GOLDEN(watcher_event, "\0\0\0\3\0\0\0\3\0\0\0\2/a"),
	GOLDEN(multi_header, "\0\0\0\1\0\xff\xff\xff\xff"),
	GOLDEN(stat, "\0\0\0\1\0\0\0\2" LONG7 LONG7 LONG7
	             "\0\0\0\3\xff\xff\xff\xff\0\0\0\0" LONG7
	             "\0\0\0\5\0\0\0\2" LONG7),
	GOLDEN(create, "\0\0\0\2/a\0\0\0\3new" OPEN_ACL "\0\0\0\2"),
	GOLDEN(create, "\0\0\0\2/a" STR_NULL STR_NULL "\0\0\0\0"),
	GOLDEN(create_ttl, "\0\0\0\2/a\0\0\0\0" OPEN_ACL "\0\0\0\5" LONG7),
	GOLDEN(delete, "\0\0\0\2/a\xff\xff\xff\xff"),
	GOLDEN(path_watch, "\0\0\0\2/a\1"),
	GOLDEN(set_data, "\0\0\0\2/a\0\0\0\3new\0\0\0\4"),
	GOLDEN(check, "\0\0\0\2/a\0\0\0\4"),
	GOLDEN(sync, "\0\0\0\1/"),
	GOLDEN(set_watches, LONG7 "\0\0\0\2\0\0\0\2/a\0\0\0\4/b/c\0\0\0\0"
	                          "\0\0\0\1\0\0\0\2/d"),
	GOLDEN(set_watches2, LONG7 "\0\0\0\1\0\0\0\2/a\0\0\0\0" STR_NULL
	                           "\0\0\0\1\0\0\0\2/p\0\0\0\1\0\0\0\2/r"),
	GOLDEN(add_watch, "\0\0\0\2/a\0\0\0\1"),
	GOLDEN(str_vec, "\0\0\0\2\0\0\0\1a\xff\xff\xff\xff"),
	GOLDEN(str_vec, STR_NULL),
	GOLDEN(acl_vec, OPEN_ACL),
	GOLDEN(subscribe, "\0\0\0\3\0\0\0\2/a\0\0\0\2" LONG7 "\0\0\0\1"),
	GOLDEN(subscribe_reply,
	       "\0\0\0\2" LONG7 "\x7f\xff\xff\xff" LONG7 LONG7),
	GOLDEN(unsubscribe, "\0\0\0\3"),
	GOLDEN(change_event, CHANGE_HEAD "\0\0\0\1\0\0\0\3new"),
	GOLDEN(change_event, CHANGE_HEAD "\0\0\0\0" STR_NULL),
};
#define GOLDEN_COUNT ((int)(sizeof golden / sizeof golden[0]))

START_TEST(a_record_is_read_and_written_as_the_same_bytes)
{
	const struct golden *g = &golden[_i];
	const struct proto_record *row = &proto_records[g->id];
	struct mu_in in = mu_in_of(g->bytes, g->len);

	ck_assert_msg(row->get(&in, &r) == 0, "%s", row->name);
	ck_assert_uint_eq(mu_in_left(&in), 0);
	row->put(&b, &r);
	ck_assert_uint_eq(b.len, g->len);
	ck_assert_mem_eq(b.data, g->bytes, g->len);
}
END_TEST

/* Where a record of the handshake may end before its end (rule 7). */
static bool may_end(const struct golden *g, size_t len)
{
	if (g->id == RECORD_connect_request)
		return len == 44;
	return g->id == RECORD_connect_response && g->bytes[3] == 0 &&
	       len == 36;
}

START_TEST(rule96_a_record_cut_anywhere_does_not_decode)
{
	const struct golden *g = &golden[_i];
	const struct proto_record *row = &proto_records[g->id];

	for (size_t len = 0; len < g->len; len++) {
		struct mu_in in = mu_in_of(g->bytes, len);

		ck_assert_msg(row->get(&in, &r) ==
		                      (may_end(g, len) ? 0 : MU_EMARSHAL),
		              "%s cut to %zu bytes", row->name, len);
	}
}
END_TEST

START_TEST(memory_refused_anywhere_is_remembered_by_the_buffer)
{
	const struct golden *g = &golden[_i];
	const struct proto_record *row = &proto_records[g->id];
	struct mu_in in = mu_in_of(g->bytes, g->len);
	unsigned k = 0;

	ck_assert_int_eq(row->get(&in, &r), 0);
	for (;; k++) {
		struct mu_buf out;
		size_t begin;
		int reached;
		bool failed;

		mu_buf_init(&out);
		fault_alloc_at(k);
		begin = mu_frame_begin(&out);
		row->put(&out, &r);
		mu_frame_end(&out, begin);
		reached = fault_alloc_off();
		failed = mu_buf_failed(&out);
		mu_buf_fini(&out);
		ck_assert_int_eq(failed, reached);
		if (!reached)
			break;
	}
	ck_assert_uint_ge(k, 1);
}
END_TEST

START_TEST(bytes_after_a_record_are_left_alone)
{
	struct mu_in in = IN("\0\0\0\1/tail");

	ck_assert_int_eq(mu_get_sync(&in, &r.sync), 0);
	assert_str(r.sync.path, "/");
	ck_assert_uint_eq(mu_in_left(&in), 4);
}
END_TEST

/* ---- field by field ---- */

START_TEST(rule5_headers_have_their_fields_in_order)
{
	struct mu_in in = IN("\0\0\0\1\0\0\0\4");

	ck_assert_int_eq(mu_get_request_header(&in, &r.request_header), 0);
	ck_assert_int_eq(r.request_header.xid, 1);
	ck_assert_int_eq(r.request_header.op, MU_OP_GET_DATA);
	in = IN("\xff\xff\xff\xff" LONG7 "\xff\xff\xff\x9b");
	ck_assert_int_eq(mu_get_reply_header(&in, &r.reply_header), 0);
	ck_assert_int_eq(r.reply_header.xid, MU_XID_NOTIFICATION);
	ck_assert_int_eq(r.reply_header.zxid, 7);
	ck_assert_int_eq(r.reply_header.err, MU_ENONODE);
}
END_TEST

START_TEST(rule6_connect_request_has_its_fields_in_order)
{
	struct mu_in in =
		IN("\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0\4" PASSWORD);

	ck_assert_int_eq(mu_get_connect_request(&in, &r.connect_request), 0);
	ck_assert_int_eq(r.connect_request.protocol, 1);
	ck_assert_int_eq(r.connect_request.last_zxid, 2);
	ck_assert_int_eq(r.connect_request.timeout_ms, 3);
	ck_assert_int_eq(r.connect_request.session, 4);
	assert_str(r.connect_request.password, "pw-of-16-bytes-!");
}
END_TEST

START_TEST(rule6_connect_response_has_its_fields_in_order)
{
	struct mu_in in = IN("\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4" PASSWORD "\1");

	ck_assert_int_eq(mu_get_connect_response(&in, &r.connect_response), 0);
	ck_assert_int_eq(r.connect_response.timeout_ms, 3);
	ck_assert_int_eq(r.connect_response.session, 4);
	assert_str(r.connect_response.password, "pw-of-16-bytes-!");
	ck_assert(r.connect_response.read_only);
	ck_assert(!r.connect_response.has_tree_id);
}
END_TEST

START_TEST(rule7_the_read_only_byte_of_a_request_is_optional)
{
	static const char bytes[] =
		"\0\0\0\0" LONG7 "\0\0\x0b\xb8" LONG7 PASSWORD "\1";
	struct mu_in without = mu_in_of(bytes, 44);
	struct mu_in with = mu_in_of(bytes, 45);

	ck_assert_int_eq(mu_get_connect_request(&without, &r.connect_request),
	                 0);
	ck_assert(!r.connect_request.has_read_only);
	ck_assert(!r.connect_request.read_only);
	ck_assert_int_eq(mu_get_connect_request(&with, &r.connect_request), 0);
	ck_assert(r.connect_request.has_read_only);
	ck_assert(r.connect_request.read_only);
}
END_TEST

START_TEST(rule7_a_response_has_36_or_37_bytes)
{
	struct mu_connect_response refusal = { .password = { ZERO16, 16 } };

	mu_put_connect_response(&b, &refusal);
	ck_assert_uint_eq(b.len, 36);
	mu_buf_reset(&b);
	refusal.has_read_only = true;
	mu_put_connect_response(&b, &refusal);
	ck_assert_uint_eq(b.len, 37);
}
END_TEST

START_TEST(a_broker_with_features_always_tells_its_tree_id)
{
	struct mu_connect_response ours = { .protocol = MU_FEATURES,
		                            .password = { ZERO16, 16 },
		                            .tree_id = -5 };
	struct mu_in in;

	mu_put_connect_response(&b, &ours);
	ck_assert_uint_eq(b.len, 45);
	in = mu_in_of(b.data, b.len);
	ck_assert_int_eq(mu_get_connect_response(&in, &r.connect_response), 0);
	ck_assert(r.connect_response.has_read_only);
	ck_assert(!r.connect_response.read_only);
	ck_assert(r.connect_response.has_tree_id);
	ck_assert_int_eq(r.connect_response.tree_id, -5);
}
END_TEST

START_TEST(rule24_an_event_has_type_state_and_path)
{
	struct mu_in in = IN("\0\0\0\1\0\0\0\3\0\0\0\2/a");

	ck_assert_int_eq(mu_get_watcher_event(&in, &r.watcher_event), 0);
	ck_assert_int_eq(r.watcher_event.type, 1);
	ck_assert_int_eq(r.watcher_event.state, 3);
	assert_str(r.watcher_event.path, "/a");
}
END_TEST

START_TEST(rule27_modes_say_ephemeral_and_sequential)
{
	static const bool ephemeral[] = { 0, 1, 0, 1, 0, 0, 0, 0 };
	static const bool sequential[] = { 0, 0, 1, 1, 0, 0, 1, 0 };

	for (int32_t mode = 0; mode < 8; mode++) {
		ck_assert_int_eq(mu_mode_is_ephemeral(mode), ephemeral[mode]);
		ck_assert_int_eq(mu_mode_is_sequential(mode), sequential[mode]);
	}
	ck_assert(!mu_mode_is_ephemeral(-1) && !mu_mode_is_sequential(-1));
}
END_TEST

START_TEST(rule37_set_watches_has_three_lists_and_set_watches2_five)
{
	static const char bytes[] =
		LONG7 "\0\0\0\1\0\0\0\2/a\0\0\0\1\0\0\0\2/b\0\0\0\1\0\0\0\2/c"
		      "\0\0\0\1\0\0\0\2/p\0\0\0\1\0\0\0\2/r";
	struct mu_in in = IN(bytes);

	ck_assert_int_eq(mu_get_set_watches(&in, false, &r.set_watches), 0);
	ck_assert_uint_eq(mu_in_left(&in), 20);
	ck_assert_int_eq(r.set_watches.persistent.count, -1);
	ck_assert_int_eq(r.set_watches.recursive.count, -1);
	in = IN(bytes);
	ck_assert_int_eq(mu_get_set_watches(&in, true, &r.set_watches), 0);
	ck_assert_uint_eq(mu_in_left(&in), 0);
	ck_assert_int_eq(r.set_watches.relative_zxid, 7);
	ck_assert_mem_eq(r.set_watches.data.at, "\0\0\0\2/a", 6);
	ck_assert_mem_eq(r.set_watches.exist.at, "\0\0\0\2/b", 6);
	ck_assert_mem_eq(r.set_watches.child.at, "\0\0\0\2/c", 6);
	ck_assert_mem_eq(r.set_watches.persistent.at, "\0\0\0\2/p", 6);
	ck_assert_mem_eq(r.set_watches.recursive.at, "\0\0\0\2/r", 6);
}
END_TEST

START_TEST(rule54_a_stat_is_68_bytes_in_zookeepers_order)
{
	struct mu_stat stat = { .czxid = 1,
		                .mzxid = 2,
		                .ctime = 3,
		                .mtime = 4,
		                .version = 5,
		                .cversion = 6,
		                .aversion = 7,
		                .ephemeral_owner = 8,
		                .data_len = 9,
		                .num_children = 10,
		                .pzxid = 11 };
	static const struct {
		size_t at, len;
	} field[] = { { 0, 8 },  { 8, 8 },  { 16, 8 }, { 24, 8 },
		      { 32, 4 }, { 36, 4 }, { 40, 4 }, { 44, 8 },
		      { 52, 4 }, { 56, 4 }, { 60, 8 } };

	mu_put_stat(&b, &stat);
	ck_assert_uint_eq(b.len, 68);
	for (size_t i = 0; i < 11; i++) {
		struct mu_in in = mu_in_of(b.data + field[i].at, field[i].len);

		ck_assert_int_eq(field[i].len == 8 ? mu_get_long(&in)
		                                   : mu_get_int(&in),
		                 (int64_t)i + 1);
	}
}
END_TEST

START_TEST(create_has_its_fields_and_ttl_only_where_it_belongs)
{
	static const char bytes[] =
		"\0\0\0\2/a\0\0\0\3new" OPEN_ACL "\0\0\0\5" LONG7;
	struct mu_in in = IN(bytes);

	ck_assert_int_eq(mu_get_create(&in, MU_OP_CREATE, &r.create), 0);
	ck_assert_uint_eq(mu_in_left(&in), 8);
	ck_assert_int_eq(r.create.ttl_ms, 0);
	in = IN(bytes);
	ck_assert_int_eq(mu_get_create(&in, MU_OP_CREATE_TTL, &r.create), 0);
	ck_assert_uint_eq(mu_in_left(&in), 0);
	assert_str(r.create.path, "/a");
	assert_str(r.create.data, "new");
	ck_assert(mu_acl_is_open(&r.create.acl));
	ck_assert_int_eq(r.create.mode, MU_MODE_PERSISTENT_TTL);
	ck_assert_int_eq(r.create.ttl_ms, 7);
}
END_TEST

/* Rule 62: null data and no data are two things. */
START_TEST(rule62_null_data_is_kept_apart_from_empty_data)
{
	struct mu_in in = IN("\0\0\0\2/a" STR_NULL "\0\0\0\4");

	ck_assert_int_eq(mu_get_set_data(&in, &r.set_data), 0);
	ck_assert_ptr_null(r.set_data.data.at);
	ck_assert_int_eq(r.set_data.version, 4);
	in = IN("\0\0\0\2/a\0\0\0\0\0\0\0\4");
	ck_assert_int_eq(mu_get_set_data(&in, &r.set_data), 0);
	ck_assert_ptr_nonnull(r.set_data.data.at);
}
END_TEST

START_TEST(small_requests_have_their_fields_in_order)
{
	struct mu_in in = IN("\0\0\0\2/a\0\0\0\4");

	ck_assert_int_eq(mu_get_delete(&in, &r.delete), 0);
	assert_str(r.delete.path, "/a");
	ck_assert_int_eq(r.delete.version, 4);
	in = IN("\0\0\0\2/b\0\0\0\5");
	ck_assert_int_eq(mu_get_check(&in, &r.check), 0);
	assert_str(r.check.path, "/b");
	ck_assert_int_eq(r.check.version, 5);
	in = IN("\0\0\0\2/c\1");
	ck_assert_int_eq(mu_get_path_watch(&in, &r.path_watch), 0);
	assert_str(r.path_watch.path, "/c");
	ck_assert(r.path_watch.watch);
	in = IN("\0\0\0\2/d\0\0\0\1");
	ck_assert_int_eq(mu_get_add_watch(&in, &r.add_watch), 0);
	assert_str(r.add_watch.path, "/d");
	ck_assert_int_eq(r.add_watch.mode, 1);
}
END_TEST

START_TEST(rule63_a_multi_header_is_nine_bytes)
{
	struct mu_in in;

	mu_put_multi_header(&b, -1, true, -1);
	ck_assert_uint_eq(b.len, 9);
	ck_assert_mem_eq(b.data, "\xff\xff\xff\xff\1\xff\xff\xff\xff", 9);
	in = mu_in_of(b.data, b.len);
	ck_assert_int_eq(mu_get_multi_header(&in, &r.multi_header), 0);
	ck_assert_int_eq(r.multi_header.op, MU_OP_ERROR);
	ck_assert(r.multi_header.done);
	ck_assert_int_eq(r.multi_header.err, -1);
}
END_TEST

START_TEST(rule98_an_add_watch_reply_is_a_header_and_an_int)
{
	mu_put_reply_header(&b, 1, 7, 0);
	ck_assert_uint_eq(b.len, 16);
	mu_put_int(&b, 0);
	ck_assert_uint_eq(b.len, 20);
}
END_TEST

START_TEST(a_subscribe_request_has_its_fields_in_order)
{
	struct mu_in in = IN("\0\0\0\3\0\0\0\2/a\0\0\0\2" LONG7 "\0\0\0\1");

	ck_assert_int_eq(mu_get_subscribe(&in, &r.subscribe), 0);
	ck_assert_int_eq(r.subscribe.id, 3);
	assert_str(r.subscribe.path, "/a");
	ck_assert_int_eq(r.subscribe.mode, MU_SUBSCRIBE_SUBTREE);
	ck_assert_int_eq(r.subscribe.zxid, 7);
	ck_assert_int_eq(r.subscribe.n, 1);
	in = IN("\0\0\0\3");
	ck_assert_int_eq(mu_get_unsubscribe(&in, &r.unsubscribe), 0);
	ck_assert_int_eq(r.unsubscribe.id, 3);
}
END_TEST

START_TEST(a_subscribe_reply_has_its_fields_in_order)
{
	struct mu_in in = IN("\0\0\0\2" LONG7 "\x7f\xff\xff\xff"
	                     "\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\6");

	ck_assert_int_eq(mu_get_subscribe_reply(&in, &r.subscribe_reply), 0);
	ck_assert_int_eq(r.subscribe_reply.state, MU_SUBSCRIBED_GAP);
	ck_assert_int_eq(r.subscribe_reply.zxid, 7);
	ck_assert_int_eq(r.subscribe_reply.n, MU_CHANGE_N_END);
	ck_assert_int_eq(r.subscribe_reply.from, 3);
	ck_assert_int_eq(r.subscribe_reply.to, 6);
}
END_TEST

START_TEST(a_change_event_has_its_fields_in_order)
{
	struct mu_in in = IN(CHANGE_HEAD "\0\0\0\1\0\0\0\3new");
	const struct mu_change_event *e = &r.change_event;

	ck_assert_int_eq(mu_get_change_event(&in, &r.change_event), 0);
	ck_assert_int_eq(e->id, 3);
	ck_assert_int_eq(e->type, 3);
	ck_assert_int_eq(e->zxid, 9);
	ck_assert_int_eq(e->n, 1);
	ck_assert_int_eq(e->prev_zxid, 7);
	ck_assert_int_eq(e->prev_n, 2);
	assert_str(e->path, "/a");
	ck_assert_int_eq(e->cause, MU_BY_EXPIRY);
	ck_assert_int_eq(e->session, 7);
	assert_str(e->origin, "tcp:1");
	ck_assert_int_eq(e->stat.czxid, 1);
	ck_assert_int_eq(e->stat.aversion, 7);
	ck_assert_int_eq(e->stat.ephemeral_owner, 8);
	ck_assert_int_eq(e->stat.pzxid, 11);
	ck_assert_int_eq(e->whole, 1);
	assert_str(e->data, "new");
}
END_TEST

START_TEST(every_cause_has_its_word)
{
	static const char *const words[] = { "request", "close", "expiry",
		                             "ttl" };

	for (int32_t i = 0; i < 4; i++)
		ck_assert_str_eq(mu_cause_word(i), words[i]);
	ck_assert_str_eq(mu_cause_word(4), "unknown");
	ck_assert_str_eq(mu_cause_word(-1), "unknown");
}
END_TEST

/* ---- vectors ---- */

START_TEST(a_vector_is_walked_with_the_getters)
{
	struct mu_in in = IN("\0\0\0\2\0\0\0\1a\0\0\0\2bc....");
	struct mu_vec v;

	ck_assert_int_eq(mu_get_str_vec(&in, &v), 0);
	ck_assert_uint_eq(mu_in_left(&in), 4);
	ck_assert_int_eq(v.count, 2);
	ck_assert_uint_eq(v.len, 11);
	in = mu_in_of(v.at, v.len);
	assert_str(mu_get_str(&in), "a");
	assert_str(mu_get_str(&in), "bc");
	ck_assert(mu_in_ok(&in));
}
END_TEST

START_TEST(a_vector_is_checked_whole)
{
	struct mu_in element = IN("\0\0\0\2\0\0\0\1a\0\0\0\3bc");
	struct mu_in count = IN("\x40\0\0\0\0\0\0\0\0\0\0\0");
	struct mu_in below = IN("\xff\xff\xff\xfe\0\0\0\0");
	struct mu_in acl = IN("\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\7anyone");
	struct mu_vec v;

	ck_assert_int_eq(mu_get_str_vec(&element, &v), MU_EMARSHAL);
	ck_assert_int_eq(mu_get_str_vec(&count, &v), MU_EMARSHAL);
	ck_assert_int_eq(mu_get_str_vec(&below, &v), MU_EMARSHAL);
	ck_assert_int_eq(mu_get_acl_vec(&acl, &v), MU_EMARSHAL);
}
END_TEST

START_TEST(an_empty_vector_is_not_a_null_one)
{
	struct mu_in empty = IN("\0\0\0\0"), null = IN(STR_NULL);
	struct mu_vec v;

	ck_assert_int_eq(mu_get_acl_vec(&empty, &v), 0);
	ck_assert_int_eq(v.count, 0);
	ck_assert_int_eq(mu_get_acl_vec(&null, &v), 0);
	ck_assert_int_eq(v.count, -1);
	ck_assert_uint_eq(v.len, 0);
}
END_TEST

START_TEST(the_open_acl_is_world_anyone_with_all_permissions)
{
	struct mu_vec open = mu_acl_open();
	struct mu_in in = mu_in_of(open.at, open.len);

	ck_assert_int_eq(open.count, 1);
	ck_assert_int_eq(mu_get_int(&in), MU_PERM_ALL);
	assert_str(mu_get_str(&in), "world");
	assert_str(mu_get_str(&in), "anyone");
	ck_assert(mu_in_ok(&in));
	ck_assert_uint_eq(mu_in_left(&in), 0);
	ck_assert(mu_acl_is_open(&open));
}
END_TEST

START_TEST(no_other_acl_is_open)
{
	static const char *const others[] = {
		"\0\0\0\1\0\0\0\36\0\0\0\5world\0\0\0\6anyone",
		"\0\0\0\1\0\0\0\37\0\0\0\6world.\0\0\0\5anyon",
		"\0\0\0\1\0\0\0\37\0\0\0\5world\0\0\0\6nobody",
	};
	struct mu_vec v = { .count = -1 };

	ck_assert(!mu_acl_is_open(&v));
	v.count = 0;
	ck_assert(!mu_acl_is_open(&v));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct mu_in in = mu_in_of(others[i], 27);

		ck_assert_int_eq(mu_get_acl_vec(&in, &v), 0);
		ck_assert(!mu_acl_is_open(&v));
	}
}
END_TEST

/* ---- operations by name ---- */

START_TEST(operations_have_zookeepers_numbers_and_names)
{
	static const struct {
		int32_t op;
		const char *name;
	} known[] = { { 0, "notification" },   { 1, "create" },
		      { 9, "sync" },           { 14, "multi" },
		      { 22, "multiRead" },     { 100, "auth" },
		      { 106, "addWatch" },     { 107, "whoAmI" },
		      { -1, "error" },         { -10, "createSession" },
		      { -11, "closeSession" }, { 1000, "subscribe" },
		      { 1001, "unsubscribe" } };
	static const int32_t unknown[] = {
		10, 23, 99, 108, -2, -12, 999, 1002
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		ck_assert(mu_op_is_known(known[i].op));
		ck_assert_str_eq(mu_op_name(known[i].op), known[i].name);
	}
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
		ck_assert(!mu_op_is_known(unknown[i]));
		ck_assert_str_eq(mu_op_name(unknown[i]), "unknown");
	}
}
END_TEST

/* ---- frames ---- */

START_TEST(rule1_a_frame_is_a_length_and_a_record)
{
	size_t first, second;

	first = mu_frame_begin(&b);
	mu_put_str(&b, MU_STR("/a"));
	mu_frame_end(&b, first);
	second = mu_frame_begin(&b);
	mu_frame_end(&b, second);
	ck_assert_uint_eq(b.len, 14);
	ck_assert_mem_eq(b.data, "\0\0\0\6\0\0\0\2/a\0\0\0\0", 14);
}
END_TEST

START_TEST(a_message_is_split_into_its_records)
{
	struct mu_in in = IN("\0\0\0\2ab\0\0\0\0\0\0\0\1c");
	struct mu_str rec;

	ck_assert_int_eq(mu_frame_next(&in, &rec), 1);
	assert_str(rec, "ab");
	ck_assert_int_eq(mu_frame_next(&in, &rec), 1);
	assert_str(rec, "");
	ck_assert_int_eq(mu_frame_next(&in, &rec), 1);
	assert_str(rec, "c");
	ck_assert_int_eq(mu_frame_next(&in, &rec), 0);
	ck_assert_int_eq(mu_frame_next(&in, &rec), 0);
}
END_TEST

START_TEST(rule96_a_lying_frame_length_breaks_the_protocol)
{
	struct mu_in lies[] = { IN("\0\0\0\3ab"), IN("\xff\xff\xff\xff"),
		                IN("\x80\0\0\0"), IN("\x7f\xff\xff\xff"),
		                IN("\0\0\0") };
	struct mu_str rec;

	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		ck_assert_int_eq(mu_frame_next(&lies[i], &rec), MU_EPROTO);
		/* and goes on doing so */
		ck_assert_int_eq(mu_frame_next(&lies[i], &rec), MU_EPROTO);
	}
}
END_TEST

static TCase *records(void)
{
	TCase *tc = tcase_create("records");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_record_is_read_and_written_as_the_same_bytes,
	                    0, GOLDEN_COUNT);
	tcase_add_loop_test(tc, rule96_a_record_cut_anywhere_does_not_decode, 0,
	                    GOLDEN_COUNT);
	tcase_add_loop_test(tc,
	                    memory_refused_anywhere_is_remembered_by_the_buffer,
	                    0, GOLDEN_COUNT);
	tcase_add_test(tc, bytes_after_a_record_are_left_alone);
	return tc;
}

static TCase *fields(void)
{
	TCase *tc = tcase_create("fields");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rule5_headers_have_their_fields_in_order);
	tcase_add_test(tc, rule6_connect_request_has_its_fields_in_order);
	tcase_add_test(tc, rule6_connect_response_has_its_fields_in_order);
	tcase_add_test(tc, rule7_the_read_only_byte_of_a_request_is_optional);
	tcase_add_test(tc, rule7_a_response_has_36_or_37_bytes);
	tcase_add_test(tc, a_broker_with_features_always_tells_its_tree_id);
	tcase_add_test(tc, rule24_an_event_has_type_state_and_path);
	tcase_add_test(tc, rule27_modes_say_ephemeral_and_sequential);
	tcase_add_test(
		tc, rule37_set_watches_has_three_lists_and_set_watches2_five);
	tcase_add_test(tc, rule54_a_stat_is_68_bytes_in_zookeepers_order);
	tcase_add_test(tc, create_has_its_fields_and_ttl_only_where_it_belongs);
	tcase_add_test(tc, rule62_null_data_is_kept_apart_from_empty_data);
	tcase_add_test(tc, small_requests_have_their_fields_in_order);
	tcase_add_test(tc, rule63_a_multi_header_is_nine_bytes);
	tcase_add_test(tc, a_subscribe_request_has_its_fields_in_order);
	tcase_add_test(tc, a_subscribe_reply_has_its_fields_in_order);
	tcase_add_test(tc, a_change_event_has_its_fields_in_order);
	tcase_add_test(tc, every_cause_has_its_word);
	tcase_add_test(tc, rule98_an_add_watch_reply_is_a_header_and_an_int);
	return tc;
}

static TCase *pieces(void)
{
	TCase *tc = tcase_create("vectors, names, frames");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_vector_is_walked_with_the_getters);
	tcase_add_test(tc, a_vector_is_checked_whole);
	tcase_add_test(tc, an_empty_vector_is_not_a_null_one);
	tcase_add_test(tc, the_open_acl_is_world_anyone_with_all_permissions);
	tcase_add_test(tc, no_other_acl_is_open);
	tcase_add_test(tc, operations_have_zookeepers_numbers_and_names);
	tcase_add_test(tc, rule1_a_frame_is_a_length_and_a_record);
	tcase_add_test(tc, a_message_is_split_into_its_records);
	tcase_add_test(tc, rule96_a_lying_frame_length_breaks_the_protocol);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("proto");
	SRunner *sr;
	int failed;

	suite_add_tcase(s, records());
	suite_add_tcase(s, fields());
	suite_add_tcase(s, pieces());
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
