/*
 * server_control.c - what the control socket asks for: jobs that end when a
 * snapshot has, and a restore, after which the broker begins anew.
 */
#include "server_impl.h"

#include "datacheck.h"
#include "err.h"
#include "forked.h"
#include "log.h"
#include "loop.h"
#include "restore.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EMPTY_NODES 5u /* rule 73 */

static int not_kept(struct mu_err *err)
{
	return mu_err(err, MU_EUNIMPLEMENTED,
	              "this broker keeps its tree in memory only: set "
	              "durability = \"disk\" in its configuration");
}

/* ---- jobs that wait for a snapshot --------------------------------------------------- */

static int wait_for_snapshot(struct mu_server *s, uint64_t job, bool backup,
                             struct mu_err *err)
{
	size_t i;

	if (!s->snapshots)
		return not_kept(err);
	for (i = 0; i < MU_CONTROL_CONNECTIONS_MAX; i++) {
		struct mu_server_job *j = &s->jobs[i];

		if (j->snapshot)
			continue;
		*j = (struct mu_server_job){ job,
			                     mu_snapshots_ask(s->snapshots),
			                     backup };
		return 0;
	}
	return mu_err(err, MU_EFULL, "too many wait for a snapshot");
}

static int on_snapshot(void *arg, uint64_t job, struct mu_err *err)
{
	return wait_for_snapshot(arg, job, false, err);
}

static int on_backup(void *arg, uint64_t job, struct mu_err *err)
{
	return wait_for_snapshot(arg, job, true, err);
}

static void give(struct mu_server *s, uint64_t job, uint64_t index)
{
	char name[MU_SNAPFILE_NAME_MAX], path[PATH_MAX], why[MU_ERR_MSG_MAX];
	int fd;

	mu_snapfile_name(index, name);
	mu_format(path, sizeof path, "%s/%s", s->options->data_dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		mu_control_give(s->control, job, fd);
		return;
	}
	mu_format(why, sizeof why, "cannot open %.200s: %s", path,
	          strerror(errno));
	mu_control_done(s->control, job, MU_EIO, why);
}

static void say_taken(struct mu_server *s, uint64_t job,
                      const struct mu_snapshots_end *end)
{
	char text[200];

	mu_format(text, sizeof text,
	          "snapshot up to command %lu, written, read back and good, in "
	          "%lu ms; the broker was held for %lu us\n",
	          (unsigned long)end->index, (unsigned long)end->took_ms,
	          (unsigned long)end->fork_us);
	mu_control_done(s->control, job, 0, text);
}

void mu_server_on_snapshot(void *arg, const struct mu_snapshots_end *end)
{
	struct mu_server *s = arg;
	size_t i;

	for (i = 0; i < MU_CONTROL_CONNECTIONS_MAX; i++) {
		const struct mu_server_job j = s->jobs[i];

		if (!j.snapshot || j.snapshot > end->number)
			continue;
		s->jobs[i].snapshot = 0;
		if (end->rc)
			mu_control_done(s->control, j.job, end->rc, end->why);
		else if (j.backup)
			give(s, j.job, end->index);
		else
			say_taken(s, j.job, end);
	}
}

/* ---- verify -------------------------------------------------------------------------- */

/* In the child. The store's own check ends it where a promise is broken. */
static int verify(void *arg)
{
	const struct mu_server *s = arg;
	FILE *out = fdopen(3, "w");
	int rc;

	if (!out)
		return 255;
	mu_store_verify(s->store);
	rc = mu_check_data(s->options->data_dir, true, out);
	return fclose(out) ? 255 : rc;
}

/* The lines that say what is wrong, as one; ends fd. */
static void read_report(int fd, char *out, size_t room)
{
	char line[MU_ERR_MSG_MAX + 64];
	FILE *in = fdopen(fd, "r");
	size_t len = 0;

	mu_format(out, room, "the check's report cannot be read");
	if (!in) {
		close(fd);
		return;
	}
	rewind(in); /* the child shares the place in it */
	while (fgets(line, sizeof line, in)) {
		line[strcspn(line, "\n")] = '\0';
		if (mu_check_line_is_bad(line))
			len += mu_format(out + len, room - len, "%s%s",
			                 len ? "; " : "", line);
	}
	fclose(in);
}

static void on_verified(void *arg, int status)
{
	struct mu_server *s = arg;
	char why[MU_ERR_MSG_MAX];
	const int fd = s->verify_fd;

	mu_forked_free(s->verify);
	s->verify = NULL;
	s->verify_fd = -1;
	if (status == 0) {
		mu_control_give(s->control, s->verify_job, fd);
		return;
	}
	if (status == 1) {
		read_report(fd, why, sizeof why);
	} else {
		mu_format(why, sizeof why,
		          "the check ended by %s %d: the broker's memory is "
		          "not as it should be; see its log, and restart it",
		          status < 0 ? "signal" : "status", abs(status));
		close(fd);
	}
	mu_control_done(s->control, s->verify_job, MU_EDATA, why);
}

static int on_verify(void *arg, uint64_t job, struct mu_err *err)
{
	struct mu_server *s = arg;
	struct mu_forked_options how = { verify, -1, on_verified, s };
	uint64_t held_us;
	int rc;

	if (!s->snapshots)
		return not_kept(err);
	if (s->verify)
		return mu_err(err, MU_EFULL, "another verify is under way");
	how.keep_fd = s->verify_fd = memfd_create("verify", MFD_CLOEXEC);
	if (how.keep_fd < 0)
		return mu_err(err, MU_EIO, "no room for a report: %s",
		              strerror(errno));
	s->verify_job = job;
	rc = mu_forked_start(s->loop, &how, &s->verify, &held_us, err);
	if (rc) {
		close(s->verify_fd);
		s->verify_fd = -1;
	}
	return rc;
}

/* ---- restore -------------------------------------------------------------------------- */

/* Nothing that was acknowledged may go: asked before the bytes come, and again
 * when they are there. */
static int check_empty(const struct mu_server *s, struct mu_err *err)
{
	const uint32_t nodes = mu_tree_count(mu_store_tree(s->store));

	if (nodes == EMPTY_NODES)
		return 0;
	return mu_err(
		err, MU_ENOTEMPTY,
		"the broker has a tree of %u nodes: restore into one with "
		"an empty data_dir, before agents connect to it",
		(unsigned)nodes);
}

static int on_restore_begin(void *arg, uint64_t job, uint64_t len, int *fd,
                            struct mu_err *err)
{
	struct mu_server *s = arg;
	int rc;

	(void)job, (void)len;
	if (!s->snapshots)
		return not_kept(err);
	if (s->restore_fd >= 0 || s->again)
		return mu_err(err, MU_EFULL, "another restore is under way");
	rc = check_empty(s, err);
	if (rc)
		return rc;
	rc = mu_restore_begin(s->options->data_dir, &s->restore_fd, err);
	*fd = s->restore_fd;
	return rc;
}

static int on_restore_end(void *arg, uint64_t job, bool whole,
                          struct mu_err *err)
{
	struct mu_server *s = arg;
	struct mu_snapshot_info info;
	char text[120];
	int rc;

	close(s->restore_fd);
	s->restore_fd = -1;
	if (!whole) {
		mu_restore_drop(s->options->data_dir);
		return 0;
	}
	rc = check_empty(s, err);
	if (rc)
		mu_restore_drop(s->options->data_dir);
	else
		rc = mu_restore_end(s->options->data_dir, &s->config, &info,
		                    err);
	if (rc)
		return rc;
	mu_log(MU_INFO, MSG("a backup was read; beginning anew with it"),
	       KI("nodes", info.nodes));
	mu_format(text, sizeof text, "%lu nodes; the broker begins anew\n",
	          (unsigned long)info.nodes);
	mu_control_done(s->control, job, 0, text);
	s->again = true;
	s->again_at_ms = mu_loop_now_ms(s->loop) + MU_SERVER_AGAIN_MS;
	return 0;
}

/* ---- the door -------------------------------------------------------------------------- */

static char *on_status(void *arg)
{
	return mu_server_status(arg);
}

int mu_server_control_open(struct mu_server *s, struct mu_err *err)
{
	const struct mu_control_config config = { .path = s->options->control };
	const struct mu_control_owner owner = {
		on_status,        on_snapshot,    on_verify, on_backup,
		on_restore_begin, on_restore_end, s
	};

	if (!*config.path)
		return 0;
	return mu_control_open(s->loop, &config, &owner, &s->control, err);
}

void mu_server_control_close(struct mu_server *s)
{
	mu_control_close(s->control);
	mu_forked_free(s->verify);
	if (s->verify_fd >= 0)
		close(s->verify_fd);
}

/* Who asked for the restore is answered first. */
void mu_server_control_tick(struct mu_server *s)
{
	struct mu_control_stats st;

	if (!s->again)
		return;
	mu_control_stats(s->control, &st);
	if (st.connections == 0 || mu_loop_now_ms(s->loop) >= s->again_at_ms)
		mu_loop_stop(s->loop);
}
