/* bed.c - what tests on any bed ask, and how they read the answer. */
#include "bed.h"

struct bed bed;

struct mu_store_config bed_config(void)
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
		.subscriptions_per_link_max = 1000,
		.change_log_max = 100000,
		.change_log_bytes = 64u * 1024 * 1024,
		.ttl_nodes = true,
		.sha1 = bed_sha1,
	};
}

void bed_open(void)
{
	struct mu_store_config config = bed_config();

	bed_open_with(&config);
}

void bed_open_two(void)
{
	bed_open();
	bed_connect(1);
	bed_connect(2);
}

/* ---- what came out ---- */

struct bed_reply bed_reply(uint32_t link)
{
	struct mu_in in = bed_take(link);
	struct mu_reply_header h;

	ck_assert_int_eq(mu_get_reply_header(&in, &h), 0);
	ck_assert_int_ne(h.xid, MU_XID_NOTIFICATION);
	ck_assert_int_ne(h.xid, MU_XID_CHANGE);
	return (struct bed_reply){ h.xid, h.zxid, h.err, in };
}

void bed_want(uint32_t link, int32_t xid, int32_t err)
{
	struct bed_reply r = bed_reply(link);

	ck_assert_int_eq(r.xid, xid);
	ck_assert_int_eq(r.err, err);
	if (err)
		ck_assert_uint_eq(mu_in_left(&r.body), 0); /* rule 5 */
}

int64_t bed_event(uint32_t link, enum mu_node_event type, const char *path)
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

struct mu_change_event bed_change(uint32_t link)
{
	struct mu_in in = bed_take(link);
	struct mu_reply_header h;
	struct mu_change_event e;

	ck_assert_int_eq(mu_get_reply_header(&in, &h), 0);
	ck_assert_int_eq(h.xid, MU_XID_CHANGE);
	ck_assert_int_eq(h.err, 0);
	ck_assert_int_eq(mu_get_change_event(&in, &e), 0);
	ck_assert_uint_eq(mu_in_left(&in), 0);
	ck_assert_int_eq(h.zxid, e.zxid);
	return e;
}

/* ---- requests ---- */

const struct mu_buf *q_none(void)
{
	mu_buf_reset(&bed.q);
	return &bed.q;
}

const struct mu_buf *q_path(const char *path, bool watch)
{
	struct mu_path_watch_request r = { mu_str_of(path), watch };

	mu_buf_reset(&bed.q);
	mu_put_path_watch(&bed.q, &r);
	return &bed.q;
}

struct mu_create_request bed_create_request(const char *path, const char *data,
                                            int32_t mode)
{
	return (struct mu_create_request){ .path = mu_str_of(path),
		                           .data = mu_str_of(data),
		                           .acl = mu_acl_open(),
		                           .mode = mode };
}

const struct mu_buf *q_create(const char *path, const char *data, int32_t mode)
{
	struct mu_create_request r = bed_create_request(path, data, mode);

	mu_buf_reset(&bed.q);
	mu_put_create(&bed.q, MU_OP_CREATE, &r);
	return &bed.q;
}

const struct mu_buf *q_delete(const char *path, int32_t version)
{
	struct mu_delete_request r = { mu_str_of(path), version };

	mu_buf_reset(&bed.q);
	mu_put_delete(&bed.q, &r);
	return &bed.q;
}

const struct mu_buf *q_set(const char *path, const char *data, int32_t version)
{
	struct mu_set_data_request r = { mu_str_of(path), mu_str_of(data),
		                         version };

	mu_buf_reset(&bed.q);
	mu_put_set_data(&bed.q, &r);
	return &bed.q;
}

const struct mu_buf *q_sync(const char *path)
{
	struct mu_sync_request r = { mu_str_of(path) };

	mu_buf_reset(&bed.q);
	mu_put_sync(&bed.q, &r);
	return &bed.q;
}

const struct mu_buf *q_add_watch(const char *path, int32_t mode)
{
	struct mu_add_watch_request r = { mu_str_of(path), mode };

	mu_buf_reset(&bed.q);
	mu_put_add_watch(&bed.q, &r);
	return &bed.q;
}

const struct mu_buf *q_subscribe(int32_t id, const char *path, int32_t mode,
                                 int64_t zxid, int32_t n)
{
	struct mu_subscribe_request r = { id, mu_str_of(path), mode, zxid, n };

	mu_buf_reset(&bed.q);
	mu_put_subscribe(&bed.q, &r);
	return &bed.q;
}

const struct mu_buf *q_unsubscribe(int32_t id)
{
	struct mu_unsubscribe_request r = { id };

	mu_buf_reset(&bed.q);
	mu_put_unsubscribe(&bed.q, &r);
	return &bed.q;
}

void q_sub(int32_t op, const char *path, const char *data, int32_t number)
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

const struct mu_buf *q_end(void)
{
	mu_put_multi_header(&bed.q, -1, true, -1);
	return &bed.q;
}

void q_sub_read(int32_t op, const char *path, bool watch)
{
	struct mu_path_watch_request r = { mu_str_of(path), watch };

	mu_put_multi_header(&bed.q, op, false, -1);
	mu_put_path_watch(&bed.q, &r);
}

void q_strings(const char *const *paths)
{
	int32_t n = 0;

	while (paths && paths[n])
		n++;
	mu_put_int(&bed.q, n);
	for (int32_t i = 0; i < n; i++)
		mu_put_str(&bed.q, mu_str_of(paths[i]));
}

const struct mu_buf *q_set_watches(int64_t rel, const char *const *data,
                                   const char *const *exist,
                                   const char *const *child)
{
	mu_buf_reset(&bed.q);
	mu_put_long(&bed.q, rel);
	q_strings(data);
	q_strings(exist);
	q_strings(child);
	return &bed.q;
}

void *bed_copy(const void *bytes, size_t len)
{
	void *copy = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	return copy;
}

size_t bed_record(int32_t xid, int32_t op, const struct mu_buf *body,
                  uint8_t **out)
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

void bed_send(uint32_t link, int32_t xid, int32_t op, const struct mu_buf *body)
{
	uint8_t *bytes;
	size_t len = bed_record(xid, op, body, &bytes);

	bed_receive(link, bytes, len);
	free(bytes);
}

int32_t bed_ask(uint32_t link, int32_t op, const struct mu_buf *body)
{
	bed_send(link, ++bed.xid, op, body);
	return bed.xid;
}

struct bed_reply bed_do(uint32_t link, int32_t op, const struct mu_buf *body)
{
	int32_t xid = bed_ask(link, op, body);
	struct bed_reply r = bed_reply(link);

	ck_assert_int_eq(r.xid, xid);
	return r;
}

int bed_err(uint32_t link, int32_t op, const struct mu_buf *body)
{
	return bed_do(link, op, body).err;
}

static int64_t zxid_of(uint32_t link, int32_t op, const struct mu_buf *body)
{
	struct bed_reply r = bed_do(link, op, body);

	ck_assert_int_eq(r.err, 0);
	return r.zxid;
}

int64_t bed_make(uint32_t link, const char *path, const char *data)
{
	return zxid_of(link, MU_OP_CREATE, q_create(path, data, 0));
}

int64_t bed_set(uint32_t link, const char *path, const char *data)
{
	return zxid_of(link, MU_OP_SET_DATA, q_set(path, data, -1));
}

int64_t bed_delete(uint32_t link, const char *path)
{
	return zxid_of(link, MU_OP_DELETE, q_delete(path, -1));
}

struct mu_stat bed_stat(uint32_t link, const char *path)
{
	struct bed_reply r = bed_do(link, MU_OP_EXISTS, q_path(path, false));
	struct mu_stat stat;

	ck_assert_int_eq(r.err, 0);
	ck_assert_int_eq(mu_get_stat(&r.body, &stat), 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	return stat;
}

struct mu_subscribe_reply bed_subscribed(uint32_t link)
{
	struct bed_reply r = bed_reply(link);
	struct mu_subscribe_reply s;

	ck_assert_int_eq(r.err, 0);
	ck_assert_int_eq(mu_get_subscribe_reply(&r.body, &s), 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	if (s.state != MU_SUBSCRIBED_MORE)
		ck_assert_int_eq(s.zxid, r.zxid);
	return s;
}

struct mu_subscribe_reply bed_subscribe(uint32_t link, int32_t id,
                                        const char *path, int32_t mode,
                                        int64_t zxid, int32_t n)
{
	bed_ask(link, MU_OP_SUBSCRIBE, q_subscribe(id, path, mode, zxid, n));
	return bed_subscribed(link);
}

/* ---- handshake ---- */

struct mu_connect_request bed_hello(void)
{
	return (struct mu_connect_request){
		.protocol = MU_PROTOCOL_ASK,
		.timeout_ms = bed.timeout_ms,
		.has_read_only = true,
	};
}

void bed_shake(uint32_t link, const struct mu_connect_request *q)
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

struct mu_connect_response bed_welcome(uint32_t link)
{
	struct mu_in in = bed_take(link);
	struct mu_connect_response r;

	ck_assert_int_eq(mu_get_connect_response(&in, &r), 0);
	ck_assert_uint_eq(mu_in_left(&in), 0);
	ck_assert_uint_eq(r.password.len, MU_PASSWORD_LEN);
	memcpy(bed.password, r.password.at, MU_PASSWORD_LEN);
	return r;
}

int64_t bed_connect(uint32_t link)
{
	return bed_connect_for(link, bed.timeout_ms);
}

int64_t bed_connect_for(uint32_t link, int32_t timeout_ms)
{
	struct mu_connect_request q = bed_hello();

	q.timeout_ms = timeout_ms;
	bed_link(link);
	bed_shake(link, &q);
	return bed_welcome(link).session;
}

void bed_resume(uint32_t link, int64_t session)
{
	struct mu_connect_request q = bed_hello();

	q.session = session;
	q.password =
		(struct mu_str){ (const char *)bed.password, MU_PASSWORD_LEN };
	bed_link(link);
	bed_shake(link, &q);
}

void bed_want_refused(uint32_t link)
{
	static const uint8_t zeroes[16];
	struct mu_connect_response r;

	r = bed_welcome(link);
	ck_assert_int_eq(r.timeout_ms, 0);
	ck_assert_int_eq(r.session, 0);
	ck_assert_mem_eq(bed.password, zeroes, 16);
	ck_assert(bed_is_closed(link, MU_CLOSE_REFUSED));
}

int32_t bed_ephemerals(uint32_t link, const char *prefix)
{
	struct bed_reply r = bed_do(link, MU_OP_GET_EPHEMERALS, q_sync(prefix));
	struct mu_vec v;

	ck_assert_int_eq(r.err, 0);
	ck_assert_int_eq(mu_get_str_vec(&r.body, &v), 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	return v.count;
}

/* ---- nodes that go by themselves, quotas ---- */

int bed_create(uint32_t link, int32_t op, const char *path, int32_t mode,
               int64_t ttl_ms)
{
	struct mu_create_request r = bed_create_request(path, "", mode);

	r.ttl_ms = ttl_ms;
	mu_buf_reset(&bed.q);
	mu_put_create(&bed.q, op, &r);
	return bed_err(link, op, &bed.q);
}

int bed_container(uint32_t link, const char *path)
{
	return bed_create(link, MU_OP_CREATE_CONTAINER, path, MU_MODE_CONTAINER,
	                  0);
}

int bed_mortal(uint32_t link, const char *path, int64_t ttl_ms)
{
	return bed_create(link, MU_OP_CREATE_TTL, path, MU_MODE_PERSISTENT_TTL,
	                  ttl_ms);
}

void bed_want_used(const char *quota, const char *want)
{
	char path[128];
	struct bed_reply r;
	struct mu_str text;

	mu_format(path, sizeof path, "/zookeeper/quota%s/zookeeper_stats",
	          quota);
	r = bed_do(1, MU_OP_GET_DATA, q_path(path, false));
	ck_assert_int_eq(r.err, 0);
	text = mu_get_str(&r.body);
	ck_assert_msg(mu_str_eq(text, mu_str_of(want)), "%.*s, not %s",
	              (int)text.len, text.at, want);
}

void bed_set_quota(const char *path, const char *limits)
{
	char node[128];

	mu_format(node, sizeof node, "/zookeeper/quota%s", path);
	bed_make(1, node, "");
	mu_format(node, sizeof node, "/zookeeper/quota%s/zookeeper_limits",
	          path);
	bed_make(1, node, limits);
	mu_format(node, sizeof node, "/zookeeper/quota%s/zookeeper_stats",
	          path);
	bed_make(1, node, "count=0,bytes=0");
}

/* ---- ACLs ---- */

struct mu_vec acl_of(int32_t perms, const char *scheme, const char *id)
{
	static struct mu_buf b;
	struct mu_acl a = { perms, mu_str_of(scheme), mu_str_of(id) };

	mu_buf_reset(&b);
	mu_put_acl(&b, &a);
	return (struct mu_vec){ 1, b.data, b.len };
}

const struct mu_buf *q_create_acl(const char *path, struct mu_vec acl)
{
	struct mu_create_request r = bed_create_request(path, "x", 0);

	r.acl = acl;
	mu_buf_reset(&bed.q);
	mu_put_create(&bed.q, MU_OP_CREATE, &r);
	return &bed.q;
}

const struct mu_buf *q_set_acl(const char *path, struct mu_vec acl,
                               int32_t version)
{
	struct mu_set_acl_request r = { mu_str_of(path), acl, version };

	mu_buf_reset(&bed.q);
	mu_put_set_acl(&bed.q, &r);
	return &bed.q;
}

const struct mu_buf *q_auth(const char *scheme, const char *auth)
{
	struct mu_auth_packet r = { 0, mu_str_of(scheme), mu_str_of(auth) };

	mu_buf_reset(&bed.q);
	mu_put_auth(&bed.q, &r);
	return &bed.q;
}

int bed_auth(uint32_t link, const char *scheme, const char *auth)
{
	struct bed_reply r;

	bed_send(link, MU_XID_AUTH, MU_OP_AUTH, q_auth(scheme, auth));
	r = bed_reply(link);
	ck_assert_int_eq(r.xid, MU_XID_AUTH);
	ck_assert_int_eq(r.zxid, 0); /* rule 95 */
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	return r.err;
}

void bed_guard(uint32_t link, const char *path, struct mu_vec acl)
{
	ck_assert_int_eq(bed_err(link, MU_OP_SET_ACL, q_set_acl(path, acl, -1)),
	                 0);
}

/* ---- suites ---- */

static TCase *case_of(const char *name, void (*setup)(void),
                      void (*teardown)(void), const TTest *const *tests,
                      size_t count)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tc, tests[i]);
	return tc;
}

TCase *bed_case(const char *name, void (*setup)(void),
                const TTest *const *tests, size_t count)
{
	return case_of(name, setup, bed_close, tests, count);
}

int bed_run_suite(Suite *suite)
{
	SRunner *sr = srunner_create(suite);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int bed_run(const char *name, const TTest *const *tests, size_t count,
            void (*setup)(void), void (*teardown)(void))
{
	Suite *suite = suite_create(name);

	suite_add_tcase(suite,
	                case_of("contract", setup, teardown, tests, count));
	return bed_run_suite(suite);
}
