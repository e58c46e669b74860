/* muster-broker as it is run: the program, its files and signals, and raw
 * clients that speak its bytes. */
#include "buf.h"
#include "child.h"
#include "jute.h"
#include "proto.h"
#include "zsock.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM MU_BUILD "/muster-broker"
#define DEADLINE_MS 30000
#define TEXT_MAX 262144

static struct mu_err err;

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the program ------------------------------------------------------------------ */

struct broker {
	pid_t pid;
	char dir[32], conf[64], log[64], ready[64], url[128], ipc[64];
};

/* What stands in a file, "" if there is none. Static. */
static const char *file_text(const char *path)
{
	static char text[TEXT_MAX];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	return text;
}

static bool until_in_file(const char *path, const char *wanted)
{
	const long end = now_ms() + DEADLINE_MS;

	while (!strstr(file_text(path), wanted)) {
		if (now_ms() > end)
			return false;
		poll(NULL, 0, 5);
	}
	return true;
}

static void write_conf(struct broker *b, const char *more)
{
	FILE *f = fopen(b->conf, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f,
	        "listen = [ \"tcp://127.0.0.1:*\", \"ipc://%s\" ]; "
	        "listen_zookeeper = [ ];\n"
	        "data_dir = \"%s/data\";\nready_file = \"%s\";\n"
	        "control = \"\"; journal_segment_bytes = 65536;\n%s\n",
	        b->ipc, b->dir, b->ready, more);
	ck_assert_int_eq(fclose(f), 0);
}

static void name_files(struct broker *b)
{
	memset(b, 0, sizeof *b);
	strcpy(b->dir, "/tmp/mu-broker-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(b->dir));
	snprintf(b->conf, sizeof b->conf, "%.31s/conf", b->dir);
	snprintf(b->log, sizeof b->log, "%.31s/log", b->dir);
	snprintf(b->ready, sizeof b->ready, "%.31s/ready", b->dir);
	snprintf(b->ipc, sizeof b->ipc, "%.31s/sock", b->dir);
}

static void launch(struct broker *b)
{
	fflush(NULL);
	b->pid = child_fork();
	if (b->pid == 0) {
		const int fd =
			open(b->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		dup2(fd, 2);
		dup2(fd, 1);
		execl(PROGRAM, "muster-broker", "-c", b->conf, (char *)NULL);
		_exit(99);
	}
}

static void broker_start(struct broker *b, const char *more)
{
	const char *text;

	name_files(b);
	write_conf(b, more);
	launch(b);
	ck_assert_msg(until_in_file(b->ready, "ipc://"), "%s",
	              file_text(b->log));
	text = file_text(b->ready);
	snprintf(b->url, sizeof b->url, "%.*s", (int)strcspn(text, "\n"), text);
}

static int broker_wait(struct broker *b)
{
	int status = -1;

	waitpid(b->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void clean(const struct broker *b)
{
	char path[400];
	struct dirent *e;
	const char *const dirs[] = { "/data", "" };
	DIR *d;
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s%s", b->dir, dirs[i]);
		d = opendir(path);
		while (d && (e = readdir(d))) {
			snprintf(path, sizeof path, "%s%s/%s", b->dir, dirs[i],
			         e->d_name);
			unlink(path);
		}
		if (d)
			closedir(d);
		snprintf(path, sizeof path, "%s%s", b->dir, dirs[i]);
		rmdir(path);
	}
}

static void broker_stop(struct broker *b)
{
	kill(b->pid, SIGTERM);
	ck_assert_msg(broker_wait(b) == 0, "%s", file_text(b->log));
	clean(b);
}

/* Private memory in KiB. */
static long private_kib(const struct broker *b)
{
	char path[64];
	const char *at;
	long sum = 0;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)b->pid);
	at = file_text(path);
	while ((at = strstr(at, "\nPrivate_"))) {
		at = strchr(at, ':') + 1;
		sum += atol(at);
	}
	return sum;
}

/* Run with arguments to its end; what it wrote in out. */
static int run(char *out, size_t room, ...)
{
	const char *argv[8] = { "muster-broker" };
	va_list args;
	size_t n = 0, argc = 1;
	ssize_t got;
	pid_t pid;
	int fd[2], status;

	va_start(args, room);
	while (argc < 7 && (argv[argc] = va_arg(args, const char *)))
		argc++;
	va_end(args);
	ck_assert_int_eq(pipe(fd), 0);
	fflush(NULL);
	pid = child_fork();
	if (pid == 0) {
		dup2(fd[1], 1);
		dup2(fd[1], 2);
		close(fd[0]);
		execv(PROGRAM, (char *const *)argv);
		_exit(99);
	}
	close(fd[1]);
	while (n + 1 < room && (got = read(fd[0], out + n, room - 1 - n)) > 0)
		n += (size_t)got;
	out[n] = '\0';
	close(fd[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- raw clients --------------------------------------------------------------------- */

enum { GOODBYE = 0, RECORD = 1, LOST = -1, NOTHING = -2 };

struct client {
	struct mu_zsock *z;
	struct mu_zmsg m;
	struct mu_in in; /* what is left of m */
	struct mu_buf out;
	int32_t xid;
	struct mu_connect_response session;
	char password[16];
	/* the last reply or event */
	struct mu_reply_header reply;
	struct mu_in body;
};

static void send_out(struct client *c)
{
	struct mu_zmsg m;

	mu_zmsg_init(&m);
	ck_assert_int_eq(mu_zmsg_copy_in(&m, c->out.data, c->out.len), 0);
	ck_assert_int_eq(mu_zsock_send(c->z, NULL, &m), 0);
	mu_zmsg_fini(&m);
	mu_buf_reset(&c->out);
}

/* The next record, borrowed until the next call. */
static int next_record(struct client *c, struct mu_str *rec, long wait_ms)
{
	const long end = now_ms() + wait_ms;
	struct pollfd p = { .fd = mu_zsock_fd(c->z), .events = POLLIN };
	int told, rc;

	while (mu_in_left(&c->in) == 0) {
		told = mu_zsock_events(c->z);
		rc = mu_zsock_recv(c->z, NULL, &c->m);
		ck_assert(rc == 0 || rc == MU_EAGAIN);
		if (rc == 0 && mu_zmsg_len(&c->m) == 0)
			return GOODBYE;
		if (rc == 0) {
			c->in = mu_in_of(mu_zmsg_data(&c->m),
			                 mu_zmsg_len(&c->m));
			break;
		}
		if (told & MU_ZSOCK_LOST)
			return LOST;
		if (now_ms() >= end)
			return NOTHING;
		poll(&p, 1, 10);
	}
	ck_assert_int_eq(mu_frame_next(&c->in, rec), 1);
	return RECORD;
}

static int next_message(struct client *c)
{
	struct mu_str rec;
	const int rc = next_record(c, &rec, DEADLINE_MS);

	if (rc != RECORD)
		return rc;
	c->body = mu_in_of(rec.at, rec.len);
	ck_assert_int_eq(mu_get_reply_header(&c->body, &c->reply), 0);
	return rc;
}

static void client_init(struct client *c, const char *url)
{
	memset(c, 0, sizeof *c);
	mu_zmsg_init(&c->m);
	ck_assert_msg(mu_zsock_dealer_open(&c->z, url, 1 << 26, &err) == 0,
	              "%s", err.msg);
}

/* Ask for a session, the one of `old` if that is not NULL. */
static int client_greet(struct client *c, int32_t timeout_ms,
                        const struct client *old)
{
	struct mu_connect_request r = { .protocol = MU_PROTOCOL_ASK,
		                        .timeout_ms = timeout_ms,
		                        .password = { c->password, 16 },
		                        .has_read_only = true };
	struct mu_str rec;
	struct mu_in in;
	const size_t at = mu_frame_begin(&c->out);
	int rc;

	if (old) {
		r.session = old->session.session;
		r.password.at = old->password;
	}
	mu_put_connect_request(&c->out, &r);
	mu_frame_end(&c->out, at);
	send_out(c);
	rc = next_record(c, &rec, DEADLINE_MS);
	if (rc != RECORD)
		return rc;
	in = mu_in_of(rec.at, rec.len);
	ck_assert_int_eq(mu_get_connect_response(&in, &c->session), 0);
	ck_assert_uint_eq(c->session.password.len, 16);
	memcpy(c->password, c->session.password.at, 16);
	return rc;
}

static void client_open(struct client *c, const struct broker *b,
                        int32_t timeout_ms)
{
	client_init(c, b->url);
	ck_assert_int_eq(client_greet(c, timeout_ms, NULL), RECORD);
	ck_assert_int_eq(c->session.timeout_ms, timeout_ms);
}

static void client_close(struct client *c)
{
	mu_zmsg_fini(&c->m);
	mu_buf_fini(&c->out);
	mu_zsock_close(c->z);
}

static size_t begin(struct client *c, int32_t op)
{
	const size_t at = mu_frame_begin(&c->out);

	mu_put_request_header(&c->out, ++c->xid, op);
	return at;
}

static void put_create(struct client *c, const char *path, const void *data,
                       size_t len, int32_t mode)
{
	const struct mu_create_request r = {
		.path = mu_str_of(path),
		.data = { data, (uint32_t)len },
		.acl = mu_acl_open(),
		.mode = mode,
	};
	const size_t at = begin(c, MU_OP_CREATE);

	mu_put_create(&c->out, MU_OP_CREATE, &r);
	mu_frame_end(&c->out, at);
}

static void put_get(struct client *c, const char *path)
{
	const struct mu_path_watch_request r = { mu_str_of(path), false };
	const size_t at = begin(c, MU_OP_GET_DATA);

	mu_put_path_watch(&c->out, &r);
	mu_frame_end(&c->out, at);
}

static void put_watch(struct client *c, const char *path)
{
	const struct mu_add_watch_request r = { mu_str_of(path), 1 };
	const size_t at = begin(c, MU_OP_ADD_WATCH);

	mu_put_add_watch(&c->out, &r);
	mu_frame_end(&c->out, at);
}

/* Send what was put, and the next message is the reply to the last of it. */
static int32_t ask(struct client *c)
{
	send_out(c);
	ck_assert_int_eq(next_message(c), RECORD);
	ck_assert_int_eq(c->reply.xid, c->xid);
	return c->reply.err;
}

static int32_t create(struct client *c, const char *path, const char *data,
                      int32_t mode)
{
	put_create(c, path, data, strlen(data), mode);
	return ask(c);
}

static int32_t get(struct client *c, const char *path)
{
	put_get(c, path);
	return ask(c);
}

/* ---- the main job ---------------------------------------------------------------------- */

START_TEST(a_node_is_created_and_read_over_both_addresses)
{
	struct broker b;
	struct client one, two;
	struct mu_str data;
	char url[80];

	broker_start(&b, "");
	client_open(&one, &b, 10000);
	ck_assert_int_eq(one.session.protocol, MU_FEATURES);
	ck_assert(one.session.has_tree_id);
	ck_assert_int_eq(create(&one, "/a", "hello", MU_MODE_PERSISTENT), 0);
	snprintf(url, sizeof url, "ipc://%s", b.ipc);
	client_init(&two, url);
	ck_assert_int_eq(client_greet(&two, 10000, NULL), RECORD);
	ck_assert_int_eq(get(&two, "/a"), 0);
	data = mu_get_str(&two.body);
	ck_assert(mu_str_eq(data, MU_STR("hello")));
	ck_assert_int_eq(get(&two, "/b"), MU_ENONODE);
	client_close(&one);
	client_close(&two);
	broker_stop(&b);
}
END_TEST

START_TEST(a_session_lives_on_when_its_link_is_lost)
{
	struct broker b;
	struct client old, again, thief, other;

	broker_start(&b, "");
	client_open(&old, &b, 20000);
	ck_assert_int_eq(create(&old, "/e", "", MU_MODE_EPHEMERAL), 0);
	mu_zsock_close(old.z);
	old.z = NULL;
	client_init(&again, b.url);
	ck_assert_int_eq(client_greet(&again, 20000, &old), RECORD);
	ck_assert_int_eq(again.session.session, old.session.session);
	client_open(&other, &b, 20000);
	ck_assert_int_eq(get(&other, "/e"), 0);
	/* a wrong password gets nothing, and the owner notices nothing */
	old.password[3] ^= 1;
	client_init(&thief, b.url);
	if (client_greet(&thief, 20000, &old) == RECORD)
		ck_assert_int_eq(thief.session.timeout_ms, 0);
	ck_assert_int_eq(get(&again, "/e"), 0);
	client_close(&old);
	client_close(&again);
	client_close(&thief);
	client_close(&other);
	broker_stop(&b);
}
END_TEST

START_TEST(a_silent_session_expires_and_its_ephemerals_go)
{
	struct broker b;
	struct client dead, other;
	long begun;

	broker_start(&b, "");
	client_open(&other, &b, 20000);
	client_open(&dead, &b, 300);
	ck_assert_int_eq(create(&dead, "/e", "", MU_MODE_EPHEMERAL), 0);
	begun = now_ms();
	put_watch(&other, "/e");
	ck_assert_int_eq(ask(&other), 0);
	ck_assert_int_eq(next_message(&other), RECORD);
	ck_assert_int_eq(other.reply.xid, MU_XID_NOTIFICATION);
	ck_assert_int_ge(now_ms() - begun, 200);
	ck_assert_int_eq(get(&other, "/e"), MU_ENONODE);
	client_close(&dead);
	client_close(&other);
	broker_stop(&b);
}
END_TEST

/* ---- traps ------------------------------------------------------------------------------- */

#define EPHEMERALS 2000
#define WATCHERS 10

static void make_ephemerals(struct client *c)
{
	char path[32];
	int i, j;

	for (i = 0; i < EPHEMERALS; i += 500) {
		for (j = i; j < i + 500; j++) {
			snprintf(path, sizeof path, "/node-%04d", j);
			put_create(c, path, "", 0, MU_MODE_EPHEMERAL);
		}
		send_out(c);
		for (j = 0; j < 500; j++) {
			ck_assert_int_eq(next_message(c), RECORD);
			ck_assert_int_eq(c->reply.err, 0);
		}
	}
}

START_TEST(two_thousand_ephemerals_deleted_at_once_reach_ten_watchers)
{
	static char order[EPHEMERALS][16];
	static bool seen[EPHEMERALS];
	struct broker b;
	struct client owner, w[WATCHERS];
	struct mu_watcher_event e;
	int64_t zxid;
	int i, j;

	broker_start(&b, "");
	client_open(&owner, &b, 30000);
	make_ephemerals(&owner);
	for (i = 0; i < WATCHERS; i++) {
		client_open(&w[i], &b, 30000);
		put_watch(&w[i], "/");
		ck_assert_int_eq(ask(&w[i]), 0);
	}
	mu_frame_end(&owner.out, begin(&owner, MU_OP_CLOSE_SESSION));
	ck_assert_int_eq(ask(&owner), 0);
	for (i = 0; i < WATCHERS; i++) {
		memset(seen, 0, sizeof seen);
		zxid = 0;
		for (j = 0; j < EPHEMERALS; j++) {
			ck_assert_int_eq(next_message(&w[i]), RECORD);
			ck_assert_int_eq(w[i].reply.xid, MU_XID_NOTIFICATION);
			ck_assert_int_eq(mu_get_watcher_event(&w[i].body, &e),
			                 0);
			ck_assert_uint_eq(e.path.len, 10);
			ck_assert_int_eq(e.type, 2); /* deleted */
			ck_assert(w[i].reply.zxid >= zxid ||
			          w[i].reply.zxid == -1);
			zxid = w[i].reply.zxid;
			if (i == 0)
				memcpy(order[j], e.path.at, 10);
			ck_assert_int_eq(memcmp(order[j], e.path.at, 10), 0);
			ck_assert(!seen[atoi(order[j] + 6)]);
			seen[atoi(order[j] + 6)] = true;
		}
		/* none is cut: it is still served, and nothing is left over */
		ck_assert_int_eq(get(&w[i], "/"), 0);
	}
	ck_assert_ptr_null(strstr(file_text(b.log), "link cut"));
	for (i = 0; i < WATCHERS; i++)
		client_close(&w[i]);
	client_close(&owner);
	broker_stop(&b);
}
END_TEST

START_TEST(a_reader_that_stops_is_ended_and_memory_stays_bounded)
{
	struct broker b;
	struct client stuck, other;
	static char data[200000];
	long begun;
	int i;

	broker_start(&b, "outbox_max = 2000000; outbox_stall_ms = 300;");
	client_open(&other, &b, 20000);
	put_create(&other, "/big", data, sizeof data, MU_MODE_PERSISTENT);
	ck_assert_int_eq(ask(&other), 0);
	client_open(&stuck, &b, 20000);
	for (i = 0; i < 900; i++) /* 180 MB, if it were all kept */
		put_get(&stuck, "/big");
	send_out(&stuck);
	ck_assert_msg(until_in_file(b.log, "link cut"), "%s", file_text(b.log));
	begun = now_ms();
	ck_assert_int_eq(get(&other, "/big"), 0);
	ck_assert_int_lt(now_ms() - begun, 2000);
	ck_assert_int_lt(private_kib(&b), 64 * 1024);
	ck_assert(strstr(file_text(b.log), "stopped reading") ||
	          strstr(file_text(b.log), "outbox full"));
	client_close(&stuck);
	client_close(&other);
	broker_stop(&b);
}
END_TEST

START_TEST(an_oversize_packet_is_answered_and_the_link_lives)
{
	struct broker b;
	struct client c;
	static char data[4096];

	broker_start(&b, "packet_max = 4096;");
	client_open(&c, &b, 20000);
	put_create(&c, "/a", data, sizeof data, MU_MODE_PERSISTENT);
	ck_assert_int_eq(ask(&c), MU_ETOOBIG);
	ck_assert_int_eq(get(&c, "/a"), MU_ENONODE);
	client_close(&c);
	broker_stop(&b);
}
END_TEST

START_TEST(a_packet_far_too_large_cuts_the_link)
{
	struct broker b;
	struct client c, other;
	static char data[20000];

	broker_start(&b, "packet_max = 4096;");
	client_open(&other, &b, 20000);
	client_open(&c, &b, 20000);
	put_create(&c, "/a", data, sizeof data, MU_MODE_PERSISTENT);
	send_out(&c);
	ck_assert_int_eq(next_message(&c), LOST);
	ck_assert_int_eq(get(&other, "/a"), MU_ENONODE);
	client_close(&c);
	client_close(&other);
	broker_stop(&b);
}
END_TEST

START_TEST(garbage_is_told_goodbye)
{
	static const char *const garbage[] = { "GET / HTTP/1.1\r\n\r\n",
		                               "\xff\xff\xff\xff", "x" };
	struct broker b;
	struct client c;
	struct mu_str rec;

	broker_start(&b, "");
	client_init(&c, b.url);
	mu_buf_put(&c.out, garbage[_i], strlen(garbage[_i]));
	send_out(&c);
	ck_assert_int_eq(next_record(&c, &rec, DEADLINE_MS), GOODBYE);
	client_close(&c);
	client_open(&c, &b, 20000);
	ck_assert_int_eq(get(&c, "/"), 0);
	client_close(&c);
	broker_stop(&b);
}
END_TEST

START_TEST(clients_that_come_and_go_leave_no_memory_behind)
{
	struct broker b;
	struct client c;
	long before = 0;
	int i;

	broker_start(&b, "");
	for (i = 0; i < 400; i++) {
		client_open(&c, &b, 300);
		client_close(&c);
		if (i == 100)
			before = private_kib(&b);
	}
	ck_assert_int_lt(private_kib(&b) - before, 4096);
	broker_stop(&b);
}
END_TEST

/* ---- start, stop, signals ------------------------------------------------------------------- */

START_TEST(sigterm_says_goodbye_and_ends_well)
{
	struct broker b;
	struct client c;

	broker_start(&b, "");
	client_open(&c, &b, 20000);
	kill(b.pid, _i ? SIGINT : SIGTERM);
	ck_assert_int_eq(next_message(&c), GOODBYE);
	ck_assert_int_eq(broker_wait(&b), 0);
	ck_assert_ptr_nonnull(strstr(file_text(b.log), "msg=stopped"));
	ck_assert_int_ne(access(b.ready, F_OK), 0);
	ck_assert_int_ne(access(b.ipc, F_OK), 0);
	client_close(&c);
	clean(&b);
}
END_TEST

START_TEST(a_killed_broker_is_a_loss_and_starts_again_with_a_later_epoch)
{
	struct broker b;
	struct client c;
	int64_t zxid;

	broker_start(&b, "");
	client_open(&c, &b, 20000);
	ck_assert_int_eq(create(&c, "/a", "", MU_MODE_PERSISTENT), 0);
	zxid = c.reply.zxid;
	kill(b.pid, SIGKILL);
	ck_assert_int_eq(broker_wait(&b), -SIGKILL);
	ck_assert_int_eq(next_message(&c), LOST);
	client_close(&c);
	unlink(b.ready);
	launch(&b);
	ck_assert(until_in_file(b.ready, "ipc://"));
	snprintf(b.url, sizeof b.url, "ipc://%s", b.ipc);
	client_open(&c, &b, 20000);
	ck_assert_int_eq(create(&c, "/a", "", MU_MODE_PERSISTENT), MU_EEXISTS);
	ck_assert_int_gt(c.reply.zxid >> 32, zxid >> 32);
	client_close(&c);
	broker_stop(&b);
}
END_TEST

START_TEST(with_memory_only_it_says_that_it_keeps_nothing)
{
	struct broker b;

	broker_start(&b, "durability = \"memory\";\n");
	ck_assert_ptr_nonnull(
		strstr(file_text(b.log), "the tree is kept in memory only"));
	broker_stop(&b);
}
END_TEST

START_TEST(a_second_broker_is_refused_with_a_sentence)
{
	struct broker b;
	char out[8192], conf[80], text[512];
	FILE *f;

	broker_start(&b, "");
	ck_assert_int_eq(run(out, sizeof out, "-c", b.conf, NULL), 1);
	ck_assert_msg(strstr(out, "data") != NULL, "%s", out);
	/* its own directory, but the same port */
	snprintf(conf, sizeof conf, "%s/conf2", b.dir);
	snprintf(text, sizeof text,
	         "listen = \"%s\"; listen_zookeeper = [ ]; data_dir = "
	         "\"%s/data2\"; control = \"\";\n",
	         b.url, b.dir);
	f = fopen(conf, "w");
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(run(out, sizeof out, "-c", conf, NULL), 1);
	ck_assert_msg(strstr(out, "in use") != NULL, "%s", out);
	/* the first one still has its files */
	ck_assert_int_eq(access(b.ready, F_OK), 0);
	ck_assert_int_eq(access(b.ipc, F_OK), 0);
	snprintf(conf, sizeof conf, "rm -r %s/data2", b.dir);
	ck_assert_int_eq(system(conf), 0);
	broker_stop(&b);
}
END_TEST

START_TEST(a_wrong_file_stops_it_and_check_config_says_the_same)
{
	struct broker b;
	char out[8192];

	name_files(&b);
	write_conf(&b, "tick_ms = 0;");
	ck_assert_int_eq(run(out, sizeof out, "-c", b.conf, NULL), 2);
	ck_assert_msg(strstr(out, "/conf:5") != NULL, "%s", out);
	ck_assert_int_eq(
		run(out, sizeof out, "-c", b.conf, "--check-config", NULL), 2);
	ck_assert_msg(strstr(out, "tick_ms") != NULL, "%s", out);
	write_conf(&b, "");
	ck_assert_int_eq(run(out, sizeof out, "--config", b.conf,
	                     "--check-config", NULL),
	                 0);
	ck_assert_msg(strstr(out, "/conf: ok\n") != NULL, "%s", out);
	unlink(b.conf);
	ck_assert_int_eq(run(out, sizeof out, "-c", b.conf, NULL), 2);
	ck_assert_msg(strstr(out, b.conf) != NULL, "%s", out);
	ck_assert_int_ne(access(b.log, F_OK), 0);
	clean(&b);
}
END_TEST

START_TEST(it_explains_itself)
{
	char out[16384];
	const char *shipped;

	ck_assert_int_eq(run(out, sizeof out, "--help", NULL), 0);
	ck_assert_ptr_nonnull(strstr(out, "EXIT STATUS"));
	ck_assert_int_eq(run(out, sizeof out, "--version", NULL), 0);
	ck_assert_int_eq(strncmp(out, "muster-broker ", 14), 0);
	ck_assert_int_eq(run(out, sizeof out, "--print-defaults", NULL), 0);
	/* the shipped file is its own output below a few lines of welcome */
	shipped = file_text(MU_SOURCE "/conf/broker.conf");
	ck_assert_ptr_nonnull(strstr(shipped, out));
	ck_assert_int_eq(run(out, sizeof out, "--nonsense", NULL), 64);
	ck_assert_ptr_nonnull(strstr(out, "--help"));
	ck_assert_int_eq(run(out, sizeof out, "stray", NULL), 64);
	ck_assert_ptr_nonnull(strstr(out, "stray"));
}
END_TEST

START_TEST(sighup_takes_what_may_change)
{
	struct broker b;
	struct client c;

	broker_start(&b, "");
	write_conf(&b, "session_timeout_max_ms = 1000; packet_max = 9999;");
	kill(b.pid, SIGHUP);
	ck_assert(until_in_file(b.log, "configuration reloaded"));
	ck_assert_ptr_nonnull(strstr(file_text(b.log), "key=packet_max"));
	client_init(&c, b.url);
	ck_assert_int_eq(client_greet(&c, 20000, NULL), RECORD);
	ck_assert_int_eq(c.session.timeout_ms, 1000);
	write_conf(&b, "session_timeout_max_ms = 12; nonsense = 1;");
	kill(b.pid, SIGHUP);
	ck_assert(until_in_file(b.log, "configuration not reloaded"));
	client_close(&c);
	client_init(&c, b.url);
	ck_assert_int_eq(client_greet(&c, 20000, NULL), RECORD);
	ck_assert_int_eq(c.session.timeout_ms, 1000);
	client_close(&c);
	broker_stop(&b);
}
END_TEST

START_TEST(sigusr1_logs_numbers)
{
	struct broker b;
	struct client c;

	broker_start(&b, "");
	client_open(&c, &b, 20000);
	kill(b.pid, SIGUSR1);
	ck_assert(until_in_file(b.log, "msg=stats links=1 sessions=1"));
	client_close(&c);
	broker_stop(&b);
}
END_TEST

START_TEST(the_service_manager_is_told_when_it_is_ready)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct broker b;
	struct pollfd p = { .events = POLLIN };
	char dir[] = "/tmp/mu-notify-XXXXXX", text[64] = "";

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(at.sun_path, sizeof at.sun_path, "%s/n", dir);
	p.fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(p.fd, (struct sockaddr *)&at, sizeof at), 0);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	broker_start(&b, "");
	ck_assert_int_eq(poll(&p, 1, DEADLINE_MS), 1);
	ck_assert_int_gt(recv(p.fd, text, sizeof text - 1, 0), 0);
	ck_assert_str_eq(text, "READY=1");
	broker_stop(&b);
	memset(text, 0, sizeof text);
	ck_assert_int_gt(recv(p.fd, text, sizeof text - 1, 0), 0);
	ck_assert_str_eq(text, "STOPPING=1");
	close(p.fd);
	unlink(at.sun_path);
	rmdir(dir);
}
END_TEST

START_TEST(an_idle_broker_is_small)
{
	struct broker b;

	broker_start(&b, "");
	ck_assert_int_gt(private_kib(&b), 0);
	ck_assert_int_lt(private_kib(&b), 12 * 1024);
	broker_stop(&b);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_node_is_created_and_read_over_both_addresses,
		a_session_lives_on_when_its_link_is_lost,
		a_silent_session_expires_and_its_ephemerals_go,
		two_thousand_ephemerals_deleted_at_once_reach_ten_watchers,
		a_reader_that_stops_is_ended_and_memory_stays_bounded,
		an_oversize_packet_is_answered_and_the_link_lives,
		a_packet_far_too_large_cuts_the_link,
		clients_that_come_and_go_leave_no_memory_behind,
		a_killed_broker_is_a_loss_and_starts_again_with_a_later_epoch,
		with_memory_only_it_says_that_it_keeps_nothing,
		a_second_broker_is_refused_with_a_sentence,
		a_wrong_file_stops_it_and_check_config_says_the_same,
		it_explains_itself,
		sighup_takes_what_may_change,
		sigusr1_logs_numbers,
		the_service_manager_is_told_when_it_is_ready,
		an_idle_broker_is_small,
	};
	Suite *s = suite_create("broker");
	TCase *c = tcase_create("broker");
	SRunner *r;
	size_t i;
	int failed;

	for (i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(c, tests[i]);
	tcase_add_loop_test(c, garbage_is_told_goodbye, 0, 3);
	tcase_add_loop_test(c, sigterm_says_goodbye_and_ends_well, 0, 2);
	tcase_set_timeout(c, 120);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
