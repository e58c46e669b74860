#include "cgroup.h"

#include "err.h"
#include "files.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROC_FILE_MAX (4u * 1024 * 1024)
#define PROBE "muster-probe"
#define LEAF "muster-agent"
#define MOVES_MAX 10000 /* more keep coming */
#define LOOKS_MAX 5     /* at one that seems to be somebody else's */

/* ---- the small files ---- */

static int put(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	int fd, why = 0;

	mu_format(path, sizeof path, "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		why = errno;
	close(fd);
	return why;
}

/* A file of /proc or of a cgroup; free with mu_free. NULL: it is not there. */
static char *get(const char *dir, const char *file)
{
	char path[PATH_MAX];
	char *text = NULL;
	size_t len;

	mu_format(path, sizeof path, "%s/%s", dir, file);
	return mu_file_read(path, PROC_FILE_MAX, &text, &len, NULL) ? NULL
	                                                            : text;
}

/* Is the word in a list, whose words end in one of `gaps`? */
static bool has_word(const char *list, const char *word, const char *gaps)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, gaps);

		if (n == len && memcmp(list, word, len) == 0)
			return true;
		list += n + (list[n] != '\0');
	}
	return false;
}

/* ---- our own ---- */

struct own {
	bool v2;
	char mount[PATH_MAX], root[PATH_MAX]; /* of the hierarchy */
	char path[PATH_MAX];                  /* ours in it */
};

/* A line of /proc/self/mountinfo, see proc(5). */
static void look_at_mount(struct own *o, const char *line)
{
	char root[PATH_MAX], mount[PATH_MAX], type[64], more[1024];
	const char *tail = strstr(line, " - ");
	bool v1;

	if (!tail ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) != 2 ||
	    sscanf(tail, " - %63s %*s %1023s", type, more) != 2)
		return;
	v1 = strcmp(type, "cgroup") == 0 && has_word(more, "pids", ",");
	/* The controller is in one of the two; v1 has it, if it is there. */
	if (!v1 && (strcmp(type, "cgroup2") != 0 || (o->mount[0] && !o->v2)))
		return;
	o->v2 = !v1;
	mu_format(o->root, sizeof o->root, "%s", root);
	mu_format(o->mount, sizeof o->mount, "%s", mount);
}

/* A line of /proc/self/cgroup, see cgroups(7): "0::/path", "8:pids:/path". */
static void look_at_own(struct own *o, char *line)
{
	char *names = strchr(line, ':'), *path;

	path = names ? strchr(names + 1, ':') : NULL;
	if (!path)
		return;
	*path = '\0';
	if (o->v2 ? names[1] == '\0' : has_word(names + 1, "pids", ","))
		mu_format(o->path, sizeof o->path, "%s", path + 1);
}

static void each_line(struct own *o, char *text,
                      void (*look)(struct own *o, char *line))
{
	char *at, *rest = text;

	while (text && (at = strsep(&rest, "\n")))
		look(o, at);
	mu_free(text);
}

static void look_at_mount_line(struct own *o, char *line)
{
	look_at_mount(o, line);
}

/* Where it is mounted may be a part of the hierarchy only. */
static int place(const struct own *o, char *out, size_t room,
                 struct mu_err *err)
{
	size_t n = strcmp(o->root, "/") == 0 ? 0 : strlen(o->root);

	if (!o->mount[0])
		return mu_err(err, MU_EIO, "no cgroup file system is mounted");
	if (!o->path[0] || strncmp(o->path, "/..", 3) == 0 ||
	    strncmp(o->path, o->root, n) != 0)
		return mu_err(err, MU_EIO,
		              "its own cgroup cannot be seen below %.200s",
		              o->mount);
	mu_format(out, room, "%s%s", o->mount,
	          strcmp(o->path + n, "/") == 0 ? "" : o->path + n);
	return 0;
}

/* Of v2 the controller must be there and be switched on for what lies below. */
static int switch_on(const char *dir, struct mu_err *err)
{
	char *list = get(dir, "cgroup.controllers");
	bool there = list && has_word(list, "pids", " \n");
	int why;

	mu_free(list);
	if (!there)
		return mu_err(err, MU_EIO,
		              "%.200s does not have the controller pids", dir);
	why = put(dir, "cgroup.subtree_control", "+pids");
	return why ? mu_err(err, MU_EIO,
	                    "the controller pids cannot be switched on in "
	                    "%.200s: %s",
	                    dir, strerror(why))
	           : 0;
}

/* ---- v2: a group that has groups with a limit below it holds no process itself.
 * With one it would be "domain threaded", and those below it "domain invalid",
 * see cgroups(7). So the agent goes into a leaf of its own ---- */

static pid_t parent_of(pid_t pid)
{
	char dir[64];
	char *text, *at;
	int parent = 0;

	mu_format(dir, sizeof dir, "/proc/%ld", (long)pid);
	text = get(dir, "stat");
	at = text ? strrchr(text, ')') : NULL;
	if (at)
		(void)sscanf(at, ") %*c %d", &parent);
	mu_free(text);
	return parent;
}

static bool is_same_program(pid_t pid)
{
	char path[64];
	struct stat a, b;

	mu_format(path, sizeof path, "/proc/%ld/exe", (long)pid);
	return stat(path, &a) == 0 && stat("/proc/self/exe", &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Is it the agent's: this process, the one of the same program that started it,
 * or one that comes of them? */
static bool is_ours(pid_t pid)
{
	pid_t head = is_same_program(getppid()) ? getppid() : getpid();

	while (pid > 1 && pid != head)
		pid = parent_of(pid);
	return pid == head;
}

/* The first of the processes in a group that `wanted` says yes of; 0: none. */
static pid_t find_in(const char *dir, bool (*wanted)(pid_t pid))
{
	char *text = get(dir, "cgroup.procs");
	char *at, *rest = text;
	pid_t found = 0;

	while (!found && text && (at = strsep(&rest, "\n"))) {
		pid_t pid = (pid_t)strtol(at, NULL, 10);

		if (pid > 0 && wanted(pid))
			found = pid;
	}
	mu_free(text);
	return found;
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/* One that ends while it is looked at has no parents any more, and where one above
 * it ends it gets another: only who is there and still not ours is a stranger. */
static bool is_strange(pid_t pid)
{
	for (int i = 0; i < LOOKS_MAX; i++)
		if (is_ours(pid) || is_gone(pid))
			return false;
	return true;
}

static bool any(pid_t pid)
{
	(void)pid;
	return true;
}

static int move_away(const char *dir, const char *leaf, struct mu_err *err)
{
	char number[16];
	pid_t pid;

	for (int left = MOVES_MAX; (pid = find_in(dir, any)) > 0; left--) {
		int why;

		mu_format(number, sizeof number, "%ld", (long)pid);
		why = put(leaf, "cgroup.procs", number);
		if (left == 0 || (why && why != ESRCH))
			return mu_err(err, MU_EIO,
			              "process %ld cannot be moved to %.200s: "
			              "%s",
			              (long)pid, leaf, strerror(why));
	}
	return 0;
}

int mu_cgroup_leave(char *dir, struct mu_err *err)
{
	char leaf[PATH_MAX];
	char *type = get(dir, "cgroup.type"), *last = strrchr(dir, '/');
	bool is_root = type == NULL;
	pid_t other;

	mu_free(type);
	if (is_root)
		return 0;
	if (last && strcmp(last + 1, LEAF) == 0) {
		*last = '\0';
		return 0;
	}
	other = find_in(dir, is_strange);
	if (other)
		return mu_err(err, MU_EIO,
		              "process %ld is in %.200s too, which is not the "
		              "agent's: it is not the agent's own cgroup",
		              (long)other, dir);
	(void)put(dir, "cgroup.subtree_control", "-pids");
	mu_format(leaf, sizeof leaf, "%s/" LEAF, dir);
	if (mkdir(leaf, 0755) && errno != EEXIST)
		return mu_err(err, MU_EIO, "cannot make the cgroup %.300s: %s",
		              leaf, strerror(errno));
	return move_away(dir, leaf, err);
}

/* ---- is it possible? ---- */

static int try_it(const char *dir, struct mu_err *err)
{
	char probe[64], path[PATH_MAX];
	char *type;
	int rc;

	mu_format(probe, sizeof probe, PROBE "-%ld", (long)getpid());
	mu_format(path, sizeof path, "%s/%s", dir, probe);
	rc = mu_cgroup_make(dir, probe, 1, err);
	type = get(path, "cgroup.type");
	if (!rc && type && strstr(type, "invalid"))
		rc = mu_err(err, MU_EIO,
		            "a cgroup below %.200s can hold no process", dir);
	mu_free(type);
	(void)mu_cgroup_end(dir, probe);
	return rc;
}

int mu_cgroup_find(char *out, size_t room, struct mu_err *err)
{
	struct own o = { .v2 = false };
	int rc;

	each_line(&o, get("/proc/self", "mountinfo"), look_at_mount_line);
	each_line(&o, get("/proc/self", "cgroup"), look_at_own);
	rc = place(&o, out, room, err);
	if (!rc && o.v2)
		rc = mu_cgroup_leave(out, err);
	if (!rc && o.v2)
		rc = switch_on(out, err);
	return rc ? rc : try_it(out, err);
}

/* ---- one below it ---- */

static void dir_of(const char *base, const char *name, char out[PATH_MAX])
{
	mu_format(out, PATH_MAX, "%s/%s", base, name);
}

int mu_cgroup_make(const char *base, const char *name, uint32_t max,
                   struct mu_err *err)
{
	char dir[PATH_MAX], number[16];
	int why = 0;

	dir_of(base, name, dir);
	mu_format(number, sizeof number, "%u", max);
	if (mkdir(dir, 0755) && errno != EEXIST)
		why = errno;
	if (!why)
		why = put(dir, "pids.max", number);
	return why ? mu_err(err, MU_EIO, "cannot make the cgroup %.300s: %s",
	                    dir, strerror(why))
	           : 0;
}

int mu_cgroup_add(const char *base, const char *name, int pid,
                  struct mu_err *err)
{
	char dir[PATH_MAX], number[16];
	int why;

	dir_of(base, name, dir);
	mu_format(number, sizeof number, "%d", pid);
	why = put(dir, "cgroup.procs", number);
	return why ? mu_err(err, MU_EIO,
	                    "cannot put a process into the cgroup %.300s: %s",
	                    dir, strerror(why))
	           : 0;
}

uint64_t mu_cgroup_refused(const char *base, const char *name)
{
	unsigned long long n = 0;
	char dir[PATH_MAX];
	char *text;

	dir_of(base, name, dir);
	text = get(dir, "pids.events"); /* "max N" */
	if (text)
		(void)sscanf(text, "max %llu", &n);
	mu_free(text);
	return n;
}

/* Where the kernel has no cgroup.kill: one by one, as they are now. */
static void kill_each(const char *dir)
{
	char *text = get(dir, "cgroup.procs");
	char *at, *rest = text;

	while (text && (at = strsep(&rest, "\n"))) {
		long pid = strtol(at, NULL, 10);

		if (pid > 0)
			kill((pid_t)pid, SIGKILL);
	}
	mu_free(text);
}

bool mu_cgroup_end(const char *base, const char *name)
{
	char dir[PATH_MAX];

	dir_of(base, name, dir);
	if (access(dir, F_OK) == 0 && put(dir, "cgroup.kill", "1"))
		kill_each(dir);
	return rmdir(dir) == 0 || errno == ENOENT;
}
