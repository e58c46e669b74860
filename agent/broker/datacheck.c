/* A data directory, looked at and mended. */
#include "datacheck.h"

#include "clock.h"
#include "command.h"
#include "epoch.h"
#include "err.h"
#include "mem.h"
#include "options.h"
#include "restore.h"
#include "snapfile.h"
#include "segments.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAMAGED "DAMAGED"
#define NOT_CHECKED "cannot be checked"
#define TRIES 5 /* to read a journal that a broker writes meanwhile */

struct check {
	const char *dir;
	FILE *out;
	bool running; /* a broker is at work there: files come, grow and go */
	int lock_fd;
	struct mu_disk *disk;
	struct mu_store_config config;
	uint64_t first;    /* index that the journal begins with; 0: no files */
	int64_t tree_id;   /* the journal's; 0: it has none */
	uint64_t snapshot; /* index of the newest good one; 0: none */
	int64_t snapshot_tree_id; /* 0: there is no good one */
	bool gone;                /* a snapshot, between two looks */
	bool damaged;
};

/* ---- the directory -------------------------------------------------------------- */

/* Where nobody can write, nobody needs to be kept out. */
static int lock(struct check *c, struct mu_err *err)
{
	const int rc = mu_data_lock(c->dir, &c->lock_fd, err);

	if (rc == MU_EIO && access(c->dir, W_OK) && errno == EROFS)
		return 0;
	if (rc == MU_EFULL)
		return mu_err(
			err, rc,
			"a broker is at work in %.300s: stop it first, or "
			"ask it with: muster broker verify",
			c->dir);
	return rc;
}

/* running: by a broker that holds the lock, of its own directory. */
static int begin(struct check *c, const char *dir, bool running, FILE *out,
                 struct mu_err *err)
{
	struct mu_broker_options o;
	struct stat st;
	int rc;

	*c = (struct check){
		.dir = dir, .out = out, .running = running, .lock_fd = -1
	};
	if (stat(dir, &st) || !S_ISDIR(st.st_mode))
		return mu_err(err, MU_EIO,
		              "%.300s is no directory: give the broker's "
		              "data_dir",
		              dir);
	rc = mu_broker_options_load(NULL, &o, err);
	if (rc)
		return rc;
	mu_broker_options_store(&o, &c->config);
	mu_broker_options_fini(&o);
	mu_clock_random(c->config.hash_key, sizeof c->config.hash_key);
	rc = running ? 0 : lock(c, err);
	return rc ? rc : mu_disk_open(dir, &c->disk, err);
}

static void end(struct check *c)
{
	if (c->disk)
		c->disk->free(c->disk);
	if (c->lock_fd >= 0)
		close(c->lock_fd);
}

static int complain(const struct mu_err *err)
{
	fflush(stdout);
	fprintf(stderr, "muster-broker: %s\n", err->msg);
	return 1;
}

/* The same for a broker, which reads the report. */
static int not_checked(const struct check *c, const struct mu_err *err)
{
	fprintf(c->out, "%s: " NOT_CHECKED ": %s\n", c->dir, err->msg);
	return 1;
}

static void damaged(struct check *c, const char *what, const char *why)
{
	fprintf(c->out, "%s: " DAMAGED ": %s\n", what, why);
	c->damaged = true;
}

/* ---- snapshots --------------------------------------------------------------------- */

static void check_snapshot(struct check *c, uint64_t index)
{
	char name[MU_SNAPFILE_NAME_MAX];
	struct mu_snapshot_info info;
	struct mu_err err = { 0 };
	int rc;

	mu_snapfile_name(index, name);
	rc = mu_snapfile_check(c->disk, index, &c->config, &info, &err);
	if (rc == MU_ENONODE && c->running) {
		c->gone = true; /* a newer one has taken its place */
		return;
	}
	if (rc) {
		damaged(c, name, err.msg);
		return;
	}
	fprintf(c->out,
	        "%s: good: %lu nodes, %lu sessions, up to command %lu\n", name,
	        (unsigned long)info.nodes, (unsigned long)info.sessions,
	        (unsigned long)index);
	if (c->snapshot_tree_id && index <= c->snapshot)
		return;
	c->snapshot = index;
	c->snapshot_tree_id = info.tree_id;
}

static int check_listed(struct check *c, struct mu_err *err)
{
	uint64_t *list;
	size_t count;
	int rc = mu_snapfile_list(c->disk, &list, &count, err);

	if (rc)
		return rc;
	c->gone = false;
	for (size_t i = 0; i < count; i++)
		check_snapshot(c, list[i]);
	if (count == 0)
		fprintf(c->out, "no snapshot yet\n");
	mu_free(list);
	return 0;
}

/* All that were listed may have gone before they were looked at. */
static int check_snapshots(struct check *c, struct mu_err *err)
{
	int rc = check_listed(c, err);

	for (int i = 1; !rc && c->gone && !c->snapshot_tree_id && i < TRIES;
	     i++)
		rc = check_listed(c, err);
	return rc;
}

/* ---- the journal --------------------------------------------------------------------- */

static int check_command(void *arg, uint64_t index, const void *bytes,
                         size_t len, struct mu_err *err)
{
	struct mu_command c;

	(void)arg;
	if (mu_get_command(bytes, len, &c))
		return mu_err(err, MU_EDATA,
		              "command %lu is whole, and is none that this "
		              "version knows",
		              (unsigned long)index);
	return 0;
}

/* Read all of it, from its first command on. *out is freed by the caller. */
static int read_once(struct check *c, bool look_only, struct mu_segments **out,
                     struct mu_segments_found *found, struct mu_err *err)
{
	const struct mu_segments_config how = { .look_only = look_only };
	struct mu_segments_stats st;
	int rc;

	*out = NULL;
	rc = mu_segments_open(c->disk, &how, out, err);
	if (rc)
		return rc;
	mu_segments_stats(*out, &st);
	rc = mu_segments_replay(*out, st.first ? st.first - 1 : 0,
	                        check_command, c, err);
	mu_segments_found(*out, found);
	return rc;
}

/* What is read while it is written may look damaged; what is stays so. */
static int read_journal(struct check *c, struct mu_segments **out,
                        struct mu_segments_found *found, struct mu_err *err)
{
	int rc = read_once(c, true, out, found, err);

	for (int i = 1; rc && c->running && i < TRIES; i++) {
		mu_segments_free(*out);
		rc = read_once(c, true, out, found, err);
	}
	return rc;
}

static void say_journal(const struct check *c, const struct mu_segments *s,
                        const struct mu_segments_found *f)
{
	const uint64_t last = mu_segments_durable(s);

	if (f->torn_file[0] && !c->running)
		fprintf(c->out,
		        "%s: ends in the middle of a write that nobody was "
		        "told of: %lu bytes at offset %lu will be cut off\n",
		        f->torn_file, (unsigned long)f->torn_bytes,
		        (unsigned long)f->torn_offset);
	if (f->records)
		fprintf(c->out,
		        "journal: good: %lu files, commands %lu to %lu\n",
		        (unsigned long)f->segments, (unsigned long)f->first,
		        (unsigned long)last);
	else
		fprintf(c->out, "journal: %lu files, no commands\n",
		        (unsigned long)f->segments);
}

static void check_journal(struct check *c)
{
	struct mu_segments_found found = { 0 };
	struct mu_segments *s;
	struct mu_err err = { 0 };

	if (read_journal(c, &s, &found, &err)) {
		damaged(c, "journal", err.msg);
	} else {
		say_journal(c, s, &found);
		c->tree_id = mu_segments_tree_id(s);
	}
	c->first = found.first;
	mu_segments_free(s);
}

/* ---- the rest ------------------------------------------------------------------------ */

static void check_epoch(struct check *c)
{
	struct mu_err err = { 0 };
	uint32_t epoch;

	if (mu_epoch_look(c->dir, &epoch, &err))
		damaged(c, "epoch", err.msg);
}

static void check_restore(struct check *c)
{
	struct mu_err err = { 0 };
	bool waits;

	if (mu_restore_look(c->dir, &waits, &err))
		damaged(c, "restore", err.msg);
	else if (waits)
		fprintf(c->out, "restore: a backup waits, which takes the "
		                "place of all else at the next start\n");
}

/* Snapshot and journal, each good, must fit together too. */
static void check_whole(struct check *c)
{
	char why[128];

	if (c->first > c->snapshot + 1) {
		mu_format(why, sizeof why, "commands %lu to %lu are missing",
		          (unsigned long)c->snapshot + 1,
		          (unsigned long)c->first - 1);
		damaged(c, "journal", why);
	}
	if (c->tree_id && c->snapshot_tree_id &&
	    c->tree_id != c->snapshot_tree_id)
		damaged(c, "journal",
		        "it belongs to another tree than the snapshot");
}

bool mu_check_line_is_bad(const char *line)
{
	return strstr(line, ": " DAMAGED ": ") ||
	       strstr(line, ": " NOT_CHECKED ": ");
}

int mu_check_data(const char *dir, bool running, FILE *out)
{
	struct mu_err err = { 0 };
	struct check c;
	int rc = begin(&c, dir, running, out, &err);

	/* The journal first: snapshots that come meanwhile only reach further. */
	if (!rc)
		check_journal(&c);
	rc = rc ? rc : check_snapshots(&c, &err);
	if (!rc) {
		check_epoch(&c);
		check_restore(&c);
		check_whole(&c);
	}
	end(&c);
	if (rc)
		return running ? not_checked(&c, &err) : complain(&err);
	fprintf(out, c.damaged ? "%s: damaged\n" : "%s: good\n", dir);
	return c.damaged;
}

/* ---- repair ------------------------------------------------------------------------- */

static void say_damage(const struct mu_segments_damage *d)
{
	printf("%s: the first damaged place is at offset %lu, where command "
	       "%lu should be\n",
	       d->file, (unsigned long)d->offset, (unsigned long)d->index);
	printf("a cut there loses command %lu and all after it",
	       (unsigned long)d->index);
	if (d->records)
		printf(", among them %lu that are whole, up to command %lu",
		       (unsigned long)d->records, (unsigned long)d->last);
	printf("\n%lu later files are put aside; what is cut off stays in "
	       "files called lost-journal-...\n",
	       (unsigned long)d->files);
}

/* What was only looked at is read again, to be changed. */
static int cut(struct check *c, struct mu_err *err)
{
	struct mu_segments_damage d;
	struct mu_segments_found found;
	struct mu_segments *s;
	int rc = read_once(c, false, &s, &found, err);

	if (rc && s && mu_segments_damage(s, &d))
		rc = mu_segments_repair(s, err);
	mu_segments_free(s);
	return rc;
}

static int repair(struct check *c, struct mu_segments *s, bool yes,
                  struct mu_err *err)
{
	struct mu_segments_damage d;

	if (!mu_segments_damage(s, &d))
		return complain(err);
	printf("%s\n", err->msg);
	say_damage(&d);
	if (!yes) {
		printf("nothing was changed. A backup may have more: muster "
		       "restore. To cut: muster-broker --repair DIR --yes\n");
		return 1;
	}
	if (cut(c, err))
		return complain(err);
	printf("cut. Start the broker\n");
	return 0;
}

int mu_repair_data(const char *dir, bool yes)
{
	struct mu_segments_found found;
	struct mu_segments *s = NULL;
	struct mu_err err = { 0 };
	struct check c;
	int rc = begin(&c, dir, false, stdout, &err);

	if (rc) {
		end(&c);
		return complain(&err);
	}
	rc = read_journal(&c, &s, &found, &err);
	if (rc && s)
		rc = repair(&c, s, yes, &err);
	else if (rc)
		rc = complain(&err);
	else
		printf("%s: the journal is good; nothing to mend. For all the "
		       "rest: muster-broker --check-data DIR\n",
		       dir);
	mu_segments_free(s);
	end(&c);
	return rc;
}
