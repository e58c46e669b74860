/* agent/core/chan.h: what the agent and a runner say to each other. */
#include "../fuzz/chan_records.h"

#include "fault.h"

#include <check.h>
#include <string.h>

static struct mu_buf b, parts;

static void setup(void)
{
	mu_buf_init(&b);
	mu_buf_init(&parts);
}

static void teardown(void)
{
	mu_buf_fini(&b);
	mu_buf_fini(&parts);
}

static void assert_str(struct mu_str s, const char *want)
{
	ck_assert_ptr_nonnull(s.at);
	ck_assert_uint_eq(s.len, strlen(want));
	ck_assert_mem_eq(s.at, want, s.len);
}

/* The fields of the one frame in `b`, which must be of this type. */
static struct mu_in opened(int32_t type)
{
	struct mu_str rec;
	struct mu_in in;

	ck_assert_int_eq(mu_chan_next(&b, &rec), 1);
	ck_assert_uint_eq(rec.len + 4, b.len);
	in = mu_in_of(rec.at, rec.len);
	ck_assert_int_eq(mu_chan_type(&in), type);
	return in;
}

/* ---- one good record of each kind ---- */

static const struct mu_stat some_stat = {
	.czxid = 1, .mzxid = 2, .version = 3, .data_len = 4, .pzxid = 5
};

static void add_setting(const char *key, enum mu_setting_type type,
                        const char *text, int64_t number)
{
	struct mu_setting s = { mu_str_of(key), type, mu_str_of(text), number };

	mu_put_setting(&parts, &s);
}

static struct mu_chan_start make_start(void)
{
	add_setting("file", MU_SETTING_STR, "/tmp/x", 0);
	add_setting("events", MU_SETTING_COUNT, NULL, 2);
	return (struct mu_chan_start){ .version = MU_CHAN_VERSION,
		                       .instance = MU_STR("web"),
		                       .member = MU_STR("host-a"),
		                       .plugin_file = MU_STR("/p/log.so"),
		                       .memory_max_mb = 256,
		                       .files_max = 64,
		                       .cpu_max_s = UINT32_MAX,
		                       .processes_max = 20,
		                       .user = MU_STR("nobody"),
		                       .group = MU_STR("nogroup"),
		                       .work_dir = MU_STR("/var/x.d"),
		                       .settings = { 2, parts.data,
		                                     parts.len } };
}

static struct mu_chan_event make_event(void)
{
	return (struct mu_chan_event){ .seq = UINT64_MAX,
		                       .type = MU_EVENT_MEMBER_FAILED,
		                       .flags = MU_EVENT_AGAIN,
		                       .count = 2,
		                       .attempt = 3,
		                       .zxid = 0x100000004,
		                       .n = 5,
		                       .path = MU_STR("/members/b"),
		                       .data = MU_STR("new"),
		                       .old_data = MU_STR("old"),
		                       .has_stat = true,
		                       .stat = some_stat,
		                       .has_member = true,
		                       .name = MU_STR("b"),
		                       .id = MU_STR("id-1"),
		                       .address = MU_STR("10.0.0.2"),
		                       .version = MU_STR("0.1.0"),
		                       .boot_id = MU_STR("boot"),
		                       .state = MU_STR("up"),
		                       .labels = MU_STR("{}"),
		                       .port = 80,
		                       .started_ms = 6,
		                       .czxid = 7,
		                       .cause = 2,
		                       .author_session = 8,
		                       .author = MU_STR("host-b") };
}

static struct mu_chan_result make_result(void)
{
	mu_put_str(&parts, MU_STR("a"));
	mu_put_str(&parts, MU_STR("b"));
	return (struct mu_chan_result){ .id = 9,
		                        .rc = MU_ENONODE,
		                        .reason = MU_STR("no such node"),
		                        .data = MU_STR(""),
		                        .stat = some_stat,
		                        .names = { 2, parts.data, parts.len } };
}

static void make(int32_t type, union chan_any *m)
{
	if (type == MU_CHAN_START)
		m->start = make_start();
	else if (type == MU_CHAN_EVENT)
		m->event = make_event();
	else if (type == MU_CHAN_RESULT)
		m->result = make_result();
	else if (type == MU_CHAN_READY)
		m->ready = (struct mu_chan_ready){ MU_CHAN_VERSION,
			                           MU_EABI,
			                           MU_STR("too old"),
			                           MU_STR("log"),
			                           MU_WANT_GAP,
			                           true,
			                           false };
	else if (type == MU_CHAN_ACK)
		m->ack = (struct mu_chan_ack){ 7, MU_EIO, MU_STR("full disk") };
	else if (type == MU_CHAN_LOG)
		m->log = (struct mu_chan_log){ MU_DEBUG, MU_STR("a line") };
	else if (type == MU_CHAN_CALL)
		m->call = (struct mu_chan_call){
			8,  MU_CALL_CREATE, MU_STR("/a"),       MU_STR("x"),
			-1, 1000,           MU_PLUGIN_EPHEMERAL
		};
	else if (type == MU_CHAN_TICK)
		m->tick = (struct mu_chan_tick){ UINT64_MAX };
	else if (type == MU_CHAN_CHECK)
		m->check = (struct mu_chan_check){ 1 };
	else
		m->report = (struct mu_chan_report){
			MU_STR("/a"),    MU_STR("sha"), MU_STR("why"), 5, 2,
			MU_REPORT_FAILED
		};
}

START_TEST(a_record_that_was_read_is_written_as_the_same_bytes)
{
	const struct chan_record *row = &chan_records[_i];
	union chan_any m;
	struct mu_buf again;
	struct mu_in in;

	make(row->type, &m);
	row->put(&b, &m);
	memset(&m, 0xee, sizeof m);
	in = opened(row->type);
	ck_assert_msg(row->get(&in, &m) == 0, "%s", row->name);
	ck_assert_uint_eq(mu_in_left(&in), 0);
	mu_buf_init(&again);
	row->put(&again, &m);
	ck_assert_uint_eq(again.len, b.len);
	ck_assert_mem_eq(again.data, b.data, b.len);
	mu_buf_fini(&again);
}
END_TEST

START_TEST(a_record_cut_anywhere_breaks_the_protocol)
{
	const struct chan_record *row = &chan_records[_i];
	union chan_any m;

	make(row->type, &m);
	row->put(&b, &m);
	for (size_t len = 8; len < b.len; len++) {
		struct mu_in in = mu_in_of(b.data + 8, len - 8);

		ck_assert_msg(row->get(&in, &m) == MU_EPROTO,
		              "%s cut to %zu bytes", row->name, len);
	}
}
END_TEST

START_TEST(a_record_with_a_byte_too_many_breaks_the_protocol)
{
	const struct chan_record *row = &chan_records[_i];
	union chan_any m;
	struct mu_in in;

	make(row->type, &m);
	row->put(&b, &m);
	mu_put_bool(&b, false);
	in = mu_in_of(b.data + 8, b.len - 8);
	ck_assert_int_eq(row->get(&in, &m), MU_EPROTO);
}
END_TEST

START_TEST(memory_refused_anywhere_is_remembered_by_the_buffer)
{
	const struct chan_record *row = &chan_records[_i];
	union chan_any m;
	int reached = 1;

	make(row->type, &m);
	for (unsigned k = 0; reached; k++) {
		struct mu_buf out;

		mu_buf_init(&out);
		fault_alloc_at(k);
		row->put(&out, &m);
		reached = fault_alloc_off();
		ck_assert_int_eq(mu_buf_failed(&out), reached);
		ck_assert(k > 0 || reached);
		mu_buf_fini(&out);
	}
}
END_TEST

/* ---- byte for byte, so that another build can read it ---- */

#define ASSERT_FRAME(lit) \
	do { \
		ck_assert_uint_eq(b.len, sizeof(lit) - 1); \
		ck_assert_mem_eq(b.data, lit, sizeof(lit) - 1); \
	} while (0)

START_TEST(a_frame_is_a_length_a_type_and_fields)
{
	struct mu_chan_log m = { MU_WARN, MU_STR("hot") };

	mu_put_chan_log(&b, &m);
	ASSERT_FRAME("\0\0\0\x0f\0\0\0\x12\0\0\0\1\0\0\0\3hot");
}
END_TEST

START_TEST(stop_says_whether_it_is_for_good)
{
	struct mu_chan_stop m = { .removed = true };
	struct mu_in in;

	mu_put_chan_stop(&b, &m);
	ASSERT_FRAME("\0\0\0\5\0\0\0\4\1");
	m.removed = false;
	in = opened(MU_CHAN_STOP);
	ck_assert_int_eq(mu_get_chan_stop(&in, &m), 0);
	ck_assert(m.removed);
	in = mu_in_of("", 0);
	ck_assert_int_eq(mu_get_chan_stop(&in, &m), MU_EPROTO);
}
END_TEST

START_TEST(wake_has_no_fields_and_takes_none)
{
	struct mu_in in;

	mu_put_chan_wake(&b);
	ASSERT_FRAME("\0\0\0\4\0\0\0\x15");
	in = opened(MU_CHAN_WAKE);
	ck_assert_int_eq(mu_get_chan_end(&in), 0);
	mu_put_bool(&b, false);
	in = mu_in_of(b.data + 8, b.len - 8);
	ck_assert_int_eq(mu_get_chan_end(&in), MU_EPROTO);
}
END_TEST

START_TEST(tick_and_check_carry_what_their_answer_gives_back)
{
	struct mu_chan_tick tick = { 0x0102030405060708 };
	struct mu_chan_check check = { 9 };

	mu_put_chan_tick(&b, &tick);
	ASSERT_FRAME("\0\0\0\x0c\0\0\0\5\1\2\3\4\5\6\7\10");
	mu_buf_reset(&b);
	mu_put_chan_check(&b, &check);
	ASSERT_FRAME("\0\0\0\x0c\0\0\0\6\0\0\0\0\0\0\0\x09");
}
END_TEST

START_TEST(the_version_is_the_first_field_of_each_side)
{
	struct mu_chan_start start = { .version = 0x01020304,
		                       .settings = { .count = -1 } };
	struct mu_chan_ready ready = { .version = 0x01020304 };

	mu_put_chan_start(&b, &start);
	ck_assert_mem_eq(b.data + 4, "\0\0\0\1\1\2\3\4", 8);
	mu_buf_reset(&b);
	mu_put_chan_ready(&b, &ready);
	ck_assert_mem_eq(b.data + 4, "\0\0\0\x10\1\2\3\4", 8);
}
END_TEST

START_TEST(an_event_without_extras_has_two_zero_bytes_for_them)
{
	struct mu_chan_event m = { .seq = 1,
		                   .type = MU_EVENT_CONNECTED,
		                   .count = 1,
		                   .attempt = 1,
		                   .path = MU_STR("") };

	mu_put_chan_event(&b, &m);
	ASSERT_FRAME("\0\0\0\x46\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0\x14\0\0\0\0"
	             "\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	             "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"
	             "\0\0\0\0\0\0\0\0\xff\xff\xff\xff\0\0");
}
END_TEST

/* ---- field by field ---- */

START_TEST(start_carries_its_settings)
{
	struct mu_chan_start m = make_start();
	struct mu_setting s;
	struct mu_in in;

	mu_put_chan_start(&b, &m);
	memset(&m, 0xee, sizeof m);
	in = opened(MU_CHAN_START);
	ck_assert_int_eq(mu_get_chan_start(&in, &m), 0);
	assert_str(m.instance, "web");
	assert_str(m.member, "host-a");
	assert_str(m.plugin_file, "/p/log.so");
	ck_assert_uint_eq(m.memory_max_mb, 256);
	ck_assert_uint_eq(m.files_max, 64);
	ck_assert_uint_eq(m.cpu_max_s, UINT32_MAX);
	ck_assert_uint_eq(m.processes_max, 20);
	assert_str(m.user, "nobody");
	assert_str(m.group, "nogroup");
	assert_str(m.work_dir, "/var/x.d");
	ck_assert_int_eq(m.settings.count, 2);
	in = mu_in_of(m.settings.at, m.settings.len);
	ck_assert_int_eq(mu_get_setting(&in, &s), 0);
	assert_str(s.key, "file");
	ck_assert_int_eq(s.type, MU_SETTING_STR);
	assert_str(s.text, "/tmp/x");
	ck_assert_int_eq(mu_get_setting(&in, &s), 0);
	assert_str(s.key, "events");
	ck_assert_int_eq(s.type, MU_SETTING_COUNT);
	ck_assert_ptr_null(s.text.at);
	ck_assert_int_eq(s.number, 2);
	ck_assert_uint_eq(mu_in_left(&in), 0);
}
END_TEST

START_TEST(an_event_carries_node_and_member)
{
	struct mu_chan_event m = make_event();
	struct mu_in in;

	mu_put_chan_event(&b, &m);
	memset(&m, 0xee, sizeof m);
	in = opened(MU_CHAN_EVENT);
	ck_assert_int_eq(mu_get_chan_event(&in, &m), 0);
	ck_assert_uint_eq(m.seq, UINT64_MAX);
	ck_assert_uint_eq(m.type, MU_EVENT_MEMBER_FAILED);
	ck_assert_uint_eq(m.flags, MU_EVENT_AGAIN);
	ck_assert_uint_eq(m.count, 2);
	ck_assert_uint_eq(m.attempt, 3);
	ck_assert_int_eq(m.zxid, 0x100000004);
	ck_assert_int_eq(m.n, 5);
	assert_str(m.path, "/members/b");
	assert_str(m.data, "new");
	assert_str(m.old_data, "old");
	ck_assert(m.has_stat && m.has_member);
	ck_assert_int_eq(m.stat.mzxid, 2);
	ck_assert_int_eq(m.stat.pzxid, 5);
	assert_str(m.name, "b");
	assert_str(m.id, "id-1");
	assert_str(m.address, "10.0.0.2");
	assert_str(m.version, "0.1.0");
	assert_str(m.boot_id, "boot");
	assert_str(m.state, "up");
	assert_str(m.labels, "{}");
	ck_assert_uint_eq(m.port, 80);
	ck_assert_int_eq(m.started_ms, 6);
	ck_assert_int_eq(m.czxid, 7);
	ck_assert_int_eq(m.cause, 2);
	ck_assert_int_eq(m.author_session, 8);
	assert_str(m.author, "host-b");
}
END_TEST

START_TEST(what_an_event_is_of_stays_with_the_agent)
{
	struct mu_chan_event m = make_event(), other = make_event();
	struct mu_buf again;
	struct mu_in in;

	m.source = 5;
	mu_put_chan_event(&b, &m);
	mu_buf_init(&again);
	mu_put_chan_event(&again, &other);
	ck_assert_uint_eq(again.len, b.len);
	ck_assert_mem_eq(again.data, b.data, b.len);
	mu_buf_fini(&again);
	in = opened(MU_CHAN_EVENT);
	ck_assert_int_eq(mu_get_chan_event(&in, &m), 0);
	ck_assert_int_eq(m.source, 0);
}
END_TEST

START_TEST(no_data_and_empty_data_of_an_event_are_two_things)
{
	struct mu_chan_event m = { .data = MU_STR("") };
	struct mu_in in;

	mu_put_chan_event(&b, &m);
	memset(&m, 0xee, sizeof m);
	in = opened(MU_CHAN_EVENT);
	ck_assert_int_eq(mu_get_chan_event(&in, &m), 0);
	assert_str(m.data, "");
	ck_assert_ptr_null(m.old_data.at);
	ck_assert(!m.has_stat && !m.has_member);
	ck_assert_ptr_null(m.name.at);
}
END_TEST

START_TEST(a_result_carries_data_stat_and_names)
{
	struct mu_chan_result m = make_result();
	struct mu_in in;

	mu_put_chan_result(&b, &m);
	memset(&m, 0xee, sizeof m);
	in = opened(MU_CHAN_RESULT);
	ck_assert_int_eq(mu_get_chan_result(&in, &m), 0);
	ck_assert_uint_eq(m.id, 9);
	ck_assert_int_eq(m.rc, MU_ENONODE);
	assert_str(m.reason, "no such node");
	assert_str(m.data, "");
	ck_assert_int_eq(m.stat.czxid, 1);
	ck_assert_int_eq(m.names.count, 2);
	in = mu_in_of(m.names.at, m.names.len);
	assert_str(mu_get_str(&in), "a");
	assert_str(mu_get_str(&in), "b");
}
END_TEST

START_TEST(the_small_records_have_their_fields_in_order)
{
	union chan_any m;
	struct mu_in in;

	in = mu_in_of("\0\0\0\2\0\0\0\0\0\0\0\2ok\0\0\0\3log\0\0\0\7\1\0", 27);
	ck_assert_int_eq(mu_get_chan_ready(&in, &m.ready), 0);
	assert_str(m.ready.reason, "ok");
	assert_str(m.ready.plugin, "log");
	ck_assert_uint_eq(m.ready.wants, 7);
	ck_assert(m.ready.has_tick && !m.ready.has_check);
	in = mu_in_of("\0\0\0\0\0\0\0\7\xff\xff\xff\xf8\0\0\0\2no", 18);
	ck_assert_int_eq(mu_get_chan_ack(&in, &m.ack), 0);
	ck_assert_uint_eq(m.ack.seq, 7);
	ck_assert_int_eq(m.ack.rc, MU_EINVAL);
	assert_str(m.ack.reason, "no");
	in = mu_in_of("\0\0\0\0\0\0\0\1\0\0\0\3\0\0\0\2/a\0\0\0\1x\0\0\0\4"
	              "\0\0\0\5\0\0\0\6",
	              35);
	ck_assert_int_eq(mu_get_chan_call(&in, &m.call), 0);
	ck_assert_uint_eq(m.call.id, 1);
	ck_assert_int_eq(m.call.op, MU_CALL_SET);
	assert_str(m.call.path, "/a");
	assert_str(m.call.data, "x");
	ck_assert_int_eq(m.call.version, 4);
	ck_assert_uint_eq(m.call.timeout_ms, 5);
	ck_assert_uint_eq(m.call.flags, 6);
	in = mu_in_of("\0\0\0\2/a\0\0\0\1d\0\0\0\1r\0\0\0\0\0\0\0\7\0\0\0\4"
	              "\0\0\0\1",
	              32);
	ck_assert_int_eq(mu_get_chan_report(&in, &m.report), 0);
	assert_str(m.report.path, "/a");
	assert_str(m.report.digest, "d");
	assert_str(m.report.reason, "r");
	ck_assert_int_eq(m.report.zxid, 7);
	ck_assert_int_eq(m.report.version, 4);
	ck_assert_int_eq(m.report.state, MU_REPORT_REJECTED);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(of_another_version_only_the_version_is_read)
{
	union chan_any m;
	struct mu_in in;

	in = mu_in_of("\0\0\0\1\xff\xff", 6);
	memset(&m, 0xee, sizeof m);
	ck_assert_int_eq(mu_get_chan_start(&in, &m.start), 0);
	ck_assert_int_eq(m.start.version, 1);
	ck_assert_ptr_null(m.start.plugin_file.at);
	ck_assert_int_eq(m.start.settings.count, 0);
	in = mu_in_of("\0\0\0\0", 4);
	memset(&m, 0xee, sizeof m);
	ck_assert_int_eq(mu_get_chan_ready(&in, &m.ready), 0);
	ck_assert_int_eq(m.ready.version, 0);
	ck_assert_ptr_null(m.ready.plugin.at);
}
END_TEST

/* Write a record, read it back, and say what the reader said. */
static int echo(int32_t type, union chan_any *m)
{
	const struct chan_record *row = chan_record_of(type);
	struct mu_in in;

	mu_buf_reset(&b);
	row->put(&b, m);
	in = opened(type);
	return row->get(&in, m);
}

static int echo_level(int32_t level)
{
	union chan_any m = { .log = { level, MU_STR("x") } };

	return echo(MU_CHAN_LOG, &m);
}

static int echo_call(int32_t op)
{
	union chan_any m = { .call = { .op = op } };

	return echo(MU_CHAN_CALL, &m);
}

static int echo_state(int32_t state)
{
	union chan_any m = { .report = { .state = state } };

	return echo(MU_CHAN_REPORT, &m);
}

static int echo_setting(int type)
{
	union chan_any m;

	mu_buf_reset(&parts);
	add_setting("k", (enum mu_setting_type)type, "", 0);
	m.start = (struct mu_chan_start){ .version = MU_CHAN_VERSION,
		                          .settings = { 1, parts.data,
		                                        parts.len } };
	return echo(MU_CHAN_START, &m);
}

START_TEST(a_number_outside_its_enum_breaks_the_protocol)
{
	static const struct {
		int (*echo)(int32_t v);
		int32_t first, last;
	} rows[] = { { echo_level, MU_ERROR, MU_DEBUG },
		     { echo_call, MU_CALL_GET, MU_CALL_DELETE },
		     { echo_state, MU_REPORT_APPLIED, MU_REPORT_FAILED },
		     { echo_setting, MU_SETTING_STR, MU_SETTING_COUNT } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ck_assert_int_eq(rows[i].echo(rows[i].first - 1), MU_EPROTO);
		ck_assert_int_eq(rows[i].echo(rows[i].first), 0);
		ck_assert_int_eq(rows[i].echo(rows[i].last), 0);
		ck_assert_int_eq(rows[i].echo(rows[i].last + 1), MU_EPROTO);
	}
}
END_TEST

START_TEST(settings_are_checked_whole)
{
	struct mu_chan_start m = make_start();
	struct mu_in in;

	m.settings.count++;
	mu_put_chan_start(&b, &m);
	in = opened(MU_CHAN_START);
	ck_assert_int_eq(mu_get_chan_start(&in, &m), MU_EPROTO);
}
END_TEST

START_TEST(a_setting_cut_anywhere_breaks_the_protocol)
{
	struct mu_setting s;
	struct mu_in in;

	add_setting("key", MU_SETTING_STR, "text", 1);
	for (size_t len = 0; len < parts.len; len++) {
		in = mu_in_of(parts.data, len);
		ck_assert_int_eq(mu_get_setting(&in, &s), MU_EPROTO);
	}
	in = mu_in_of(parts.data, parts.len);
	ck_assert_int_eq(mu_get_setting(&in, &s), 0);
}
END_TEST

/* ---- the stream ---- */

START_TEST(a_frame_is_given_when_it_is_whole)
{
	static const char bytes[] = "\0\0\0\4\0\0\0\4\0\0\0";
	struct mu_str rec;

	ck_assert_int_eq(mu_chan_next(&b, &rec), 0);
	for (size_t i = 0; i < 7; i++) {
		mu_buf_put(&b, bytes + i, 1);
		ck_assert_int_eq(mu_chan_next(&b, &rec), 0);
	}
	mu_buf_put(&b, bytes + 7, 4);
	ck_assert_int_eq(mu_chan_next(&b, &rec), 1);
	ck_assert_ptr_eq(rec.at, b.data + 4);
	ck_assert_uint_eq(rec.len, 4);
	mu_buf_drop(&b, rec.len + 4);
	ck_assert_int_eq(mu_chan_next(&b, &rec), 0);
	ck_assert_uint_eq(b.len, 3);
}
END_TEST

START_TEST(a_frame_may_have_frame_max_bytes_and_no_more)
{
	struct mu_str rec;

	mu_put_int(&b, (int32_t)MU_CHAN_FRAME_MAX);
	ck_assert_int_eq(mu_chan_next(&b, &rec), 0);
	ck_assert_ptr_nonnull(mu_buf_grow(&b, MU_CHAN_FRAME_MAX));
	ck_assert_int_eq(mu_chan_next(&b, &rec), 1);
	ck_assert_uint_eq(rec.len, MU_CHAN_FRAME_MAX);
	mu_patch_int(&b, 0, (int32_t)MU_CHAN_FRAME_MAX + 1);
	ck_assert_int_eq(mu_chan_next(&b, &rec), MU_ETOOBIG);
	mu_patch_int(&b, 0, -1);
	ck_assert_int_eq(mu_chan_next(&b, &rec), MU_ETOOBIG);
}
END_TEST

START_TEST(a_record_too_short_for_a_type_has_type_0)
{
	struct mu_in none = mu_in_of("", 0), three = mu_in_of("\1\1\1", 3);

	ck_assert_int_eq(mu_chan_type(&none), 0);
	ck_assert_int_eq(mu_chan_type(&three), 0);
}
END_TEST

/* ---- words ---- */

START_TEST(every_event_has_a_word_that_leads_back_to_it)
{
#define ASSERT_WORD(name, number, word) \
	ck_assert_str_eq(mu_event_word(name), word); \
	ck_assert_int_eq(mu_event_by_word(mu_str_of(word)), number);
	MU_EVENT_MAP(ASSERT_WORD)
#undef ASSERT_WORD
	ck_assert_str_eq(mu_event_word(MU_EVENT_MEMBER_JOINED), "joined");
}
END_TEST

START_TEST(what_is_no_event_has_no_word_and_no_number)
{
	ck_assert_str_eq(mu_event_word(5), "unknown");
	ck_assert_str_eq(mu_event_word(UINT32_MAX), "unknown");
	ck_assert_int_eq(mu_event_by_word(MU_STR("unknown")), -1);
	ck_assert_int_eq(mu_event_by_word(MU_STR("join")), -1);
	ck_assert_int_eq(mu_event_by_word(MU_STR("")), -1);
	ck_assert_int_eq(mu_event_by_word((struct mu_str){ NULL, 0 }), -1);
}
END_TEST

static TCase *each_record(void)
{
	TCase *tc = tcase_create("each record");
	int n = (int)CHAN_RECORD_COUNT;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(
		tc, a_record_that_was_read_is_written_as_the_same_bytes, 0, n);
	tcase_add_loop_test(tc, a_record_cut_anywhere_breaks_the_protocol, 0,
	                    n);
	tcase_add_loop_test(
		tc, a_record_with_a_byte_too_many_breaks_the_protocol, 0, n);
	tcase_add_loop_test(
		tc, memory_refused_anywhere_is_remembered_by_the_buffer, 0, n);
	return tc;
}

static TCase *contract(void)
{
	TCase *tc = tcase_create("contract");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_frame_is_a_length_a_type_and_fields);
	tcase_add_test(tc, stop_says_whether_it_is_for_good);
	tcase_add_test(tc, wake_has_no_fields_and_takes_none);
	tcase_add_test(tc, tick_and_check_carry_what_their_answer_gives_back);
	tcase_add_test(tc, the_version_is_the_first_field_of_each_side);
	tcase_add_test(tc, an_event_without_extras_has_two_zero_bytes_for_them);
	tcase_add_test(tc, start_carries_its_settings);
	tcase_add_test(tc, an_event_carries_node_and_member);
	tcase_add_test(tc, what_an_event_is_of_stays_with_the_agent);
	tcase_add_test(tc, no_data_and_empty_data_of_an_event_are_two_things);
	tcase_add_test(tc, a_result_carries_data_stat_and_names);
	tcase_add_test(tc, the_small_records_have_their_fields_in_order);
	tcase_add_test(tc, of_another_version_only_the_version_is_read);
	tcase_add_test(tc, a_number_outside_its_enum_breaks_the_protocol);
	tcase_add_test(tc, settings_are_checked_whole);
	tcase_add_test(tc, a_setting_cut_anywhere_breaks_the_protocol);
	tcase_add_test(tc, a_frame_is_given_when_it_is_whole);
	tcase_add_test(tc, a_frame_may_have_frame_max_bytes_and_no_more);
	tcase_add_test(tc, a_record_too_short_for_a_type_has_type_0);
	tcase_add_test(tc, every_event_has_a_word_that_leads_back_to_it);
	tcase_add_test(tc, what_is_no_event_has_no_word_and_no_number);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("chan");
	SRunner *sr;
	int failed;

	suite_add_tcase(s, each_record());
	suite_add_tcase(s, contract());
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
