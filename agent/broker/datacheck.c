/* A data directory, looked at and mended. */
#include "datacheck.h"

#include "clock.h"
#include "command.h"
#include "epoch.h"
#include "err.h"
#include "mem.h"
#include "options.h"
#include "snapfile.h"
#include "segments.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct check {
	const char *dir;
	FILE *out;
	int lock_fd;
	struct mu_disk *disk;
	struct mu_store_config config;
	uint64_t snapshot; /* index of the newest good one; 0: none */
	bool damaged;
};

/* ---- the directory -------------------------------------------------------------- */

/* running: by a broker that holds the lock, of its own directory. */
static int begin(struct check *c, const char *dir, bool running, FILE *out,
                 struct mu_err *err)
{
	struct mu_broker_options o;
	struct stat st;
	int rc;

	*c = (struct check){ .dir = dir, .out = out, .lock_fd = -1 };
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
	rc = running ? 0 : mu_data_lock(dir, &c->lock_fd, err);
	if (rc == MU_EFULL)
		return mu_err(
			err, rc,
			"a broker is at work in %.300s: stop it first, or "
			"ask it with: muster broker verify",
			dir);
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

/* ---- snapshots --------------------------------------------------------------------- */

static void check_snapshot(struct check *c, uint64_t index)
{
	char name[MU_SNAPFILE_NAME_MAX];
	struct mu_snapshot_info info;
	struct mu_err err = { 0 };

	mu_snapfile_name(index, name);
	if (mu_snapfile_check(c->disk, index, &c->config, &info, &err)) {
		fprintf(c->out, "%s: DAMAGED: %s\n", name, err.msg);
		c->damaged = true;
		return;
	}
	fprintf(c->out,
	        "%s: good: %lu nodes, %lu sessions, up to command %lu\n", name,
	        (unsigned long)info.nodes, (unsigned long)info.sessions,
	        (unsigned long)index);
	if (index > c->snapshot)
		c->snapshot = index;
}

static int check_snapshots(struct check *c, struct mu_err *err)
{
	uint64_t *list;
	size_t count;
	int rc = mu_snapfile_list(c->disk, &list, &count, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++)
		check_snapshot(c, list[i]);
	if (count == 0)
		fprintf(c->out, "no snapshot yet\n");
	mu_free(list);
	return 0;
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
static int read_journal(struct check *c, struct mu_segments **out,
                        struct mu_segments_found *found, struct mu_err *err)
{
	const struct mu_segments_config how = { .look_only = true };
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

static void say_journal(struct check *c, const struct mu_segments *s,
                        const struct mu_segments_found *f)
{
	const uint64_t last = mu_segments_durable(s);

	if (f->torn_file[0] && c->lock_fd >= 0) /* else it is being written */
		fprintf(c->out,
		        "%s: ends in the middle of a write that nobody was "
		        "told "
		        "of: %lu bytes at offset %lu will be cut off\n",
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
	if (f->first > c->snapshot + 1) {
		fprintf(c->out,
		        "journal: DAMAGED: commands %lu to %lu are missing\n",
		        (unsigned long)c->snapshot + 1,
		        (unsigned long)f->first - 1);
		c->damaged = true;
	}
}

static void check_journal(struct check *c)
{
	struct mu_segments_found found = { 0 };
	struct mu_segments *s;
	struct mu_err err = { 0 };

	if (read_journal(c, &s, &found, &err)) {
		fprintf(c->out, "journal: DAMAGED: %s\n", err.msg);
		c->damaged = true;
	} else {
		say_journal(c, s, &found);
	}
	mu_segments_free(s);
}

int mu_check_data(const char *dir, bool running, FILE *out)
{
	struct mu_err err = { 0 };
	struct check c;
	int rc = begin(&c, dir, running, out, &err);

	rc = rc ? rc : check_snapshots(&c, &err);
	if (!rc)
		check_journal(&c);
	end(&c);
	if (rc)
		return complain(&err);
	fprintf(out, c.damaged ? "%s: damaged\n" : "%s: good\n", dir);
	return c.damaged;
}

/* ---- repair ------------------------------------------------------------------------- */

static void say_damage(const struct mu_segments_damage *d)
{
	printf("%s: the first damaged place is at offset %lu, where command "
	       "%lu "
	       "should be\n",
	       d->file, (unsigned long)d->offset, (unsigned long)d->index);
	printf("a cut there loses command %lu and all after it",
	       (unsigned long)d->index);
	if (d->records)
		printf(", among them %lu that are whole, up to command %lu",
		       (unsigned long)d->records, (unsigned long)d->last);
	printf("\n%lu later files are put aside; what is cut off stays in "
	       "files "
	       "called lost-journal-...\n",
	       (unsigned long)d->files);
}

static int repair(struct mu_segments *s, bool yes, struct mu_err *err)
{
	struct mu_segments_damage d;
	int rc;

	if (!mu_segments_damage(s, &d))
		return complain(err);
	printf("%s\n", err->msg);
	say_damage(&d);
	if (!yes) {
		printf("nothing was changed. A backup may have more: muster "
		       "restore. To cut: muster-broker --repair DIR --yes\n");
		return 1;
	}
	rc = mu_segments_repair(s, err);
	if (rc)
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
	if (rc)
		rc = repair(s, yes, &err);
	else
		printf("%s: the journal is good; nothing to mend\n", dir);
	mu_segments_free(s);
	end(&c);
	return rc;
}
