/*
 * chan.h - what the agent and a runner say to each other.
 *
 * Pure: bytes <-> structs. A stream of frames, each a 4-byte big-endian length
 * and a record: int type, then the fields of its row, in jute's encoding. Either
 * side may be of another build: the first frame each way carries the channel's
 * version, and another version is refused with a sentence. A runner is not
 * trusted: a frame over MU_CHAN_FRAME_MAX or one that does not decode ends it.
 *
 *     agent -> runner   START, EVENT, TICK, CHECK, RESULT, STOP
 *     runner -> agent   READY, ACK, LOG, CALL, REPORT, WAKE
 *
 * One EVENT, TICK or CHECK is out at a time; its ACK answers it. CALLs are made
 * from within one of them (or init) one at a time, each answered by a RESULT, or
 * given up when its time is over: the next one's greater id says so.
 * WAKE comes at any time after READY, at most one before the next TICK.
 */
#ifndef MU_CORE_CHAN_H
#define MU_CORE_CHAN_H

#include "proto.h"

#include <muster/plugin.h>

#define MU_CHAN_VERSION 2
#define MU_CHAN_FRAME_MAX (8u * 1024 * 1024) /* bytes */
#define MU_CHAN_FD 3 /* the descriptor on which a runner finds its agent */

enum mu_chan_type {
	MU_CHAN_START = 1,
	MU_CHAN_EVENT = 2,
	MU_CHAN_RESULT = 3,
	MU_CHAN_STOP = 4,
	MU_CHAN_TICK = 5,
	MU_CHAN_CHECK = 6,
	MU_CHAN_READY = 16,
	MU_CHAN_ACK = 17,
	MU_CHAN_LOG = 18,
	MU_CHAN_CALL = 19,
	MU_CHAN_REPORT = 20,
	MU_CHAN_WAKE = 21,
};

enum mu_setting_type {
	MU_SETTING_STR = 0,
	MU_SETTING_INT = 1,
	MU_SETTING_BOOL = 2,
	MU_SETTING_FLOAT = 3, /* as text in `text` ("%.17g"), also in STR */
	MU_SETTING_COUNT = 4, /* number of elements of a list or array */
};

struct mu_setting {
	struct mu_str key; /* "reload.timeout", "events[0]" */
	enum mu_setting_type type;
	struct mu_str text; /* STR, FLOAT */
	int64_t number;     /* INT, BOOL, COUNT */
};

struct mu_chan_start {
	int32_t version; /* MU_CHAN_VERSION */
	struct mu_str instance, member, plugin_file;
	uint32_t memory_max_mb, files_max, cpu_max_s; /* 0: no limit */
	uint32_t processes_max;                       /* likewise */
	struct mu_str user, group; /* to become; "" or null: stay as it is */
	struct mu_str work_dir;    /* to be in; "" or null: stay */
	struct mu_vec settings;    /* walk with mu_get_setting */
};

struct mu_chan_event {
	uint64_t seq; /* given back in the ACK */
	uint32_t type, flags, count, attempt;
	int64_t zxid;
	int32_t n;
	struct mu_str path, data, old_data; /* at NULL: none */
	bool has_stat;
	struct mu_stat stat;
	bool has_member;
	struct mu_str name, id, address, version, boot_id, state, labels;
	uint32_t port;
	int64_t started_ms, czxid;
	int32_t cause; /* enum mu_cause */
	int64_t author_session;
	struct mu_str author; /* host of that session; at NULL: unknown */
	int32_t source;       /* the agent's own, of what this is an event: not
	                         on the channel, 0 where it was read */
};

struct mu_chan_stop {
	bool removed; /* no process of the instance is to follow */
};

struct mu_chan_tick {
	uint64_t seq; /* given back in the ACK */
};

struct mu_chan_check {
	uint64_t seq;
};

struct mu_chan_ready {        /* init has ended */
	int32_t version;      /* MU_CHAN_VERSION of the runner */
	int32_t rc;           /* 0, or why this plugin cannot run */
	struct mu_str reason; /* a sentence when rc is not 0 */
	struct mu_str plugin; /* its name */
	uint32_t wants;       /* enum mu_plugin_wants */
	bool has_tick, has_check;
};

struct mu_chan_ack {
	uint64_t seq;
	int32_t rc; /* 0: handled; or all is well */
	struct mu_str reason;
};

struct mu_chan_log {
	int32_t level;
	struct mu_str text;
};

enum mu_chan_op {
	MU_CALL_GET = 1,
	MU_CALL_CHILDREN = 2,
	MU_CALL_SET = 3,
	MU_CALL_CREATE = 4,
	MU_CALL_DELETE = 5,
};

struct mu_chan_call {
	uint64_t id;
	int32_t op;
	struct mu_str path, data; /* data: SET, CREATE */
	int32_t version;          /* SET, DELETE */
	uint32_t timeout_ms;
	uint32_t flags; /* CREATE: enum mu_plugin_create_flags; the agent
	                   answers MU_EINVAL to one that it does not know */
};

struct mu_chan_result {
	uint64_t id;
	int32_t rc;
	struct mu_str reason; /* when rc is not 0 */
	struct mu_str data;   /* GET */
	struct mu_stat stat;
	struct mu_vec names; /* CHILDREN */
};

struct mu_chan_report {
	struct mu_str path, digest, reason;
	int64_t zxid;
	int32_t version, state;
};

/* Next whole frame of a growing buffer: 1 and its record in *rec (borrowed
 * from b; drop rec.len + 4 bytes when done); 0: not all there yet; MU_ETOOBIG:
 * over MU_CHAN_FRAME_MAX, or negative. */
int mu_chan_next(const struct mu_buf *b, struct mu_str *rec);

/* The type of a record, taken off its front; 0 if there is none. */
int32_t mu_chan_type(struct mu_in *in);

/*
 * Each put appends a whole frame; each get reads after the type: 0, or MU_EPROTO
 * if the record is cut short, longer than its fields, or holds a number outside
 * its enum (setting, log level, call, report state). Texts and vectors are
 * borrowed from the input. WAKE has no fields.
 *
 * START and READY begin with the version of who wrote them. If it is not
 * MU_CHAN_VERSION nothing else is read: the get gives 0, the version, and zero
 * everywhere else, so that the reader can refuse with a sentence.
 */
void mu_put_chan_start(struct mu_buf *b, const struct mu_chan_start *m);
int mu_get_chan_start(struct mu_in *in, struct mu_chan_start *m);
void mu_put_chan_event(struct mu_buf *b, const struct mu_chan_event *m);
int mu_get_chan_event(struct mu_in *in, struct mu_chan_event *m);
void mu_put_chan_result(struct mu_buf *b, const struct mu_chan_result *m);
int mu_get_chan_result(struct mu_in *in, struct mu_chan_result *m);
void mu_put_chan_stop(struct mu_buf *b, const struct mu_chan_stop *m);
int mu_get_chan_stop(struct mu_in *in, struct mu_chan_stop *m);
void mu_put_chan_tick(struct mu_buf *b, const struct mu_chan_tick *m);
int mu_get_chan_tick(struct mu_in *in, struct mu_chan_tick *m);
void mu_put_chan_check(struct mu_buf *b, const struct mu_chan_check *m);
int mu_get_chan_check(struct mu_in *in, struct mu_chan_check *m);
void mu_put_chan_ready(struct mu_buf *b, const struct mu_chan_ready *m);
int mu_get_chan_ready(struct mu_in *in, struct mu_chan_ready *m);
void mu_put_chan_ack(struct mu_buf *b, const struct mu_chan_ack *m);
int mu_get_chan_ack(struct mu_in *in, struct mu_chan_ack *m);
void mu_put_chan_log(struct mu_buf *b, const struct mu_chan_log *m);
int mu_get_chan_log(struct mu_in *in, struct mu_chan_log *m);
void mu_put_chan_call(struct mu_buf *b, const struct mu_chan_call *m);
int mu_get_chan_call(struct mu_in *in, struct mu_chan_call *m);
void mu_put_chan_report(struct mu_buf *b, const struct mu_chan_report *m);
int mu_get_chan_report(struct mu_in *in, struct mu_chan_report *m);
void mu_put_chan_wake(struct mu_buf *b);
/* For the records without fields: MU_EPROTO if there is something. */
int mu_get_chan_end(const struct mu_in *in);

/* One setting of START's vector; get gives 0 or MU_EPROTO. */
void mu_put_setting(struct mu_buf *b, const struct mu_setting *s);
int mu_get_setting(struct mu_in *in, struct mu_setting *s);

/* "joined" for MU_EVENT_MEMBER_JOINED; "unknown". And back: -1 if unknown. */
const char *mu_event_word(uint32_t type);
int mu_event_by_word(struct mu_str word);

#endif /* MU_CORE_CHAN_H */
