/* Memory runs out at each place in turn. Before a command is logged that is an
 * error reply or the end of one link, and the store works on; while one is
 * applied it is the end of the store. */
#include "store_bed.h"

#define WATCHED "/watched"

/* One request on link 1; what came before it is the same each time. */
struct scene {
	const char *name;
	int32_t op;
	const struct mu_buf *(*body)(void);
	bool behind; /* behind a write of its own, so that it must wait */
};

static const struct mu_buf *body_create(void)
{
	return q_create("/new", "data", 1);
}

static const struct mu_buf *body_get(void)
{
	return q_path(WATCHED, true);
}

static const struct mu_buf *body_exists(void)
{
	return q_path("/nowhere", true);
}

static const struct mu_buf *body_children(void)
{
	return q_path("/", true);
}

static const struct mu_buf *body_multi(void)
{
	q_none();
	q_sub(MU_OP_CREATE, "/new", "x", 2);
	q_sub(MU_OP_SET_DATA, WATCHED, "y", -1);
	return q_end();
}

static const struct mu_buf *body_add_watch(void)
{
	return q_add_watch("/", 1);
}

static const struct mu_buf *body_set_watches(void)
{
	q_none();
	mu_put_long(&bed.q, 0);
	mu_put_int(&bed.q, 1);
	mu_put_str(&bed.q, MU_STR(WATCHED));
	mu_put_int(&bed.q, 1);
	mu_put_str(&bed.q, MU_STR("/nowhere"));
	mu_put_int(&bed.q, 0);
	return &bed.q;
}

static const struct mu_buf *body_junk(void)
{
	return q_none();
}

static const struct scene scenes[] = {
	{ "create", MU_OP_CREATE, body_create, false },
	{ "multi", MU_OP_MULTI, body_multi, false },
	{ "getData", MU_OP_GET_DATA, body_get, false },
	{ "exists", MU_OP_EXISTS, body_exists, false },
	{ "getChildren2", MU_OP_GET_CHILDREN2, body_children, false },
	{ "addWatch", MU_OP_ADD_WATCH, body_add_watch, false },
	{ "setWatches", MU_OP_SET_WATCHES, body_set_watches, false },
	{ "closeSession", MU_OP_CLOSE_SESSION, body_junk, false },
	{ "ping", MU_OP_PING, body_junk, false },
	{ "unknown", 999, body_junk, false },
	{ "create, waiting", MU_OP_CREATE, body_create, true },
	{ "getData, waiting", MU_OP_GET_DATA, body_get, true },
	{ "undecodable, waiting", MU_OP_CREATE, body_junk, true },
	{ "unknown, waiting", 999, body_junk, true },
	{ "closeSession, waiting", MU_OP_CLOSE_SESSION, body_junk, true },
};
#define SCENES ((int)(sizeof scenes / sizeof scenes[0]))

static void set_scene(const struct scene *scene)
{
	bed_open();
	bed_connect(1);
	bed_connect(2);
	bed_make(2, WATCHED, "x");
	bed_do(2, MU_OP_ADD_WATCH, q_add_watch("/", 1));
	bed_forget();
	store.slow = true;
	if (scene->behind)
		bed_ask(1, MU_OP_SET_DATA, q_set(WATCHED, "z", -1));
}

/* The store still serves others, and whoever comes anew. */
static void assert_works(void)
{
	store.slow = false;
	bed_pump();
	mu_store_verify(store.s);
	ck_assert_int_eq(bed_err(2, MU_OP_SYNC, q_sync("/")), 0);
	ck_assert_int_ne(bed_connect(9), 0);
	bed_make(9, "/after", "x");
	ck_assert_int_eq(bed_stat(9, "/after").version, 0);
}

static void skip_events(uint32_t link)
{
	struct store_record *r;

	while ((r = bed_peek(link)) &&
	       memcmp(r->bytes, "\xff\xff\xff\xff", 4) == 0)
		r->taken = true;
}

/* Either the link ended for memory, or each request has a reply in its turn. */
static void assert_answered(const struct scene *scene)
{
	bed_durable(store.logged);
	if (bed_is_closed(1, MU_CLOSE_MEMORY))
		return;
	if (scene->behind)
		bed_want(1, bed.xid - 1, 0);
	skip_events(1);
	ck_assert_ptr_nonnull(bed_peek(1));
	ck_assert_int_eq(bed_reply(1).xid,
	                 scene->op == MU_OP_PING ? MU_XID_PING : bed.xid);
}

START_TEST(a_request_survives_the_loss_of_any_allocation)
{
	const struct scene *scene = &scenes[_i];
	unsigned refusals = 0;

	for (unsigned k = 0;; k++) {
		uint8_t *bytes;
		size_t len;
		int reached;

		set_scene(scene);
		len = bed_record(++bed.xid, scene->op, scene->body(), &bytes);
		fault_alloc_at(k);
		mu_store_receive(store.s, 1, bytes, len, store.now);
		reached = fault_alloc_off();
		free(bytes);
		bed_drain();
		mu_store_verify(store.s);
		assert_answered(scene);
		skip_events(2);
		for (size_t i = 0; i < store.record_count; i++)
			store.records[i].taken = true;
		assert_works();
		bed_close();
		if (!reached)
			break;
		refusals++;
	}
	ck_assert_msg(refusals > 0 || !scene->behind, "%s", scene->name);
}
END_TEST

START_TEST(a_handshake_survives_the_loss_of_any_allocation)
{
	struct mu_connect_request q = bed_hello();
	unsigned refusals = 0;

	for (unsigned k = 0;; k++) {
		struct mu_buf b = { 0 };
		int reached, rc;

		bed_open();
		bed_connect(2);
		bed_entropy();
		mu_put_connect_request(&b, &q);
		fault_alloc_at(k);
		rc = mu_store_link_open(store.s, 1, "here", store.now);
		if (!rc)
			mu_store_receive(store.s, 1, b.data, b.len, store.now);
		reached = fault_alloc_off();
		mu_buf_fini(&b);
		bed_pump();
		if (rc)
			ck_assert_int_eq(rc, MU_ENOMEM);
		else if (!bed_is_closed(1, MU_CLOSE_MEMORY))
			ck_assert_int_ne(bed_welcome(1).session, 0);
		assert_works();
		bed_close();
		if (!reached)
			break;
		refusals++;
	}
	ck_assert_uint_ge(refusals, 2);
}
END_TEST

START_TEST(resuming_survives_the_loss_of_any_allocation)
{
	for (unsigned k = 0;; k++) {
		struct mu_connect_request q = bed_hello();
		struct mu_buf b = { 0 };
		int reached;

		bed_open();
		bed_connect(2);
		q.session = bed_connect(1);
		q.password = (struct mu_str){ (const char *)bed.password, 16 };
		mu_put_connect_request(&b, &q);
		bed_link(3);
		fault_alloc_at(k);
		mu_store_receive(store.s, 3, b.data, b.len, store.now);
		reached = fault_alloc_off();
		mu_buf_fini(&b);
		bed_pump();
		if (!bed_is_closed(3, MU_CLOSE_MEMORY))
			ck_assert_int_eq(bed_welcome(3).session, q.session);
		assert_works();
		bed_close();
		if (!reached)
			break;
	}
}
END_TEST

START_TEST(applying_ends_the_store_or_one_link_when_memory_is_out)
{
	const struct scene *scene = &scenes[_i];
	unsigned fatal = 0;

	for (unsigned k = 0;; k++) {
		int rc, reached;

		set_scene(scene);
		bed_ask(1, scene->op, scene->body());
		bed_ask(2, MU_OP_SYNC, q_sync("/"));
		fault_alloc_at(k);
		rc = mu_store_durable(store.s, store.logged);
		reached = fault_alloc_off();
		if (rc) {
			ck_assert_int_eq(rc, MU_ENOMEM);
			ck_assert(reached);
			fatal++;
		} else {
			bed_drain();
			mu_store_verify(store.s);
			if (scene->body == body_create) /* nobody missed it */
				bed_event(2,
				          scene->behind ? MU_NODE_DATA_CHANGED
				                        : MU_NODE_CREATED,
				          scene->behind ? WATCHED : "/new");
		}
		bed_close();
		if (!reached)
			break;
	}
	if (scene->op == MU_OP_CREATE && scene->body == body_create)
		ck_assert_uint_gt(fatal, 0);
}
END_TEST

START_TEST(an_expiry_that_cannot_be_logged_is_tried_again)
{
	unsigned refusals = 0;

	for (unsigned k = 0;; k++) {
		int reached;

		bed_open();
		bed_connect(1);
		bed_lost(1);
		for (int i = 0; i < 59; i++)
			bed_tick(50);
		store.now.mono_ms += 50;
		fault_alloc_at(k);
		mu_store_tick(store.s, store.now);
		reached = fault_alloc_off();
		bed_pump();
		ck_assert_uint_eq(bed_stats().sessions, reached ? 1 : 0);
		bed_tick(50);
		ck_assert_uint_eq(bed_stats().sessions, 0);
		bed_close();
		if (!reached)
			break;
		refusals++;
	}
	ck_assert_uint_gt(refusals, 0);
}
END_TEST

START_TEST(making_a_store_survives_the_loss_of_any_allocation)
{
	struct mu_store_config config = bed_config();
	struct mu_when when = { 1, 1 };
	unsigned refusals = 0;

	for (unsigned k = 0;; k++) {
		struct mu_store *s = NULL;
		struct mu_err err;
		int rc;

		fault_alloc_at(k);
		rc = mu_store_new(&config, when, &s, &err);
		if (!fault_alloc_off()) {
			ck_assert_int_eq(rc, 0);
			mu_store_free(s);
			break;
		}
		ck_assert_int_eq(rc, MU_ENOMEM);
		ck_assert_ptr_null(s);
		refusals++;
	}
	ck_assert_uint_gt(refusals, 4);
	mu_store_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store: out of memory");
	TCase *tc = tcase_create("sweeps");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_request_survives_the_loss_of_any_allocation,
	                    0, SCENES);
	tcase_add_test(tc, a_handshake_survives_the_loss_of_any_allocation);
	tcase_add_test(tc, resuming_survives_the_loss_of_any_allocation);
	tcase_add_loop_test(
		tc, applying_ends_the_store_or_one_link_when_memory_is_out, 0,
		SCENES);
	tcase_add_test(tc, an_expiry_that_cannot_be_logged_is_tried_again);
	tcase_add_test(tc, making_a_store_survives_the_loss_of_any_allocation);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
