#include "crash_bed.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void crash_bed_conf(struct crash_bed *b, const char *more)
{
	char text[4096], port[64] = "";

	if (b->port)
		snprintf(port, sizeof port, "\"127.0.0.1:%u\"",
		         (unsigned)b->port);
	snprintf(text, sizeof text,
	         "listen = [ \"%s\" ];\n"
	         "listen_zookeeper = [ %s ];\n"
	         "links_per_address_max = 0;\n"
	         "data_dir = \"%s\";\n"
	         "ready_file = \"%s\";\n"
	         "control = \"%s/broker.ctl\";\n"
	         "%s",
	         b->k.ipc, port, b->data, b->k.ready, b->k.dir, more);
	file_write_text(b->k.conf, text);
}

void crash_bed_open(struct crash_bed *b, bool notes, bool tcp, const char *more)
{
	char work[CLUSTER_PATH_MAX + 16];

	memset(b, 0, sizeof *b);
	cluster_open(&b->k);
	snprintf(b->data, sizeof b->data, "%s/broker", b->k.dir);
	snprintf(work, sizeof work, "%s/work", b->k.dir);
	ck_assert_int_eq(mkdir(b->data, 0700), 0);
	ck_assert_int_eq(mkdir(work, 0700), 0);
	if (tcp)
		ports_free(&b->port, 1);
	crash_bed_conf(b, more);
	crash_open(&b->c, b->data, work, notes);
}

/* Looks without collecting it: its exit code is still wanted. */
static bool has_ended(void *arg)
{
	const struct crash_bed *b = arg;
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)b->k.broker.pid, &info,
	              WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == b->k.broker.pid;
}

static bool is_up_or_dead(void *arg)
{
	struct crash_bed *b = arg;

	return access(b->k.ready, F_OK) == 0 || has_ended(b);
}

bool crash_bed_start(struct crash_bed *b)
{
	const char *argv[] = { cluster_program("muster-broker"), "--config",
		               b->k.conf, NULL };

	ck_assert_int_eq(b->k.broker.pid, 0);
	unlink(b->k.ready);
	crash_preload(&b->c, true);
	program_start(&b->k.broker, argv, b->k.log, b->k.log);
	crash_preload(&b->c, false);
	ck_assert_msg(wait_for(is_up_or_dead, b, WAIT_MS),
	              "the broker neither starts nor ends");
	return !has_ended(b);
}

int crash_bed_end(struct crash_bed *b)
{
	int code = program_wait(&b->k.broker, WAIT_MS);

	crash_wait_child(&b->c);
	return code;
}

void crash_bed_close(struct crash_bed *b)
{
	program_stop(&b->k.broker, SIGTERM);
	crash_close(&b->c);
	cluster_close(&b->k);
}
