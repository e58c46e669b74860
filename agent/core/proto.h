/*
 * proto.h - ZooKeeper's records: one struct and one row of a table for each.
 *
 * Pure. Decoding borrows strings from the bytes it is given. A record that
 * does not decode leaves its struct in an undefined state and gives
 * MU_EMARSHAL (rule 96); bytes after a record's end are allowed, as ZooKeeper
 * allows them. Sources: zookeeper.jute, rules 5 to 7, 24, 27, 37, 54, 63.
 *
 * Frame: every record on a carrier has its 4-byte length in front. The
 * encoders here leave it to mu_frame_begin / mu_frame_end.
 */
#ifndef MU_CORE_PROTO_H
#define MU_CORE_PROTO_H

#include "jute.h"

/* Rule 4 ff.; from 1000 on ours, taken only on links that asked for features.
 * X(name, number on the wire, word for logs). */
#define MU_OP_MAP(X) \
	X(MU_OP_NOTIFICATION, 0, "notification") \
	X(MU_OP_CREATE, 1, "create") \
	X(MU_OP_DELETE, 2, "delete") \
	X(MU_OP_EXISTS, 3, "exists") \
	X(MU_OP_GET_DATA, 4, "getData") \
	X(MU_OP_SET_DATA, 5, "setData") \
	X(MU_OP_GET_ACL, 6, "getACL") \
	X(MU_OP_SET_ACL, 7, "setACL") \
	X(MU_OP_GET_CHILDREN, 8, "getChildren") \
	X(MU_OP_SYNC, 9, "sync") \
	X(MU_OP_PING, 11, "ping") \
	X(MU_OP_GET_CHILDREN2, 12, "getChildren2") \
	X(MU_OP_CHECK, 13, "check") \
	X(MU_OP_MULTI, 14, "multi") \
	X(MU_OP_CREATE2, 15, "create2") \
	X(MU_OP_RECONFIG, 16, "reconfig") \
	X(MU_OP_CHECK_WATCHES, 17, "checkWatches") \
	X(MU_OP_REMOVE_WATCHES, 18, "removeWatches") \
	X(MU_OP_CREATE_CONTAINER, 19, "createContainer") \
	X(MU_OP_DELETE_CONTAINER, 20, "deleteContainer") \
	X(MU_OP_CREATE_TTL, 21, "createTTL") \
	X(MU_OP_MULTI_READ, 22, "multiRead") \
	X(MU_OP_AUTH, 100, "auth") \
	X(MU_OP_SET_WATCHES, 101, "setWatches") \
	X(MU_OP_SASL, 102, "sasl") \
	X(MU_OP_GET_EPHEMERALS, 103, "getEphemerals") \
	X(MU_OP_GET_ALL_CHILDREN_NUMBER, 104, "getAllChildrenNumber") \
	X(MU_OP_SET_WATCHES2, 105, "setWatches2") \
	X(MU_OP_ADD_WATCH, 106, "addWatch") \
	X(MU_OP_WHO_AM_I, 107, "whoAmI") \
	X(MU_OP_SUBSCRIBE, 1000, "subscribe") \
	X(MU_OP_UNSUBSCRIBE, 1001, "unsubscribe") \
	X(MU_OP_CREATE_SESSION, -10, "createSession") \
	X(MU_OP_CLOSE_SESSION, -11, "closeSession") \
	X(MU_OP_ERROR, -1, "error")

enum mu_op {
#define MU_OP_ENUM(name, number, word) name = number,
	MU_OP_MAP(MU_OP_ENUM)
#undef MU_OP_ENUM
};

/* "getData" for 4; "unknown" for a number that is not in the list. */
const char *mu_op_name(int32_t op);
bool mu_op_is_known(int32_t op);

/* "expiry" for MU_BY_EXPIRY; "unknown" for a number that is not in the list. */
const char *mu_cause_word(int32_t cause);

/* Special xids (rule 15). */
#define MU_XID_NOTIFICATION (-1)
#define MU_XID_PING (-2)
#define MU_XID_AUTH (-4)
#define MU_XID_SET_WATCHES (-8)
#define MU_XID_CHANGE (-16) /* ours: a change event */

/* Largest record a broker takes by default (rule 3): jute.maxbuffer. */
#define MU_PACKET_MAX_DEFAULT 1048575u

/* What our client sends as protocolVersion, and the feature number our broker
 * answers there; ZooKeeper answers 0. Native protocol version 1. */
#define MU_PROTOCOL_ASK 1
#define MU_FEATURES 2
#define MU_FEATURES_SUBSCRIBE 2 /* from this number on: subscriptions */

/* Create modes on the wire (rule 27). */
enum mu_create_mode {
	MU_MODE_PERSISTENT = 0,
	MU_MODE_EPHEMERAL = 1,
	MU_MODE_PERSISTENT_SEQUENTIAL = 2,
	MU_MODE_EPHEMERAL_SEQUENTIAL = 3,
	MU_MODE_CONTAINER = 4,
	MU_MODE_PERSISTENT_TTL = 5,
	MU_MODE_PERSISTENT_SEQUENTIAL_TTL = 6,
};
bool mu_mode_is_ephemeral(int32_t mode);
bool mu_mode_is_sequential(int32_t mode);
bool mu_mode_is_ttl(int32_t mode);

#define MU_PERM_ALL 31

struct mu_connect_request {
	int32_t protocol;
	int64_t last_zxid;
	int32_t timeout_ms;
	int64_t session;
	struct mu_str password;
	bool has_read_only; /* the trailing byte was there (rule 7) */
	bool read_only;
};

struct mu_connect_response {
	/* Feature number; 0: ZooKeeper. Below 0 (and timeout_ms 0), to those
	 * who asked for features: no room for this session or link, it may be
	 * asked for again. MU_EFULL: sessions; MU_ETHROTTLED: links;
	 * MU_ENOSPACE, MU_EIO: the disk takes no writes. */
	int32_t protocol;
	int32_t timeout_ms; /* 0: the session has expired (rule 10) */
	int64_t session;
	struct mu_str password;
	bool has_read_only;
	bool read_only;
	bool has_tree_id; /* decided by protocol > 0 */
	int64_t tree_id;
};

struct mu_request_header {
	int32_t xid;
	int32_t op;
};

struct mu_reply_header {
	int32_t xid;
	int64_t zxid;
	int32_t err;
};

struct mu_watcher_event {
	int32_t type;
	int32_t state;
	struct mu_str path;
};

/* A vector of strings or ACLs as it lies in the bytes: count and where it
 * starts. Walk it with mu_in_of(at, len) and the getters. Validated whole when
 * it was decoded. */
struct mu_vec {
	int32_t count; /* -1: null */
	const uint8_t *at;
	size_t len; /* bytes of the elements */
};

struct mu_create_request { /* create, create2, container; TTL adds ttl_ms */
	struct mu_str path, data;
	struct mu_vec acl; /* of {int perms, string scheme, string id} */
	int32_t mode;
	int64_t ttl_ms; /* createTTL only, else 0 */
};

struct mu_delete_request {
	struct mu_str path;
	int32_t version;
};

struct mu_path_watch_request { /* exists, getData, getChildren, getChildren2 */
	struct mu_str path;
	bool watch;
};

struct mu_set_data_request {
	struct mu_str path, data;
	int32_t version;
};

struct mu_check_request {
	struct mu_str path;
	int32_t version;
};

/* sync; also all of getACL, getAllChildrenNumber and getEphemerals, where it is
 * the start of the paths. */
struct mu_sync_request {
	struct mu_str path;
};

struct mu_set_acl_request {
	struct mu_str path;
	struct mu_vec acl; /* of {int perms, string scheme, string id} */
	int32_t version;   /* of the ACL, rule 78 */
};

/* Deleted if it is still the node of this czxid, and still to be deleted. Made
 * by the broker itself, never by a client. */
struct mu_delete_container_request {
	struct mu_str path;
	int64_t czxid;
};

struct mu_auth_packet {
	int32_t type; /* 0 */
	struct mu_str scheme, auth;
};

struct mu_watches_request { /* checkWatches, removeWatches */
	struct mu_str path;
	int32_t type; /* rule 26: 1 child, 2 data, 3 any, 4, 5 persistent ones */
};

struct mu_set_watches { /* setWatches; setWatches2 adds the last two */
	int64_t relative_zxid;
	struct mu_vec data, exist, child, persistent,
		recursive; /* of strings */
};

struct mu_add_watch_request {
	struct mu_str path;
	int32_t mode; /* rule 26: 0 persistent, 1 recursive */
};

/* ---- subscriptions: ours ----
 *
 * An event's id is (zxid, n): n counts from 0 within its transaction. A
 * subscription that stands tells of every change that fits its path and mode,
 * once and in the order of ids; its events, as those of watches, come before
 * any reply that shows the change. It belongs to its link and goes with it. */

/* Data up to here comes with its event, unless it is of a transaction whose
 * events take more than this already. */
#define MU_CHANGE_DATA_MAX 4096
#define MU_CHANGE_EVENTS_MAX (8u * 1024 * 1024)
/* n of a position that covers a transaction to its end. */
#define MU_CHANGE_N_END INT32_MAX
/* In front of one answer at most so many bytes of events (or one event), and so
 * many changes looked at; then it is MU_SUBSCRIBED_MORE. */
#define MU_SUBSCRIBE_BYTES (256u * 1024)
#define MU_SUBSCRIBE_LOOKS 10000u

/* All up to and with (zxid, n) is known; zxid -1: from now on. `id` is the
 * client's own number, of this link; one that is in use is replaced: it ends,
 * whatever the answer then is, unless that is MU_EINVAL, or the request was not
 * looked at: MU_EMARSHAL, MU_ETHROTTLED. A path needs no node, and no right:
 * events are told to who may read the node. */
struct mu_subscribe_request {
	int32_t id;
	struct mu_str path;
	int32_t mode; /* enum mu_subscribe_mode */
	int64_t zxid;
	int32_t n;
};

/* Behind the events that catching up told. Live: all up to (zxid, n) was told,
 * what comes will be. More: no subscription stands; a part was told, up to
 * (zxid, n), or none of it where the link has much to take already. Gap: it stands from (zxid, n), which is now; changes in the zxids
 * from `from` to `to` may be missing. */
struct mu_subscribe_reply {
	int32_t state; /* enum mu_subscribe_state */
	int64_t zxid;
	int32_t n;
	int64_t from, to; /* gap; else 0 */
};

struct mu_unsubscribe_request {
	int32_t id;
};

/* Behind a reply header {MU_XID_CHANGE, zxid, 0}; of what catching up tells the
 * zxid may be below that of the record before it. */
struct mu_change_event {
	int32_t id;
	int32_t type; /* rule 22: enum mu_node_event */
	int64_t zxid;
	int32_t n;
	/* The event before it on this subscription. Before the first: what the
	 * client asked from; where that was "from now on", or a gap, the
	 * position of the reply. */
	int64_t prev_zxid;
	int32_t prev_n;
	struct mu_str path;
	int32_t cause;        /* enum mu_cause */
	int64_t session;      /* the author's; of an expiry the expired one */
	struct mu_str origin; /* the author's; empty: unknown */
	/* As of this very event, also in a multi; of a deleted node as it last
	 * was. Children changed: of the parent, without data. */
	struct mu_stat stat;
	int32_t whole;      /* 0: data was too long, see stat.data_len */
	struct mu_str data; /* null where it is null, or not whole */
};

/* In a multi (rule 63). */
struct mu_multi_header {
	int32_t op;
	bool done;
	int32_t err;
};

/* ---- one pair of functions a record; _get: 0 or MU_EMARSHAL ---- */

/* The handshake. The request's read-only byte is there if has_read_only. The
 * response's too; with protocol > 0 it always is, and the tree id follows. */
int mu_get_connect_request(struct mu_in *in, struct mu_connect_request *r);
void mu_put_connect_request(struct mu_buf *b,
                            const struct mu_connect_request *r);
int mu_get_connect_response(struct mu_in *in, struct mu_connect_response *r);
void mu_put_connect_response(struct mu_buf *b,
                             const struct mu_connect_response *r);
int mu_get_request_header(struct mu_in *in, struct mu_request_header *r);
void mu_put_request_header(struct mu_buf *b, int32_t xid, int32_t op);
int mu_get_reply_header(struct mu_in *in, struct mu_reply_header *r);
void mu_put_reply_header(struct mu_buf *b, int32_t xid, int64_t zxid,
                         int32_t err);
int mu_get_watcher_event(struct mu_in *in, struct mu_watcher_event *r);
void mu_put_watcher_event(struct mu_buf *b, int32_t type, int32_t state,
                          struct mu_str path);
int mu_get_stat(struct mu_in *in, struct mu_stat *r);
void mu_put_stat(struct mu_buf *b, const struct mu_stat *r);
/* op tells createTTL (with ttl) from the rest. */
int mu_get_create(struct mu_in *in, int32_t op, struct mu_create_request *r);
void mu_put_create(struct mu_buf *b, int32_t op,
                   const struct mu_create_request *r);
int mu_get_delete(struct mu_in *in, struct mu_delete_request *r);
void mu_put_delete(struct mu_buf *b, const struct mu_delete_request *r);
int mu_get_path_watch(struct mu_in *in, struct mu_path_watch_request *r);
void mu_put_path_watch(struct mu_buf *b, const struct mu_path_watch_request *r);
int mu_get_set_data(struct mu_in *in, struct mu_set_data_request *r);
void mu_put_set_data(struct mu_buf *b, const struct mu_set_data_request *r);
int mu_get_check(struct mu_in *in, struct mu_check_request *r);
void mu_put_check(struct mu_buf *b, const struct mu_check_request *r);
int mu_get_sync(struct mu_in *in, struct mu_sync_request *r);
void mu_put_sync(struct mu_buf *b, const struct mu_sync_request *r);
int mu_get_set_acl(struct mu_in *in, struct mu_set_acl_request *r);
void mu_put_set_acl(struct mu_buf *b, const struct mu_set_acl_request *r);
int mu_get_delete_container(struct mu_in *in,
                            struct mu_delete_container_request *r);
void mu_put_delete_container(struct mu_buf *b,
                             const struct mu_delete_container_request *r);
int mu_get_auth(struct mu_in *in, struct mu_auth_packet *r);
void mu_put_auth(struct mu_buf *b, const struct mu_auth_packet *r);
int mu_get_watches(struct mu_in *in, struct mu_watches_request *r);
void mu_put_watches(struct mu_buf *b, const struct mu_watches_request *r);
/* two: setWatches2 (105), with persistent and recursive; else 101. */
int mu_get_set_watches(struct mu_in *in, bool two, struct mu_set_watches *r);
void mu_put_set_watches(struct mu_buf *b, bool two,
                        const struct mu_set_watches *r);
int mu_get_add_watch(struct mu_in *in, struct mu_add_watch_request *r);
void mu_put_add_watch(struct mu_buf *b, const struct mu_add_watch_request *r);
int mu_get_subscribe(struct mu_in *in, struct mu_subscribe_request *r);
void mu_put_subscribe(struct mu_buf *b, const struct mu_subscribe_request *r);
int mu_get_subscribe_reply(struct mu_in *in, struct mu_subscribe_reply *r);
void mu_put_subscribe_reply(struct mu_buf *b,
                            const struct mu_subscribe_reply *r);
int mu_get_unsubscribe(struct mu_in *in, struct mu_unsubscribe_request *r);
void mu_put_unsubscribe(struct mu_buf *b,
                        const struct mu_unsubscribe_request *r);
int mu_get_change_event(struct mu_in *in, struct mu_change_event *r);
void mu_put_change_event(struct mu_buf *b, const struct mu_change_event *r);
/* The same in two parts: id to prev_n, which are one subscription's; path to
 * data, which are everyone's. */
void mu_put_change_head(struct mu_buf *b, const struct mu_change_event *r);
void mu_put_change_tail(struct mu_buf *b, const struct mu_change_event *r);
int mu_get_multi_header(struct mu_in *in, struct mu_multi_header *r);
void mu_put_multi_header(struct mu_buf *b, int32_t op, bool done, int32_t err);

/* A vector of strings; a vector of ACLs. Both also decode null (count -1). */
int mu_get_str_vec(struct mu_in *in, struct mu_vec *v);
int mu_get_acl_vec(struct mu_in *in, struct mu_vec *v);
void mu_put_vec(struct mu_buf *b, const struct mu_vec *v);

/* The ACL that ZooKeeper calls OPEN_ACL_UNSAFE: {31, world, anyone}. */
struct mu_vec mu_acl_open(void);
bool mu_acl_is_open(const struct mu_vec *v);

/* Leave room for a frame's length and remember where; then fill it in. */
size_t mu_frame_begin(struct mu_buf *b);
void mu_frame_end(struct mu_buf *b, size_t begin);

/* Split a carrier's message: 1 and the next record in *rec; 0 at the clean end;
 * MU_EPROTO for a length that is negative or runs past the end. */
int mu_frame_next(struct mu_in *message, struct mu_str *rec);

#endif /* MU_CORE_PROTO_H */
