/* The exchange of an instance's process for another, with real runners. Also with no
 * memory: each allocation of the agent's thread is refused in turn. Nothing leaks;
 * one of the two is there in the end, and handles what it is given; and the log
 * blames no plugin for the agent's own shortage. */
#include "fake_broker.h"
#include "fault.h"
#include "hosted_impl.h"
#include "loop_until.h"
#include "member.h"
#include "program.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SWEEP_MAX 400u
#define ALL_K UINT32_MAX

static struct fake_broker broker;
static struct mu_loop *loop;
static struct mu_uplink *uplink;
static struct mu_agent_conf conf;
static struct mu_hosted *h;
static struct mu_hosted_options o;
static char dir[64], log_file[100], gate[100], last_gate[100];
static int before;        /* the process that is to go */
static unsigned outcomes; /* of exchanges, before this one */

static void setup(void)
{
	int fd;

	snprintf(dir, sizeof dir, "/tmp/mu-upg-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(log_file, sizeof log_file, "%s/log", dir);
	snprintf(gate, sizeof gate, "%s/gate", dir);
	snprintf(last_gate, sizeof last_gate, "%s/last-gate", dir);
	file_write_text(gate, "");
	file_write_text(last_gate, "");
	fd = open(log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
	close(fd);
}

static void teardown(void)
{
	dir_remove(dir);
}

/* The end of the log, as much of it as Check takes. */
static const char *log_tail(void)
{
	static char tail[2048];
	size_t len;
	char *all = file_read(log_file, &len);

	snprintf(tail, sizeof tail, "%s",
	         all + (len < sizeof tail ? 0 : len - sizeof tail + 1));
	free(all);
	return tail;
}

/* ---- the loop ---- */

static void wait_until(bool (*is)(void), const char *what, unsigned k)
{
	ck_assert_msg(loop_until(loop, is), "at %u: %s; the log:\n%s", k, what,
	              log_tail());
}

static bool is_up(void)
{
	return mu_uplink_is_up(uplink);
}

static bool is_idle(void)
{
	return h->state == HOSTED_READY && !mu_hosted_is_busy(h) &&
	       mu_mailbox_count(h->mail) == 0 &&
	       mu_mailbox_count(h->prologue) == 0;
}

static unsigned count_upgrades(void)
{
	return file_count(log_file, "msg=\"instance upgraded\"");
}

static unsigned count_outcomes(void)
{
	return count_upgrades() +
	       file_count(log_file, "msg=\"upgrade refused;");
}

/* The new process is there, or the old one goes on. */
static bool is_over(void)
{
	return is_idle() && is_up() && count_outcomes() > outcomes;
}

static unsigned count_reports(void)
{
	return file_count(log_file, "a newcomer has reported");
}

static bool has_reported_twice(void)
{
	return count_reports() == 2;
}

static bool is_in_its_place(void)
{
	return h->run && mu_proc_pid(h->run->proc) != before;
}

static bool is_stopped(void)
{
	return mu_hosted_is_stopped(h);
}

/* ---- the agent around it ---- */

static void on_member(void *arg, const struct mu_roll_event *e)
{
	(void)arg, (void)e;
}

static void on_one(void *arg)
{
	(void)arg;
}

static void load_conf(void)
{
	char text[1024], file[100];
	struct mu_err err;

	snprintf(file, sizeof file, "%s/agent.conf", dir);
	snprintf(text, sizeof text,
	         "name = \"host\"; state_dir = \"%s\"; runtime_dir = \"%s\"; "
	         "runner = \"%s\"; plugin_dir = \"%s\"; brokers = [ \"%s\" ];",
	         dir, dir, MU_BUILD "/muster-runner", MU_BUILD "/tests/lies",
	         broker.url);
	file_write_text(file, text);
	ck_assert_msg(mu_agent_conf_load(file, &conf, &err) == 0, "%s",
	              err.msg);
}

static void open_parts(void)
{
	static struct mu_member self = { .size = sizeof self,
		                         .name = "host",
		                         .id = "1",
		                         .address = "",
		                         .version = "",
		                         .boot_id = "",
		                         .state = MU_MEMBER_UP,
		                         .labels = "{}" };
	struct mu_members_options m = { .loop = loop,
		                        .uplink = uplink,
		                        .fn = on_member };
	struct mu_ephemerals_options e = { .loop = loop,
		                           .uplink = uplink,
		                           .runtime_dir = dir,
		                           .on_gone = on_one };
	struct mu_keep_options k = { .loop = loop, .state_dir = dir };

	o = (struct mu_hosted_options){ .loop = loop,
		                        .uplink = uplink,
		                        .agent = &conf,
		                        .on_stopped = on_one };
	ck_assert_int_eq(mu_members_new(&m, &o.members), 0);
	ck_assert_int_eq(mu_applied_new(loop, uplink, "host", &o.applied), 0);
	ck_assert_int_eq(mu_ephemerals_new(&e, &o.ephemerals), 0);
	ck_assert_int_eq(mu_alarms_new(loop, uplink, "host", &o.alarms), 0);
	ck_assert_int_eq(mu_roster_new(loop, uplink, &self, &o.roster), 0);
	ck_assert_int_eq(mu_keep_new(&k, &o.keep), 0);
}

static struct mu_instance_conf *make_conf(void)
{
	struct mu_instance_confs all = { 0 };
	struct mu_instance_conf *one;
	struct mu_err err;
	char text[512];

	snprintf(text, sizeof text,
	         "instances = ( { name = \"newcomer\"; plugin = \"newcomer\"; "
	         "connection = true; memory_max_mb = 0; "
	         "quarantine_failures = 0; "
	         "settings : { wait_for = \"%s\"; end_for = \"%s\"; }; } );",
	         gate, last_gate);
	ck_assert_msg(mu_instance_confs_parse("i.conf", text, &all, &err) == 0,
	              "%s", err.msg);
	one = all.at[0];
	all.count = 0;
	mu_instance_confs_wipe(&all);
	return one;
}

static void world_begin(void)
{
	struct mu_uplink_options u = { .runtime_dir = dir,
		                       .timeout_ms = 30000,
		                       .name = "host" };
	struct mu_err err;

	fake_broker_open(&broker, "tcp://127.0.0.1:*");
	fake_broker_start(&broker);
	load_conf();
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	u.loop = loop;
	u.brokers = conf.broker_urls;
	ck_assert_int_eq(mu_uplink_new(&u, &uplink, &err), 0);
	open_parts();
	wait_until(is_up, "no link", ALL_K);
}

static void world_end(void)
{
	mu_keep_free(o.keep);
	mu_members_free(o.members);
	mu_applied_free(o.applied);
	mu_ephemerals_free(o.ephemerals);
	mu_alarms_free(o.alarms);
	mu_roster_free(o.roster);
	mu_uplink_free(uplink);
	mu_loop_free(loop);
	mu_agent_conf_wipe(&conf);
	fake_broker_stop(&broker);
	fake_broker_close(&broker);
}

/* ---- the sweeps ---- */

static void check_blames_nobody(unsigned k)
{
	char *log = file_read(log_file, NULL);
	bool blamed = strstr(log, "makes no sense") ||
	              strstr(log, "will be started again") ||
	              strstr(log, "did not end well");

	free(log);
	ck_assert_msg(!blamed, "at %u: %s", k, log_tail());
}

/* One exchange, of which the k-th allocation is refused. False: there was none. */
static bool exchange(unsigned k)
{
	unsigned upgrades = count_upgrades();
	bool fired;

	outcomes = count_outcomes();
	fault_alloc_at(k);
	mu_hosted_reload(h, "the test wants it");
	wait_until(is_over, "the exchange does not end", k);
	fired = fault_alloc_off();
	mu_hosted_link(h, true);
	wait_until(is_idle, "an event is not handled", k);
	check_blames_nobody(k);
	ck_assert(fired || count_upgrades() > upgrades);
	return fired;
}

static unsigned count_open(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static unsigned open_at_first;

/* Not at once: the library closes its own in a thread. */
static bool is_as_much_open(void)
{
	return count_open() == open_at_first;
}

START_TEST(whatever_is_refused_while_a_process_is_exchanged_one_is_there)
{
	long live = fault_alloc_live();
	unsigned k = 0;

	world_begin();
	o.conf = make_conf();
	ck_assert_int_eq(mu_hosted_new(&o, &h), 0);
	wait_until(is_idle, "not ready", ALL_K);
	open_at_first = count_open();
	while (k < SWEEP_MAX && exchange(k))
		k++;
	ck_assert_uint_lt(k, SWEEP_MAX);
	ck_assert_uint_ge(k, 20);
	wait_until(is_as_much_open, "more is open than at first", k);
	mu_hosted_stop(h, false);
	wait_until(is_stopped, "it does not stop", k);
	mu_hosted_free(h);
	world_end();
	ck_assert_int_eq(fault_alloc_live(), live);
}
END_TEST

static bool is_ending(void)
{
	return h->state == HOSTED_ENDING;
}

static bool is_refused(void)
{
	return file_count(log_file, "msg=\"upgrade refused;") == 1;
}

/* The child of ours that is not `before`. */
static pid_t find_next(void)
{
	char *text = file_read("/proc/thread-self/children", NULL), *at = text;
	pid_t pid = 0;

	for (char *end; !pid; at = end) {
		pid_t one = (pid_t)strtol(at, &end, 10);

		ck_assert_msg(end != at, "there is one process alone");
		pid = one == before ? 0 : one;
	}
	free(text);
	return pid;
}

START_TEST(where_the_new_process_ends_while_the_old_one_goes_it_starts_anew)
{
	char *log;

	world_begin();
	o.conf = make_conf();
	ck_assert_int_eq(mu_hosted_new(&o, &h), 0);
	wait_until(is_idle, "not ready", ALL_K);
	ck_assert_int_eq(unlink(last_gate), 0);
	before = mu_proc_pid(h->run->proc);
	mu_hosted_reload(h, "the test wants it");
	wait_until(is_ending, "the old one is not asked to go", ALL_K);
	ck_assert_int_eq(kill(find_next(), SIGKILL), 0);
	wait_until(is_refused, "it is not refused", ALL_K);
	file_write_text(last_gate, "");
	wait_until(is_in_its_place, "the old one is there still", ALL_K);
	wait_until(is_idle, "not ready again", ALL_K);
	log = file_read(log_file, NULL);
	ck_assert_msg(!strstr(log, "goes on with the process that it has"),
	              "%s", log_tail());
	ck_assert_msg(!strstr(log, "will be started again"), "%s", log_tail());
	free(log);
	ck_assert_uint_eq(h->failures, 0);
	mu_hosted_stop(h, false);
	wait_until(is_stopped, "it does not stop", ALL_K);
	mu_hosted_free(h);
	world_end();
}
END_TEST

/* Its first report was written; the next process has a report of its own. */
START_TEST(a_report_of_init_is_not_lost_where_the_old_process_ends_meanwhile)
{
	unsigned written = 0;

	world_begin();
	o.conf = make_conf();
	ck_assert_int_eq(mu_hosted_new(&o, &h), 0);
	wait_until(is_idle, "not ready", ALL_K);
	ck_assert_int_eq(unlink(gate), 0);
	before = mu_proc_pid(h->run->proc);
	mu_hosted_reload(h, "the test wants it");
	wait_until(has_reported_twice, "no report", ALL_K);
	ck_assert_int_eq(kill(before, SIGKILL), 0);
	wait_until(is_in_its_place, "the old one is there still", ALL_K);
	file_write_text(gate, "");
	wait_until(is_idle, "the new one is not ready", ALL_K);
	mu_hosted_stop(h, false);
	wait_until(is_stopped, "it does not stop", ALL_K);
	fake_broker_stop(&broker);
	for (const char *at = broker.log;
	     (at = strstr(at, "setData /applied/newcomer/host")); at++)
		written++;
	ck_assert_msg(written == 2, "%u: %s", written, broker.log);
	fake_broker_start(&broker);
	mu_hosted_free(h);
	world_end();
}
END_TEST

START_TEST(an_instance_that_cannot_be_made_leaves_nothing)
{
	long live = fault_alloc_live();
	bool fired = true;
	unsigned k = 0;

	world_begin();
	for (; fired && k < SWEEP_MAX; k++) {
		int rc;

		o.conf = make_conf();
		fault_alloc_at(k);
		rc = mu_hosted_new(&o, &h);
		fired = fault_alloc_off();
		ck_assert(rc == 0 || (fired && rc == MU_ENOMEM));
		if (rc == 0)
			mu_hosted_free(h);
	}
	ck_assert(!fired);
	world_end();
	ck_assert_int_eq(fault_alloc_live(), live);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("upgrade");
	TCase *tc = tcase_create("exchange");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(
		tc,
		a_report_of_init_is_not_lost_where_the_old_process_ends_meanwhile);
	tcase_add_test(
		tc,
		where_the_new_process_ends_while_the_old_one_goes_it_starts_anew);
	tcase_add_test(tc, an_instance_that_cannot_be_made_leaves_nothing);
	tcase_add_test(
		tc,
		whatever_is_refused_while_a_process_is_exchanged_one_is_there);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
