/* ACLs and identities: rules 28, 36, 60, 61, 72 to 78, 97, 102 of
 * zookeeper-semantics.md. */
#include "store_bed.h"

/* ---- events ---- */

/* ---- the order of checks ---- */

/* ---- who one is ---- */

START_TEST(rule74_an_address_opens_what_it_is_given)
{
	bed_make(1, "/a", "");
	bed_guard(1, "/a", acl_of(MU_PERM_READ, "ip", "10.0.0.0/24"));
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path("/a", false)), 0);
	ck_assert_int_eq(
		mu_store_link_open(store.s, 3, "10.0.1.7:4711", store.now), 0);
	bed_shake(3, &(struct mu_connect_request){ .timeout_ms = 3000 });
	(void)bed_take(3);
	ck_assert_int_eq(bed_err(3, MU_OP_GET_DATA, q_path("/a", false)),
	                 MU_ENOAUTH);
}
END_TEST

START_TEST(rule77_without_a_hash_there_are_no_digests)
{
	struct mu_store_config config = bed_config();

	config.sha1 = NULL;
	bed_close();
	bed_open_with(&config);
	bed_connect(1);
	ck_assert_int_eq(bed_auth(1, "digest", "me:pw"), MU_EAUTHFAILED);
}
END_TEST

START_TEST(rule97_auth_is_answered_at_once)
{
	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "", 0));
	ck_assert_int_eq(bed_auth(1, "digest", "me:pw"), 0);
	bed_quiet(1);
	bed_durable(store.logged);
	ck_assert_int_eq(bed_reply(1).err, 0);
}
END_TEST

START_TEST(replayed_commands_meet_the_same_acls)
{
	struct mu_store *again;
	struct mu_err err;
	mu_node_id id;
	struct mu_vec a, b;

	ck_assert_int_eq(bed_auth(1, "digest", "me:pw"), 0);
	bed_make(1, "/a", "");
	bed_guard(1, "/a", acl_of(31, "auth", ""));
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "mine", -1)),
	                 0);
	ck_assert_int_eq(bed_err(2, MU_OP_SET_DATA, q_set("/a", "no", -1)),
	                 MU_ENOAUTH);
	ck_assert_int_eq(mu_store_new(&store.config, store.now, &again, &err),
	                 0);
	for (size_t i = 0; i < store.command_count; i++)
		ck_assert_int_eq(mu_store_replay(again, store.commands[i].bytes,
		                                 store.commands[i].len),
		                 0);
	id = mu_tree_find(mu_store_tree(again), MU_STR("/a"));
	a = mu_tree_acl(mu_store_tree(again), id);
	b = mu_tree_acl(mu_store_tree(store.s),
	                mu_tree_find(mu_store_tree(store.s), MU_STR("/a")));
	ck_assert_uint_eq(a.len, b.len);
	ck_assert_mem_eq(a.at, b.at, a.len);
	ck_assert_int_eq(mu_tree_version(mu_store_tree(again), id), 1);
	mu_store_free(again);
}
END_TEST

/* An auth packet, and an event that must be filtered, under refused memory: the
 * link may end, the store may say that it must stop, and nothing else. */
START_TEST(auth_survives_every_refused_allocation)
{
	int refused = 1;

	for (unsigned k = 0; refused; k++) {
		struct mu_effect e;
		uint8_t *bytes;
		size_t len;

		bed_connect(10 + k);
		len = bed_record(MU_XID_AUTH, MU_OP_AUTH,
		                 q_auth("digest", "me:pw"), &bytes);
		fault_alloc_at(k);
		mu_store_receive(store.s, 10 + k, bytes, len, store.now);
		refused = fault_alloc_off();
		free(bytes);
		while (mu_store_effect(store.s, &e))
			bed_effect(&e);
		mu_store_verify(store.s);
	}
}
END_TEST

START_TEST(a_guarded_change_survives_every_refused_allocation)
{
	int rc = 0, refused = 1, stopped = 0;

	for (unsigned k = 0; refused; k++) {
		bed_close();
		bed_open();
		bed_connect(1);
		bed_auth(1, "digest", "me:pw");
		bed_make(1, "/a", "");
		bed_guard(1, "/a", acl_of(31, "auth", ""));
		bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/a", 1));
		store.slow = true;
		bed_ask(1, MU_OP_SET_ACL,
		        q_set_acl("/a", acl_of(15, "auth", ""), -1));
		bed_ask(1, MU_OP_DELETE, q_delete("/a", -1));
		fault_alloc_at(k);
		rc = mu_store_durable(store.s, store.logged);
		refused = fault_alloc_off();
		ck_assert(rc == 0 || (rc == MU_ENOMEM && refused));
		stopped += rc != 0;
	}
	ck_assert_int_ge(stopped, 3);
	bed_drain();
	ck_assert_int_eq(bed_reply(1).err, 0);
	bed_event(1, MU_NODE_DELETED, "/a");
	ck_assert_int_eq(bed_reply(1).err, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		rule74_an_address_opens_what_it_is_given,
		rule77_without_a_hash_there_are_no_digests,
		rule97_auth_is_answered_at_once,
		replayed_commands_meet_the_same_acls,
		auth_survives_every_refused_allocation,
		a_guarded_change_survives_every_refused_allocation,
	};

	return bed_run("store: ACLs", tests, sizeof tests / sizeof tests[0],
	               bed_open_two, bed_close);
}
