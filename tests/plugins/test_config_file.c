/* The shipped plugin config-file: a file is kept equal to a node. */
#include "plugin_bed.h"

#include <signal.h>
#include <sys/stat.h>

static char file[300];
static int32_t version;

/* For the reload commands of these tests: says what the service then has. */
#define RELOAD "cat $D/app.conf >> $D/reloads; echo >> $D/reloads"

static void setup(void)
{
	dir_setup();
	snprintf(file, sizeof file, "%s/app.conf", dir);
	version = 0;
	set_str("path", "/config/app");
	set_str("file", file);
}

static void start_with(struct fake_options o)
{
	o.work_dir = work;
	start_well("config-file", o);
}

static void start(void)
{
	start_with((struct fake_options){ .instance = NULL });
}

static struct mu_chan_event value_event(const char *text)
{
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED,
		                   .path = MU_STR("/config/app"),
		                   .zxid = 1000,
		                   .has_stat = true };

	e.data = mu_str_of(text);
	e.stat.version = version;
	e.stat.mzxid = 100 + version;
	return e;
}

/* Give the node a new value: the code of the ACK. */
static int give(const char *text)
{
	version++;
	return fake_event(&a, value_event(text));
}

/* The same event once more. */
static int give_again(const char *text)
{
	return fake_event(&a, value_event(text));
}

#define NOTE "work/in-force.test"

static void assert_clean(void)
{
	ck_assert(!there("app.conf.muster-new"));
	ck_assert(!there("app.conf.muster-old"));
	ck_assert(!there("app.conf.muster-pending"));
}

static void assert_reported(int state, const char *reason)
{
	ck_assert_int_eq(a.report.state, state);
	ck_assert_msg(strcmp(a.report.reason, reason) == 0, "%s",
	              a.report.reason);
	ck_assert_str_eq(a.report.path, "/config/app");
	ck_assert_int_eq(a.report.version, version);
	ck_assert_int_eq(a.report.zxid, 100 + version);
}

/* ---- what goes well ---- */

START_TEST(a_value_is_written_and_the_service_reloads)
{
	set_str("reload", RELOAD);
	start();
	ck_assert_int_eq(give("one"), 0);
	ck_assert_str_eq(content("app.conf"), "one");
	ck_assert_str_eq(content("reloads"), "one\n");
	assert_reported(MU_REPORT_APPLIED, "");
	ck_assert_int_eq(give("two"), 0);
	ck_assert_str_eq(content("app.conf"), "two");
	ck_assert_str_eq(content("reloads"), "one\ntwo\n");
	assert_reported(MU_REPORT_APPLIED, "");
	ck_assert_uint_eq(a.report.count, 2);
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(the_digest_is_crc32c)
{
	start();
	ck_assert_int_eq(give("123456789"), 0);
	ck_assert_str_eq(a.report.digest, "crc32c:e3069283");
	fake_stop(&a);
}
END_TEST

START_TEST(bytes_are_kept_as_they_are)
{
	struct mu_chan_event e = value_event("");

	start();
	e.data = MU_STR("a\0b\r\n\xff");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_mem_eq(content("app.conf"), "a\0b\r\n\xff", 7);
	fake_stop(&a);
}
END_TEST

START_TEST(present_and_created_write_it_too)
{
	struct mu_chan_event e = value_event("first");

	start();
	e.type = MU_EVENT_PRESENT;
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(content("app.conf"), "first");
	e.type = MU_EVENT_CREATED;
	e.data = MU_STR("second");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(content("app.conf"), "second");
	fake_stop(&a);
}
END_TEST

START_TEST(a_file_that_is_right_is_reported_without_a_reload)
{
	struct stat before, after;

	put("app.conf", "one");
	ck_assert_int_eq(stat(file, &before), 0);
	set_str("reload", RELOAD);
	set_str("check", "echo >> $D/checks");
	start();
	ck_assert_int_eq(give("one"), 0);
	assert_reported(MU_REPORT_APPLIED, "");
	ck_assert(!there("reloads"));
	ck_assert(!there("checks"));
	ck_assert_int_eq(stat(file, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	fake_stop(&a);
}
END_TEST

START_TEST(other_nodes_and_other_events_are_not_its_affair)
{
	struct mu_chan_event e = value_event("x");

	start();
	e.path = MU_STR("/config/app/below");
	ck_assert_int_eq(fake_event(&a, e), 0);
	e.path = MU_STR("/config/app");
	e.type = MU_EVENT_CHILDREN;
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(!there("app.conf"));
	ck_assert_uint_eq(a.report.count, 0);
	fake_stop(&a);
}
END_TEST

START_TEST(no_value_leaves_the_file_as_it_is)
{
	struct mu_chan_event e;

	put("app.conf", "old");
	start();
	version++;
	e = value_event("");
	ck_assert_int_eq(fake_event(&a, e), 0);
	assert_reported(MU_REPORT_REJECTED,
	                "the node is empty; the file is left as it is");
	e.data = (struct mu_str){ NULL, 0 };
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_uint_eq(a.report.count, 2);
	/* Gone since: the deletion comes next, and tells. */
	e.has_stat = false;
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_uint_eq(a.report.count, 2);
	ck_assert_str_eq(content("app.conf"), "old");
	assert_clean();
	fake_stop(&a);
}
END_TEST

/* An event of the changes that led to the present value, which has zxid 101. */
static int give_at(int64_t zxid, uint32_t type, uint32_t flags,
                   const char *text)
{
	struct mu_chan_event e = value_event(text);

	e.type = type;
	e.zxid = zxid;
	e.flags = flags;
	e.stat.mzxid = zxid;
	if (type == MU_EVENT_DELETED)
		e.has_stat = false;
	return fake_event(&a, e);
}

START_TEST(older_values_behind_the_present_one_are_passed_over)
{
	set_str("reload", RELOAD);
	set_str("on_delete", "remove");
	start();
	version = 3;
	ck_assert_int_eq(give_at(101, MU_EVENT_PRESENT, 0, "new"), 0);
	ck_assert_int_eq(give_at(98, MU_EVENT_CHANGED, MU_EVENT_AGAIN, "a"), 0);
	ck_assert_int_eq(give_at(99, MU_EVENT_DELETED, 0, ""), 0);
	ck_assert_int_eq(give_at(100, MU_EVENT_CREATED, 0, "b"), 0);
	ck_assert_str_eq(content("app.conf"), "new");
	ck_assert_str_eq(content("reloads"), "new\n");
	ck_assert_uint_eq(a.report.count, 1);
	/* That value itself, and what came after it, count. */
	ck_assert_int_eq(give_at(101, MU_EVENT_CHANGED, 0, "new"), 0);
	ck_assert_uint_eq(a.report.count, 2);
	ck_assert_int_eq(give_at(102, MU_EVENT_CHANGED, 0, "newer"), 0);
	ck_assert_str_eq(content("reloads"), "new\nnewer\n");
	fake_stop(&a);
}
END_TEST

START_TEST(a_difference_counts_whatever_its_zxid)
{
	start();
	ck_assert_int_eq(give_at(101, MU_EVENT_PRESENT, 0, "new"), 0);
	ck_assert_int_eq(
		give_at(7, MU_EVENT_CHANGED, MU_EVENT_COALESCED, "read"), 0);
	ck_assert_str_eq(content("app.conf"), "read");
	fake_stop(&a);
}
END_TEST

START_TEST(a_refused_present_value_brings_no_older_one_back)
{
	put("app.conf", "good");
	set_str("check", "grep -q good %f");
	start();
	ck_assert_int_lt(give_at(101, MU_EVENT_PRESENT, 0, "bad"), 0);
	ck_assert_int_eq(give_at(100, MU_EVENT_CHANGED, 0, "good once"), 0);
	ck_assert_str_eq(content("app.conf"), "good");
	ck_assert_int_lt(give_at(101, MU_EVENT_CHANGED, 0, "bad"), 0);
	ck_assert_int_eq(a.report.state, MU_REPORT_REJECTED);
	fake_stop(&a);
}
END_TEST

START_TEST(the_mode_is_as_configured)
{
	struct stat st;

	put("app.conf", "old");
	set_str("mode", "0640");
	start();
	ck_assert_int_eq(give("new"), 0);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	fake_stop(&a);
}
END_TEST

START_TEST(the_owner_stays)
{
	struct stat st;

	put("app.conf", "old");
	/* Only root can give a file away; for others it is theirs anyway. */
	ck_assert_int_eq(stat(file, &st), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(chown(file, 12345, 54321), 0);
	start();
	ck_assert_int_eq(give("new"), 0);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_uid, geteuid() == 0 ? 12345 : geteuid());
	fake_stop(&a);
}
END_TEST

START_TEST(deletion_keeps_the_file)
{
	struct mu_chan_event e = { .type = MU_EVENT_DELETED,
		                   .path = MU_STR("/config/app") };

	put("app.conf", "old");
	start();
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(content("app.conf"), "old");
	ck_assert(fake_logged(&a, "left as it is"));
	ck_assert_int_eq(a.report.state, MU_REPORT_APPLIED);
	ck_assert_str_eq(a.report.reason, "the node is gone; the file is kept");
	ck_assert_int_eq(a.report.version, -1);
	fake_stop(&a);
}
END_TEST

START_TEST(deletion_removes_the_file_if_told_to)
{
	struct mu_chan_event e = { .type = MU_EVENT_DELETED,
		                   .path = MU_STR("/config/app"),
		                   .zxid = 9 };

	put("app.conf", "old");
	set_str("on_delete", "remove");
	set_str("reload", "echo reload >> $D/reloads");
	start();
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(!there("app.conf"));
	ck_assert_str_eq(content("reloads"), "reload\n");
	ck_assert_int_eq(a.report.state, MU_REPORT_APPLIED);
	ck_assert_int_eq(a.report.zxid, 9);
	ck_assert_int_eq(a.report.version, -1);
	ck_assert_str_eq(a.report.reason,
	                 "the node is gone; the file is removed");
	ck_assert_str_eq(a.report.digest, "");
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(a_removal_that_fails_brings_the_file_back)
{
	struct mu_chan_event e = { .type = MU_EVENT_DELETED,
		                   .path = MU_STR("/config/app") };

	put("app.conf", "old");
	set_str("on_delete", "remove");
	set_str("reload", "test -e $D/app.conf || { echo no file; exit 1; }");
	start();
	ck_assert_int_eq(fake_event(&a, e), MU_EDATA);
	ck_assert_str_eq(content("app.conf"), "old");
	ck_assert_str_eq(a.report.reason, "reload: exit status 1: no file");
	assert_clean();
	fake_stop(&a);
}
END_TEST

/* ---- the check ---- */

START_TEST(the_check_sees_the_new_file)
{
	put("app.conf", "old");
	set_str("check", "cat %f $MUSTER_FILE > $D/seen; cat $D/app.conf "
	                 ">> $D/seen");
	start();
	ck_assert_int_eq(give("new"), 0);
	ck_assert_str_eq(content("seen"), "newnewold");
	fake_stop(&a);
}
END_TEST

START_TEST(a_name_with_quotes_reaches_the_check_whole)
{
	char odd[300];

	snprintf(odd, sizeof odd, "%s/it's \"$(odd)\".conf", dir);
	row_count = 1; /* path alone */
	set_str("file", odd);
	set_str("check", "cat %f > $D/seen");
	start();
	ck_assert_int_eq(give("new"), 0);
	ck_assert_str_eq(content("seen"), "new");
	ck_assert_str_eq(fake_read(odd), "new");
	fake_stop(&a);
}
END_TEST

START_TEST(a_failed_check_leaves_the_old_file)
{
	struct stat before, after;

	put("app.conf", "old");
	ck_assert_int_eq(stat(file, &before), 0);
	set_str("check", "grep -q good %f || { echo not good >&2; exit 7; }");
	set_str("reload", RELOAD);
	start();
	ck_assert_int_eq(give("bad"), MU_EDATA);
	ck_assert_str_eq(a.ack.reason, "check: exit status 7: not good");
	assert_reported(MU_REPORT_REJECTED, "check: exit status 7: not good");
	ck_assert_str_eq(content("app.conf"), "old");
	ck_assert_int_eq(stat(file, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert(!there("reloads"));
	assert_clean();
	/* And the next value, if good, is taken. */
	ck_assert_int_eq(give("good"), 0);
	ck_assert_str_eq(content("app.conf"), "good");
	assert_reported(MU_REPORT_APPLIED, "");
	fake_stop(&a);
}
END_TEST

START_TEST(a_check_past_its_limit_is_a_refusal)
{
	set_num("timeout_ms", MU_SETTING_INT, 200);
	set_str("check", "sleep 1000");
	start();
	ck_assert_int_eq(give("new"), MU_EDATA);
	assert_reported(MU_REPORT_REJECTED,
	                "check: not done in 200 ms (timeout_ms), killed, "
	                "without output: sleep 1000");
	ck_assert(!there("app.conf"));
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(a_check_without_output_is_named)
{
	set_str("check", "grep -q good %f");
	start();
	ck_assert_int_eq(give("bad"), MU_EDATA);
	assert_reported(MU_REPORT_REJECTED, "check: exit status 1, without "
	                                    "output: grep -q good %f");
	fake_stop(&a);
}
END_TEST

/* ---- edited by hand ---- */

#define HAND "app.conf.muster-hand"

START_TEST(what_was_edited_by_hand_is_kept_and_told)
{
	start();
	ck_assert_int_eq(give("one"), 0);
	ck_assert(!there(HAND));
	put("app.conf", "mine");
	ck_assert_int_eq(give("two"), 0);
	ck_assert_str_eq(content("app.conf"), "two");
	ck_assert_str_eq(content(HAND), "mine");
	ck_assert(fake_logged(&a, "<1> "));
	ck_assert(fake_logged(&a, "(edited by hand?)"));
	assert_clean();
	/* The newest stays. */
	put("app.conf", "mine too");
	ck_assert_int_eq(give("three"), 0);
	ck_assert_str_eq(content(HAND), "mine too");
	fake_stop(&a);
}
END_TEST

START_TEST(an_edit_is_undone_by_the_same_value_too)
{
	start();
	ck_assert_int_eq(give("one"), 0);
	put("app.conf", "two"); /* of the same length */
	ck_assert_int_eq(give_again("one"), 0);
	ck_assert_str_eq(content("app.conf"), "one");
	ck_assert_str_eq(content(HAND), "two");
	fake_stop(&a);
}
END_TEST

START_TEST(a_file_that_was_not_edited_is_not_kept)
{
	put("app.conf", "one");
	start();
	ck_assert_int_eq(give("one"), 0); /* found right */
	ck_assert_int_eq(give("two"), 0);
	ck_assert_int_eq(give("three"), 0);
	ck_assert(!there(HAND));
	ck_assert(!fake_logged(&a, "<1>"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_file_from_before_is_kept_without_a_warning)
{
	put("app.conf", "the maker's");
	start();
	ck_assert_int_eq(give("one"), 0);
	ck_assert_str_eq(content(HAND), "the maker's");
	ck_assert(fake_logged(&a, "was there before"));
	ck_assert(!fake_logged(&a, "<1>"));
	fake_stop(&a);
}
END_TEST

START_TEST(an_edited_file_that_is_removed_is_kept)
{
	struct mu_chan_event e = { .type = MU_EVENT_DELETED,
		                   .path = MU_STR("/config/app") };

	set_str("on_delete", "remove");
	start();
	ck_assert_int_eq(give("one"), 0);
	put("app.conf", "mine");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(!there("app.conf"));
	ck_assert_str_eq(content(HAND), "mine");
	fake_stop(&a);
}
END_TEST

START_TEST(an_edit_that_comes_back_is_told_once)
{
	unsigned told = 0;

	set_str("reload", "! grep two $D/app.conf");
	start();
	ck_assert_int_eq(give("one"), 0);
	put("app.conf", "mine");
	ck_assert_int_eq(give("two"), MU_EDATA);
	ck_assert_int_eq(give_again("two"), MU_EDATA);
	ck_assert_str_eq(content("app.conf"), "mine");
	for (const char *at = (const char *)a.logs.data;
	     (at = strstr(at, "edited by hand")); at++)
		told++;
	ck_assert_uint_eq(told, 1);
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(an_edited_file_stays_if_it_cannot_be_kept)
{
	start();
	ck_assert_int_eq(give("one"), 0);
	put("app.conf", "mine");
	ck_assert_int_eq(mkdir(in_dir(HAND), 0755), 0);
	ck_assert_int_eq(give("two"), MU_EIO);
	ck_assert_str_eq(content("app.conf"), "mine");
	ck_assert_int_eq(a.report.state, MU_REPORT_FAILED);
	assert_clean();
	fake_stop(&a);
}
END_TEST

/* ---- over the end of a process ---- */

static void start_again(void)
{
	fake_stop(&a);
	start();
}

START_TEST(what_an_earlier_process_wrote_is_no_edit_by_hand)
{
	start();
	ck_assert_int_eq(give("one"), 0);
	start_again();
	ck_assert_int_eq(give("two"), 0);
	ck_assert(!there(HAND));
	ck_assert(!fake_logged(&a, "was there before"));
	start_again();
	ck_assert_int_eq(give_again("two"), 0); /* found right */
	start_again();
	ck_assert_int_eq(give("three"), 0);
	ck_assert(!there(HAND));
	ck_assert(!there(NOTE ".new"));
	fake_stop(&a);
}
END_TEST

START_TEST(an_edit_while_no_process_was_there_is_kept_and_told)
{
	start();
	ck_assert_int_eq(give("one"), 0);
	fake_stop(&a);
	put("app.conf", "own"); /* of the same length */
	start();
	ck_assert_int_eq(give("two"), 0);
	ck_assert_str_eq(content(HAND), "own");
	ck_assert(fake_logged(&a, "(edited by hand?)"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_file_that_was_found_right_is_known_to_the_next_process)
{
	put("app.conf", "one");
	start();
	ck_assert_int_eq(give("one"), 0);
	start_again();
	ck_assert_int_eq(give("two"), 0);
	ck_assert(!there(HAND));
	fake_stop(&a);
}
END_TEST

START_TEST(a_removed_file_that_somebody_made_anew_is_his)
{
	struct mu_chan_event e = { .type = MU_EVENT_DELETED,
		                   .path = MU_STR("/config/app") };

	set_str("on_delete", "remove");
	start();
	ck_assert_int_eq(give("one"), 0);
	ck_assert_int_eq(fake_event(&a, e), 0);
	fake_stop(&a);
	put("app.conf", "mine");
	start();
	ck_assert_int_eq(give("two"), 0);
	ck_assert_str_eq(content(HAND), "mine");
	ck_assert(fake_logged(&a, "(edited by hand?)"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_value_that_was_undone_leaves_the_old_one_known)
{
	set_str("reload", "! grep bad $D/app.conf");
	start();
	ck_assert_int_eq(give("one"), 0);
	ck_assert_int_eq(give("bad"), MU_EDATA);
	start_again();
	ck_assert_int_eq(give("two"), 0);
	ck_assert(!there(HAND));
	fake_stop(&a);
}
END_TEST

/* Killed behind the note of "two", and before the mark was away. */
START_TEST(a_note_that_came_before_a_crash_is_put_right)
{
	set_str("reload", "! grep -q bad $D/app.conf");
	start();
	ck_assert_int_eq(give("one"), 0);
	ck_assert_int_eq(give("two"), 0);
	fake_stop(&a);
	put("app.conf.muster-pending", "");
	put("app.conf.muster-old", "one");
	start();
	ck_assert_int_eq(give("bad"), MU_EDATA);
	ck_assert_str_eq(content("app.conf"), "one");
	ck_assert_int_eq(give("three"), 0);
	ck_assert(!there(HAND));
	fake_stop(&a);
	put("app.conf.muster-pending", "");
	put("app.conf.muster-old", "two");
	start();
	ck_assert_int_eq(give("bad"), MU_EDATA);
	start_again();
	ck_assert_int_eq(give("four"), 0);
	ck_assert(!there(HAND));
	fake_stop(&a);
}
END_TEST

#define ENDLESS \
	"a long line before the name, which is no checksum and no length"

/* %s: the file. */
static const char *const no_notes[] = {
	"",
	"rubbish\n",
	"e3069283 6", /* half a line */
	"gone 0 /another\n",
	"\n\n",
	"zz 6 %s\n",
	"12 six %s\n",
	"12345678 6 and more %s\n",
	"%s\n",
	ENDLESS " %s\n",
};

START_TEST(a_note_that_makes_no_sense_is_none)
{
	char text[600];
	const char *mark = strstr(no_notes[_i], "%s");

	if (mark)
		snprintf(text, sizeof text, "%.*s%s\n",
		         (int)(mark - no_notes[_i]), no_notes[_i], file);
	else
		snprintf(text, sizeof text, "%s", no_notes[_i]);
	put(NOTE, text);
	put("app.conf", "theirs");
	start();
	ck_assert_int_eq(give("one"), 0);
	ck_assert_str_eq(content(HAND), "theirs");
	ck_assert(fake_logged(&a, "was there before"));
	start_again();
	put(HAND, "untouched");
	ck_assert_int_eq(give("two"), 0);
	ck_assert_str_eq(content(HAND), "untouched");
	fake_stop(&a);
}
END_TEST

/* Of another user, say. */
START_TEST(a_note_that_cannot_be_read_keeps_no_value_off)
{
	ck_assert_int_eq(mkdir(in_dir(NOTE), 0755), 0);
	start();
	ck_assert_int_eq(give("one"), 0);
	ck_assert_int_eq(give("two"), 0);
	ck_assert_str_eq(content("app.conf"), "two");
	ck_assert(fake_logged(&a, "<1> what was put in force before is not"));
	ck_assert(!there(HAND));
	fake_stop(&a);
}
END_TEST

START_TEST(without_room_for_the_note_the_log_tells_once_and_the_value_counts)
{
	unsigned told = 0;

	ck_assert_int_eq(mkdir(in_dir(NOTE ".new"), 0755), 0);
	start();
	ck_assert_int_eq(give("one"), 0);
	ck_assert_int_eq(give("two"), 0);
	ck_assert_str_eq(content("app.conf"), "two");
	assert_reported(MU_REPORT_APPLIED, "");
	for (const char *at = (const char *)a.logs.data;
	     (at = strstr(at, "will not be told")); at++)
		told++;
	ck_assert_uint_eq(told, 1);
	ck_assert(!there(HAND));
	fake_stop(&a);
}
END_TEST

/* ---- the reload ---- */

/* Fails for a file that has "bad" in it, and keeps a diary. */
#define PICKY \
	RELOAD "; if grep -q bad $D/app.conf; then echo I will not; exit 2; " \
	       "fi"

START_TEST(a_failed_reload_brings_the_old_file_back)
{
	struct stat st;

	put("app.conf", "old");
	ck_assert_int_eq(chmod(file, 0600), 0);
	set_str("reload", PICKY);
	start();
	ck_assert_int_eq(give("bad"), MU_EDATA);
	ck_assert_str_eq(a.ack.reason, "reload: exit status 2: I will not");
	assert_reported(MU_REPORT_FAILED, "reload: exit status 2: I will not");
	ck_assert_str_eq(content("app.conf"), "old");
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	/* The service was told of both. */
	ck_assert_str_eq(content("reloads"), "bad\nold\n");
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(a_failed_reload_is_tried_again_each_time)
{
	put("app.conf", "old");
	set_str("reload", "test -e $D/well");
	start();
	ck_assert_int_eq(give("new"), MU_EDATA);
	ck_assert_int_eq(give_again("new"), MU_EDATA);
	ck_assert_str_eq(content("app.conf"), "old");
	put("well", "");
	ck_assert_int_eq(give_again("new"), 0);
	ck_assert_str_eq(content("app.conf"), "new");
	assert_reported(MU_REPORT_APPLIED, "");
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(without_an_old_file_a_failed_reload_leaves_none)
{
	set_str("reload", PICKY);
	start();
	ck_assert_int_eq(give("bad"), MU_EDATA);
	assert_reported(MU_REPORT_FAILED, "reload: exit status 2: I will not");
	ck_assert(!there("app.conf"));
	ck_assert_str_eq(content("reloads"), "bad\n");
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(if_nothing_reloads_the_old_file_is_back_and_still_owed)
{
	put("app.conf", "old");
	set_str("reload", "echo down; test -e $D/well");
	start();
	ck_assert_int_eq(give("new"), MU_EDATA);
	assert_reported(MU_REPORT_FAILED,
	                "reload: exit status 1: down; and with the old file "
	                "back, reload: exit status 1: down");
	ck_assert_str_eq(content("app.conf"), "old");
	ck_assert(there("app.conf.muster-pending"));
	/* The editor takes it back: the file is right, the service is not. */
	put("well", "");
	ck_assert_int_eq(give("old"), 0);
	assert_reported(MU_REPORT_APPLIED, "");
	assert_clean();
	fake_stop(&a);
}
END_TEST

/* ---- crashes ---- */

/* Kills the runner the first time, between rename and reload. */
#define DEADLY \
	"if [ ! -e $D/killed ]; then echo >$D/killed; kill -9 $PPID; exec " \
	"sleep 1000; fi; "

static void crash_on(const char *text)
{
	version++;
	fake_send(&a, value_event(text));
	ck_assert_int_eq(fake_ack(&a, FAKE_WAIT_MS), FAKE_GONE);
	ck_assert_int_eq(fake_exit(&a), SIGKILL);
	fake_fini(&a);
}

START_TEST(a_crash_before_the_reload_leads_to_a_reload)
{
	put("app.conf", "old");
	set_str("reload", DEADLY RELOAD);
	start();
	crash_on("new");
	ck_assert_str_eq(content("app.conf"), "new");
	ck_assert(!there("reloads"));
	start();
	ck_assert_int_eq(give_again("new"), 0);
	ck_assert_str_eq(content("reloads"), "new\n");
	assert_reported(MU_REPORT_APPLIED, "");
	assert_clean();
	/* Once is enough. */
	ck_assert_int_eq(give_again("new"), 0);
	ck_assert_str_eq(content("reloads"), "new\n");
	fake_stop(&a);
}
END_TEST

START_TEST(after_a_crash_a_newer_value_finds_no_edit_by_hand)
{
	set_str("reload", DEADLY RELOAD);
	put("killed", "");
	start();
	ck_assert_int_eq(give("one"), 0);
	ck_assert_int_eq(unlink(in_dir("killed")), 0);
	crash_on("two"); /* in place, and not noted */
	start();
	ck_assert_int_eq(give("three"), 0);
	ck_assert_int_eq(give("four"), 0);
	ck_assert(!there(HAND));
	fake_stop(&a);
}
END_TEST

START_TEST(after_a_crash_a_failed_reload_still_finds_the_old_file)
{
	put("app.conf", "old");
	set_str("reload", DEADLY PICKY);
	start();
	crash_on("bad");
	start();
	ck_assert_int_eq(give_again("bad"), MU_EDATA);
	ck_assert_str_eq(content("app.conf"), "old");
	ck_assert_str_eq(content("reloads"), "bad\nold\n");
	assert_reported(MU_REPORT_FAILED, "reload: exit status 2: I will not");
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(after_a_crash_another_value_goes_back_to_the_last_good_one)
{
	put("app.conf", "old");
	set_str("reload", DEADLY PICKY);
	start();
	crash_on("bad 1");
	start();
	/* "bad 1" was in place, but never in force. */
	ck_assert_int_eq(give("bad 2"), MU_EDATA);
	ck_assert_str_eq(content("app.conf"), "old");
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(after_a_crash_a_refused_value_goes_back_to_the_last_good_one)
{
	put("app.conf", "old");
	set_str("reload", DEADLY RELOAD);
	set_str("check", "! grep ugly %f");
	start();
	crash_on("new");
	start();
	ck_assert_int_eq(give("ugly"), MU_EDATA);
	assert_reported(MU_REPORT_REJECTED, "check: exit status 1: ugly");
	ck_assert_str_eq(content("app.conf"), "old");
	ck_assert_str_eq(content("reloads"), "old\n");
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(after_a_crash_without_an_old_file_none_comes_back)
{
	set_str("reload", DEADLY PICKY);
	put("app.conf.muster-old", "left by somebody");
	start();
	crash_on("bad");
	start();
	ck_assert_int_eq(give_again("bad"), MU_EDATA);
	ck_assert(!there("app.conf"));
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(what_a_crash_left_half_written_is_no_obstacle)
{
	put("app.conf.muster-new", "half");
	start();
	ck_assert_int_eq(give("whole"), 0);
	ck_assert_str_eq(content("app.conf"), "whole");
	assert_clean();
	fake_stop(&a);
}
END_TEST

/* ---- places where no file can be ---- */

START_TEST(a_directory_that_is_not_there_is_told)
{
	row_count = 1;
	set_str("file", "/is/not/there/app.conf");
	start();
	ck_assert_int_eq(give("new"), MU_EIO);
	assert_reported(MU_REPORT_FAILED,
	                "cannot make /is/not/there/app.conf.muster-new: No "
	                "such file or directory");
	fake_stop(&a);
}
END_TEST

START_TEST(a_directory_that_cannot_be_written_is_told)
{
	put("app.conf", "old");
	ck_assert_int_eq(chmod(dir, 0555), 0);
	start_with((struct fake_options){ .bound_by_modes = true });
	ck_assert_int_eq(give("new"), MU_EIO);
	ck_assert_int_eq(a.report.state, MU_REPORT_FAILED);
	ck_assert_ptr_nonnull(strstr(a.report.reason, "Permission denied"));
	ck_assert_str_eq(content("app.conf"), "old");
	/* Put right, it goes on. */
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(give_again("new"), 0);
	ck_assert_str_eq(content("app.conf"), "new");
	assert_clean();
	fake_stop(&a);
}
END_TEST

START_TEST(a_directory_in_the_files_place_is_told)
{
	ck_assert_int_eq(mkdir(file, 0755), 0);
	start();
	ck_assert_int_eq(give("new"), MU_EIO);
	ck_assert_ptr_nonnull(strstr(a.report.reason, "is not a regular file"));
	assert_clean();
	fake_stop(&a);
}
END_TEST

/* ---- settings ---- */

static const struct {
	const char *key, *value, *word;
} bad_settings[] = {
	{ "path", "", "`path`" },
	{ "path", "config", "`path`" },
	{ "file", "app.conf", "absolute" },
	{ "mode", "rw-r--r--", "octal" },
	{ "mode", "0888", "octal" },
	{ "mode", "10000", "octal" },
	{ "mode", "", "octal" },
	{ "on_delete", "burn", "neither keep nor remove" },
};

START_TEST(a_setting_of_another_type_is_refused)
{
	set_num("check", MU_SETTING_COUNT, 0);
	start_plugin("config-file", (struct fake_options){ 0 });
	assert_refused("check is a list, but must be a text in quotes");
}
END_TEST

START_TEST(a_misspelt_setting_is_told)
{
	set_str("chekc", "true");
	start();
	ck_assert(fake_logged(&a, "<1> setting \"chekc\" was not read by "
	                          "config-file in init, and probably has no "
	                          "effect: did you mean \"check\"?\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_wrong_setting_is_refused)
{
	reset_str(bad_settings[_i].key, bad_settings[_i].value);
	start_plugin("config-file", (struct fake_options){ 0 });
	assert_refused(bad_settings[_i].word);
}
END_TEST

static void add_well(TCase *tc)
{
	tcase_add_test(tc, a_value_is_written_and_the_service_reloads);
	tcase_add_test(tc, the_digest_is_crc32c);
	tcase_add_test(tc, bytes_are_kept_as_they_are);
	tcase_add_test(tc, present_and_created_write_it_too);
	tcase_add_test(tc, a_file_that_is_right_is_reported_without_a_reload);
	tcase_add_test(tc, other_nodes_and_other_events_are_not_its_affair);
	tcase_add_test(tc, no_value_leaves_the_file_as_it_is);
	tcase_add_test(tc, the_mode_is_as_configured);
	tcase_add_test(tc, the_owner_stays);
	tcase_add_test(tc, older_values_behind_the_present_one_are_passed_over);
	tcase_add_test(tc, a_difference_counts_whatever_its_zxid);
	tcase_add_test(tc, a_refused_present_value_brings_no_older_one_back);
	tcase_add_test(tc, deletion_keeps_the_file);
	tcase_add_test(tc, deletion_removes_the_file_if_told_to);
	tcase_add_loop_test(
		tc, a_wrong_setting_is_refused, 0,
		(int)(sizeof bad_settings / sizeof bad_settings[0]));
}

static void add_edited(TCase *tc)
{
	tcase_add_test(tc, what_an_earlier_process_wrote_is_no_edit_by_hand);
	tcase_add_test(tc, an_edit_while_no_process_was_there_is_kept_and_told);
	tcase_add_test(
		tc, a_file_that_was_found_right_is_known_to_the_next_process);
	tcase_add_test(tc, a_removed_file_that_somebody_made_anew_is_his);
	tcase_add_test(tc, a_value_that_was_undone_leaves_the_old_one_known);
	tcase_add_test(tc, a_note_that_came_before_a_crash_is_put_right);
	tcase_add_test(tc, after_a_crash_a_newer_value_finds_no_edit_by_hand);
	tcase_add_loop_test(tc, a_note_that_makes_no_sense_is_none, 0,
	                    (int)(sizeof no_notes / sizeof *no_notes));
	tcase_add_test(tc, a_note_that_cannot_be_read_keeps_no_value_off);
	tcase_add_test(
		tc,
		without_room_for_the_note_the_log_tells_once_and_the_value_counts);
	tcase_add_test(tc, what_was_edited_by_hand_is_kept_and_told);
	tcase_add_test(tc, an_edit_is_undone_by_the_same_value_too);
	tcase_add_test(tc, a_file_that_was_not_edited_is_not_kept);
	tcase_add_test(tc, a_file_from_before_is_kept_without_a_warning);
	tcase_add_test(tc, an_edited_file_that_is_removed_is_kept);
	tcase_add_test(tc, an_edit_that_comes_back_is_told_once);
	tcase_add_test(tc, an_edited_file_stays_if_it_cannot_be_kept);
	tcase_add_test(tc, a_setting_of_another_type_is_refused);
	tcase_add_test(tc, a_misspelt_setting_is_told);
}

static void add_ill(TCase *tc)
{
	tcase_add_test(tc, a_check_without_output_is_named);
	tcase_add_test(tc, a_removal_that_fails_brings_the_file_back);
	tcase_add_test(tc, the_check_sees_the_new_file);
	tcase_add_test(tc, a_name_with_quotes_reaches_the_check_whole);
	tcase_add_test(tc, a_failed_check_leaves_the_old_file);
	tcase_add_test(tc, a_check_past_its_limit_is_a_refusal);
	tcase_add_test(tc, a_failed_reload_brings_the_old_file_back);
	tcase_add_test(tc, a_failed_reload_is_tried_again_each_time);
	tcase_add_test(tc, without_an_old_file_a_failed_reload_leaves_none);
	tcase_add_test(tc,
	               if_nothing_reloads_the_old_file_is_back_and_still_owed);
	tcase_add_test(tc, a_crash_before_the_reload_leads_to_a_reload);
	tcase_add_test(tc,
	               after_a_crash_a_failed_reload_still_finds_the_old_file);
	tcase_add_test(
		tc, after_a_crash_another_value_goes_back_to_the_last_good_one);
	tcase_add_test(
		tc,
		after_a_crash_a_refused_value_goes_back_to_the_last_good_one);
	tcase_add_test(tc, after_a_crash_without_an_old_file_none_comes_back);
	tcase_add_test(tc, what_a_crash_left_half_written_is_no_obstacle);
	tcase_add_test(tc, a_directory_that_is_not_there_is_told);
	tcase_add_test(tc, a_directory_that_cannot_be_written_is_told);
	tcase_add_test(tc, a_directory_in_the_files_place_is_told);
}

int main(void)
{
	Suite *s = suite_create("config-file");
	TCase *well = tcase_create("well"), *ill = tcase_create("ill");
	SRunner *sr;
	int failed;

	tcase_set_timeout(well, 60);
	tcase_set_timeout(ill, 60);
	tcase_add_checked_fixture(well, setup, dir_teardown);
	tcase_add_checked_fixture(ill, setup, dir_teardown);
	add_well(well);
	add_edited(well);
	add_ill(ill);
	suite_add_tcase(s, well);
	suite_add_tcase(s, ill);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
