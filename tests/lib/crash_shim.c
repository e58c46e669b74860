/*
 * crash_shim.c - preloaded into a program: kills it, tears its writes or says no
 * at a chosen system call. crash_shim.h says how it is told.
 *
 * It goes to the kernel by syscall(2), so nothing here calls itself. No locks:
 * a child that was forked off while another thread held one would stand still.
 */
#include "crash_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SHIM __attribute__((visibility("default")))
#define FDS 32768        /* descriptors that are known */
#define PATH_BYTES 4096  /* <limits.h> here is another one of ours */
#define LOG_FD_FROM 1500 /* out of the way of those who close low ones */
#define SHIM_BROKEN 97   /* exit code */

static struct crash_plan *plan;
static int log_fd = -1;
/* The inode of a file of the directory; 0: none of ours. It is compared at each
 * use, for a descriptor may have been closed where the shim does not see it. */
static _Atomic uint64_t tracked[FDS];

static void broken(const char *what)
{
	char text[256];
	int n = snprintf(text, sizeof text, "crash_shim: %s: %s\n", what,
	                 strerror(errno));

	if (n > 0)
		syscall(SYS_write, 2, text, (size_t)n);
	syscall(SYS_exit_group, SHIM_BROKEN);
}

static void log_open(void)
{
	char path[CRASH_DIR_MAX + 16];
	int fd;

	snprintf(path, sizeof path, "%s/" CRASH_LOG, plan->side);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path,
	                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		broken(path);
	log_fd = fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD_FROM);
	if (log_fd < 0)
		log_fd = fd;
	else
		syscall(SYS_close, fd);
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv(CRASH_PLAN_ENV);
	int32_t nobody = 0;
	void *p;
	int fd;

	if (!path)
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		broken(path);
	p = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		broken("mmap");
	syscall(SYS_close, fd);
	plan = p;
	if (plan->side[0])
		log_open();
	atomic_compare_exchange_strong(&plan->main_pid, &nobody, getpid());
}

/* ---- what is ours ------------------------------------------------------------- */

/* The name in the directory, "." for itself; false: it is elsewhere. */
static bool name_of(int dirfd, const char *path, char out[CRASH_NAME_MAX])
{
	char whole[PATH_BYTES], link[64];
	size_t dir = strlen(plan->dir);
	ssize_t n = 0;

	if (path[0] != '/') {
		snprintf(link, sizeof link,
		         dirfd == AT_FDCWD ? "/proc/self/cwd"
		                           : "/proc/self/fd/%d",
		         dirfd);
		n = readlink(link, whole, sizeof whole - CRASH_NAME_MAX - 2);
		if (n < 0)
			return false;
		whole[n++] = '/';
	}
	snprintf(whole + n, sizeof whole - (size_t)n, "%s", path);
	if (strncmp(whole, plan->dir, dir) != 0)
		return false;
	if (whole[dir] == '\0') {
		strcpy(out, ".");
		return true;
	}
	if (whole[dir] != '/' || strlen(whole + dir + 1) >= CRASH_NAME_MAX)
		return false;
	strcpy(out, whole[dir + 1] ? whole + dir + 1 : ".");
	return strchr(out, '/') == NULL; /* the directory is flat */
}

static void track(int fd, int dirfd, const char *path)
{
	char name[CRASH_NAME_MAX];
	struct stat st;

	if (!plan || fd < 0 || fd >= FDS)
		return;
	tracked[fd] = 0;
	if (name_of(dirfd, path, name) && fstat(fd, &st) == 0)
		tracked[fd] = st.st_ino;
}

static bool is_ours(int fd, struct stat *st)
{
	return plan && fd >= 0 && fd < FDS && tracked[fd] &&
	       fstat(fd, st) == 0 && tracked[fd] == st->st_ino;
}

/* ---- notes -------------------------------------------------------------------- */

static void note(struct crash_note *n, const void *fresh, const void *old)
{
	struct iovec v[3] = {
		{ n, sizeof *n },
		{ (void *)(uintptr_t)fresh, n->len },
		{ (void *)(uintptr_t)old, n->old_len },
	};
	size_t all = sizeof *n + n->len + n->old_len;

	n->magic = CRASH_NOTE_MAGIC;
	/* A child may have closed all that it inherited. */
	if (fcntl(log_fd, F_GETFD) < 0)
		log_open();
	if (syscall(SYS_writev, log_fd, v, 3) != (long)all)
		broken("a note");
}

static uint64_t next_seq(void)
{
	return atomic_fetch_add(&plan->seq, 1) + 1;
}

/* Bytes from `at` on, at most len; the descriptor may be for writing only. */
static void *old_bytes(int fd, uint64_t at, uint64_t len, uint64_t *got)
{
	char path[64], *p = malloc(len ? len : 1);
	long n;
	int in;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	in = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (in < 0 || !p)
		broken("old bytes");
	for (*got = 0; *got < len; *got += (uint64_t)n) {
		n = syscall(SYS_pread64, in, p + *got, len - *got, at + *got);
		if (n < 0)
			broken("old bytes");
		if (n == 0)
			break;
	}
	syscall(SYS_close, in);
	return p;
}

static void note_write(int fd, const struct stat *st, const void *p,
                       uint64_t len, uint64_t at)
{
	struct crash_note n = { .kind = CRASH_NOTE_WRITE, .seq = next_seq() };
	const uint64_t size = (uint64_t)st->st_size;
	void *old;

	n.ino = st->st_ino;
	n.at = at;
	n.len = len;
	n.old_size = size;
	old = old_bytes(fd, at, at < size ? len : 0, &n.old_len);
	note(&n, p, old);
	free(old);
}

static void note_size(int fd, const struct stat *st, uint64_t to)
{
	struct crash_note n = { .kind = CRASH_NOTE_SIZE, .seq = next_seq() };
	const uint64_t size = (uint64_t)st->st_size;
	void *old;

	n.ino = st->st_ino;
	n.at = to;
	n.old_size = size;
	old = old_bytes(fd, to, to < size ? size - to : 0, &n.old_len);
	note(&n, NULL, old);
	free(old);
}

/* A link that keeps the file which a name stands for now. */
static void keep(struct crash_note *n, const char *name)
{
	char from[CRASH_DIR_MAX + CRASH_NAME_MAX + 2];
	char to[CRASH_DIR_MAX + 32];

	snprintf(from, sizeof from, "%s/%s", plan->dir, name);
	snprintf(to, sizeof to, "%s/keep.%llu", plan->side,
	         (unsigned long long)n->seq);
	n->kept = syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0) == 0;
	if (!n->kept && errno != ENOENT)
		broken(to);
}

static void note_name(enum crash_note_kind kind, const char *name,
                      const char *other)
{
	struct crash_note n = { .kind = kind, .seq = next_seq() };

	strcpy(n.name, name);
	strcpy(n.other, other);
	if (kind == CRASH_NOTE_RENAME)
		keep(&n, other);
	if (kind == CRASH_NOTE_UNLINK)
		keep(&n, name);
	note(&n, NULL, NULL);
}

/* ---- what happens at a call ------------------------------------------------------ */

struct turn {
	bool fails;       /* errno is set */
	bool dies;        /* afterwards */
	uint64_t at_most; /* bytes of a write */
};

static void die(void)
{
	if (!plan->spares || getpid() == plan->main_pid)
		kill(plan->main_pid, SIGKILL);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static bool is_numbered(enum crash_call call)
{
	const bool child = getpid() != plan->main_pid;

	if (!(plan->mask & CRASH_BIT(call)))
		return false;
	return plan->who == CRASH_ANY || child == (plan->who == CRASH_CHILD);
}

static void hit(enum crash_call call, const char *name)
{
	if (atomic_fetch_add(&plan->hits, 1))
		return;
	plan->hit_call = (uint32_t)call;
	snprintf(plan->hit_name, sizeof plan->hit_name, "%s", name);
}

static struct turn turn_of(enum crash_call call, const char *name, uint64_t len)
{
	struct turn t = { false, false, len };
	const uint32_t act = plan->act;
	uint32_t number;

	plan->of[call]++;
	if (getpid() != plan->main_pid)
		plan->child_pid = getpid();
	if (!is_numbered(call))
		return t;
	number = atomic_fetch_add(&plan->calls, 1);
	if (act == CRASH_COUNT || number < plan->at ||
	    (number > plan->at && !plan->lasts))
		return t;
	if (act == CRASH_SHORT && (call != CRASH_WRITE || len < 2))
		return t;
	hit(call, name);
	if (act == CRASH_KILL_BEFORE ||
	    (act == CRASH_TEAR && call != CRASH_WRITE))
		die();
	t.dies = act == CRASH_KILL_AFTER || act == CRASH_TEAR;
	t.fails = act == CRASH_FAIL;
	if (act == CRASH_TEAR && len)
		t.at_most = plan->bytes % len;
	if (act == CRASH_SHORT)
		t.at_most = 1 + plan->bytes % (len - 1);
	if (t.fails)
		errno = plan->error;
	return t;
}

static long done(const struct turn *t, long rc)
{
	if (t->dies)
		die();
	return rc;
}

/* ---- names ---------------------------------------------------------------------- */

static int open_ours(int dirfd, const char *path, int flags, mode_t mode,
                     const char *name)
{
	const struct turn t = turn_of(CRASH_OPEN, name, 0);
	struct stat st;
	bool fresh;
	int fd;

	if (t.fails)
		return -1;
	fresh = fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) != 0;
	if (fresh && log_fd >= 0)
		note_name(CRASH_NOTE_CREATE, name, "");
	fd = (int)syscall(SYS_openat, dirfd, path, flags & ~O_TRUNC, mode);
	track(fd, dirfd, path);
	if (fd >= 0 && !fresh && (flags & O_TRUNC) && ftruncate(fd, 0)) {
		close(fd);
		fd = -1;
	}
	return (int)done(&t, fd);
}

static int open_any(int dirfd, const char *path, int flags, mode_t mode)
{
	char name[CRASH_NAME_MAX];
	int fd;

	if (plan && (flags & (O_CREAT | O_TRUNC)) &&
	    (flags & O_TMPFILE) != O_TMPFILE && name_of(dirfd, path, name))
		return open_ours(dirfd, path, flags, mode, name);
	fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
	track(fd, dirfd, path);
	return fd;
}

#define MODE_OF(flags, mode) \
	do { \
		va_list ap; \
		va_start(ap, flags); \
		if ((flags) & (O_CREAT | __O_TMPFILE)) \
			(mode) = va_arg(ap, mode_t); \
		va_end(ap); \
	} while (0)

SHIM int open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(flags, mode);
	return open_any(AT_FDCWD, path, flags, mode);
}

SHIM int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(flags, mode);
	return open_any(AT_FDCWD, path, flags, mode);
}

SHIM int openat(int dirfd, const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(flags, mode);
	return open_any(dirfd, path, flags, mode);
}

SHIM int openat64(int dirfd, const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(flags, mode);
	return open_any(dirfd, path, flags, mode);
}

SHIM int close(int fd)
{
	if (fd >= 0 && fd < FDS)
		tracked[fd] = 0;
	return (int)syscall(SYS_close, fd);
}

SHIM int dup3(int from, int to, int flags)
{
	const int fd = (int)syscall(SYS_dup3, from, to, flags);

	if (fd >= 0 && fd < FDS && from < FDS)
		tracked[fd] = tracked[from];
	return fd;
}

SHIM int dup2(int from, int to)
{
	return from == to ? (fcntl(from, F_GETFD) < 0 ? -1 : to)
	                  : dup3(from, to, 0);
}

SHIM int mkdirat(int dirfd, const char *path, mode_t mode)
{
	char name[CRASH_NAME_MAX];
	struct turn t;

	if (!plan || !name_of(dirfd, path, name))
		return (int)syscall(SYS_mkdirat, dirfd, path, mode);
	t = turn_of(CRASH_MKDIR, name, 0);
	if (t.fails)
		return -1;
	return (int)done(&t, syscall(SYS_mkdirat, dirfd, path, mode));
}

SHIM int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

SHIM int renameat2(int from_dir, const char *from, int to_dir, const char *to,
                   unsigned flags)
{
	char name[CRASH_NAME_MAX], other[CRASH_NAME_MAX];
	struct turn t;

	if (!plan || !name_of(from_dir, from, name) ||
	    !name_of(to_dir, to, other))
		return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to,
		                    flags);
	t = turn_of(CRASH_RENAME, name, 0);
	if (t.fails)
		return -1;
	if (log_fd >= 0)
		note_name(CRASH_NOTE_RENAME, name, other);
	return (int)done(
		&t, syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
}

SHIM int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat2(from_dir, from, to_dir, to, 0);
}

SHIM int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

SHIM int unlinkat(int dirfd, const char *path, int flags)
{
	char name[CRASH_NAME_MAX];
	struct stat st;
	struct turn t;

	if (!plan || !name_of(dirfd, path, name))
		return (int)syscall(SYS_unlinkat, dirfd, path, flags);
	t = turn_of(CRASH_UNLINK, name, 0);
	if (t.fails)
		return -1;
	if (log_fd >= 0 && fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		note_name(CRASH_NOTE_UNLINK, name, "");
	return (int)done(&t, syscall(SYS_unlinkat, dirfd, path, flags));
}

SHIM int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

/* ---- bytes ------------------------------------------------------------------------ */

/* The name of an open file, for the report. */
static const char *fd_name(int fd, char out[CRASH_NAME_MAX])
{
	char link[64], path[PATH_BYTES];
	const char *slash;
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	path[n < 0 ? 0 : n] = '\0';
	slash = strrchr(path, '/');
	snprintf(out, CRASH_NAME_MAX, "%.90s", slash ? slash + 1 : path);
	return out;
}

static off_t stands_at(int fd, const struct stat *st)
{
	if (fcntl(fd, F_GETFL) & O_APPEND)
		return st->st_size;
	return lseek(fd, 0, SEEK_CUR);
}

/* at < 0: where the file stands. */
static ssize_t write_ours(int fd, const void *p, size_t len, off_t at,
                          const struct stat *st)
{
	char name[CRASH_NAME_MAX];
	struct turn t = turn_of(CRASH_WRITE, fd_name(fd, name), len);
	const off_t here = at < 0 ? stands_at(fd, st) : at;
	long n = 0;

	if (t.fails)
		return -1;
	if (log_fd >= 0 && t.at_most)
		note_write(fd, st, p, t.at_most, (uint64_t)here);
	if (t.at_most)
		n = syscall(SYS_pwrite64, fd, p, t.at_most, here);
	if (n > 0 && at < 0)
		lseek(fd, here + n, SEEK_SET);
	if (n > 0)
		plan->written += (uint64_t)n;
	return done(&t, n);
}

SHIM ssize_t write(int fd, const void *p, size_t len)
{
	struct stat st;

	if (is_ours(fd, &st))
		return write_ours(fd, p, len, -1, &st);
	return syscall(SYS_write, fd, p, len);
}

SHIM ssize_t pwrite(int fd, const void *p, size_t len, off_t at)
{
	struct stat st;

	if (is_ours(fd, &st))
		return write_ours(fd, p, len, at, &st);
	return syscall(SYS_pwrite64, fd, p, len, at);
}

SHIM ssize_t pwrite64(int fd, const void *p, size_t len, off64_t at)
{
	return pwrite(fd, p, len, at);
}

/* The pieces as one. */
static ssize_t writev_ours(int fd, const struct iovec *v, int count, off_t at,
                           const struct stat *st)
{
	size_t len = 0;
	ssize_t n;
	char *all, *to;

	for (int i = 0; i < count; i++)
		len += v[i].iov_len;
	to = all = malloc(len ? len : 1);
	if (!all)
		broken("writev");
	for (int i = 0; i < count; i++) {
		memcpy(to, v[i].iov_base, v[i].iov_len);
		to += v[i].iov_len;
	}
	n = write_ours(fd, all, len, at, st);
	free(all);
	return n;
}

SHIM ssize_t writev(int fd, const struct iovec *v, int count)
{
	struct stat st;

	if (is_ours(fd, &st))
		return writev_ours(fd, v, count, -1, &st);
	return syscall(SYS_writev, fd, v, count);
}

SHIM ssize_t pwritev(int fd, const struct iovec *v, int count, off_t at)
{
	struct stat st;

	if (is_ours(fd, &st))
		return writev_ours(fd, v, count, at, &st);
	return syscall(SYS_pwritev, fd, v, count, at, 0);
}

SHIM ssize_t pwritev64(int fd, const struct iovec *v, int count, off64_t at)
{
	return pwritev(fd, v, count, at);
}

SHIM int ftruncate(int fd, off_t len)
{
	char name[CRASH_NAME_MAX];
	struct stat st;
	struct turn t;

	if (!is_ours(fd, &st))
		return (int)syscall(SYS_ftruncate, fd, len);
	t = turn_of(CRASH_TRUNCATE, fd_name(fd, name), 0);
	if (t.fails)
		return -1;
	if (log_fd >= 0)
		note_size(fd, &st, (uint64_t)len);
	return (int)done(&t, syscall(SYS_ftruncate, fd, len));
}

SHIM int ftruncate64(int fd, off64_t len)
{
	return ftruncate(fd, len);
}

SHIM int fallocate(int fd, int mode, off_t at, off_t len)
{
	char name[CRASH_NAME_MAX];
	struct stat st;
	struct turn t;

	if (!is_ours(fd, &st))
		return (int)syscall(SYS_fallocate, fd, mode, at, len);
	t = turn_of(CRASH_ALLOCATE, fd_name(fd, name), 0);
	if (t.fails)
		return -1;
	if (log_fd >= 0 && mode == 0 && at + len > st.st_size)
		note_size(fd, &st, (uint64_t)(at + len));
	return (int)done(&t, syscall(SYS_fallocate, fd, mode, at, len));
}

SHIM int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	return fallocate(fd, mode, at, len);
}

SHIM int posix_fallocate(int fd, off_t at, off_t len)
{
	return fallocate(fd, 0, at, len) ? errno : 0;
}

SHIM int posix_fallocate64(int fd, off64_t at, off64_t len)
{
	return posix_fallocate(fd, at, len);
}

/* ---- syncing -------------------------------------------------------------------------- */

static void pause_us(uint32_t us)
{
	struct timespec t = { us / 1000000, (long)(us % 1000000) * 1000 };

	if (us)
		nanosleep(&t, NULL);
}

static int sync_ours(int fd, long call, const struct stat *st)
{
	const bool dir = S_ISDIR(st->st_mode);
	char name[CRASH_NAME_MAX];
	struct turn t = turn_of(dir ? CRASH_SYNC_DIR : CRASH_SYNC,
	                        fd_name(fd, name), 0);
	struct crash_note n = { .kind = dir ? CRASH_NOTE_SYNC_DIR
		                            : CRASH_NOTE_SYNC,
		                .ino = st->st_ino };
	int rc;

	if (t.fails)
		return -1;
	n.seq = next_seq();
	if (!dir)
		pause_us(plan->sync_delay_us);
	rc = (int)syscall(call, fd);
	if (rc == 0 && log_fd >= 0)
		note(&n, NULL, NULL);
	return (int)done(&t, rc);
}

SHIM int fdatasync(int fd)
{
	struct stat st;

	if (is_ours(fd, &st))
		return sync_ours(fd, SYS_fdatasync, &st);
	return (int)syscall(SYS_fdatasync, fd);
}

SHIM int fsync(int fd)
{
	struct stat st;

	if (is_ours(fd, &st))
		return sync_ours(fd, SYS_fsync, &st);
	return (int)syscall(SYS_fsync, fd);
}
