#include "ephemerals_file.h"

#include "buf.h"
#include "err.h"
#include "files.h"
#include "log.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "muster-ephemerals 1\n"
#define LOAD_MAX (64u * 1024 * 1024) /* bytes */

struct mu_ephemerals_file {
	char path[PATH_MAX], fresh[PATH_MAX];
	int fd;          /* -1: not open */
	bool gathering;  /* between begin and end */
	struct mu_buf b; /* what is gathered */
	size_t lines;
	bool told; /* that it cannot be written */
};

int mu_ephemerals_file_new(const char *runtime_dir,
                           struct mu_ephemerals_file **out)
{
	struct mu_ephemerals_file *f = mu_alloc(sizeof *f);

	if (!f)
		return MU_ENOMEM;
	snprintf(f->path, sizeof f->path, "%s/ephemerals", runtime_dir);
	snprintf(f->fresh, sizeof f->fresh, "%s/ephemerals.new", runtime_dir);
	f->fd = -1;
	*out = f;
	return 0;
}

void mu_ephemerals_file_free(struct mu_ephemerals_file *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	mu_buf_fini(&f->b);
	mu_free(f);
}

/* ---- reading ---- */

/* One line, with a NUL for its end. */
static int take_line(char *line, int64_t *session,
                     int (*fn)(void *arg, const char *instance,
                               const char *path, bool add),
                     void *arg)
{
	char *space = strchr(line, ' '), *end;

	if (line[0] == 's') {
		*session = (int64_t)strtoull(line + 1, &end, 16);
		return *end ? MU_EDATA : 0;
	}
	if ((line[0] != '+' && line[0] != '-') || !space)
		return MU_EDATA;
	*space = '\0';
	return fn(arg, line + 1, space + 1, line[0] == '+');
}

int mu_ephemerals_file_load(const char *runtime_dir, int64_t *session,
                            int (*fn)(void *arg, const char *instance,
                                      const char *path, bool add),
                            void *arg, struct mu_err *err)
{
	char path[PATH_MAX], *text, *line, *end;
	size_t len;
	int rc;

	snprintf(path, sizeof path, "%s/ephemerals", runtime_dir);
	rc = mu_file_read(path, LOAD_MAX, &text, &len, err);
	if (rc)
		return rc;
	if (strncmp(text, HEAD, sizeof HEAD - 1) != 0)
		rc = MU_EDATA;
	/* A last line without its end was not whole when the agent ended. */
	for (line = text + sizeof HEAD - 1; !rc && (end = strchr(line, '\n'));
	     line = end + 1) {
		*end = '\0';
		rc = take_line(line, session, fn, arg);
	}
	mu_free(text);
	if (rc == MU_EDATA)
		return mu_err(err, rc, "%s is not of this version", path);
	return rc ? mu_err(err, rc, "%s: %s", path, mu_err_text(rc)) : 0;
}

/* ---- writing ---- */

static void failed(struct mu_ephemerals_file *f)
{
	if (!f->told)
		mu_log(MU_WARN,
		       MSG("which nodes plugins have made cannot be written; "
		           "after a crash of this agent they stay until its "
		           "session ends"),
		       KS("path", f->path), KS("reason", strerror(errno)));
	f->told = true;
}

static bool write_all(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static void shut(struct mu_ephemerals_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* Behind half a line none is whole: it must be written anew. */
static void put(struct mu_ephemerals_file *f, const char *text, size_t len)
{
	if (f->gathering) {
		mu_buf_put(&f->b, text, len);
	} else if (f->fd >= 0 && !write_all(f->fd, text, len)) {
		failed(f);
		shut(f);
	}
}

bool mu_ephemerals_file_is_open(const struct mu_ephemerals_file *f)
{
	return f->fd >= 0;
}

void mu_ephemerals_file_begin(struct mu_ephemerals_file *f, int64_t session)
{
	char line[32];

	f->gathering = true;
	f->lines = 0;
	mu_buf_reset(&f->b);
	put(f, HEAD, sizeof HEAD - 1);
	mu_format(line, sizeof line, "s%" PRIx64 "\n", (uint64_t)session);
	put(f, line, strlen(line));
}

void mu_ephemerals_file_end(struct mu_ephemerals_file *f)
{
	int fd = -1;

	f->gathering = false;
	errno = ENOMEM;
	if (!mu_buf_failed(&f->b))
		fd = open(f->fresh,
		          O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
		          0600);
	if (fd < 0 || !write_all(fd, f->b.data, f->b.len) ||
	    rename(f->fresh, f->path)) {
		failed(f);
		if (fd >= 0)
			close(fd);
	} else {
		shut(f);
		f->fd = fd;
	}
	mu_buf_fini(&f->b);
}

static size_t put_line(struct mu_ephemerals_file *f, char sign,
                       const char *instance, const char *path)
{
	struct mu_buf line = { 0 };

	mu_buf_put(&line, &sign, 1);
	mu_buf_put(&line, instance, strlen(instance));
	mu_buf_put(&line, " ", 1);
	mu_buf_put(&line, path, strlen(path));
	mu_buf_put(&line, "\n", 1);
	errno = ENOMEM;
	if (mu_buf_failed(&line)) {
		failed(f);
		shut(f);
	} else {
		put(f, (const char *)line.data, line.len);
	}
	mu_buf_fini(&line);
	return ++f->lines;
}

size_t mu_ephemerals_file_add(struct mu_ephemerals_file *f,
                              const char *instance, const char *path)
{
	return put_line(f, '+', instance, path);
}

size_t mu_ephemerals_file_remove(struct mu_ephemerals_file *f,
                                 const char *instance, const char *path)
{
	return put_line(f, '-', instance, path);
}
