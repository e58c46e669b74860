/*
 * test_cli_export.c - `muster export` and `muster import`, as a user runs them.
 * One broker serves all tests; each has paths of its own.
 */
#include "json.h"
#include "last_run.h"
#include "mem.h"

#include <muster/client.h>

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct cluster cluster;

/* `muster import ARGUMENT...` with this on its standard input. */
static int import_text(const char *text, const char *const *args)
{
	const char *argv[16] = { cluster_program("muster"), "import" };
	struct run how = { .argv = argv, .in = text, .in_len = strlen(text) };

	for (size_t i = 0; args && args[i]; i++)
		argv[i + 2] = args[i];
	return run_next(how);
}
#define IMPORT(text, ...) \
	import_text(text, (const char *const[]){ __VA_ARGS__, NULL })

static void broker_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	cluster_open(&cluster);
	cluster_broker_conf(&cluster, false,
	                    "container_check_interval_ms = 50;\n");
	cluster_broker_start(&cluster);
}

static void broker_down(void)
{
	run_free(&r);
	cluster_close(&cluster);
}

static const char *file_in(const char *name)
{
	return cluster_file(&cluster, name);
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* ---- a session of the test's own ------------------------------------------------- */

struct answer {
	bool done;
	int rc;
	struct mu_stat stat;
	char acl[256];
};

static void on_answer(struct mu_client *c, const struct mu_result *res,
                      void *arg)
{
	struct answer *a = arg;
	size_t n = 0;

	(void)c;
	a->done = true;
	a->rc = res->rc;
	if (res->stat)
		a->stat = *res->stat;
	a->acl[0] = '\0';
	for (size_t i = 0; res->acl && i < res->count; i++)
		n += (size_t)snprintf(a->acl + n, sizeof a->acl - n,
		                      "%d %s %s;", (int)res->acl[i].rights,
		                      res->acl[i].scheme, res->acl[i].id);
}

static struct mu_client *session(void)
{
	struct mu_client_options o = { .size = sizeof o,
		                       .brokers = cluster.url,
		                       .timeout_ms = 10000 };
	struct mu_client *c;
	struct mu_err err;

	ck_assert_msg(mu_client_new(&o, &c, &err) == 0, "%s", err.msg);
	ck_assert_msg(mu_client_wait(c, WAIT_MS, &err) == 0, "%s", err.msg);
	return c;
}

static void await(struct mu_client *c, struct answer *a)
{
	int64_t until = now_ms() + WAIT_MS;

	while (!a->done) {
		struct pollfd p = { mu_client_fd(c), POLLIN, 0 };

		ck_assert_int_lt(now_ms(), until);
		poll(&p, 1, mu_client_timeout_ms(c));
		ck_assert_int_eq(mu_client_process(c), 0);
	}
}

static const struct mu_acl_entry read_only[] = {
	{ MU_ACL_READ | MU_ACL_ADMIN, "world", "anyone" },
	{ MU_ACL_ALL, "ip", "10.0.0.0/8" },
};
static const char read_only_text[] = "17 world anyone;31 ip 10.0.0.0/8;";

static int create_with(const char *path, const struct mu_acl_entry *acl,
                       size_t count, unsigned flags, int64_t ttl_ms)
{
	struct mu_client *c = session();
	struct mu_create_options o = { .size = sizeof o,
		                       .path = path,
		                       .data = "v",
		                       .len = 1,
		                       .flags = flags,
		                       .acl = acl,
		                       .acl_count = count,
		                       .ttl_ms = ttl_ms };
	struct answer a = { .done = false };

	ck_assert_int_eq(mu_client_create_with(c, &o, on_answer, &a), 0);
	await(c, &a);
	mu_client_close(c, WAIT_MS);
	mu_client_free(c);
	return a.rc;
}

/* "17 world anyone;" */
static const char *acl_of(const char *path)
{
	static struct answer a;
	struct mu_client *c = session();

	a = (struct answer){ .done = false };
	ck_assert_int_eq(mu_client_get_acl(c, path, on_answer, &a), 0);
	await(c, &a);
	mu_client_close(c, WAIT_MS);
	mu_client_free(c);
	ck_assert_int_eq(a.rc, 0);
	return a.acl;
}

static void set_acl(const char *path, const struct mu_acl_entry *acl,
                    size_t count)
{
	struct mu_client *c = session();
	struct answer a = { .done = false };

	ck_assert_int_eq(
		mu_client_set_acl(c, path, acl, count, -1, on_answer, &a), 0);
	await(c, &a);
	mu_client_close(c, WAIT_MS);
	mu_client_free(c);
	ck_assert_int_eq(a.rc, 0);
	ck_assert_int_eq(a.stat.aversion, 1);
}

/* A session that keeps an ephemeral node at this path. */
static struct mu_client *holder(const char *path)
{
	struct mu_client *c = session();
	struct mu_err err;

	ck_assert_msg(mu_client_create_sync(c, path, "e", 1,
	                                    MU_CREATE_EPHEMERAL, NULL, 0,
	                                    WAIT_MS, &err) == 0,
	              "%s", err.msg);
	return c;
}

/* ---- there and back ---------------------------------------------------------------- */

static void make(const char *path, const char *value)
{
	ck_exit(0, MUSTER("create", path, value));
}

START_TEST(what_was_exported_is_imported_elsewhere_as_it_was)
{
	static const unsigned char raw[] = { 0, 255, 1, '\n' };
	char *file, *again;

	make("/rt", "top\n\"quoted\" päge");
	make("/rt/null", NULL);
	make("/rt/empty", "");
	make("/rt/a", "1");
	make("/rt/a-b", "2");
	make("/rt/a/c", "3");
	file_write(file_in("raw"), raw, sizeof raw);
	ck_exit(0, MUSTER("create", "/rt/raw", "-f", file_in("raw")));
	ck_exit(0, MUSTER("export", "/rt"));
	ck_assert_str_eq(r.err, "");
	ck_assert_uint_eq(lines(r.out), 7);
	ck_assert_msg(strncmp(r.out, "{\"path\":\"/rt\",", 14) == 0, "%s",
	              r.out);
	ck_assert(strstr(r.out, "\"/rt/a\"") < strstr(r.out, "\"/rt/a/c\""));
	ck_out_has("\"data_base64\":\"AP8BCg==\"");
	ck_out_has("{\"path\":\"/rt/null\",\"data\":null,\"version\":0,");
	ck_has_not(r.out, "acl");
	file = strdup(r.out);

	ck_exit(0, IMPORT(file, "--at", "/rt2"));
	ck_assert_str_eq(r.out, "7 created, 0 set, 0 given another ACL, 0 "
	                        "deleted, 0 as they were\n");
	ck_exit(0, MUSTER("get", "/rt2"));
	ck_assert_str_eq(r.out, "top\n\"quoted\" päge");
	ck_exit(0, MUSTER("get", "/rt2/raw"));
	ck_assert_uint_eq(r.out_len, sizeof raw);
	ck_assert_mem_eq(r.out, raw, sizeof raw);
	ck_exit(0, MUSTER("get", "-j", "/rt2/null"));
	ck_out_has("\"data\":null");
	ck_exit(0, MUSTER("get", "-j", "/rt2/empty"));
	ck_out_has("\"data\":\"\"");

	/* And back: nothing differs. */
	ck_exit(0, MUSTER("export", "/rt2"));
	again = strdup(r.out);
	ck_exit(0, IMPORT(again, "--at", "/rt"));
	ck_out_has("0 created, 0 set, 0 given another ACL, 0 deleted, 7 as");
	free(file);
	free(again);
}
END_TEST

START_TEST(an_export_to_a_file_is_whole_or_not_there)
{
	make("/of", "1");
	ck_exit(0, MUSTER("export", "/of", "-o", file_in("of.jsonl")));
	ck_assert_str_eq(r.out, "");
	ck_assert(file_has(file_in("of.jsonl"), "{\"path\":\"/of\","));
	ck_exit(2, MUSTER("export", "/of/not", "-o", file_in("not.jsonl")));
	ck_assert_int_ne(access(file_in("not.jsonl"), F_OK), 0);
	/* What is there is replaced only by a whole one. */
	ck_exit(2, MUSTER("export", "/of/not", "-o", file_in("of.jsonl")));
	ck_assert(file_has(file_in("of.jsonl"), "{\"path\":\"/of\","));
	ck_exit(1, MUSTER("export", "/of", "-o", file_in("no/dir.jsonl")));
	ck_err_has("No such file or directory");
	ck_exit(0, MUSTER("import", file_in("of.jsonl")));
	ck_out_has("1 as they were");
}
END_TEST

START_TEST(ephemerals_and_zookeepers_own_are_left_out_and_counted)
{
	struct mu_client *c;

	make("/eph", "1");
	c = holder("/eph/e");
	ck_exit(0, MUSTER("export", "/eph"));
	ck_assert_uint_eq(lines(r.out), 1);
	ck_err_has("1 ephemeral node left out");
	ck_exit(0, MUSTER("export"));
	ck_has_not(r.out, "/zookeeper");
	ck_has_not(r.out, "/eph/e");
	ck_out_has("{\"path\":\"/\",");
	ck_exit(64, MUSTER("export", "/eph/e"));
	ck_err_has("is ephemeral");
	ck_exit(64, MUSTER("export", "/zookeeper"));
	mu_client_close(c, WAIT_MS);
	mu_client_free(c);
}
END_TEST

/* More nodes than are held at a time, and more bytes. */
START_TEST(a_large_tree_goes_there_and_back)
{
	enum { NODES = 2500 };
	char *text = malloc(NODES * 64 + 64);
	size_t n = (size_t)sprintf(text, "{\"path\":\"/big\",\"data\":null}\n");
	char *big;

	for (unsigned i = 0; i < NODES; i++)
		n += (size_t)sprintf(
			text + n, "{\"path\":\"/big/%04u\",\"data\":\"%u\"}\n",
			i, i);
	ck_exit(0, IMPORT(text, NULL));
	ck_out_has("2501 created");
	ck_exit(0, MUSTER("export", "/big"));
	ck_assert_uint_eq(lines(r.out), NODES + 1);
	ck_out_has("{\"path\":\"/big/2499\",\"data\":\"2499\"");
	free(text);

	big = malloc(1000001);
	memset(big, 1, 1000000); /* six bytes each in JSON */
	big[1000000] = '\0';
	file_write(file_in("million"), big, 1000000);
	free(big);
	ck_exit(0, MUSTER("create", "/big/x", "-f", file_in("million")));
	ck_exit(0, MUSTER("export", "/big/x", "-o", file_in("x.jsonl")));
	ck_exit(0, MUSTER("import", file_in("x.jsonl"), "--at", "/big/y"));
	ck_exit(0, MUSTER("stat", "-j", "/big/y"));
	ck_out_has("\"data_length\":1000000");
	ck_exit(0, MUSTER("rm", "-ry", "/big"));
}
END_TEST

START_TEST(import_makes_what_is_missing_and_sets_what_differs)
{
	make("/df", "old");
	make("/df/same", "s");
	ck_exit(0, IMPORT("{\"path\":\"/df/new/deep\",\"data\":\"d\"}\n"
	                  "{\"path\":\"/df\",\"data\":\"new\",\"mtime\":1}\n"
	                  "\n"
	                  "{\"path\":\"/df/same\",\"data\":\"s\"}",
	                  "--json"));
	ck_out_has("{\"dry_run\":false,\"created\":1,\"set\":1,\"acl\":0,"
	           "\"deleted\":0,\"same\":1}");
	ck_assert(cluster_node_is("/df", "new"));
	ck_assert(cluster_node_is("/df/new/deep", "d"));
	ck_exit(0, MUSTER("stat", "-j", "/df/same"));
	ck_out_has("\"version\":0"); /* not touched */
}
END_TEST

START_TEST(a_dry_run_shows_all_and_does_nothing)
{
	make("/dry", "old");
	make("/dry/gone", "g");
	ck_exit(0, IMPORT("{\"path\":\"/dry\",\"data\":\"new\"}\n"
	                  "{\"path\":\"/dry/a\",\"data\":null}\n",
	                  "--dry-run", "--delete"));
	ck_assert_str_eq(r.out, "set /dry\ncreate /dry/a\ndelete /dry/gone\n"
	                        "would be: 1 created, 1 set, 0 given another "
	                        "ACL, 1 deleted, 0 as they were\n");
	ck_exit(0, IMPORT("{\"path\":\"/dry\",\"data\":\"new\"}\n", "--dry-run",
	                  "--json"));
	ck_out_has("\"changes\":[{\"change\":\"set\",\"path\":\"/dry\"}]");
	ck_assert(cluster_node_is("/dry", "old"));
	ck_assert(cluster_node_is("/dry/gone", "g"));
	ck_exit(2, MUSTER("get", "/dry/a"));
}
END_TEST

START_TEST(delete_takes_what_the_file_has_not_but_no_ephemerals)
{
	static const char file[] = "{\"path\":\"/del\",\"data\":null}\n"
				   "{\"path\":\"/del/kept\",\"data\":\"k\"}\n"
				   "{\"path\":\"/del/x/y\",\"data\":\"y\"}\n";
	struct mu_client *c;

	make("/del", NULL);
	make("/del/kept", "k");
	make("/del/old", "o");
	make("/del/old/deep", "o");
	make("/del/x", "x");
	make("/del/live", "l");
	make("/del/live/old", "l");
	make("/delta", "not below /del");
	c = holder("/del/live/e");
	ck_exit(1, IMPORT(file, "--delete"));
	ck_err_has("  /del/old/deep\n");
	ck_err_has("nothing was changed; --yes");
	ck_assert(cluster_node_is("/del/old", "o"));
	ck_exit(2, MUSTER("get", "/del/x/y"));
	ck_exit(0, IMPORT(file, NULL));
	ck_out_has("0 deleted");
	ck_exit(0, IMPORT(file, "--delete", "--yes"));
	ck_out_has("3 deleted");
	ck_err_has("1 ephemeral node not in the file left alone");
	ck_exit(2, MUSTER("get", "/del/old"));
	ck_exit(2, MUSTER("get", "/del/live/old"));
	ck_assert(cluster_node_is("/del/kept", "k"));
	ck_assert(cluster_node_is("/del/x", "x")); /* its child is wanted */
	ck_assert(cluster_node_is("/del/live/e", "e"));
	ck_assert(cluster_node_is("/delta", "not below /del"));
	mu_client_close(c, WAIT_MS);
	mu_client_free(c);
}
END_TEST

START_TEST(the_root_can_be_put_below_and_back)
{
	char *file;

	make("/root-child", "rc");
	ck_exit(0, MUSTER("export", "/"));
	file = strdup(r.out);
	ck_exit(0, IMPORT(file, "--at", "/copy/of"));
	ck_assert(cluster_node_is("/copy/of/root-child", "rc"));
	ck_exit(2, MUSTER("get", "/copy/of/zookeeper"));
	ck_exit(0, IMPORT("{\"path\":\"/q\",\"data\":\"top\"}\n"
	                  "{\"path\":\"/q/below-root\",\"data\":\"b\"}\n",
	                  "--at", "/", "--dry-run"));
	ck_out_has("create /below-root\n");
	ck_exit(0, MUSTER("rm", "-ry", "/copy"));
	free(file);
}
END_TEST

/* ---- compare and set ------------------------------------------------------------------ */

START_TEST(cas_refuses_what_has_changed_since_the_export)
{
	char *file;

	make("/cas", "1");
	make("/cas/a", "1");
	ck_exit(0, MUSTER("export", "/cas"));
	file = strdup(r.out);
	ck_exit(0, MUSTER("set", "/cas/a", "2"));
	ck_exit(3, IMPORT(file, "--cas"));
	ck_err_has("line 2: /cas/a: it is at version 1, not 0: somebody");
	ck_assert(cluster_node_is("/cas/a", "2"));
	ck_exit(0, IMPORT(file, NULL));
	ck_assert(cluster_node_is("/cas/a", "1"));
	free(file);

	ck_exit(0, MUSTER("export", "/cas/a"));
	ck_out_has("\"version\":2");
	ck_exit(0, IMPORT("{\"path\":\"/cas/a\",\"data\":\"3\",\"version\":2}",
	                  "--cas"));
	ck_assert(cluster_node_is("/cas/a", "3"));
	ck_exit(1, IMPORT("{\"path\":\"/cas/a\",\"data\":\"4\"}", "--cas"));
	ck_err_has("wants a \"version\"");
	ck_assert(cluster_node_is("/cas/a", "3"));
}
END_TEST

/* ---- ACLs, kinds -------------------------------------------------------------------------- */

START_TEST(acls_go_there_and_back)
{
	char *file;

	ck_assert_int_eq(create_with("/acl", read_only, 2, 0, 0), 0);
	ck_exit(0, MUSTER("export", "/acl"));
	ck_out_has("\"acl\":[{\"perms\":\"ra\",\"scheme\":\"world\",\"id\":"
	           "\"anyone\"},{\"perms\":\"cdrwa\",\"scheme\":\"ip\",\"id\":"
	           "\"10.0.0.0/8\"}]");
	file = strdup(r.out);
	ck_exit(0, IMPORT(file, "--at", "/acl2"));
	ck_out_has("1 created");
	ck_assert_str_eq(acl_of("/acl2"), read_only_text);
	make("/acl3", "v");
	ck_exit(0, IMPORT(file, "--at", "/acl3"));
	ck_out_has("0 created, 0 set, 1 given another ACL");
	ck_assert_str_eq(acl_of("/acl3"), read_only_text);
	ck_exit(0, IMPORT(file, "--at", "/acl3"));
	ck_out_has("0 given another ACL, 0 deleted, 1 as they were");
	/* A file without one leaves the node's own. */
	ck_exit(0, MUSTER("export", "--no-acl", "/acl3"));
	ck_has_not(r.out, "\"acl\"");
	free(file);
	file = strdup(r.out);
	ck_exit(0, IMPORT(file, NULL));
	ck_assert_str_eq(acl_of("/acl3"), read_only_text);
	free(file);
}
END_TEST

/* Of digests one sees no hashes who may not change them: such an export would
 * lock everybody out. */
START_TEST(an_acl_that_is_not_shown_whole_is_not_exported)
{
	static const struct mu_acl_entry digest[] = {
		{ MU_ACL_READ, "world", "anyone" },
		{ MU_ACL_ALL, "digest", "bob:7mHkAvJzJH0yN7bzaDqgBGZQhiA=" },
	};

	make("/masked", "v");
	make("/masked/a", "v");
	set_acl("/masked/a", digest, 2);
	ck_exit(1, MUSTER("export", "/masked"));
	ck_err_has("/masked/a: its ACL is shown without the hashes");
	ck_exit(0, MUSTER("export", "--no-acl", "/masked"));
	ck_assert_uint_eq(lines(r.out), 2);
}
END_TEST

START_TEST(a_node_that_may_not_be_read_ends_the_export_with_its_path)
{
	static const struct mu_acl_entry admin[] = { { MU_ACL_ADMIN, "world",
		                                       "anyone" } };

	make("/hidden", "v");
	make("/hidden/a", "v");
	set_acl("/hidden/a", admin, 1);
	ck_exit(1, MUSTER("export", "/hidden", "-o", file_in("hidden")));
	ck_err_has("/hidden");
	ck_err_has("permission denied");
	ck_assert_int_ne(access(file_in("hidden"), F_OK), 0);
}
END_TEST

START_TEST(a_kind_is_given_to_the_node_that_is_made)
{
	ONLY_NATIVE("a ZooKeeper may have times to live switched off");
	make("/kind", NULL);
	ck_exit(0, IMPORT("{\"path\":\"/kind/c\",\"data\":\"1\",\"kind\":"
	                  "\"container\"}\n"
	                  "{\"path\":\"/kind/t\",\"data\":\"1\",\"kind\":"
	                  "\"ttl\",\"ttl_ms\":1}\n"
	                  "{\"path\":\"/kind/p\",\"data\":\"1\",\"kind\":"
	                  "\"persistent\"}\n",
	                  NULL));
	ck_out_has("3 created");
	/* A container that has had a child goes, and so does /kind/t. */
	make("/kind/c/child", NULL);
	ck_exit(0, MUSTER("rm", "/kind/c/child"));
	cluster_wait_node("/kind/c", NULL);
	cluster_wait_node("/kind/t", NULL);
	ck_assert(cluster_node_is("/kind/p", "1"));
}
END_TEST

/* ---- files that are not sound ---------------------------------------------------------------- */

static const struct {
	const char *line, *says;
} bad[] = {
	{ "{\"path\":\"/bad/b\",\"data\":\"x\"",
	  "line 2: not valid JSON: col" },
	{ "[]", "line 2: not a JSON object" },
	{ "{\"data\":\"x\"}", "line 2: there is no \"path\"" },
	{ "{\"path\":\"/bad/b\"}", "line 2: there is no \"data\"" },
	{ "{\"path\":\"bad\",\"data\":null}", "line 2: \"path\": " },
	{ "{\"path\":\"/bad/../b\",\"data\":null}", "line 2: \"path\": " },
	{ "{\"path\":\"/bad/b\",\"data\":1}", "neither text nor null" },
	{ "{\"path\":\"/bad/b\",\"data_base64\":\"A\"}", "is not base64" },
	{ "{\"path\":\"/bad/b\",\"data_base64\":\"AB==\"}", "is not base64" },
	{ "{\"path\":\"/bad/b\",\"data_base64\":\"A=BC\"}", "is not base64" },
	{ "{\"path\":\"/bad/b\",\"data_base64\":null}", "is not base64" },
	{ "{\"path\":\"/bad/b\",\"data\":\"\",\"data_base64\":\"\"}",
	  "do not go together" },
	{ "{\"path\":\"/bad/b\",\"data\":null,\"kind\":\"ephemeral\"}",
	  "\"kind\" is none of" },
	{ "{\"path\":\"/bad/b\",\"data\":null,\"kind\":7}",
	  "\"kind\" is none of" },
	{ "{\"path\":\"/bad/b\",\"data\":null,\"kind\":\"ttl\"}", "ttl_ms" },
	{ "{\"path\":\"/bad/b\",\"data\":null,\"acl\":[]}", "\"acl\"" },
	{ "{\"path\":\"/bad/b\",\"data\":null,\"acl\":\"open\"}", "\"acl\"" },
	{ "{\"path\":\"/bad/b\",\"data\":null,\"acl\":[{\"perms\":\"rx\","
	  "\"scheme\":\"world\",\"id\":\"anyone\"}]}",
	  "letters of cdrwa" },
	{ "{\"path\":\"/bad/b\",\"data\":null,\"acl\":[{\"perms\":\"r\","
	  "\"scheme\":\"world\"}]}",
	  "lacks its \"id\"" },
	{ "{\"path\":\"/bad/b\",\"data\":null,\"acl\":[7]}", "cdrwa" },
	{ "{\"path\":\"/bad/a\",\"data\":null}", "is in line 1 already" },
	{ "{\"path\":\"/zookeeper/quota\",\"data\":null}", "server's own" },
};
#define BAD ((int)(sizeof bad / sizeof bad[0]))

START_TEST(a_broken_line_is_told_and_nothing_is_changed)
{
	char text[1024];

	snprintf(text, sizeof text,
	         "{\"path\":\"/bad/a\",\"data\":\"1\"}\n%s\n"
	         "{\"path\":\"/bad/c\",\"data\":\"1\"}\n",
	         bad[_i].line);
	ck_exit(1, IMPORT(text, NULL));
	ck_err_has("standard input, line 2: ");
	ck_err_has(bad[_i].says);
	ck_err_has("nothing was changed");
	ck_exit(2, MUSTER("get", "/bad"));
}
END_TEST

START_TEST(every_fault_of_a_file_is_told_up_to_twenty)
{
	char text[256] = "";

	for (int i = 0; i < 25; i++)
		strcat(text, "{}\n");
	file_write_text(file_in("faults"), text);
	ck_exit(1, MUSTER("import", file_in("faults")));
	ck_err_has("line 1: ");
	ck_err_has("line 20: ");
	ck_has_not(r.err, "line 21: ");
	ck_err_has("and 5 more");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_told)
{
	ck_exit(1, MUSTER("import", file_in("nowhere")));
	ck_err_has("cannot open");
	ck_exit(1, MUSTER("import", cluster.dir));
	ck_err_has("Is a directory");
	ck_exit(1, IMPORT("", NULL));
	ck_err_has("there is no node in it");
	ck_exit(1, IMPORT("\n \n", NULL));
	ck_err_has("there is no node in it");
}
END_TEST

START_TEST(at_wants_all_nodes_below_the_first)
{
	ck_exit(1, IMPORT("{\"path\":\"/at/a\",\"data\":null}\n"
	                  "{\"path\":\"/at/ab\",\"data\":null}\n",
	                  "--at", "/at2"));
	ck_err_has("line 2: not below the node of the first line");
	ck_exit(64,
	        IMPORT("{\"path\":\"/at/a\",\"data\":null}\n", "--at", "at2"));
	ck_err_has("try /at2");
	ck_exit(64, IMPORT("{\"path\":\"/at/a\",\"data\":null}\n", "--at",
	                   "/zookeeper/x"));
	ck_exit(2, MUSTER("get", "/at2"));
}
END_TEST

START_TEST(a_change_that_is_refused_is_told_with_its_line)
{
	struct mu_client *c;

	make("/ref", "1");
	c = holder("/ref/e");
	ck_exit(5, IMPORT("{\"path\":\"/ref/a\",\"data\":null}\n"
	                  "{\"path\":\"/ref/e\",\"data\":null}\n",
	                  NULL));
	ck_err_has("line 2: /ref/e: an ephemeral node is there");
	ck_exit(2, MUSTER("get", "/ref/a"));
	ck_exit(1, IMPORT("{\"path\":\"/ref/a\",\"data\":null}\n"
	                  "{\"path\":\"/ref/e/below\",\"data\":null}\n",
	                  NULL));
	ck_err_has("1 of 2 changes made, then standard input, line 2: create "
	           "/ref/e/below: ");
	ck_exit(0, MUSTER("get", "/ref/a"));
	mu_client_close(c, WAIT_MS);
	mu_client_free(c);
}
END_TEST

START_TEST(without_a_broker_it_is_exit_4)
{
	char text[] = "{\"path\":\"/a\",\"data\":null}\n";

	ck_exit(4, MUSTER("export", "-t", "200ms", "-b", "tcp://127.0.0.1:1"));
	ck_exit(4, IMPORT(text, "-t", "200ms", "-b", "tcp://127.0.0.1:1"));
	/* Not asked where the file alone is wrong. */
	ck_exit(1, IMPORT("{}", "-t", "200ms", "-b", "tcp://127.0.0.1:1"));
}
END_TEST

START_TEST(progress_is_for_terminals_only)
{
	const char *argv[] = { cluster_program("muster"), "import",
		               file_in("many"), NULL };
	char *text = malloc(1500 * 64);
	size_t n = 0;

	for (unsigned i = 0; i < 1500; i++)
		n += (size_t)sprintf(
			text + n, "{\"path\":\"/many/%u\",\"data\":null}\n", i);
	file_write(file_in("many"), text, n);
	free(text);
	ck_exit(0, MUSTER("import", file_in("many")));
	ck_assert_str_eq(r.err, "");
	run_free(&r);
	r = (struct run){ .argv = argv, .pty = true };
	run(&r);
	ck_assert_int_eq(r.exit, 0);
	ck_out_has("compared: 1500 of 1500");
	ck_exit(0, MUSTER("rm", "-ry", "/many"));
}
END_TEST

static TCase *group(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_unchecked_fixture(t, cluster_backend_up, NULL);
	tcase_add_unchecked_fixture(t, broker_up, broker_down);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	return t;
}

static void add_whole(TCase *t)
{
	tcase_add_test(t, what_was_exported_is_imported_elsewhere_as_it_was);
	tcase_add_test(t, an_export_to_a_file_is_whole_or_not_there);
	tcase_add_test(t,
	               ephemerals_and_zookeepers_own_are_left_out_and_counted);
	tcase_add_test(t, a_large_tree_goes_there_and_back);
	tcase_add_test(t, import_makes_what_is_missing_and_sets_what_differs);
	tcase_add_test(t, a_dry_run_shows_all_and_does_nothing);
	tcase_add_test(t, delete_takes_what_the_file_has_not_but_no_ephemerals);
	tcase_add_test(t, the_root_can_be_put_below_and_back);
	tcase_add_test(t, cas_refuses_what_has_changed_since_the_export);
	tcase_add_test(t, progress_is_for_terminals_only);
}

static void add_acls(TCase *t)
{
	tcase_add_test(t, acls_go_there_and_back);
	tcase_add_test(t, an_acl_that_is_not_shown_whole_is_not_exported);
	tcase_add_test(
		t, a_node_that_may_not_be_read_ends_the_export_with_its_path);
	tcase_add_test(t, a_kind_is_given_to_the_node_that_is_made);
}

static void add_bad(TCase *t)
{
	tcase_add_loop_test(t, a_broken_line_is_told_and_nothing_is_changed, 0,
	                    BAD);
	tcase_add_test(t, every_fault_of_a_file_is_told_up_to_twenty);
	tcase_add_test(t, a_file_that_cannot_be_read_is_told);
	tcase_add_test(t, at_wants_all_nodes_below_the_first);
	tcase_add_test(t, a_change_that_is_refused_is_told_with_its_line);
	tcase_add_test(t, without_a_broker_it_is_exit_4);
}

int main(void)
{
	Suite *s = suite_create("cli_export");
	SRunner *sr = srunner_create(s);
	int failed;

	add_whole(group(s, "there and back"));
	add_acls(group(s, "ACLs and kinds"));
	add_bad(group(s, "files that are not sound"));
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
