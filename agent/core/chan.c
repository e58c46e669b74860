#include "chan.h"

#include "row.h"

#include <string.h>

/* The smallest setting: two empty texts, a type and a number. */
#define SETTING_LEAST 20

static const struct {
	int type;
	const char *word;
} events[] = {
#define EVENT_ROW(name, number, word) { number, word },
	MU_EVENT_MAP(EVENT_ROW)
#undef EVENT_ROW
};

#define EVENT_COUNT (sizeof events / sizeof events[0])

const char *mu_event_word(uint32_t type)
{
	for (size_t i = 0; i < EVENT_COUNT; i++)
		if ((uint32_t)events[i].type == type)
			return events[i].word;
	return "unknown";
}

int mu_event_by_word(struct mu_str word)
{
	for (size_t i = 0; i < EVENT_COUNT; i++)
		if (mu_str_eq(mu_str_of(events[i].word), word))
			return events[i].type;
	return -1;
}

/* ---- the rows ---- */

static const struct mu_field setting_row[] = {
	MU_FIELD(struct mu_setting, key),
	MU_FIELD(struct mu_setting, type),
	MU_FIELD(struct mu_setting, text),
	MU_FIELD(struct mu_setting, number),
};

/* After the version, before the settings. */
static const struct mu_field start_row[] = {
	MU_FIELD(struct mu_chan_start, instance),
	MU_FIELD(struct mu_chan_start, member),
	MU_FIELD(struct mu_chan_start, plugin_file),
	MU_FIELD(struct mu_chan_start, memory_max_mb),
	MU_FIELD(struct mu_chan_start, files_max),
	MU_FIELD(struct mu_chan_start, cpu_max_s),
	MU_FIELD(struct mu_chan_start, processes_max),
	MU_FIELD(struct mu_chan_start, user),
	MU_FIELD(struct mu_chan_start, group),
	MU_FIELD(struct mu_chan_start, work_dir),
};

/* Then has_stat and the Stat, has_member and the member. */
static const struct mu_field event_row[] = {
	MU_FIELD(struct mu_chan_event, seq),
	MU_FIELD(struct mu_chan_event, type),
	MU_FIELD(struct mu_chan_event, flags),
	MU_FIELD(struct mu_chan_event, count),
	MU_FIELD(struct mu_chan_event, attempt),
	MU_FIELD(struct mu_chan_event, zxid),
	MU_FIELD(struct mu_chan_event, n),
	MU_FIELD(struct mu_chan_event, path),
	MU_FIELD(struct mu_chan_event, data),
	MU_FIELD(struct mu_chan_event, old_data),
	MU_FIELD(struct mu_chan_event, cause),
	MU_FIELD(struct mu_chan_event, author_session),
	MU_FIELD(struct mu_chan_event, author),
};

static const struct mu_field stop_row[] = {
	MU_FIELD(struct mu_chan_stop, removed),
};

static const struct mu_field tick_row[] = {
	MU_FIELD(struct mu_chan_tick, seq),
};

static const struct mu_field check_row[] = {
	MU_FIELD(struct mu_chan_check, seq),
};

static const struct mu_field member_row[] = {
	MU_FIELD(struct mu_chan_event, name),
	MU_FIELD(struct mu_chan_event, id),
	MU_FIELD(struct mu_chan_event, address),
	MU_FIELD(struct mu_chan_event, version),
	MU_FIELD(struct mu_chan_event, boot_id),
	MU_FIELD(struct mu_chan_event, state),
	MU_FIELD(struct mu_chan_event, labels),
	MU_FIELD(struct mu_chan_event, port),
	MU_FIELD(struct mu_chan_event, started_ms),
	MU_FIELD(struct mu_chan_event, czxid),
};

/* After the version. */
static const struct mu_field ready_row[] = {
	MU_FIELD(struct mu_chan_ready, rc),
	MU_FIELD(struct mu_chan_ready, reason),
	MU_FIELD(struct mu_chan_ready, plugin),
	MU_FIELD(struct mu_chan_ready, wants),
	MU_FIELD(struct mu_chan_ready, has_tick),
	MU_FIELD(struct mu_chan_ready, has_check),
};

static const struct mu_field ack_row[] = {
	MU_FIELD(struct mu_chan_ack, seq),
	MU_FIELD(struct mu_chan_ack, rc),
	MU_FIELD(struct mu_chan_ack, reason),
};

static const struct mu_field log_row[] = {
	MU_FIELD(struct mu_chan_log, level),
	MU_FIELD(struct mu_chan_log, text),
};

static const struct mu_field call_row[] = {
	MU_FIELD(struct mu_chan_call, id),
	MU_FIELD(struct mu_chan_call, op),
	MU_FIELD(struct mu_chan_call, path),
	MU_FIELD(struct mu_chan_call, data),
	MU_FIELD(struct mu_chan_call, version),
	MU_FIELD(struct mu_chan_call, timeout_ms),
	MU_FIELD(struct mu_chan_call, flags),
};

/* Then the Stat and the names. */
static const struct mu_field result_row[] = {
	MU_FIELD(struct mu_chan_result, id),
	MU_FIELD(struct mu_chan_result, rc),
	MU_FIELD(struct mu_chan_result, reason),
	MU_FIELD(struct mu_chan_result, data),
};

static const struct mu_field report_row[] = {
	MU_FIELD(struct mu_chan_report, path),
	MU_FIELD(struct mu_chan_report, digest),
	MU_FIELD(struct mu_chan_report, reason),
	MU_FIELD(struct mu_chan_report, zxid),
	MU_FIELD(struct mu_chan_report, version),
	MU_FIELD(struct mu_chan_report, state),
};

#define GET_ROW(in, row, m) mu_row_get(in, row, MU_ROW_COUNT(row), m)
#define PUT_ROW(b, row, m) mu_row_put(b, row, MU_ROW_COUNT(row), m)

/* ---- frames ---- */

int mu_chan_next(const struct mu_buf *b, struct mu_str *rec)
{
	struct mu_in in = mu_in_of(b->data, b->len);
	int32_t len = mu_get_int(&in);

	if (!mu_in_ok(&in))
		return 0;
	if (len < 0 || (uint32_t)len > MU_CHAN_FRAME_MAX)
		return MU_ETOOBIG;
	if (mu_in_left(&in) < (size_t)len)
		return 0;
	*rec = (struct mu_str){ (const char *)in.at, (uint32_t)len };
	return 1;
}

int32_t mu_chan_type(struct mu_in *in)
{
	return mu_get_int(in);
}

static size_t begin(struct mu_buf *b, enum mu_chan_type type)
{
	size_t at = mu_frame_begin(b);

	mu_put_int(b, (int32_t)type);
	return at;
}

/* A record is good if it decoded and nothing is left of it. */
static int outcome(const struct mu_in *in)
{
	return mu_in_ok(in) && mu_in_left(in) == 0 ? 0 : MU_EPROTO;
}

static void require(struct mu_in *in, int32_t v, int32_t min, int32_t max)
{
	if (v < min || v > max)
		in->bad = true;
}

/* A record that is its row; and one with `field` between `min` and `max`. */
#define GET(name) \
	int mu_get_chan_##name(struct mu_in *in, struct mu_chan_##name *m) \
	{ \
		GET_ROW(in, name##_row, m); \
		return outcome(in); \
	}
#define GET_RANGED(name, field, min, max) \
	int mu_get_chan_##name(struct mu_in *in, struct mu_chan_##name *m) \
	{ \
		GET_ROW(in, name##_row, m); \
		require(in, m->field, min, max); \
		return outcome(in); \
	}
#define PUT(name, type) \
	void mu_put_chan_##name(struct mu_buf *b, \
	                        const struct mu_chan_##name *m) \
	{ \
		size_t at = begin(b, type); \
\
		PUT_ROW(b, name##_row, m); \
		mu_frame_end(b, at); \
	}

GET_RANGED(log, level, MU_ERROR, MU_DEBUG)
PUT(log, MU_CHAN_LOG)
GET_RANGED(call, op, MU_CALL_GET, MU_CALL_DELETE)
PUT(call, MU_CHAN_CALL)
GET_RANGED(report, state, MU_REPORT_APPLIED, MU_REPORT_FAILED)
PUT(report, MU_CHAN_REPORT)
GET(ack)
PUT(ack, MU_CHAN_ACK)
GET(stop)
PUT(stop, MU_CHAN_STOP)
GET(tick)
PUT(tick, MU_CHAN_TICK)
GET(check)
PUT(check, MU_CHAN_CHECK)

void mu_put_chan_wake(struct mu_buf *b)
{
	mu_frame_end(b, begin(b, MU_CHAN_WAKE));
}

int mu_get_chan_end(const struct mu_in *in)
{
	return outcome(in);
}

/* ---- START and READY: the version first ---- */

void mu_put_setting(struct mu_buf *b, const struct mu_setting *s)
{
	PUT_ROW(b, setting_row, s);
}

int mu_get_setting(struct mu_in *in, struct mu_setting *s)
{
	GET_ROW(in, setting_row, s);
	require(in, (int32_t)s->type, MU_SETTING_STR, MU_SETTING_COUNT);
	return mu_in_ok(in) ? 0 : MU_EPROTO;
}

static void skip_setting(struct mu_in *in)
{
	struct mu_setting s;

	(void)mu_get_setting(in, &s);
}

/* The version; false if what follows is not for us to read. */
static bool get_version(struct mu_in *in, int32_t *version)
{
	*version = mu_get_int(in);
	return mu_in_ok(in) && *version == MU_CHAN_VERSION;
}

void mu_put_chan_start(struct mu_buf *b, const struct mu_chan_start *m)
{
	size_t at = begin(b, MU_CHAN_START);

	mu_put_int(b, m->version);
	PUT_ROW(b, start_row, m);
	mu_put_vec(b, &m->settings);
	mu_frame_end(b, at);
}

int mu_get_chan_start(struct mu_in *in, struct mu_chan_start *m)
{
	*m = (struct mu_chan_start){ 0 };
	if (!get_version(in, &m->version))
		return mu_in_ok(in) ? 0 : MU_EPROTO;
	GET_ROW(in, start_row, m);
	mu_row_get_vec(in, &m->settings, SETTING_LEAST, skip_setting);
	return outcome(in);
}

void mu_put_chan_ready(struct mu_buf *b, const struct mu_chan_ready *m)
{
	size_t at = begin(b, MU_CHAN_READY);

	mu_put_int(b, m->version);
	PUT_ROW(b, ready_row, m);
	mu_frame_end(b, at);
}

int mu_get_chan_ready(struct mu_in *in, struct mu_chan_ready *m)
{
	*m = (struct mu_chan_ready){ 0 };
	if (!get_version(in, &m->version))
		return mu_in_ok(in) ? 0 : MU_EPROTO;
	GET_ROW(in, ready_row, m);
	return outcome(in);
}

/* ---- EVENT and RESULT: with parts that may be missing ---- */

void mu_put_chan_event(struct mu_buf *b, const struct mu_chan_event *m)
{
	size_t at = begin(b, MU_CHAN_EVENT);

	PUT_ROW(b, event_row, m);
	mu_put_bool(b, m->has_stat);
	if (m->has_stat)
		mu_put_stat(b, &m->stat);
	mu_put_bool(b, m->has_member);
	if (m->has_member)
		PUT_ROW(b, member_row, m);
	mu_frame_end(b, at);
}

int mu_get_chan_event(struct mu_in *in, struct mu_chan_event *m)
{
	*m = (struct mu_chan_event){ 0 };
	GET_ROW(in, event_row, m);
	m->has_stat = mu_get_bool(in);
	if (m->has_stat)
		(void)mu_get_stat(in, &m->stat); /* `in` remembers */
	m->has_member = mu_get_bool(in);
	if (m->has_member)
		GET_ROW(in, member_row, m);
	return outcome(in);
}

void mu_put_chan_result(struct mu_buf *b, const struct mu_chan_result *m)
{
	size_t at = begin(b, MU_CHAN_RESULT);

	PUT_ROW(b, result_row, m);
	mu_put_stat(b, &m->stat);
	mu_put_vec(b, &m->names);
	mu_frame_end(b, at);
}

int mu_get_chan_result(struct mu_in *in, struct mu_chan_result *m)
{
	GET_ROW(in, result_row, m);
	(void)mu_get_stat(in, &m->stat);
	(void)mu_get_str_vec(in, &m->names);
	return outcome(in);
}
