/* proto_records.h - every record of proto.h as a row: how it is read, and
 * written again. For the fuzz target and for the unit test. */
#ifndef MU_TEST_PROTO_RECORDS_H
#define MU_TEST_PROTO_RECORDS_H

#include "proto.h"

union proto_any {
	struct mu_connect_request connect_request;
	struct mu_connect_response connect_response;
	struct mu_request_header request_header;
	struct mu_reply_header reply_header;
	struct mu_watcher_event watcher_event;
	struct mu_multi_header multi_header;
	struct mu_stat stat;
	struct mu_create_request create;
	struct mu_delete_request delete;
	struct mu_path_watch_request path_watch;
	struct mu_set_data_request set_data;
	struct mu_check_request check;
	struct mu_sync_request sync;
	struct mu_set_watches set_watches;
	struct mu_add_watch_request add_watch;
	struct mu_vec vec;
	struct mu_set_acl_request set_acl;
	struct mu_delete_container_request delete_container;
	struct mu_auth_packet auth;
	struct mu_watches_request watches;
	struct mu_subscribe_request subscribe;
	struct mu_subscribe_reply subscribe_reply;
	struct mu_unsubscribe_request unsubscribe;
	struct mu_change_event change_event;
};

#define RECORD_GET(name, call) \
	static int get_##name(struct mu_in *in, union proto_any *r) \
	{ \
		return call; \
	}
#define RECORD_PUT(name, call) \
	static void put_##name(struct mu_buf *b, const union proto_any *r) \
	{ \
		call; \
	}
#define RECORD(name) \
	RECORD_GET(name, mu_get_##name(in, &r->name)) \
	RECORD_PUT(name, mu_put_##name(b, &r->name))

RECORD(connect_request)
RECORD(connect_response)
RECORD(stat)
RECORD(delete)
RECORD(path_watch)
RECORD(set_data)
RECORD(check)
RECORD(sync)
RECORD(add_watch)
RECORD(set_acl)
RECORD(delete_container)
RECORD(auth)
RECORD(watches)
RECORD(subscribe)
RECORD(subscribe_reply)
RECORD(unsubscribe)
RECORD(change_event)
RECORD_GET(request_header, mu_get_request_header(in, &r->request_header))
RECORD_PUT(request_header, mu_put_request_header(b, r->request_header.xid,
                                                 r->request_header.op))
RECORD_GET(reply_header, mu_get_reply_header(in, &r->reply_header))
RECORD_PUT(reply_header,
           mu_put_reply_header(b, r->reply_header.xid, r->reply_header.zxid,
                               r->reply_header.err))
RECORD_GET(watcher_event, mu_get_watcher_event(in, &r->watcher_event))
RECORD_PUT(watcher_event,
           mu_put_watcher_event(b, r->watcher_event.type,
                                r->watcher_event.state, r->watcher_event.path))
RECORD_GET(multi_header, mu_get_multi_header(in, &r->multi_header))
RECORD_PUT(multi_header,
           mu_put_multi_header(b, r->multi_header.op, r->multi_header.done,
                               r->multi_header.err))
RECORD_GET(create, mu_get_create(in, MU_OP_CREATE2, &r->create))
RECORD_PUT(create, mu_put_create(b, MU_OP_CREATE2, &r->create))
RECORD_GET(create_ttl, mu_get_create(in, MU_OP_CREATE_TTL, &r->create))
RECORD_PUT(create_ttl, mu_put_create(b, MU_OP_CREATE_TTL, &r->create))
RECORD_GET(set_watches, mu_get_set_watches(in, false, &r->set_watches))
RECORD_PUT(set_watches, mu_put_set_watches(b, false, &r->set_watches))
RECORD_GET(set_watches2, mu_get_set_watches(in, true, &r->set_watches))
RECORD_PUT(set_watches2, mu_put_set_watches(b, true, &r->set_watches))
RECORD_GET(str_vec, mu_get_str_vec(in, &r->vec))
RECORD_PUT(str_vec, mu_put_vec(b, &r->vec))
RECORD_GET(acl_vec, mu_get_acl_vec(in, &r->vec))
RECORD_PUT(acl_vec, mu_put_vec(b, &r->vec))

/* The order is that of the corpus: new ones go at the end. */
#define PROTO_RECORD_MAP(X) \
	X(connect_request) \
	X(connect_response) \
	X(request_header) \
	X(reply_header) \
	X(watcher_event) \
	X(multi_header) \
	X(stat) \
	X(create) \
	X(create_ttl) \
	X(delete) \
	X(path_watch) \
	X(set_data) \
	X(check) \
	X(sync) \
	X(set_watches) \
	X(set_watches2) \
	X(add_watch) \
	X(str_vec) \
	X(acl_vec) \
	X(set_acl) \
	X(delete_container) \
	X(auth) \
	X(watches) \
	X(subscribe) \
	X(subscribe_reply) \
	X(unsubscribe) \
	X(change_event)

enum proto_record_id {
#define RECORD_ID(name) RECORD_##name,
	PROTO_RECORD_MAP(RECORD_ID)
#undef RECORD_ID
		RECORD_COUNT
};

static const struct proto_record {
	const char *name;
	int (*get)(struct mu_in *in, union proto_any *r);
	void (*put)(struct mu_buf *b, const union proto_any *r);
} proto_records[RECORD_COUNT] = {
#define RECORD_ROW(name) { #name, get_##name, put_##name },
	PROTO_RECORD_MAP(RECORD_ROW)
#undef RECORD_ROW
};

#undef RECORD
#undef RECORD_GET
#undef RECORD_PUT

#endif
