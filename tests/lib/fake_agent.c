#include "fake_agent.h"

#include "child.h"
#include "clock.h"
#include "program.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE_MS 5 /* between looks at what nobody tells us of */

const char *fake_plugin(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/plugins/%s.so", MU_BUILD, name);
	return path;
}

const char *fake_lie(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/tests/lies/%s.so", MU_BUILD, name);
	return path;
}

/* ---- start ---- */

static _Noreturn void become_runner(const struct fake_agent *a, int fd,
                                    const struct fake_options *o)
{
	int null = open("/dev/null", O_RDONLY);

	/* A crash is a signal in every build, and leaks are looked for. */
	setenv("ASAN_OPTIONS",
	       "handle_segv=0:handle_sigbus=0:handle_abort=0:"
	       "allocator_may_return_null=1",
	       1);
	if (o->bound_by_modes)
		(void)prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0);
	if (fd != MU_CHAN_FD)
		(void)dup2(fd, MU_CHAN_FD);
	else
		(void)fcntl(fd, F_SETFD, 0);
	(void)dup2(null, 0);
	(void)dup2(a->said, 1);
	(void)dup2(a->said, 2);
	execl(MU_BUILD "/muster-runner", "muster-runner",
	      o->instance ? o->instance : "test", (char *)NULL);
	_exit(126);
}

static void send_all(struct fake_agent *a, struct mu_buf *b)
{
	size_t done = 0;

	ck_assert(!mu_buf_failed(b));
	while (a->fd >= 0 && done < b->len) {
		ssize_t n = send(a->fd, b->data + done, b->len - done,
		                 MSG_NOSIGNAL);

		if (n < 0)
			break; /* it has ended: the next wait will say so */
		done += (size_t)n;
	}
	mu_buf_fini(b);
}

static void send_start(struct fake_agent *a, const struct fake_options *o)
{
	struct mu_buf settings = { 0 }, b = { 0 };
	struct mu_chan_start m = {
		.version = o->version ? o->version : MU_CHAN_VERSION,
		.instance = mu_str_of(o->instance ? o->instance : "test"),
		.member = mu_str_of(o->member ? o->member : "host1"),
		.plugin_file = mu_str_of(o->plugin_file),
		.memory_max_mb = o->memory_max_mb,
		.processes_max = o->processes_max,
		.user = mu_str_of(o->user),
		.group = mu_str_of(o->group),
		.work_dir = mu_str_of(o->work_dir),
		.files_max = o->files_max,
		.cpu_max_s = o->cpu_max_s,
	};

	for (size_t i = 0; i < o->setting_count; i++)
		mu_put_setting(&settings, &o->settings[i]);
	m.settings = (struct mu_vec){ (int32_t)o->setting_count, settings.data,
		                      settings.len };
	mu_put_chan_start(&b, &m);
	mu_buf_fini(&settings);
	send_all(a, &b);
}

void fake_start(struct fake_agent *a, const struct fake_options *o)
{
	int pair[2];

	*a = (struct fake_agent){ .answers = o->answers };
	a->said = memfd_create("said", MFD_CLOEXEC);
	ck_assert_int_ge(a->said, 0);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	a->fd = pair[0];
	a->pid = child_fork();
	if (a->pid == 0)
		become_runner(a, pair[1], o);
	close(pair[1]);
	send_start(a, o);
}

/* ---- what the runner says ---- */

static void copy(char *out, size_t room, struct mu_str s)
{
	snprintf(out, room, "%.*s", (int)s.len, s.at ? s.at : "");
}

static const struct fake_answer *find_answer(const struct fake_agent *a,
                                             const struct mu_chan_call *c)
{
	for (const struct fake_answer *x = a->answers; x && x->op; x++)
		if (x->op == c->op && mu_str_eq(mu_str_of(x->path), c->path))
			return x;
	return NULL;
}

static void put_answer(struct mu_buf *b, uint64_t id,
                       const struct fake_answer *x)
{
	struct mu_buf names = { 0 };
	struct mu_chan_result m = { .id = id, .rc = MU_ENONODE };

	m.names = (struct mu_vec){ -1, NULL, 0 };
	if (x) {
		m.rc = x->rc;
		if (x->rc)
			m.reason = mu_str_of(x->text);
		else
			m.data = mu_str_of(x->text);
		m.stat.version = 7;
		m.stat.czxid = INT64_MAX; /* no NUL behind the data by luck */
	}
	if (x && x->names) {
		m.names.count = 0;
		for (; x->names[m.names.count]; m.names.count++)
			mu_put_str(&names, mu_str_of(x->names[m.names.count]));
		m.names.at = names.data;
		m.names.len = names.len;
	}
	mu_put_chan_result(b, &m);
	mu_buf_fini(&names);
}

static void note_change(const struct mu_chan_call *c, struct fake_change *to)
{
	to->count++;
	to->version = c->version;
	to->flags = c->flags;
	to->null = !c->data.at;
	copy(to->path, sizeof to->path, c->path);
	copy(to->data, sizeof to->data, c->data);
}

static void on_call(struct fake_agent *a, const struct mu_chan_call *c)
{
	const struct fake_answer *x = find_answer(a, c);
	struct mu_buf b = { 0 };

	if (c->op == MU_CALL_SET) {
		a->set.count++;
		a->set.version = c->version;
		copy(a->set.data, sizeof a->set.data, c->data);
	}
	if (c->op == MU_CALL_CREATE || c->op == MU_CALL_DELETE)
		note_change(c,
		            c->op == MU_CALL_CREATE ? &a->create : &a->removal);
	if (x && x->hang_up) {
		fake_hang_up(a);
		return;
	}
	if (x && x->late) {
		a->late_id = c->id;
		return;
	}
	if (a->late_id)
		put_answer(&b, a->late_id, NULL);
	a->late_id = 0;
	if (x && x->stop_first)
		mu_put_chan_stop(&b, &(struct mu_chan_stop){ false });
	put_answer(&b, c->id, x);
	send_all(a, &b);
}

static void on_ready(struct fake_agent *a, const struct mu_chan_ready *m)
{
	ck_assert(!a->has_ready);
	a->has_ready = true;
	a->ready.version = m->version;
	a->ready.rc = m->rc;
	a->ready.wants = m->wants;
	a->ready.has_tick = m->has_tick;
	a->ready.has_check = m->has_check;
	copy(a->ready.reason, sizeof a->ready.reason, m->reason);
	copy(a->ready.plugin, sizeof a->ready.plugin, m->plugin);
}

static void on_ack(struct fake_agent *a, const struct mu_chan_ack *m)
{
	ck_assert(!a->has_ack);
	a->has_ack = true;
	a->ack.seq = m->seq;
	a->ack.rc = m->rc;
	copy(a->ack.reason, sizeof a->ack.reason, m->reason);
}

static void on_log(struct fake_agent *a, const struct mu_chan_log *m)
{
	char level[16];

	snprintf(level, sizeof level, "<%d> ", (int)m->level);
	mu_buf_put(&a->logs, level, strlen(level));
	mu_buf_put(&a->logs, m->text.at, m->text.len);
	mu_buf_put(&a->logs, "\n", 2); /* and a NUL beyond the end */
	mu_buf_cut(&a->logs, a->logs.len - 1);
}

static void on_report(struct fake_agent *a, const struct mu_chan_report *m)
{
	char version[32];

	snprintf(version, sizeof version, " %d\n", (int)m->version);
	mu_buf_put(&a->reports, m->path.at, m->path.len);
	mu_buf_put(&a->reports, version, strlen(version) + 1);
	mu_buf_cut(&a->reports, a->reports.len - 1);
	a->report.count++;
	a->report.zxid = m->zxid;
	a->report.version = m->version;
	a->report.state = m->state;
	copy(a->report.path, sizeof a->report.path, m->path);
	copy(a->report.digest, sizeof a->report.digest, m->digest);
	copy(a->report.reason, sizeof a->report.reason, m->reason);
}

static void on_record(struct fake_agent *a, struct mu_str rec)
{
	struct mu_in in = mu_in_of(rec.at, rec.len);
	union {
		struct mu_chan_ready ready;
		struct mu_chan_ack ack;
		struct mu_chan_log log;
		struct mu_chan_call call;
		struct mu_chan_report report;
	} m;

	switch (mu_chan_type(&in)) {
	case MU_CHAN_READY:
		ck_assert_int_eq(mu_get_chan_ready(&in, &m.ready), 0);
		on_ready(a, &m.ready);
		break;
	case MU_CHAN_ACK:
		ck_assert_int_eq(mu_get_chan_ack(&in, &m.ack), 0);
		on_ack(a, &m.ack);
		break;
	case MU_CHAN_LOG:
		ck_assert_int_eq(mu_get_chan_log(&in, &m.log), 0);
		on_log(a, &m.log);
		break;
	case MU_CHAN_CALL:
		ck_assert_int_eq(mu_get_chan_call(&in, &m.call), 0);
		on_call(a, &m.call);
		break;
	case MU_CHAN_REPORT:
		ck_assert_int_eq(mu_get_chan_report(&in, &m.report), 0);
		on_report(a, &m.report);
		break;
	case MU_CHAN_WAKE:
		ck_assert_int_eq(mu_get_chan_end(&in), 0);
		a->has_wake = true;
		a->wakes++;
		break;
	default:
		ck_abort_msg("a frame of no known type");
	}
}

/* Take in what comes until *flag (if any), or an end: 0, FAKE_*. */
static int pump(struct fake_agent *a, const bool *flag, uint64_t deadline_ms)
{
	while (!flag || !*flag) {
		struct pollfd p = { .fd = a->fd, .events = POLLIN };
		uint64_t now = mu_clock_mono_ms();
		struct mu_str rec;
		uint8_t *room;
		ssize_t n;

		while (mu_chan_next(&a->in, &rec) == 1) {
			on_record(a, rec);
			mu_buf_drop(&a->in, rec.len + 4u);
		}
		if (flag && *flag)
			break;
		if (a->fd < 0)
			return FAKE_GONE;
		if (now >= deadline_ms)
			return FAKE_TIMEOUT;
		if (poll(&p, 1, (int)(deadline_ms - now)) <= 0)
			continue;
		room = mu_buf_grow(&a->in, 65536);
		n = read(a->fd, room, 65536);
		mu_buf_cut(&a->in, a->in.len - 65536 + (n > 0 ? (size_t)n : 0));
		if (n <= 0)
			fake_hang_up(a);
	}
	return 0;
}

static uint64_t in_ms(uint32_t ms)
{
	return mu_clock_mono_ms() + ms;
}

int fake_ready(struct fake_agent *a)
{
	int rc = pump(a, &a->has_ready, in_ms(FAKE_WAIT_MS));

	ck_assert_msg(rc != FAKE_TIMEOUT, "no READY");
	return rc ? rc : a->ready.rc;
}

void fake_send(struct fake_agent *a, struct mu_chan_event e)
{
	struct mu_buf b = { 0 };

	a->seq = e.seq ? e.seq : a->seq + 1;
	e.seq = a->seq;
	e.count = e.count ? e.count : 1;
	e.attempt = e.attempt ? e.attempt : 1;
	a->has_ack = false;
	mu_put_chan_event(&b, &e);
	send_all(a, &b);
}

int fake_ack(struct fake_agent *a, uint32_t timeout_ms)
{
	int rc = pump(a, &a->has_ack, in_ms(timeout_ms));

	if (rc)
		return rc;
	ck_assert_uint_eq(a->ack.seq, a->seq);
	return a->ack.rc;
}

int fake_event(struct fake_agent *a, struct mu_chan_event e)
{
	int rc;

	fake_send(a, e);
	rc = fake_ack(a, FAKE_WAIT_MS);
	ck_assert_msg(rc != FAKE_TIMEOUT, "no ACK");
	return rc;
}

int fake_turn(struct fake_agent *a, int32_t type)
{
	struct mu_buf b = { 0 };
	int rc;

	a->seq++;
	a->has_ack = false;
	if (type == MU_CHAN_TICK)
		mu_put_chan_tick(&b, &(struct mu_chan_tick){ a->seq });
	else
		mu_put_chan_check(&b, &(struct mu_chan_check){ a->seq });
	send_all(a, &b);
	rc = fake_ack(a, FAKE_WAIT_MS);
	ck_assert_msg(rc != FAKE_TIMEOUT, "no ACK");
	return rc;
}

bool fake_wake_comes(struct fake_agent *a)
{
	bool came = pump(a, &a->has_wake, in_ms(FAKE_WAIT_MS)) == 0;

	a->has_wake = false;
	return came;
}

/* ---- ends ---- */

static void put_stop(struct fake_agent *a, bool removed)
{
	struct mu_buf b = { 0 };

	mu_put_chan_stop(&b, &(struct mu_chan_stop){ removed });
	send_all(a, &b);
}

void fake_put_stop(struct fake_agent *a)
{
	put_stop(a, false);
}

void fake_hang_up(struct fake_agent *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

void fake_drain(struct fake_agent *a)
{
	ck_assert_int_eq(pump(a, NULL, in_ms(FAKE_WAIT_MS)), FAKE_GONE);
}

int fake_exit(struct fake_agent *a)
{
	uint64_t deadline = in_ms(FAKE_WAIT_MS);
	int status = 0;
	pid_t pid;

	while ((pid = waitpid(a->pid, &status, WNOHANG)) == 0) {
		ck_assert_msg(mu_clock_mono_ms() < deadline,
		              "the runner does not end");
		(void)poll(NULL, 0, PAUSE_MS);
	}
	ck_assert_int_eq(pid, a->pid);
	a->pid = 0;
	return status;
}

void fake_kill(struct fake_agent *a)
{
	if (kill(-a->pid, SIGKILL) < 0)
		(void)kill(a->pid, SIGKILL);
	(void)fake_exit(a);
}

void fake_remove(struct fake_agent *a)
{
	put_stop(a, true);
	fake_drain(a);
	ck_assert_int_eq(fake_exit(a), 0);
}

void fake_stop(struct fake_agent *a)
{
	fake_put_stop(a);
	fake_drain(a);
	ck_assert_int_eq(fake_exit(a), 0);
	fake_fini(a);
}

void fake_fini(struct fake_agent *a)
{
	if (a->pid)
		fake_kill(a);
	fake_hang_up(a);
	close(a->said);
	mu_buf_fini(&a->in);
	mu_buf_fini(&a->logs);
	mu_buf_fini(&a->reports);
}

/* ---- looking ---- */

bool fake_logged(const struct fake_agent *a, const char *text)
{
	return a->logs.len &&
	       memmem(a->logs.data, a->logs.len, text, strlen(text));
}

bool fake_said(const struct fake_agent *a, const char *text)
{
	static char all[65536];
	ssize_t n = pread(a->said, all, sizeof all, 0);

	return n > 0 && memmem(all, (size_t)n, text, strlen(text));
}

/* Zombies of others' children count as gone: only the state tells. */
static bool group_has_living(pid_t group)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	bool found = false;

	ck_assert_ptr_nonnull(proc);
	while (!found && (d = readdir(proc))) {
		char path[300], stat[512];
		const char *after;
		int pgrp = 0;
		char state = 0;
		ssize_t n = -1;
		int fd;

		snprintf(path, sizeof path, "/proc/%s/stat", d->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			n = read(fd, stat, sizeof stat - 1);
			close(fd);
		}
		stat[n > 0 ? n : 0] = '\0';
		after = strrchr(stat, ')');
		if (after &&
		    sscanf(after + 1, " %c %*d %d", &state, &pgrp) == 2)
			found = pgrp == group && state != 'Z' && state != 'X';
	}
	closedir(proc);
	return found;
}

bool fake_group_is_gone(pid_t group)
{
	uint64_t deadline = in_ms(FAKE_WAIT_MS);

	while (group_has_living(group)) {
		if (mu_clock_mono_ms() >= deadline)
			return false;
		(void)poll(NULL, 0, PAUSE_MS);
	}
	return true;
}

bool fake_file_comes(const char *path)
{
	uint64_t deadline = in_ms(FAKE_WAIT_MS);

	while (access(path, F_OK) < 0) {
		if (mu_clock_mono_ms() >= deadline)
			return false;
		(void)poll(NULL, 0, PAUSE_MS);
	}
	return true;
}

const char *fake_read(const char *path)
{
	static char text[16384];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}
