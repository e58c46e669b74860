#include "source.h"

#include "command.h"
#include "fail.h"
#include "typed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the working directory of the instance. */
#define MEMORY "service.pid"
#define SEEN "service.seen"

/* ---- settings ---- */

static int check(const struct source *s, struct mu_err *err)
{
	int ways = (s->unit != NULL) + (s->pid_file.path != NULL) +
	           (s->command != NULL);

	if (ways != 1)
		return fail(err, MU_ECONFIG,
		            "set one of unit, pid_file and command, not %s",
		            ways ? "several" : "none");
	if (s->command && !s->command[0])
		return fail(err, MU_ECONFIG, "command is an empty list");
	if (s->pid_file.path && s->pid_file.path[0] != '/')
		return fail(err, MU_ECONFIG,
		            "pid_file \"%.200s\" must be absolute",
		            s->pid_file.path);
	if (s->pid_file.path && s->restart && !s->start)
		return fail(err, MU_ECONFIG,
		            "restart with pid_file needs start, the command "
		            "line that starts the service");
	if (s->start && !s->pid_file.path)
		return fail(err, MU_ECONFIG, "start goes with pid_file only");
	if (s->output && !s->command)
		return fail(err, MU_ECONFIG, "output goes with command only");
	return 0;
}

int source_init(struct source *s, const struct mu_host *h, struct mu_err *err)
{
	int rc;

	*s = (struct source){ .systemctl = "systemctl",
		              .memory = MEMORY,
		              .pid_file = { .memory = SEEN },
		              .timeout_ms = 5000,
		              .stop_ms = 3000 };
	rc = typed_text(h, "unit", &s->unit, err);
	if (!rc)
		rc = typed_text(h, "pid_file", &s->pid_file.path, err);
	if (!rc)
		rc = typed_text(h, "start", &s->start, err);
	if (!rc)
		rc = typed_text(h, "systemctl", &s->systemctl, err);
	if (!rc)
		rc = typed_text(h, "output", &s->output, err);
	if (!rc)
		rc = typed_ms(h, "timeout_ms", &s->timeout_ms, err);
	if (!rc)
		rc = typed_ms(h, "stop_ms", &s->stop_ms, err);
	if (!rc)
		rc = typed_flag(h, "restart", &s->restart, err);
	if (!rc && (h->setting_count(h, "command") >= 0 ||
	            h->setting_str(h, "command", NULL)))
		rc = typed_list(h, "command", &s->command, err);
	if (!rc)
		rc = check(s, err);
	if (rc)
		source_fini(s);
	return rc;
}

void source_fini(struct source *s)
{
	free(s->command);
	s->command = NULL;
}

bool source_may_move(const struct source *s)
{
	return !s->command;
}

/* ---- a unit ---- */

static int run_systemctl(const struct source *s, const char *const *argv,
                         struct mu_command_end *end, struct mu_err *err)
{
	struct mu_command c = { .argv = argv,
		                .input_len = -1,
		                .timeout_ms = s->timeout_ms };
	char how[512];
	int rc = mu_command_run(&c, end, err);

	if (rc || mu_command_is_good(end))
		return rc;
	mu_command_describe(end, argv[0], how, sizeof how);
	return fail(err, MU_EIO, "%s %s: %.300s", argv[0], argv[1], how);
}

static int find_unit(const struct source *s, struct process *p,
                     struct mu_err *err)
{
	const char *argv[] = { s->systemctl, "show",  "--property=MainPID",
		               "--value",    s->unit, NULL };
	struct mu_command_end end;
	char *rest;
	long pid;
	int rc = run_systemctl(s, argv, &end, err);

	if (rc)
		return rc;
	pid = strtol(end.output, &rest, 10);
	if (rest == end.output || pid < 0 || pid > INT32_MAX)
		return fail(err, MU_EIO, "%s says no MainPID of %s",
		            s->systemctl, s->unit);
	if (pid == 0)
		return fail(err, MU_ENONODE, "%s has no main process", s->unit);
	return process_open((pid_t)pid, p, err);
}

/* ---- a command of our own ---- */

/* What is kept of it: the process, and which command line it is. */
struct kept {
	pid_t pid;
	uint64_t started, line; /* line 0: it is not known */
};

/* FNV-1a (Fowler, Noll, Vo), 64 bits, of all the words with their ends. */
static uint64_t line_of(const char *const *argv)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *argv; argv++) {
		const char *p = *argv;

		do
			h = (h ^ (unsigned char)*p) * 0x100000001b3u;
		while (*p++);
	}
	return h ? h : 1;
}

static int recall(const char *file, struct kept *out, struct mu_err *err)
{
	FILE *f = fopen(file, "re");
	int got, n;

	*out = (struct kept){ 0 };
	if (!f)
		return fail(err, errno == ENOENT ? MU_ENONODE : MU_EIO,
		            "%s: %s", file, strerror(errno));
	got = fscanf(f, "%d %" SCNu64 " %" SCNx64, &n, &out->started,
	             &out->line);
	fclose(f);
	if (got < 1 || n <= 0)
		return fail(err, MU_ENONODE, "%s holds no number of a process",
		            file);
	out->pid = n;
	return 0;
}

/* MU_ENONODE: it has ended, and maybe another process has its number. */
static int hold(const struct kept *k, struct process *p, struct mu_err *err)
{
	int rc = process_open(k->pid, p, err);

	if (rc || p->started == k->started)
		return rc;
	process_close(p);
	return fail(err, MU_ENONODE, "process %d has ended", (int)k->pid);
}

static int find_command(const struct source *s, struct process *p,
                        struct mu_err *err)
{
	struct kept k;
	char how[256];
	int rc = recall(s->memory, &k, err);

	if (rc == MU_ENONODE)
		return fail(err, rc, "%s was not started%s", s->command[0],
		            s->restart ? ""
		                       : ", for `restart` is false; write "
		                         "restart = true; beside `command` and "
		                         "the plugin starts it");
	if (rc)
		return rc;
	rc = hold(&k, p, err);
	/* It ended before it was ever held. */
	if (rc == MU_ENONODE && process_reap(k.pid, how, sizeof how))
		return fail(err, rc, "%s: %s", s->command[0], how);
	if (rc == MU_ENONODE)
		return fail(err, rc, "%s has ended", s->command[0]);
	return rc;
}

/* Of a process that is about to become the command. */
static int note_command(void *arg, pid_t pid, struct mu_err *err)
{
	const struct source *s = arg;
	struct process p;
	FILE *f;
	bool kept;
	int rc = process_open(pid, &p, err);

	if (rc)
		return rc;
	f = fopen(s->memory, "we");
	kept = f && fprintf(f, "%d %" PRIu64 " %" PRIx64 "\n", (int)pid,
	                    p.started, line_of(s->command)) > 0;
	if (f && fclose(f) != 0)
		kept = false;
	process_close(&p);
	if (kept)
		return 0;
	return fail(err, MU_EIO,
	            "%s is not started, for its number cannot be kept in %s: "
	            "%s",
	            s->command[0], s->memory, strerror(errno));
}

/* It must be known after a restart which process is ours, lest a second one be
 * started: so the number is kept before the command begins. It need not be on
 * the disk: the command does not live longer than what the kernel holds. */
static int start_command(struct source *s, struct mu_err *err)
{
	struct mu_command c = { .argv = s->command,
		                .before = note_command,
		                .arg = s };
	pid_t pid;

	return mu_command_start(&c, s->output, &pid, err);
}

bool source_is_other(const struct source *s)
{
	struct process p;
	struct mu_err unused;
	struct kept k;

	if (recall(s->memory, &k, &unused))
		return false;
	if (s->command &&
	    (!s->restart || !k.line || k.line == line_of(s->command)))
		return false;
	if (hold(&k, &p, &unused))
		return false;
	process_close(&p);
	return true;
}

int source_end(const struct source *s, pid_t *pid, bool *killed,
               struct mu_err *err)
{
	struct process p;
	struct kept k;
	int rc = recall(s->memory, &k, err);

	if (!rc)
		rc = hold(&k, &p, err);
	if (rc)
		return rc;
	*pid = p.pid;
	*killed = !process_end(&p, s->stop_ms);
	process_close(&p);
	(void)unlink(s->memory);
	return 0;
}

/* ---- any of them ---- */

int source_find(struct source *s, struct process *p, struct mu_err *err)
{
	if (s->unit)
		return find_unit(s, p, err);
	return s->command ? find_command(s, p, err)
	                  : pidfile_find(&s->pid_file, p, err);
}

int source_start(struct source *s, struct mu_err *err)
{
	const char *argv[] = { s->systemctl, "restart", s->unit, NULL };
	struct mu_command c = { .input_len = -1, .timeout_ms = s->timeout_ms };
	struct mu_command_end end;
	char how[512];
	int rc;

	if (s->unit)
		return run_systemctl(s, argv, &end, err);
	if (s->command)
		return start_command(s, err);
	rc = mu_command_run_shell(s->start, &c, &end, err);
	if (rc || mu_command_is_good(&end))
		return rc;
	mu_command_describe(&end, s->start, how, sizeof how);
	return fail(err, MU_EIO, "start: %.400s", how);
}
