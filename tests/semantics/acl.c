/* ACLs and identities: rules 28, 36, 60, 61, 72 to 78, 97, 102 of
 * zookeeper-semantics.md. */
#include "bed.h"

static int may(uint32_t link, int32_t op, const struct mu_buf *q)
{
	int err = bed_err(link, op, q);

	ck_assert(err == 0 || err == MU_ENOAUTH);
	return err == 0;
}

/* What an open child and the node itself let through with these perms. */
static void want_matrix(int32_t perms)
{
	bed_guard(1, "/p", acl_of(MU_PERM_ALL, "world", "anyone"));
	bed_make(1, "/p/old", "");
	bed_guard(1, "/p", acl_of(perms, "world", "anyone"));
	ck_assert_int_eq(may(1, MU_OP_GET_DATA, q_path("/p", false)),
	                 (perms & MU_PERM_READ) != 0);
	ck_assert_int_eq(may(1, MU_OP_EXISTS, q_path("/p", false)),
	                 (perms & MU_PERM_READ) != 0);
	ck_assert_int_eq(may(1, MU_OP_GET_CHILDREN, q_path("/p", false)),
	                 (perms & MU_PERM_READ) != 0);
	ck_assert_int_eq(may(1, MU_OP_GET_ALL_CHILDREN_NUMBER, q_sync("/p")),
	                 (perms & MU_PERM_READ) != 0);
	ck_assert_int_eq(may(1, MU_OP_SET_DATA, q_set("/p", "y", -1)),
	                 (perms & MU_PERM_WRITE) != 0);
	ck_assert_int_eq(may(1, MU_OP_CREATE, q_create("/p/new", "", 1)),
	                 (perms & MU_PERM_CREATE) != 0);
	ck_assert_int_eq(may(1, MU_OP_DELETE, q_delete("/p/old", -1)),
	                 (perms & MU_PERM_DELETE) != 0);
	ck_assert_int_eq(may(1, MU_OP_GET_ACL, q_sync("/p")),
	                 (perms & (MU_PERM_READ | MU_PERM_ADMIN)) != 0);
}

START_TEST(rule28_each_permission_guards_its_operations)
{
	static const int32_t perms[] = {
		MU_PERM_READ | MU_PERM_ADMIN,
		MU_PERM_WRITE | MU_PERM_ADMIN,
		MU_PERM_CREATE | MU_PERM_ADMIN,
		MU_PERM_DELETE | MU_PERM_ADMIN,
		MU_PERM_ADMIN,
	};

	for (size_t i = 0; i < sizeof perms / sizeof perms[0]; i++) {
		bed_make(1, "/p", "");
		want_matrix(perms[i]);
		bed_guard(1, "/p", mu_acl_open());
		(void)bed_err(1, MU_OP_DELETE, q_delete("/p/old", -1));
		(void)bed_err(1, MU_OP_DELETE, q_delete("/p/new", -1));
		ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/p", -1)),
		                 0);
	}
}
END_TEST

START_TEST(rule28_admin_guards_set_acl)
{
	ck_assert_int_eq(
		bed_err(1, MU_OP_CREATE,
	                q_create_acl("/a", acl_of(15, "world", "anyone"))),
		0);
	ck_assert_int_eq(
		bed_err(1, MU_OP_SET_ACL, q_set_acl("/a", mu_acl_open(), -1)),
		MU_ENOAUTH);
}
END_TEST

START_TEST(rule28_a_check_in_a_multi_needs_read)
{
	struct bed_reply r;
	struct mu_multi_header h;

	bed_make(1, "/a", "");
	bed_guard(1, "/a", acl_of(MU_PERM_WRITE, "world", "anyone"));
	q_none();
	q_sub(MU_OP_CHECK, "/a", NULL, -1);
	r = bed_do(1, MU_OP_MULTI, q_end());
	ck_assert_int_eq(r.err, 0);
	ck_assert_int_eq(mu_get_multi_header(&r.body, &h), 0);
	ck_assert_int_eq(mu_get_int(&r.body), MU_ENOAUTH);
}
END_TEST

/* ---- events ---- */

static void guard_for_2(const char *path)
{
	bed_guard(1, path, acl_of(MU_PERM_ALL, "digest", "two:x"));
}

START_TEST(rule36_events_go_only_to_who_may_read_the_node)
{
	ck_assert_int_eq(bed_auth(1, "digest", "one:pw"), 0);
	bed_make(1, "/p", "");
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE,
	                         q_create_acl("/p/s", acl_of(31, "auth", ""))),
	                 0);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/p", 1)), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_ADD_WATCH, q_add_watch("/p", 1)), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_ADD_WATCH, q_add_watch("/p", 0)), 0);
	bed_ask(1, MU_OP_SET_DATA, q_set("/p/s", "y", -1));
	bed_event(1, MU_NODE_DATA_CHANGED, "/p/s");
	ck_assert_int_eq(bed_reply(1).err, 0);
	bed_quiet(2);
	/* The ACL from before the deletion counts; the parent is open. */
	bed_ask(1, MU_OP_DELETE, q_delete("/p/s", -1));
	bed_event(1, MU_NODE_DELETED, "/p/s");
	ck_assert_int_eq(bed_reply(1).err, 0);
	bed_event(2, MU_NODE_CHILDREN_CHANGED, "/p");
	bed_quiet(2);
	/* Of a new node its own. */
	bed_ask(1, MU_OP_CREATE, q_create_acl("/p/s", acl_of(31, "auth", "")));
	bed_event(1, MU_NODE_CREATED, "/p/s");
	ck_assert_int_eq(bed_reply(1).err, 0);
	bed_event(2, MU_NODE_CHILDREN_CHANGED, "/p");
	bed_quiet(2);
}
END_TEST

START_TEST(rule36_the_parents_acl_hides_a_change_of_its_children)
{
	bed_make(1, "/p", "");
	bed_err(2, MU_OP_GET_CHILDREN, q_path("/p", true));
	bed_guard(1, "/p", acl_of(MU_PERM_CREATE, "world", "anyone"));
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/p/c", "", 0)), 0);
	bed_quiet(2);
	ck_assert_uint_eq(bed_counts().watches, 0); /* it was used up */
}
END_TEST

static const struct mu_buf *q_rewatch(const char *path, bool exist, int64_t rel)
{
	struct mu_buf one = { 0 };
	struct mu_set_watches r = { .relative_zxid = rel };
	struct mu_vec v;

	mu_put_str(&one, mu_str_of(path));
	v = (struct mu_vec){ 1, one.data, one.len };
	*(exist ? &r.exist : &r.data) = v;
	mu_buf_reset(&bed.q);
	mu_put_set_watches(&bed.q, false, &r);
	mu_buf_fini(&one);
	return &bed.q;
}

START_TEST(rule36_what_was_missed_is_told_only_to_who_may_read_it)
{
	int64_t before;

	bed_make(1, "/a", "");
	before = bed_counts().zxid;
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "y", -1)), 0);
	bed_send(2, MU_XID_SET_WATCHES, MU_OP_SET_WATCHES,
	         q_rewatch("/a", false, before));
	bed_event(2, MU_NODE_DATA_CHANGED, "/a");
	bed_want(2, MU_XID_SET_WATCHES, 0);
	guard_for_2("/a");
	bed_send(2, MU_XID_SET_WATCHES, MU_OP_SET_WATCHES,
	         q_rewatch("/a", false, before));
	bed_want(2, MU_XID_SET_WATCHES, 0);
	bed_send(2, MU_XID_SET_WATCHES, MU_OP_SET_WATCHES,
	         q_rewatch("/a", true, before));
	bed_want(2, MU_XID_SET_WATCHES, 0);
	bed_quiet(2);
}
END_TEST

START_TEST(a_read_that_is_refused_leaves_no_watch)
{
	bed_make(1, "/a", "");
	guard_for_2("/a");
	ck_assert_int_eq(bed_err(2, MU_OP_EXISTS, q_path("/a", true)),
	                 MU_ENOAUTH);
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path("/a", true)),
	                 MU_ENOAUTH);
	ck_assert_uint_eq(bed_counts().watches, 0);
}
END_TEST

/* ---- the order of checks ---- */

START_TEST(rule60_the_acl_comes_before_the_parent_and_its_before_the_node)
{
	struct mu_vec none = { -1, NULL, 0 };

	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create_acl("nopath", none)),
	                 MU_EINVAL);
	ck_assert_int_eq(
		bed_err(1, MU_OP_CREATE, q_create_acl("/no/where", none)),
		MU_EINVALIDACL);
	bed_make(1, "/p", "");
	bed_make(1, "/p/c", "");
	bed_guard(1, "/p", acl_of(MU_PERM_READ, "world", "anyone"));
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/p/c", "", 0)),
	                 MU_ENOAUTH);
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/p/", "", 0)),
	                 MU_ENOAUTH);
}
END_TEST

START_TEST(rule61_delete_is_tested_on_the_parent_before_the_node)
{
	bed_make(1, "/p", "");
	bed_guard(1, "/p", acl_of(MU_PERM_READ, "world", "anyone"));
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/p/none", -1)),
	                 MU_ENOAUTH);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/p", -1)), 0);
}
END_TEST

/* ---- who one is ---- */

START_TEST(rule72_who_am_i_shows_address_and_users)
{
	struct bed_reply r;

	ck_assert_int_eq(bed_auth(1, "digest", "me:secret"), 0);
	r = bed_do(1, MU_OP_WHO_AM_I, q_none());
	ck_assert_int_eq(r.err, 0);
	ck_assert_int_eq(mu_get_int(&r.body), 2);
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("ip")));
	ck_assert(mu_str_eq(mu_get_str(&r.body), mu_str_of(bed_address())));
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("digest")));
	ck_assert(mu_str_eq(mu_get_str(&r.body), MU_STR("me")));
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
}
END_TEST

START_TEST(rule74_auth_stands_for_all_identities_and_needs_one)
{
	struct bed_reply r;
	struct mu_vec acl;

	ck_assert_int_eq(bed_err(1, MU_OP_CREATE,
	                         q_create_acl("/a", acl_of(31, "auth", ""))),
	                 MU_EINVALIDACL);
	ck_assert_int_eq(bed_auth(1, "digest", "a:1"), 0);
	ck_assert_int_eq(bed_auth(1, "digest", "b:2"), 0);
	ck_assert_int_eq(bed_auth(1, "digest", "a:1"), 0); /* once is enough */
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE,
	                         q_create_acl("/a", acl_of(31, "auth", ""))),
	                 0);
	r = bed_do(1, MU_OP_GET_ACL, q_sync("/a"));
	ck_assert_int_eq(mu_get_acl_vec(&r.body, &acl), 0);
	ck_assert_int_eq(acl.count, 2);
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path("/a", false)),
	                 MU_ENOAUTH);
	ck_assert_int_eq(bed_auth(2, "digest", "b:2"), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path("/a", false)), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_SET_DATA, q_set("/a", "", -1)), 0);
}
END_TEST

static void open_with_super(const char *user)
{
	struct mu_store_config config = bed_config();
	struct mu_buf b = { 0 };

	mu_put_digest(&b, mu_str_of(user), bed_sha1);
	ck_assert_uint_lt(b.len, sizeof config.super_digest);
	memcpy(config.super_digest, b.data, b.len);
	mu_buf_fini(&b);
	bed_close();
	bed_open_with(&config);
	bed_connect(1);
	bed_connect(2);
}

START_TEST(rule74_the_super_user_passes_every_acl)
{
	open_with_super("super:pw");
	bed_make(1, "/a", "");
	bed_guard(1, "/a", acl_of(0, "digest", "nobody:x"));
	ck_assert_int_eq(bed_auth(2, "digest", "super:wrong"), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path("/a", false)),
	                 MU_ENOAUTH);
	ck_assert_int_eq(bed_auth(2, "digest", "super:pw"), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path("/a", false)), 0);
	bed_guard(2, "/a", mu_acl_open());
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "", -1)), 0);
}
END_TEST

START_TEST(without_a_super_user_nobody_is_one)
{
	bed_make(1, "/a", "");
	bed_guard(1, "/a", acl_of(0, "digest", "nobody:x"));
	ck_assert_int_eq(bed_auth(1, "digest", ""), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_DATA, q_path("/a", false)),
	                 MU_ENOAUTH);
}
END_TEST

START_TEST(rule75_an_acl_is_not_inherited)
{
	bed_make(1, "/p", "");
	bed_make(1, "/p/c", "x");
	bed_guard(1, "/p", acl_of(0, "digest", "nobody:x"));
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path("/p/c", false)), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_SET_DATA, q_set("/p/c", "", -1)), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_CREATE, q_create("/p/c/d", "", 0)),
	                 0);
}
END_TEST

static struct mu_str acl_id(uint32_t link, const char *path)
{
	struct bed_reply r = bed_do(link, MU_OP_GET_ACL, q_sync(path));
	struct mu_vec acl;
	struct mu_stat stat;
	struct mu_in in;

	ck_assert_int_eq(r.err, 0);
	ck_assert_int_eq(mu_get_acl_vec(&r.body, &acl), 0);
	ck_assert_int_eq(mu_get_stat(&r.body, &stat), 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	ck_assert_int_eq(acl.count, 1);
	in = mu_in_of(acl.at, acl.len);
	return mu_get_acl(&in).id;
}

START_TEST(rule76_without_admin_the_hash_is_masked)
{
	struct mu_buf b = { 0 };
	struct mu_str digest;

	mu_put_digest(&b, MU_STR("me:pw"), bed_sha1);
	digest = (struct mu_str){ (const char *)b.data, (uint32_t)b.len };
	ck_assert_int_eq(bed_auth(1, "digest", "me:pw"), 0);
	bed_make(1, "/a", "");
	bed_guard(1, "/a", acl_of(MU_PERM_ALL, "auth", ""));
	ck_assert(mu_str_eq(acl_id(1, "/a"), digest));
	bed_guard(1, "/a", acl_of(MU_PERM_READ, "auth", ""));
	ck_assert(mu_str_eq(acl_id(1, "/a"), MU_STR("me:x")));
	mu_buf_fini(&b);
}
END_TEST

START_TEST(rule76_exists_needs_read)
{
	bed_make(1, "/a", "");
	bed_guard(1, "/a",
	          acl_of(MU_PERM_ALL & ~MU_PERM_READ, "world", "anyone"));
	ck_assert_int_eq(bed_err(1, MU_OP_EXISTS, q_path("/a", false)),
	                 MU_ENOAUTH);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_ACL, q_sync("/none")),
	                 MU_ENONODE);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_ACL, q_sync("none")), MU_EINVAL);
}
END_TEST

START_TEST(rule77_an_unknown_scheme_fails_and_ends_the_link)
{
	ck_assert_int_eq(bed_auth(1, "kerberos", "me"), MU_EAUTHFAILED);
	ck_assert(bed_is_closed(1, MU_CLOSE_AUTH));
	bed_send(2, MU_XID_AUTH, MU_OP_AUTH, q_none());
	bed_want(2, MU_XID_AUTH, MU_EAUTHFAILED);
	ck_assert(bed_is_closed(2, MU_CLOSE_AUTH));
	ck_assert_uint_eq(bed_counts().sessions, 2); /* they live */
}
END_TEST

START_TEST(rule78_set_acl_compares_the_acls_version)
{
	struct mu_vec acl = acl_of(MU_PERM_ALL, "world", "anyone");
	struct bed_reply r;
	struct mu_stat stat, before;

	bed_make(1, "/a", "");
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "y", -1)), 0);
	before = bed_stat(1, "/a");
	ck_assert_int_eq(before.aversion, 0);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_ACL, q_set_acl("/a", acl, 1)),
	                 MU_EBADVERSION);
	r = bed_do(1, MU_OP_SET_ACL, q_set_acl("/a", acl, 0));
	ck_assert_int_eq(r.err, 0);
	ck_assert_int_eq(mu_get_stat(&r.body, &stat), 0);
	ck_assert_int_eq(stat.aversion, 1);
	ck_assert_int_eq(stat.version, before.version);
	ck_assert_int_eq(stat.mzxid, before.mzxid);
	ck_assert_int_eq(stat.mtime, before.mtime);
	ck_assert_int_eq(stat.pzxid, before.pzxid);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_ACL, q_set_acl("/a", acl, 0)),
	                 MU_EBADVERSION);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_ACL, q_set_acl("/a", acl, 1)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_ACL, q_set_acl("/no", acl, 1)),
	                 MU_ENONODE);
}
END_TEST

START_TEST(rule30_set_acl_fires_nothing)
{
	bed_make(1, "/a", "");
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch("/", 1)), 0);
	bed_guard(1, "/a", acl_of(1, "world", "anyone"));
	bed_quiet(1);
}
END_TEST

START_TEST(rule73_the_config_node_may_only_be_read)
{
	ck_assert_int_eq(bed_stat(1, "/zookeeper/config").aversion, -1);
	ck_assert_int_eq(
		bed_err(1, MU_OP_SET_DATA, q_set("/zookeeper/config", "x", -1)),
		MU_ENOAUTH);
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE,
	                         q_create("/zookeeper/config/x", "", 0)),
	                 MU_ENOAUTH);
}
END_TEST

START_TEST(rule97_world_and_auth_are_no_schemes_to_add)
{
	ck_assert_int_eq(bed_auth(1, "world", "anyone"), MU_EAUTHFAILED);
	ck_assert_int_eq(bed_auth(2, "auth", ""), MU_EAUTHFAILED);
}
END_TEST

START_TEST(rule97_empty_credentials_and_ip_are_taken)
{
	ck_assert_int_eq(bed_auth(1, "digest", ""), 0);
	ck_assert_int_eq(bed_auth(1, "digest", NULL), 0);
	ck_assert_int_eq(bed_auth(1, "ip", "1.2.3.4"), 0);
	ck_assert(bed_is_open(1));
}
END_TEST

START_TEST(rule97_auth_may_come_before_the_session_is_up)
{
	struct mu_connect_request q = bed_hello();

	bed_hold();
	bed_link(3);
	bed_shake(3, &q);
	bed_send(3, MU_XID_AUTH, MU_OP_AUTH, q_auth("digest", "me:pw"));
	bed_quiet(3);
	bed_release();
	(void)bed_welcome(3);
	bed_want(3, MU_XID_AUTH, 0);
}
END_TEST

START_TEST(rule102_a_write_behind_set_acl_meets_the_new_acl)
{
	bed_make(1, "/a", "");
	bed_hold();
	bed_ask(1, MU_OP_SET_ACL,
	        q_set_acl("/a", acl_of(MU_PERM_READ, "world", "anyone"), -1));
	bed_ask(1, MU_OP_SET_DATA, q_set("/a", "y", -1));
	bed_release();
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert_int_eq(bed_reply(1).err, MU_ENOAUTH);
}
END_TEST

START_TEST(a_link_has_so_many_identities_and_no_more)
{
	char user[32];

	for (unsigned i = 0; i < MU_IDENTITIES_MAX; i++) {
		mu_format(user, sizeof user, "user%u:pw", i);
		ck_assert_int_eq(bed_auth(1, "digest", user), 0);
	}
	ck_assert_int_eq(bed_auth(1, "digest", user), 0); /* known */
	ck_assert_int_eq(bed_auth(1, "digest", "more:pw"), MU_EAUTHFAILED);
	ck_assert(bed_is_closed(1, MU_CLOSE_AUTH));
}
END_TEST

START_TEST(a_links_identities_take_so_many_bytes_and_no_more)
{
	char *user = malloc(MU_IDENTITY_BYTES + 1);

	memset(user, 'u', MU_IDENTITY_BYTES);
	user[MU_IDENTITY_BYTES] = '\0';
	ck_assert_int_eq(bed_auth(1, "digest", user), MU_EAUTHFAILED);
	/* "digest:" in front, ':' and 28 letters behind. */
	user[MU_IDENTITY_BYTES - 36] = '\0';
	ck_assert_int_eq(bed_auth(2, "digest", user), 0);
	ck_assert_int_eq(bed_auth(2, "digest", ""), MU_EAUTHFAILED);
	free(user);
}
END_TEST

START_TEST(identities_go_with_the_link)
{
	int64_t session;

	bed_make(1, "/a", "");
	session = bed_connect(3);
	ck_assert_int_eq(bed_auth(3, "digest", "me:pw"), 0);
	bed_guard(3, "/a", acl_of(31, "auth", ""));
	ck_assert_int_eq(bed_err(3, MU_OP_GET_DATA, q_path("/a", false)), 0);
	bed_lost(3);
	bed_resume(4, session);
	(void)bed_welcome(4);
	ck_assert_int_eq(bed_err(4, MU_OP_GET_DATA, q_path("/a", false)),
	                 MU_ENOAUTH);
}
END_TEST

START_TEST(rule74_an_address_opens_what_it_is_given)
{
	char near[64];

	mu_format(near, sizeof near, "%s/24", bed_address());
	bed_make(1, "/a", "");
	bed_guard(1, "/a", acl_of(MU_PERM_READ | MU_PERM_ADMIN, "ip", near));
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path("/a", false)), 0);
	bed_guard(1, "/a", acl_of(MU_PERM_READ, "ip", "192.0.2.0/24"));
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path("/a", false)),
	                 MU_ENOAUTH);
}
END_TEST

TCase *semantics_acl(void)
{
	const TTest *const tests[] = {
		rule74_an_address_opens_what_it_is_given,
		rule28_each_permission_guards_its_operations,
		rule28_admin_guards_set_acl,
		rule28_a_check_in_a_multi_needs_read,
		rule36_events_go_only_to_who_may_read_the_node,
		rule36_the_parents_acl_hides_a_change_of_its_children,
		rule36_what_was_missed_is_told_only_to_who_may_read_it,
		a_read_that_is_refused_leaves_no_watch,
		rule60_the_acl_comes_before_the_parent_and_its_before_the_node,
		rule61_delete_is_tested_on_the_parent_before_the_node,
		rule72_who_am_i_shows_address_and_users,
		rule74_auth_stands_for_all_identities_and_needs_one,
		rule74_the_super_user_passes_every_acl,
		without_a_super_user_nobody_is_one,
		rule75_an_acl_is_not_inherited,
		rule76_without_admin_the_hash_is_masked,
		rule76_exists_needs_read,
		rule77_an_unknown_scheme_fails_and_ends_the_link,
		rule78_set_acl_compares_the_acls_version,
		rule30_set_acl_fires_nothing,
		rule73_the_config_node_may_only_be_read,
		rule97_world_and_auth_are_no_schemes_to_add,
		rule97_empty_credentials_and_ip_are_taken,
		rule97_auth_may_come_before_the_session_is_up,
		rule102_a_write_behind_set_acl_meets_the_new_acl,
		a_link_has_so_many_identities_and_no_more,
		a_links_identities_take_so_many_bytes_and_no_more,
		identities_go_with_the_link,
	};

	return bed_case("ACLs", bed_open_two, tests, BED_COUNT(tests));
}
