#include "pidfile.h"

#include "fail.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static void read_boot(char out[40])
{
	FILE *f = fopen(BOOT_ID, "re");

	if (!f || fscanf(f, "%39s", out) != 1)
		strcpy(out, "-");
	if (f)
		fclose(f);
}

static int see(const char *path, struct sighting *now, struct mu_err *err)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	int got, rc;

	*now = (struct sighting){ 0 };
	if (!f)
		return fail(err, errno == ENOENT ? MU_ENONODE : MU_EIO,
		            "%s: %s", path, strerror(errno));
	got = fscanf(f, "%d", &now->pid);
	rc = fstat(fileno(f), &st);
	fclose(f);
	if (rc < 0)
		return fail(err, MU_EIO, "%s: %s", path, strerror(errno));
	if (got < 1 || now->pid <= 0)
		return fail(err, MU_ENONODE, "%s holds no number of a process",
		            path);
	now->inode = st.st_ino;
	now->written_s = st.st_mtim.tv_sec;
	now->written_ns = st.st_mtim.tv_nsec;
	read_boot(now->boot);
	return 0;
}

/* One that is torn or not there is none. */
static void load(struct pidfile *f)
{
	struct sighting was = { 0 };
	FILE *m = fopen(f->memory, "re");

	f->loaded = true;
	if (!m)
		return;
	if (fscanf(m, "%d %" SCNu64 " %39s %" SCNu64 " %" SCNd64 " %" SCNd64,
	           &was.pid, &was.started, was.boot, &was.inode, &was.written_s,
	           &was.written_ns) == 6)
		f->last = was;
	fclose(m);
}

/* That it cannot be kept is no reason not to believe what is seen: then it is
 * known for as long as this process runs. */
static void keep(struct pidfile *f, const struct sighting *now)
{
	FILE *m = fopen(f->memory, "we");

	f->last = *now;
	if (!m)
		return;
	fprintf(m, "%d %" PRIu64 " %s %" PRIu64 " %" PRId64 " %" PRId64 "\n",
	        now->pid, now->started, now->boot, now->inode, now->written_s,
	        now->written_ns);
	fclose(m);
}

static bool is_seen_before(const struct sighting *a, const struct sighting *b)
{
	return a->pid == b->pid && a->inode == b->inode &&
	       a->written_s == b->written_s && a->written_ns == b->written_ns;
}

static bool is_same_process(const struct sighting *a, const struct sighting *b)
{
	return a->started == b->started && strcmp(a->boot, b->boot) == 0;
}

int pidfile_find(struct pidfile *f, struct process *p, struct mu_err *err)
{
	struct process found;
	struct sighting now;
	bool before;
	int rc = see(f->path, &now, err);

	if (rc)
		return rc;
	if (!f->loaded)
		load(f);
	before = is_seen_before(&f->last, &now);
	rc = process_open(now.pid, &found, err);
	/* Whoever has the number from now on is not whom the file means. Only
	 * the kernel's word counts: /proc may be hidden, or memory be short. */
	if (rc && !before && kill(now.pid, 0) < 0 && errno == ESRCH)
		keep(f, &now);
	if (rc)
		return rc;
	now.started = found.started;
	if (before && !is_same_process(&f->last, &now)) {
		process_close(&found);
		return fail(err, MU_ENONODE,
		            "%s is older than process %d, which is another",
		            f->path, now.pid);
	}
	if (!before)
		keep(f, &now);
	*p = found;
	return 0;
}
