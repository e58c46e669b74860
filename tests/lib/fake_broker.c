#include "fake_broker.h"

#include "err.h"
#include "proto.h"

#include <check.h>
#include <poll.h>
#include <string.h>

#define SESSION 0x77
#define PASSWORD "0123456789abcdef"

void fake_broker_open(struct fake_broker *f, const char *url)
{
	struct mu_err err;

	*f = (struct fake_broker){ .timeout_ms = 3000, .zxid = 100 };
	f->features = strcmp(url, "zookeeper://") == 0 ? 0 : MU_FEATURES;
	if (strcmp(url, "zookeeper://") == 0) {
		ck_assert(fake_tcp_open(&f->tcp, false, 0));
		mu_format(f->url, sizeof f->url, "zookeeper://127.0.0.1:%u",
		          (unsigned)f->tcp.port);
		return;
	}
	ck_assert_int_eq(mu_zsock_router_open(&f->z, 4u << 20, &err), 0);
	ck_assert_int_eq(mu_zsock_bind(f->z, url, f->url, sizeof f->url, &err),
	                 0);
}

void fake_broker_close(struct fake_broker *f)
{
	if (f->z)
		mu_zsock_close(f->z);
	else
		fake_tcp_close(&f->tcp);
	f->z = NULL;
	mu_buf_fini(&f->out);
	mu_buf_fini(&f->caught_up);
}

static void send_out(struct fake_broker *f)
{
	struct mu_zmsg m;

	ck_assert(!mu_buf_failed(&f->out));
	if (!f->z) {
		if (f->out.len == 0)
			fake_tcp_hang_up(&f->tcp);
		fake_tcp_send(&f->tcp, f->out.data, f->out.len, f->piece);
		mu_buf_reset(&f->out);
		return;
	}
	mu_zmsg_init(&m);
	ck_assert_int_eq(mu_zmsg_copy_in(&m, f->out.data, f->out.len), 0);
	(void)mu_zsock_send(f->z, &f->peer, &m);
	mu_zmsg_fini(&m);
	mu_buf_reset(&f->out);
}

void fake_broker_goodbye(struct fake_broker *f)
{
	mu_buf_reset(&f->out);
	send_out(f);
}

void fake_broker_event(struct fake_broker *f, int32_t type, const char *path)
{
	size_t at;

	mu_buf_reset(&f->out);
	at = mu_frame_begin(&f->out);
	f->zxid++;
	mu_put_reply_header(&f->out, MU_XID_NOTIFICATION, f->z ? f->zxid : -1,
	                    0);
	mu_put_watcher_event(&f->out, type, 3, mu_str_of(path));
	mu_frame_end(&f->out, at);
	send_out(f);
}

void fake_broker_put_change(struct mu_buf *b, const struct mu_change_event *e)
{
	size_t at = mu_frame_begin(b);

	mu_put_reply_header(b, MU_XID_CHANGE, e->zxid, 0);
	mu_put_change_event(b, e);
	mu_frame_end(b, at);
}

void fake_broker_change(struct fake_broker *f, const struct mu_change_event *e)
{
	mu_buf_reset(&f->out);
	fake_broker_put_change(&f->out, e);
	send_out(f);
}

static void note(struct fake_broker *f, const char *word, struct mu_str path,
                 const char *more)
{
	size_t len = strlen(f->log);

	mu_format(f->log + len, sizeof f->log - len, "%s%s%s%.*s%s",
	          len ? "; " : "", word, path.len ? " " : "", (int)path.len,
	          path.at ? path.at : "", more);
}

static bool ends(struct mu_str path, const char *name)
{
	size_t len = strlen(name);

	return path.len >= len &&
	       memcmp(path.at + path.len - len, name, len) == 0;
}

static void put_stat(struct mu_buf *b)
{
	struct mu_stat stat = { .czxid = 5,
		                .mzxid = 6,
		                .version = 3,
		                .data_len = 5,
		                .num_children = 3 };

	mu_put_stat(b, &stat);
}

static int code_of(struct mu_str path)
{
	if (ends(path, "missing"))
		return MU_ENONODE;
	return ends(path, "bad") ? MU_EBADVERSION : 0;
}

/* ---- one function an operation: read, note, put the body, give the code */

static int on_read(struct fake_broker *f, int32_t op, struct mu_in *in)
{
	static const char *const names[] = { "b", "c", "a" };
	struct mu_path_watch_request r;

	ck_assert_int_eq(mu_get_path_watch(in, &r), 0);
	note(f, mu_op_name(op), r.path, r.watch ? " watch" : "");
	if (f->refuse_reads) {
		f->refuse_reads--;
		f->refused++;
		return f->refuse_with;
	}
	if (code_of(r.path))
		return code_of(r.path);
	if (op == MU_OP_GET_DATA)
		mu_put_str(&f->out, ends(r.path, "null") ? (struct mu_str){ 0 }
		                                         : MU_STR("hello"));
	if (op == MU_OP_GET_CHILDREN2) {
		mu_put_int(&f->out, 3);
		for (size_t i = 0; i < 3; i++)
			mu_put_str(&f->out, mu_str_of(names[i]));
	}
	put_stat(&f->out);
	return 0;
}

static void put_made(struct fake_broker *f, const struct mu_create_request *r)
{
	char path[512];

	mu_format(path, sizeof path, "%.*s%s", (int)r->path.len, r->path.at,
	          mu_mode_is_sequential(r->mode) ? "0000000007" : "");
	mu_put_str(&f->out, mu_str_of(path));
	put_stat(&f->out);
}

static int on_create(struct fake_broker *f, struct mu_in *in)
{
	struct mu_create_request r;
	char more[64];

	ck_assert_int_eq(mu_get_create(in, MU_OP_CREATE2, &r), 0);
	ck_assert(mu_acl_is_open(&r.acl));
	mu_format(more, sizeof more, " mode %d len %d", (int)r.mode,
	          r.data.at ? (int)r.data.len : -1);
	note(f, "create2", r.path, more);
	if (!code_of(r.path))
		put_made(f, &r);
	return code_of(r.path);
}

static int on_set(struct fake_broker *f, struct mu_in *in)
{
	struct mu_set_data_request r;
	char more[64];

	ck_assert_int_eq(mu_get_set_data(in, &r), 0);
	mu_format(more, sizeof more, " len %d version %d",
	          r.data.at ? (int)r.data.len : -1, (int)r.version);
	note(f, "setData", r.path, more);
	if (!code_of(r.path))
		put_stat(&f->out);
	return code_of(r.path);
}

static int on_version(struct fake_broker *f, int32_t op, struct mu_in *in)
{
	struct mu_delete_request r; /* check is the same on the wire */
	char more[64];

	ck_assert_int_eq(mu_get_delete(in, &r), 0);
	mu_format(more, sizeof more, " version %d", (int)r.version);
	note(f, mu_op_name(op), r.path, more);
	return code_of(r.path);
}

static int on_sync(struct fake_broker *f, struct mu_in *in)
{
	struct mu_sync_request r;

	ck_assert_int_eq(mu_get_sync(in, &r), 0);
	note(f, "sync", r.path, "");
	mu_put_str(&f->out, r.path);
	return code_of(r.path);
}

static int on_add_watch(struct fake_broker *f, struct mu_in *in)
{
	struct mu_add_watch_request r;

	ck_assert_int_eq(mu_get_add_watch(in, &r), 0);
	note(f, "addWatch", r.path, r.mode ? " recursive" : " persistent");
	mu_put_int(&f->out, 0);
	return code_of(r.path);
}

static int on_subscribe(struct fake_broker *f, struct mu_in *in)
{
	struct mu_subscribe_request r;
	char more[96];

	ck_assert_int_eq(mu_get_subscribe(in, &r), 0);
	mu_format(more, sizeof more, " id %d mode %d from %lld.%d", (int)r.id,
	          (int)r.mode, (long long)r.zxid, (int)r.n);
	note(f, "subscribe", r.path, more);
	if (!code_of(r.path))
		mu_put_subscribe_reply(&f->out, &f->subscribed);
	return code_of(r.path);
}

static int on_unsubscribe(struct fake_broker *f, struct mu_in *in)
{
	struct mu_unsubscribe_request r;
	char more[32];

	ck_assert_int_eq(mu_get_unsubscribe(in, &r), 0);
	mu_format(more, sizeof more, " id %d", (int)r.id);
	note(f, "unsubscribe", (struct mu_str){ 0 }, more);
	return r.id == 404 ? MU_ENOWATCHER : 0;
}

static int on_set_watches(struct fake_broker *f, int32_t op)
{
	note(f, mu_op_name(op), (struct mu_str){ 0 }, "");
	return 0;
}

static int on_multi(struct fake_broker *f, struct mu_in *in);

static int on_op(struct fake_broker *f, int32_t op, struct mu_in *in)
{
	switch (op) {
	case MU_OP_GET_DATA:
	case MU_OP_EXISTS:
	case MU_OP_GET_CHILDREN2:
		return on_read(f, op, in);
	case MU_OP_CREATE2:
		return on_create(f, in);
	case MU_OP_SET_DATA:
		return on_set(f, in);
	case MU_OP_DELETE:
	case MU_OP_CHECK:
		return on_version(f, op, in);
	case MU_OP_SYNC:
		return on_sync(f, in);
	case MU_OP_ADD_WATCH:
		return on_add_watch(f, in);
	case MU_OP_SET_WATCHES:
	case MU_OP_SET_WATCHES2:
		return on_set_watches(f, op);
	case MU_OP_SUBSCRIBE:
		return on_subscribe(f, in);
	case MU_OP_UNSUBSCRIBE:
		return on_unsubscribe(f, in);
	case MU_OP_MULTI:
		return on_multi(f, in);
	case MU_OP_CLOSE_SESSION:
		note(f, "close", (struct mu_str){ 0 }, "");
		return 0;
	default:
		return MU_EUNIMPLEMENTED;
	}
}

/* Rules 63 to 65. */
static int on_multi(struct fake_broker *f, struct mu_in *in)
{
	struct mu_buf whole = f->out; /* the header stands in it */
	int codes[16];
	bool failed = false;
	struct mu_multi_header h;
	size_t n = 0;

	f->out = (struct mu_buf){ 0 };
	note(f, "multi", (struct mu_str){ 0 }, "");
	while (mu_get_multi_header(in, &h) == 0 && !h.done) {
		size_t before = f->out.len;
		int rc;

		mu_put_multi_header(&f->out, h.op, false, 0);
		rc = on_op(f, h.op, in);
		ck_assert_uint_lt(n, sizeof codes / sizeof codes[0]);
		codes[n++] = failed ? MU_EROLLEDBACK : rc;
		if (rc || failed)
			mu_buf_cut(&f->out, before);
		failed |= rc != 0;
	}
	ck_assert(h.done);
	if (failed)
		mu_buf_reset(&f->out);
	for (size_t i = 0; failed && i < n; i++) {
		mu_put_multi_header(&f->out, MU_OP_ERROR, false, codes[i]);
		mu_put_int(&f->out, codes[i]);
	}
	mu_put_multi_header(&f->out, MU_OP_ERROR, true, -1);
	mu_buf_put(&whole, f->out.data, f->out.len);
	mu_buf_fini(&f->out);
	f->out = whole;
	return 0;
}

static void on_hello(struct fake_broker *f, struct mu_in *in)
{
	struct mu_connect_request r;
	struct mu_connect_response a = { .protocol = f->features,
		                         .timeout_ms = f->timeout_ms,
		                         .session = SESSION,
		                         .password = { PASSWORD, 16 },
		                         .has_read_only = true,
		                         .has_tree_id = f->features > 0,
		                         .tree_id = 9 };
	size_t at = mu_frame_begin(&f->out);

	ck_assert_int_eq(mu_get_connect_request(in, &r), 0);
	note(f, r.session ? "resume" : "hello", (struct mu_str){ 0 }, "");
	if (f->refuse)
		a.timeout_ms = 0, a.session = 0;
	else if (r.session)
		a.session = r.session;
	mu_put_connect_response(&f->out, &a);
	mu_frame_end(&f->out, at);
	if (f->leave)
		mu_buf_reset(&f->out);
	if (f->garbage)
		f->out.data[0] = 0xff;
	if (!f->mute)
		send_out(f);
	mu_buf_reset(&f->out);
}

static void put_reply(struct fake_broker *f, const struct mu_request_header *h,
                      struct mu_in *in)
{
	size_t at, head;
	int rc;

	if (h->op == MU_OP_SUBSCRIBE) {
		mu_buf_put(&f->out, f->caught_up.data, f->caught_up.len);
		mu_buf_reset(&f->caught_up);
	}
	at = mu_frame_begin(&f->out);
	head = f->out.len;
	mu_put_reply_header(&f->out, h->xid, ++f->zxid, 0);
	rc = on_op(f, h->op, in);
	mu_patch_int(&f->out, head + 12, rc);
	if (f->cut && h->op != MU_OP_CLOSE_SESSION)
		mu_buf_cut(&f->out, f->out.len - 1);
	mu_frame_end(&f->out, at);
}

static void on_record(struct fake_broker *f, struct mu_str rec)
{
	struct mu_in in = mu_in_of(rec.at, rec.len);
	struct mu_request_header h;

	ck_assert_int_eq(mu_get_request_header(&in, &h), 0);
	if (f->mute || (f->hold && h.xid > 0)) {
		note(f, "held", (struct mu_str){ 0 }, "");
		return;
	}
	if (h.xid == MU_XID_PING) {
		size_t at = mu_frame_begin(&f->out);

		mu_put_reply_header(&f->out, h.xid, f->zxid, 0);
		mu_frame_end(&f->out, at);
		return;
	}
	put_reply(f, &h, &in);
}

static void on_message(struct fake_broker *f, const void *bytes, size_t len,
                       bool known)
{
	struct mu_in in = mu_in_of(bytes, len);
	struct mu_str rec;
	bool first = !known;

	if (len == 0) {
		f->goodbyes++;
		return;
	}
	f->messages++;
	while (mu_frame_next(&in, &rec) == 1) {
		struct mu_in one = mu_in_of(rec.at, rec.len);

		if (first)
			on_hello(f, &one);
		else
			on_record(f, rec);
		first = false;
	}
	if (f->out.len)
		send_out(f);
}

static bool turn_tcp(struct fake_broker *f)
{
	bool any = fake_tcp_accept(&f->tcp);
	const uint8_t *frames;
	size_t len;

	if (f->deaf)
		return any;
	while (fake_tcp_recv(&f->tcp, &frames, &len)) {
		bool known = !f->tcp.fresh;

		f->tcp.fresh = false;
		f->has_peer = true;
		on_message(f, frames, len, known);
		any = true;
	}
	f->goodbyes = f->tcp.ends;
	return any;
}

static bool turn_zmq(struct fake_broker *f)
{
	struct mu_zpeer from;
	struct mu_zmsg m;
	bool any = false;

	mu_zmsg_init(&m);
	while (mu_zsock_events(f->z) & MU_ZSOCK_READABLE) {
		bool known;

		if (mu_zsock_recv(f->z, &from, &m))
			break;
		known = f->has_peer && from.len == f->peer.len &&
		        memcmp(from.bytes, f->peer.bytes, from.len) == 0;
		/* A late goodbye of the one before does not change who speaks. */
		if (known || mu_zmsg_len(&m)) {
			f->peer = from;
			f->has_peer = true;
		}
		on_message(f, mu_zmsg_data(&m), mu_zmsg_len(&m), known);
		any = true;
	}
	mu_zmsg_fini(&m);
	return any;
}

bool fake_broker_turn(struct fake_broker *f)
{
	return f->z ? turn_zmq(f) : turn_tcp(f);
}

void fake_broker_wait(struct fake_broker *f, int wait_ms)
{
	struct pollfd p = { .events = POLLIN };

	if (!f->z) {
		fake_tcp_wait(&f->tcp, wait_ms);
		return;
	}
	p.fd = mu_zsock_fd(f->z);
	(void)poll(&p, 1, wait_ms);
}

static void *run(void *arg)
{
	struct fake_broker *f = arg;

	while (!atomic_load(&f->stop))
		if (!fake_broker_turn(f))
			fake_broker_wait(f, 5);
	return NULL;
}

void fake_broker_start(struct fake_broker *f)
{
	atomic_store(&f->stop, false);
	ck_assert_int_eq(pthread_create(&f->thread, NULL, run, f), 0);
}

void fake_broker_stop(struct fake_broker *f)
{
	atomic_store(&f->stop, true);
	ck_assert_int_eq(pthread_join(f->thread, NULL), 0);
}
