/* The agent's memory on disk: its files byte by byte, the thread that writes
 * them, and what is made of them at the next start. */
#include "cache.h"
#include "clock.h"
#include "keep.h"
#include "log.h"
#include "mem.h"
#include "program.h"
#include "saver.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct mu_err err;

static void setup(void)
{
	dir_make(dir, sizeof dir);
}

static void teardown(void)
{
	dir_remove(dir);
}

static const char *in_dir(const char *name)
{
	static char path[4][256];
	static unsigned turn;
	char *out = path[turn++ % 4];

	snprintf(out, sizeof path[0], "%s/%s", dir, name);
	return out;
}

static bool is_there(const char *name)
{
	return access(in_dir(name), F_OK) == 0;
}

/* ---- the log, caught ---- */

static int stderr_was = -1;

static void catch_log(void)
{
	int fd = open(in_dir("log"), O_CREAT | O_WRONLY | O_APPEND, 0600);

	mu_log_open("test", MU_INFO);
	stderr_was = dup(2);
	ck_assert_int_ge(dup2(fd, 2), 0);
	close(fd);
}

static void release_log(void)
{
	dup2(stderr_was, 2);
	close(stderr_was);
}

/* ---- a cursor, as bytes ---- */

static struct mu_cursor_mark marks[3] = {
	{ { MU_STR("/a"), 0 }, { true, 0x100000007, 2 }, false },
	{ { MU_STR("/b"), 2 }, { false, 0, 0 }, false },
	{ { MU_STR("/members"), MU_KEEP_MEMBERS },
	  { true, 9, INT32_MAX },
	  false },
};
static struct mu_cursor_mark got[8];
static size_t gots;

static void take(void *arg, const struct mu_cursor_mark *m)
{
	ck_assert_ptr_eq(arg, &gots);
	ck_assert_uint_lt(gots, 8);
	got[gots++] = *m;
}

static struct mu_buf cursor_bytes(uint32_t attempts)
{
	struct mu_cursor c = { .tree_id = -5,
		               .brokers = 0xfffffff0,
		               .attempts = attempts,
		               .yields = attempts > 0 };
	struct mu_buf b = { 0 };

	c.failed_of = marks[0].source;
	c.failed_path = MU_STR("/a/x");
	c.failed_type = 3;
	c.failed_zxid = 0x100000008;
	c.failed_n = 1;
	mu_cursor_put(&b, &c, marks, 3);
	ck_assert(!mu_buf_failed(&b));
	mu_sealed_sum(b.data, b.len);
	return b;
}

static int cursor_get(const struct mu_buf *b, struct mu_cursor *c)
{
	gots = 0;
	return mu_cursor_get(b->data, b->len, c, take, &gots, &err);
}

START_TEST(a_cursor_comes_back_as_it_was_written)
{
	struct mu_buf b = cursor_bytes(4);
	struct mu_cursor c;

	ck_assert_int_eq(cursor_get(&b, &c), 0);
	ck_assert_int_eq(c.tree_id, -5);
	ck_assert_uint_eq(c.brokers, 0xfffffff0);
	ck_assert_uint_eq(gots, 2);
	ck_assert(mu_str_eq(got[0].source.path, MU_STR("/a")));
	ck_assert_int_eq(got[0].source.mode, 0);
	ck_assert_int_eq(got[0].at.zxid, 0x100000007);
	ck_assert_int_eq(got[0].at.n, 2);
	ck_assert_int_eq(got[1].source.mode, MU_KEEP_MEMBERS);
	ck_assert_int_eq(got[1].at.n, INT32_MAX);
	ck_assert_uint_eq(c.attempts, 4);
	ck_assert(c.yields);
	ck_assert(mu_str_eq(c.failed_of.path, MU_STR("/a")));
	ck_assert(mu_str_eq(c.failed_path, MU_STR("/a/x")));
	ck_assert_uint_eq(c.failed_type, 3);
	ck_assert_int_eq(c.failed_zxid, 0x100000008);
	ck_assert_int_eq(c.failed_n, 1);
	mu_buf_fini(&b);
	b = cursor_bytes(0);
	ck_assert_int_eq(cursor_get(&b, &c), 0);
	ck_assert_uint_eq(c.attempts, 0);
	mu_buf_fini(&b);
}
END_TEST

START_TEST(a_torn_cursor_is_refused_wherever_it_is_cut)
{
	struct mu_buf b = cursor_bytes(4);
	struct mu_cursor c;

	while (b.len > 0) {
		b.len--;
		ck_assert_int_eq(cursor_get(&b, &c), MU_EDATA);
		ck_assert_uint_eq(gots, 0);
		ck_assert_uint_gt(strlen(err.msg), 0);
	}
	mu_buf_fini(&b);
}
END_TEST

START_TEST(a_cursor_with_any_bit_turned_is_refused)
{
	struct mu_buf b = cursor_bytes(4);
	struct mu_cursor c;

	for (size_t i = 0; i < b.len * 8; i++) {
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert_int_eq(cursor_get(&b, &c), MU_EDATA);
		ck_assert_uint_eq(gots, 0);
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ck_assert_int_eq(cursor_get(&b, &c), 0);
	mu_buf_fini(&b);
}
END_TEST

/* The checksum is right, and what it covers is not. */
START_TEST(a_cursor_of_another_kind_version_or_length_is_refused)
{
	static const struct {
		size_t at;
		const char *why;
	} rows[] = {
		{ 0, "it is not a cursor" },
		{ MU_SEALED_MAGIC + 3, "version" },
		{ MU_SEALED_HEAD - 1, "length" },
		{ MU_SEALED_HEAD + 15, "no sense" }, /* the count */
	};
	struct mu_buf b = cursor_bytes(4);
	struct mu_cursor c;

	b.data[rows[_i].at] ^= 8;
	mu_sealed_sum(b.data, b.len);
	ck_assert_int_eq(cursor_get(&b, &c), MU_EDATA);
	ck_assert_msg(strstr(err.msg, rows[_i].why) != NULL, "%s", err.msg);
	ck_assert_uint_eq(gots, 0);
	mu_buf_fini(&b);
}
END_TEST

/* ---- a cache, as bytes ---- */

static struct mu_stat stat_of(int64_t zxid)
{
	return (struct mu_stat){ .czxid = zxid,
		                 .mzxid = zxid + 1,
		                 .version = 3,
		                 .data_len = 1,
		                 .pzxid = zxid };
}

static void cache_put(struct mu_buf *b, const struct mu_cursor_mark *mark)
{
	struct mu_stat stat = stat_of(40);
	struct mu_cache_writer w;

	mu_cache_begin(&w, b, -5, 77);
	mu_cache_source(&w, &mark[0].source, &mark[0].at);
	mu_cache_node(&w, MU_STR("/a"), MU_STR("v"), &stat);
	mu_cache_source(&w, &mark[1].source, &mark[1].at);
	mu_cache_source(&w, &mark[2].source, &mark[2].at);
	mu_cache_node(&w, MU_STR("/members/x"), MU_STR(""), &stat);
	mu_cache_node(&w, MU_STR("/members/y"), (struct mu_str){ 0 }, &stat);
	mu_cache_end(&w);
	ck_assert(!mu_buf_failed(b));
	mu_sealed_sum(b->data, b->len);
}

static int cache_check(const struct mu_buf *b)
{
	uint32_t brokers;
	int64_t tree;

	return mu_cache_check(b->data, b->len, &tree, &brokers, &err);
}

START_TEST(a_cache_comes_back_as_it_was_written)
{
	struct mu_keep_source other = { MU_STR("/a"), 1 };
	struct mu_cache_node node;
	struct mu_cache_part part;
	struct mu_buf b = { 0 };
	uint32_t brokers;
	int64_t tree;

	cache_put(&b, marks);
	ck_assert_int_eq(mu_cache_check(b.data, b.len, &tree, &brokers, &err),
	                 0);
	ck_assert_int_eq(tree, -5);
	ck_assert_uint_eq(brokers, 77);
	ck_assert(mu_cache_find(b.data, b.len, &marks[0].source, &part));
	ck_assert_int_eq(part.at.zxid, 0x100000007);
	ck_assert_int_eq(part.at.n, 2);
	ck_assert(mu_cache_next(&part, &node));
	ck_assert(mu_str_eq(node.path, MU_STR("/a")));
	ck_assert(mu_str_eq(node.data, MU_STR("v")));
	ck_assert_int_eq(node.stat.czxid, 40);
	ck_assert_int_eq(node.stat.mzxid, 41);
	ck_assert_int_eq(node.stat.version, 3);
	ck_assert_int_eq(node.stat.pzxid, 40);
	ck_assert(!mu_cache_next(&part, &node));
	ck_assert(mu_cache_find(b.data, b.len, &marks[1].source, &part));
	ck_assert(!mu_cache_next(&part, &node));
	ck_assert(mu_cache_find(b.data, b.len, &marks[2].source, &part));
	ck_assert(mu_cache_next(&part, &node));
	ck_assert_ptr_nonnull(node.data.at);
	ck_assert_uint_eq(node.data.len, 0);
	ck_assert(mu_cache_next(&part, &node));
	ck_assert_ptr_null(node.data.at);
	ck_assert(!mu_cache_next(&part, &node));
	ck_assert(!mu_cache_find(b.data, b.len, &other, &part));
	mu_buf_fini(&b);
}
END_TEST

START_TEST(a_damaged_cache_is_refused_wherever_it_is)
{
	struct mu_buf b = { 0 };
	size_t len;

	cache_put(&b, marks);
	for (size_t i = 0; i < b.len * 8; i++) {
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert_int_eq(cache_check(&b), MU_EDATA);
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ck_assert_int_eq(cache_check(&b), 0);
	for (len = b.len; b.len > 0;) {
		b.len--;
		ck_assert_int_eq(cache_check(&b), MU_EDATA);
	}
	b.len = len;
	/* A count that its checksum covers, and that nothing stands behind. */
	b.data[MU_SEALED_HEAD + 15] ^= 64;
	mu_sealed_sum(b.data, b.len);
	ck_assert_int_eq(cache_check(&b), MU_EDATA);
	mu_buf_fini(&b);
}
END_TEST

START_TEST(a_cursor_is_no_cache)
{
	struct mu_buf b = cursor_bytes(0);

	ck_assert_int_eq(cache_check(&b), MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "not a cache"));
	mu_buf_fini(&b);
}
END_TEST

/* ---- the thread that writes ---- */

static struct mu_saver *saver;

static void saver_new(const char *where, mu_saver_fn *finish)
{
	ck_assert_int_eq(mu_saver_new(where, finish, &saver), 0);
}

static void save(const char *name, const char *text)
{
	size_t len = strlen(text);
	uint8_t *bytes = mu_alloc(len + 1);

	memcpy(bytes, text, len);
	ck_assert_int_eq(mu_saver_put(saver, name, bytes, len), 0);
}

static void assert_saved(const char *name, const char *text)
{
	char *is = file_read(in_dir(name), NULL);

	ck_assert_ptr_nonnull(is);
	ck_assert_str_eq(is, text);
	free(is);
}

START_TEST(the_newest_of_each_name_is_written)
{
	char text[16];

	saver_new(in_dir("sub/deep"), NULL);
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof text, "%d", i);
		save("a", text);
	}
	save("b", "B");
	ck_assert(mu_saver_flush(saver, WAIT_MS));
	assert_saved("sub/deep/a", "199");
	assert_saved("sub/deep/b", "B");
	ck_assert_int_eq(mu_saver_remove(saver, "a"), 0);
	ck_assert_int_eq(mu_saver_remove(saver, "never"), 0);
	ck_assert(mu_saver_flush(saver, WAIT_MS));
	ck_assert(!is_there("sub/deep/a"));
	save("b", "lost");
	ck_assert_int_eq(mu_saver_remove(saver, "b"), 0);
	ck_assert(mu_saver_flush(saver, WAIT_MS));
	ck_assert(!is_there("sub/deep/b"));
	mu_saver_free(saver);
}
END_TEST

START_TEST(a_name_that_is_too_long_is_refused)
{
	char name[400];

	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	saver_new(dir, NULL);
	name[256] = '\0';
	ck_assert_int_eq(mu_saver_put(saver, name, mu_alloc(1), 1), MU_ETOOBIG);
	ck_assert(mu_saver_flush(saver, 0));
	mu_saver_free(saver);
}
END_TEST

static bool is_written(void *arg)
{
	char *is = file_read(in_dir("s/a"), NULL);
	bool good = is && strcmp(is, arg) == 0;

	free(is);
	return good;
}

static bool has_said_again(void *arg)
{
	(void)arg;
	return file_has(in_dir("log"), "is written again");
}

START_TEST(a_disk_that_refuses_is_told_once_and_tried_again)
{
	catch_log();
	saver_new(in_dir("s"), NULL);
	file_write_text(in_dir("s"), "no directory");
	save("a", "1");
	ck_assert(!mu_saver_flush(saver, WAIT_MS));
	for (int i = 0; i < 3; i++) {
		save("a", "2");
		save("b", "x");
	}
	ck_assert(file_comes_to_have(in_dir("log"), "cannot be written",
	                             WAIT_MS));
	unlink(in_dir("s"));
	ck_assert(wait_for(is_written, (char[]){ "2" }, WAIT_MS));
	ck_assert(wait_for(has_said_again, NULL, WAIT_MS));
	ck_assert(mu_saver_flush(saver, WAIT_MS));
	release_log();
	ck_assert_uint_eq(file_count(in_dir("log"), "cannot be written"), 1);
	ck_assert_uint_eq(file_count(in_dir("log"), "is written again"), 1);
	mu_saver_free(saver);
}
END_TEST

START_TEST(a_full_disk_leaves_the_old_file_and_no_other)
{
	struct rlimit before, less;
	char big[4096];

	memset(big, 'b', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	saver_new(in_dir("s"), NULL);
	save("a", "old");
	ck_assert(mu_saver_flush(saver, WAIT_MS));
	catch_log();
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	less = before;
	less.rlim_cur = 2048;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &less), 0);
	save("a", big);
	ck_assert(!mu_saver_flush(saver, WAIT_MS));
	assert_saved("s/a", "old");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert(wait_for(is_written, big, WAIT_MS));
	ck_assert(wait_for(has_said_again, NULL, WAIT_MS));
	release_log();
	mu_saver_free(saver);
	unlink(in_dir("s/a"));
	ck_assert_int_eq(rmdir(in_dir("s")), 0);
}
END_TEST

static pthread_mutex_t hang = PTHREAD_MUTEX_INITIALIZER;

static atomic_bool hung;

static void hangs(uint8_t *bytes, size_t len)
{
	(void)bytes;
	(void)len;
	hung = true;
	pthread_mutex_lock(&hang);
	pthread_mutex_unlock(&hang);
}

static bool is_at_work(void *arg)
{
	(void)arg;
	return hung;
}

START_TEST(a_disk_that_hangs_holds_up_nobody)
{
	int64_t begun = now_ms();

	pthread_mutex_lock(&hang);
	saver_new(in_dir("s"), hangs);
	save("a", "1");
	ck_assert(wait_for(is_at_work, NULL, WAIT_MS));
	save("b", "2");
	save("b", "3");
	ck_assert(!mu_saver_flush(saver, 10));
	mu_saver_free(saver);
	ck_assert_int_lt(now_ms() - begun, WAIT_MS);
	pthread_mutex_unlock(&hang);
	ck_assert(wait_for(is_written, (char[]){ "1" }, WAIT_MS));
}
END_TEST

/* ---- keep ---- */

static struct mu_loop *loop;
static struct mu_keep *keep;
static struct mu_kept *kept;
static struct mu_keep_source sources[] = {
	{ MU_STR("/a"), 0 },
	{ MU_STR("/b"), 2 },
	{ MU_STR("/members"), MU_KEEP_MEMBERS },
};
static struct mu_chan_event failed;
static uint32_t failed_attempts;
static unsigned dues;

static struct mu_mailbox_failure the_failed(void *arg)
{
	(void)arg;
	return (struct mu_mailbox_failure){ failed_attempts ? &failed : NULL,
		                            failed_attempts, true };
}

static void on_due(void *arg)
{
	(void)arg;
	dues++;
}

static void keep_open(uint32_t brokers)
{
	struct mu_keep_options o = { .state_dir = dir, .brokers = brokers };

	if (!loop)
		ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	o.loop = loop;
	ck_assert_int_eq(mu_keep_new(&o, &keep), 0);
}

static void kept_open(const char *name, size_t from, size_t count)
{
	struct mu_kept_options o = { .name = name,
		                     .source = sources + from,
		                     .count = count,
		                     .failed = the_failed,
		                     .on_due = on_due };

	ck_assert_int_eq(mu_kept_open(keep, &o, &kept), 0);
}

static void keep_close(void)
{
	mu_kept_close(kept);
	kept = NULL;
	mu_keep_free(keep);
}

static void keep_setup(void)
{
	setup();
	loop = NULL;
	failed_attempts = 0;
	dues = 0;
}

static void keep_teardown(void)
{
	mu_loop_free(loop);
	teardown();
}

/* A life of the agent, in which /a and the members came that far. */
static void live(int64_t tree, int64_t zxid)
{
	keep_open(1);
	mu_keep_tree(keep, tree);
	kept_open("web", 0, 3);
	mu_kept_reached(kept, 0, zxid, 4);
	mu_kept_reached(kept, 2, zxid + 1, INT32_MAX);
	keep_close();
}

static void assert_place(size_t i, int64_t zxid, int32_t n)
{
	const struct mu_keep_place *at = mu_kept_place(kept, i);

	ck_assert(at->known);
	ck_assert_int_eq(at->zxid, zxid);
	ck_assert_int_eq(at->n, n);
}

START_TEST(places_outlive_the_agent)
{
	live(7, 100);
	keep_open(2);
	ck_assert(mu_keep_was_clean(keep));
	kept_open("web", 0, 3);
	assert_place(0, 100, 4);
	assert_place(2, 101, INT32_MAX);
	ck_assert(!mu_kept_place(kept, 1)->known);
	ck_assert_int_eq(mu_kept_tree(kept), 7);
	ck_assert(!mu_kept_is_foreign(kept, 7));
	ck_assert(mu_kept_is_foreign(kept, 8));
	mu_keep_tree(keep, 7);
	assert_place(0, 100, 4);
	keep_close();
}
END_TEST

struct stop_when {
	bool (*is_true)(void);
	struct mu_timer *timer;
	int64_t until;
};

static void on_stop_when(void *arg)
{
	struct stop_when *w = arg;

	if (w->is_true() || now_ms() > w->until)
		mu_loop_stop(loop);
}

static void run_until(bool (*is_true)(void))
{
	struct stop_when w = { is_true, NULL, now_ms() + WAIT_MS };

	ck_assert_int_eq(mu_timer_new(loop, on_stop_when, &w, &w.timer), 0);
	mu_timer_arm(w.timer, 1, 1);
	mu_loop_run(loop);
	mu_timer_free(w.timer);
	ck_assert(is_true());
}

static bool is_cursor_there(void)
{
	return is_there("instances/web.cursor");
}

/* What a kill -9 leaves: nothing was written at the end. */
START_TEST(a_cursor_is_written_soon_and_an_agent_that_was_killed_is_not_clean)
{
	live(7, 1);
	unlink(in_dir("instances/web.cursor"));
	keep_open(1);
	ck_assert(mu_keep_was_clean(keep));
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 1);
	ck_assert(!is_cursor_there());
	mu_kept_reached(kept, 0, 55, 0);
	run_until(is_cursor_there);
	ck_assert(!is_there("instances/clean"));
	{
		struct mu_keep *killed = keep;
		struct mu_kept *of_killed = kept;

		keep_open(1);
		ck_assert(!mu_keep_was_clean(keep));
		kept_open("web", 0, 1);
		assert_place(0, 55, 0);
		keep_close();
		keep = killed;
		kept = of_killed;
	}
	keep_close();
}
END_TEST

START_TEST(an_agent_whose_cursors_do_not_cover_all_is_not_clean)
{
	live(7, 1);
	keep_open(1);
	ck_assert(mu_keep_was_clean(keep));
	kept_open("web", 0, 1);
	mu_keep_unclean(keep);
	keep_close();
	keep_open(1);
	ck_assert(!mu_keep_was_clean(keep));
	kept_open("web", 0, 1);
	keep_close();
	keep_open(1);
	ck_assert(mu_keep_was_clean(keep));
	kept_open("web", 0, 1);
	keep_close();
}
END_TEST

START_TEST(a_place_never_goes_back_unless_the_source_starts_anew)
{
	live(7, 100);
	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 3);
	mu_kept_reached(kept, 0, 99, 9);
	assert_place(0, 100, 4);
	mu_kept_reached(kept, 0, 100, 3);
	assert_place(0, 100, 4);
	mu_kept_reached(kept, 0, 100, 5);
	assert_place(0, 100, 5);
	mu_kept_restart(kept, 0);
	assert_place(0, 100, 5);
	mu_kept_reached(kept, 0, 3, 0);
	assert_place(0, 3, 0);
	mu_kept_reached(kept, 0, 2, 0);
	assert_place(0, 3, 0);
	keep_close();
}
END_TEST

START_TEST(another_tree_makes_all_forgotten_on_disk_too)
{
	live(7, 100);
	keep_open(1);
	kept_open("web", 0, 3);
	assert_place(0, 100, 4);
	mu_keep_tree(keep, 8);
	ck_assert(!mu_kept_place(kept, 0)->known);
	ck_assert(!mu_kept_place(kept, 2)->known);
	keep_close();
	ck_assert(!is_there("instances/web.cursor"));
	live(8, 3);
	keep_open(1);
	kept_open("web", 0, 3);
	assert_place(0, 3, 4);
	keep_close();
}
END_TEST

START_TEST(a_tree_without_an_id_is_known_by_its_brokers)
{
	live(0, 100);
	keep_open(1);
	kept_open("web", 0, 3);
	assert_place(0, 100, 4);
	keep_close();
	keep_open(2);
	kept_open("web", 0, 3);
	ck_assert(!mu_kept_place(kept, 0)->known);
	keep_close();
}
END_TEST

START_TEST(sources_are_found_by_path_and_mode)
{
	live(7, 100);
	keep_open(1);
	kept_open("web", 1, 2); /* /a is watched no more */
	ck_assert(!mu_kept_place(kept, 0)->known);
	assert_place(1, 101, INT32_MAX);
	sources[0].mode = 1;
	mu_kept_close(kept);
	kept_open("web", 0, 3);
	sources[0].mode = 0;
	ck_assert(!mu_kept_place(kept, 0)->known);
	assert_place(2, 101, INT32_MAX);
	keep_close();
}
END_TEST

START_TEST(of_two_sources_that_are_alike_the_one_behind_counts)
{
	struct mu_keep_source two[] = { { MU_STR("/a"), 0 },
		                        { MU_STR("/a"), 0 } };
	struct mu_kept_options o = { .name = "two", .source = two, .count = 2 };

	keep_open(1);
	mu_keep_tree(keep, 7);
	ck_assert_int_eq(mu_kept_open(keep, &o, &kept), 0);
	mu_kept_reached(kept, 0, 50, 0);
	mu_kept_reached(kept, 1, 40, 3);
	keep_close();
	keep_open(1);
	ck_assert_int_eq(mu_kept_open(keep, &o, &kept), 0);
	assert_place(0, 40, 3);
	assert_place(1, 40, 3);
	keep_close();
}
END_TEST

/* An instance whose settings change is closed, and opened in the same life. */
START_TEST(an_instance_that_is_opened_again_goes_on)
{
	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 2);
	mu_kept_reached(kept, 0, 12, 0);
	failed = (struct mu_chan_event){
		.type = 3, .source = 0, .zxid = 13, .path = MU_STR("/a")
	};
	failed_attempts = 2;
	mu_kept_close(kept);
	failed_attempts = 0;
	kept_open("web", 0, 3);
	assert_place(0, 12, 0);
	ck_assert_ptr_nonnull(mu_kept_failed(kept).e);
	ck_assert_uint_eq(mu_kept_failed(kept).attempts, 2);
	ck_assert_int_eq(mu_kept_failed(kept).e->zxid, 13);
	keep_close();
}
END_TEST

START_TEST(the_event_that_failed_outlives_the_agent)
{
	struct mu_mailbox_failure f;

	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 3);
	ck_assert_ptr_null(mu_kept_failed(kept).e);
	mu_kept_reached(kept, 1, 12, 0);
	failed = (struct mu_chan_event){ .type = 3,
		                         .source = 1,
		                         .zxid = 13,
		                         .n = 2,
		                         .path = MU_STR("/b/x") };
	failed_attempts = 6;
	mu_kept_touch(kept);
	run_until(is_cursor_there);
	keep_close();
	keep_open(1);
	kept_open("web", 0, 3);
	f = mu_kept_failed(kept);
	ck_assert_ptr_nonnull(f.e);
	ck_assert_uint_eq(f.attempts, 6);
	ck_assert(f.yields);
	ck_assert_int_eq(f.e->source, 1);
	ck_assert_uint_eq(f.e->type, 3);
	ck_assert_int_eq(f.e->zxid, 13);
	ck_assert_int_eq(f.e->n, 2);
	ck_assert(mu_str_eq(f.e->path, MU_STR("/b/x")));
	failed_attempts = 0;
	keep_close();
	keep_open(1);
	kept_open("web", 0, 3);
	ck_assert_ptr_null(mu_kept_failed(kept).e);
	keep_close();
}
END_TEST

static void put_nodes(void *arg, size_t i, struct mu_cache_writer *w)
{
	struct mu_stat stat = stat_of(9);

	(void)arg;
	if (i == 0)
		mu_cache_node(w, MU_STR("/a"), MU_STR("value"), &stat);
}

START_TEST(the_cache_is_due_at_once_and_then_after_a_while)
{
	struct mu_cache_part part;

	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 2);
	mu_kept_reached(kept, 0, 12, 0);
	ck_assert(!mu_kept_is_due(kept));
	mu_kept_changed(kept);
	ck_assert(mu_kept_is_due(kept));
	mu_kept_save(kept, put_nodes, NULL);
	ck_assert(!mu_kept_is_changed(kept));
	mu_kept_changed(kept);
	ck_assert(mu_kept_is_changed(kept));
	ck_assert(!mu_kept_is_due(kept));
	keep_close();
	keep_open(1);
	kept_open("web", 0, 2);
	ck_assert(mu_kept_cached(kept, 0, &part));
	ck_assert_int_eq(part.count, 1);
	ck_assert_int_eq(part.at.zxid, 12);
	ck_assert(!mu_kept_cached(kept, 1, &part));
	mu_kept_drop_cache(kept);
	ck_assert(!mu_kept_cached(kept, 0, &part));
	keep_close();
}
END_TEST

static bool is_due_again(void)
{
	return dues >= 2;
}

static bool is_due_once(void)
{
	return dues >= 1;
}

/* It could not be written when it was due, for something was missing. What comes
 * now may be just that, and nothing may come behind it. */
START_TEST(the_cache_is_due_again_with_each_change_until_it_is_written)
{
	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 2);
	mu_kept_changed(kept);
	run_until(is_due_once);
	mu_kept_changed(kept);
	run_until(is_due_again);
	ck_assert_uint_eq(dues, 2);
	mu_kept_reached(kept, 0, 12, 0);
	mu_kept_save(kept, put_nodes, NULL);
	keep_close();
	ck_assert(is_there("instances/web.cache"));
}
END_TEST

static const struct mu_keep_place ahead[] = { { true, 20, 3 }, { 0 } };

static void open_again(void)
{
	keep_close();
	keep_open(1);
	kept_open("web", 0, 2);
}

START_TEST(a_cache_that_is_ahead_is_written_when_its_places_are_reached)
{
	struct mu_cache_part part;

	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 2);
	mu_kept_changed(kept);
	mu_kept_save_ahead(kept, ahead, put_nodes, NULL);
	ck_assert(mu_kept_has_ahead(kept));
	ck_assert(mu_kept_is_changed(kept)); /* it is not written */
	mu_kept_reached(kept, 0, 20, 2);
	mu_kept_changed(kept);
	ck_assert(!mu_kept_is_due(kept)); /* it was taken just now */
	ck_assert(mu_kept_has_ahead(kept));
	mu_kept_reached(kept, 0, 21, 0);
	ck_assert(!mu_kept_has_ahead(kept));
	open_again();
	ck_assert(mu_kept_cached(kept, 0, &part));
	ck_assert_int_eq(part.at.zxid, 20);
	ck_assert_int_eq(part.at.n, 3);
	ck_assert(!mu_kept_cached(kept, 1, &part));
	keep_close();
}
END_TEST

/* What waits may be of no source. */
START_TEST(a_cache_of_places_that_were_reached_before_is_written_at_once)
{
	struct mu_cache_part part;

	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 2);
	mu_kept_reached(kept, 0, 20, 3);
	mu_kept_save_ahead(kept, ahead, put_nodes, NULL);
	ck_assert(!mu_kept_has_ahead(kept));
	open_again();
	ck_assert(mu_kept_cached(kept, 0, &part));
	ck_assert_int_eq(part.at.zxid, 20);
	keep_close();
}
END_TEST

static bool is_due_at_its_time(void)
{
	return dues >= 1 && mu_kept_is_due(kept);
}

/* Nobody may ever say that its places are reached. */
START_TEST(a_cache_that_is_ahead_is_due_until_it_is_written)
{
	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 2);
	mu_kept_reached(kept, 0, 12, 0);
	mu_kept_save_ahead(kept, ahead, put_nodes, NULL);
	ck_assert(!mu_kept_is_due(kept));
	run_until(is_due_at_its_time);
	mu_kept_reached(kept, 0, 20, 3);
	ck_assert(!mu_kept_is_changed(kept));
	keep_close();
}
END_TEST

static void save_now(void)
{
	mu_kept_save(kept, put_nodes, NULL);
}

static void start_anew(void)
{
	mu_kept_restart(kept, 0);
}

static void have_another_tree(void)
{
	mu_keep_tree(keep, 8);
}

static void drop_it(void)
{
	mu_kept_drop_ahead(kept);
	ck_assert(mu_kept_is_changed(kept)); /* what it held is not written */
}

static void (*const overtakings[])(void) = { open_again, save_now, start_anew,
	                                     drop_it, have_another_tree };

START_TEST(a_cache_that_is_ahead_goes_where_its_places_mean_no_more)
{
	struct mu_cache_part part;

	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 2);
	mu_kept_reached(kept, 0, 12, 0);
	mu_kept_save_ahead(kept, ahead, put_nodes, NULL);
	overtakings[_i]();
	ck_assert(!mu_kept_has_ahead(kept));
	mu_kept_reached(kept, 0, 21, 0);
	open_again();
	if (mu_kept_cached(kept, 0, &part))
		ck_assert_int_eq(part.at.zxid, 12); /* what was saved */
	keep_close();
}
END_TEST

/* Its time was set before it was written, and comes before it is due again. */
START_TEST(the_cache_is_due_again_though_it_was_written_meanwhile)
{
	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 2);
	mu_kept_reached(kept, 0, 12, 0);
	mu_kept_changed(kept);
	mu_kept_save(kept, put_nodes, NULL);
	mu_kept_changed(kept);
	run_until(is_due_once);
	ck_assert(mu_kept_is_due(kept));
	keep_close();
}
END_TEST

static void save_cache(void)
{
	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("web", 0, 2);
	mu_kept_reached(kept, 0, 12, 0);
	mu_kept_save(kept, put_nodes, NULL);
	mu_kept_reached(kept, 0, 30, 0);
	keep_close();
}

static void spoil(const char *name)
{
	size_t len;
	char *bytes = file_read(in_dir(name), &len);

	ck_assert_ptr_nonnull(bytes);
	bytes[len / 2] = (char)(bytes[len / 2] ^ 1);
	file_write(in_dir(name), bytes, len);
	free(bytes);
}

START_TEST(a_damaged_cache_is_told_set_aside_and_not_used)
{
	struct mu_cache_part part;

	save_cache();
	spoil("instances/web.cache");
	catch_log();
	keep_open(1);
	kept_open("web", 0, 2);
	release_log();
	ck_assert(!mu_kept_cached(kept, 0, &part));
	assert_place(0, 30, 0);
	ck_assert(is_there("instances/web.cache.damaged"));
	ck_assert(!is_there("instances/web.cache"));
	ck_assert_uint_eq(file_count(in_dir("log"), "is damaged"), 1);
	ck_assert(file_has(in_dir("log"), "instance=web"));
	ck_assert(file_has(in_dir("log"), "web.cache.damaged"));
	keep_close();
}
END_TEST

/* Then the cache says from where to go on. */
START_TEST(a_damaged_cursor_is_told_set_aside_and_not_used)
{
	save_cache();
	spoil("instances/web.cursor");
	catch_log();
	keep_open(1);
	kept_open("web", 0, 2);
	release_log();
	assert_place(0, 12, 0);
	ck_assert(is_there("instances/web.cursor.damaged"));
	ck_assert_uint_eq(file_count(in_dir("log"), "is damaged"), 1);
	keep_close();
}
END_TEST

START_TEST(a_cache_of_another_tree_than_the_cursor_is_not_used)
{
	struct mu_cache_part part;
	char *bytes;
	size_t len;

	save_cache();
	bytes = file_read(in_dir("instances/web.cache"), &len);
	live(8, 2);
	file_write(in_dir("instances/web.cache"), bytes, len);
	free(bytes);
	keep_open(1);
	kept_open("web", 0, 2);
	ck_assert(!mu_kept_cached(kept, 0, &part));
	assert_place(0, 2, 4);
	keep_close();
}
END_TEST

static bool is_web(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "web") == 0;
}

START_TEST(the_files_of_instances_that_are_no_more_go)
{
	live(7, 100);
	keep_open(1);
	mu_keep_tree(keep, 7);
	kept_open("db", 0, 1);
	mu_kept_reached(kept, 0, 5, 0);
	mu_kept_save(kept, put_nodes, NULL);
	keep_close();
	file_write_text(in_dir("instances/db.cache.damaged"), "x");
	file_write_text(in_dir("instances/.web.cursor.0a.tmp"), "x");
	file_write_text(in_dir("instances/other"), "x");
	ck_assert_int_eq(mkdir(in_dir("instances/db.d"), 0700), 0);
	keep_open(1);
	mu_keep_only(keep, is_web, NULL);
	ck_assert(!is_there("instances/.web.cursor.0a.tmp"));
	ck_assert(!is_there("instances/db.cursor"));
	ck_assert(!is_there("instances/db.cache"));
	ck_assert(!is_there("instances/db.cache.damaged"));
	ck_assert(is_there("instances/web.cursor"));
	ck_assert(is_there("instances/other"));
	ck_assert(is_there("instances/db.d"));
	/* One that goes in this life: not even what was on its way stays. */
	mu_keep_tree(keep, 7);
	kept_open("db", 0, 1);
	mu_kept_reached(kept, 0, 5, 0);
	mu_keep_only(keep, is_web, NULL); /* open: it stays */
	ck_assert(mu_kept_place(kept, 0)->known);
	mu_kept_save(kept, put_nodes, NULL);
	mu_kept_close(kept);
	mu_keep_only(keep, is_web, NULL);
	kept_open("db", 0, 1);
	ck_assert(!mu_kept_place(kept, 0)->known);
	keep_close();
	ck_assert(!is_there("instances/db.cursor"));
	ck_assert(!is_there("instances/db.cache"));
}
END_TEST

START_TEST(without_a_directory_all_goes_on)
{
	catch_log();
	file_write_text(in_dir("instances"), "no directory");
	live(7, 100);
	release_log();
	ck_assert_uint_eq(file_count(in_dir("log"), "cannot be written"), 1);
	unlink(in_dir("instances"));
	keep_open(1);
	kept_open("web", 0, 3);
	ck_assert(!mu_kept_place(kept, 0)->known);
	ck_assert(!mu_keep_was_clean(keep));
	keep_close();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("keep");
	TCase *bytes = tcase_create("bytes");
	TCase *disk = tcase_create("disk");
	TCase *lives = tcase_create("lives");
	SRunner *sr;
	int fails;

	tcase_set_timeout(bytes, 60);
	tcase_add_test(bytes, a_cursor_comes_back_as_it_was_written);
	tcase_add_test(bytes, a_torn_cursor_is_refused_wherever_it_is_cut);
	tcase_add_test(bytes, a_cursor_with_any_bit_turned_is_refused);
	tcase_add_loop_test(
		bytes, a_cursor_of_another_kind_version_or_length_is_refused, 0,
		4);
	tcase_add_test(bytes, a_cache_comes_back_as_it_was_written);
	tcase_add_test(bytes, a_damaged_cache_is_refused_wherever_it_is);
	tcase_add_test(bytes, a_cursor_is_no_cache);
	suite_add_tcase(s, bytes);
	tcase_add_checked_fixture(disk, setup, teardown);
	tcase_set_timeout(disk, 120);
	tcase_add_test(disk, the_newest_of_each_name_is_written);
	tcase_add_test(disk, a_name_that_is_too_long_is_refused);
	tcase_add_test(disk, a_disk_that_refuses_is_told_once_and_tried_again);
	tcase_add_test(disk, a_full_disk_leaves_the_old_file_and_no_other);
	tcase_add_test(disk, a_disk_that_hangs_holds_up_nobody);
	suite_add_tcase(s, disk);
	tcase_add_checked_fixture(lives, keep_setup, keep_teardown);
	tcase_set_timeout(lives, 120);
	tcase_add_test(lives, places_outlive_the_agent);
	tcase_add_test(
		lives,
		a_cursor_is_written_soon_and_an_agent_that_was_killed_is_not_clean);
	tcase_add_test(lives,
	               an_agent_whose_cursors_do_not_cover_all_is_not_clean);
	tcase_add_test(lives,
	               a_place_never_goes_back_unless_the_source_starts_anew);
	tcase_add_test(lives, another_tree_makes_all_forgotten_on_disk_too);
	tcase_add_test(lives, a_tree_without_an_id_is_known_by_its_brokers);
	tcase_add_test(lives, sources_are_found_by_path_and_mode);
	tcase_add_test(lives,
	               of_two_sources_that_are_alike_the_one_behind_counts);
	tcase_add_test(lives, an_instance_that_is_opened_again_goes_on);
	tcase_add_test(lives, the_event_that_failed_outlives_the_agent);
	tcase_add_test(lives, the_cache_is_due_at_once_and_then_after_a_while);
	tcase_add_test(lives,
	               the_cache_is_due_again_though_it_was_written_meanwhile);
	tcase_add_test(
		lives,
		the_cache_is_due_again_with_each_change_until_it_is_written);
	tcase_add_test(
		lives,
		a_cache_that_is_ahead_is_written_when_its_places_are_reached);
	tcase_add_test(
		lives,
		a_cache_of_places_that_were_reached_before_is_written_at_once);
	tcase_add_test(lives, a_cache_that_is_ahead_is_due_until_it_is_written);
	tcase_add_loop_test(
		lives, a_cache_that_is_ahead_goes_where_its_places_mean_no_more,
		0, sizeof overtakings / sizeof *overtakings);
	tcase_add_test(lives, a_damaged_cache_is_told_set_aside_and_not_used);
	tcase_add_test(lives, a_damaged_cursor_is_told_set_aside_and_not_used);
	tcase_add_test(lives,
	               a_cache_of_another_tree_than_the_cursor_is_not_used);
	tcase_add_test(lives, the_files_of_instances_that_are_no_more_go);
	tcase_add_test(lives, without_a_directory_all_goes_on);
	suite_add_tcase(s, lives);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	fails = srunner_ntests_failed(sr);
	srunner_free(sr);
	return fails ? 1 : 0;
}
