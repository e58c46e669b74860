/* From the files of the data directory to a store. */
#include "data.h"

#include "clock.h"
#include "epoch.h"
#include "err.h"
#include "log.h"
#include "notify.h"
#include "restore.h"
#include "snapfile.h"

#include <string.h>
#include <unistd.h>

#define SAY_EVERY_MS 1000u

/* What is under way, for those who wait for it. */
struct loading {
	const char *what;
	uint64_t begun_ms, said_ms;
	struct mu_store *store;
	uint64_t replayed;
	struct mu_data *data;
	uint64_t reaches; /* the journal has all commands after this index */
	bool has_journal;
	bool told; /* the service manager knows a step */
};

static struct mu_when now(void)
{
	return (struct mu_when){ mu_clock_mono_ms(), mu_clock_wall_ms() };
}

/* ---- saying how far it is ----------------------------------------------------- */

static void begin(struct loading *l, const char *what)
{
	l->what = what;
	l->begun_ms = l->said_ms = mu_clock_mono_ms();
}

static void on_progress(void *arg, uint64_t done, uint64_t all)
{
	struct loading *l = arg;
	const uint64_t now_ms = mu_clock_mono_ms();
	char state[128];
	unsigned percent;

	if (now_ms - l->said_ms < SAY_EVERY_MS || all == 0)
		return;
	l->said_ms = now_ms;
	percent = (unsigned)(done / (all / 100 + 1));
	mu_log(MU_INFO, MSG("starting"), KS("step", l->what),
	       KI("percent", percent));
	mu_format(state, sizeof state,
	          "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=%s: %u %%", l->what,
	          percent);
	mu_notify(state);
	l->told = true;
}

static void on_passed(void *arg, const char *why)
{
	(void)arg;
	mu_log(MU_WARN, MSG("a snapshot is passed over"), KS("why", why));
}

/* ---- what there is ------------------------------------------------------------ */

static int look(struct loading *l, struct mu_disk *disk, int64_t *tree,
                struct mu_err *err)
{
	const struct mu_segments_config how = { .look_only = true };
	struct mu_segments_stats st;
	struct mu_segments *s = NULL;
	int rc = mu_segments_open(disk, &how, &s, err);

	if (!rc) {
		*tree = mu_segments_tree_id(s);
		mu_segments_stats(s, &st);
		l->has_journal = st.first > 0;
		l->reaches = l->has_journal ? st.first - 1 : 0;
	}
	mu_segments_free(s);
	return rc;
}

/* ---- the snapshot ----------------------------------------------------------------- */

static bool on_reaches(void *arg, uint64_t index)
{
	const struct loading *l = arg;

	return l->has_journal && index >= l->reaches;
}

static int load_snapshot(struct loading *l, struct mu_disk *disk,
                         struct mu_store_config *config, struct mu_err *err)
{
	struct mu_snapshot_info info;
	const struct mu_snapfile_load how = {
		.config = config,
		.when = now(),
		.reaches = on_reaches,
		.passed = on_passed,
		.progress = on_progress,
		.arg = l,
	};
	int rc = mu_snapfile_clean(disk, err);

	begin(l, "reading the snapshot");
	rc = rc ? rc : mu_snapfile_load(disk, &how, &l->store, &info, err);
	if (rc || !l->store)
		return rc;
	l->data->snapshot = info.index;
	config->tree_id = info.tree_id;
	mu_log(MU_INFO, MSG("snapshot read"), KI("index", info.index),
	       KI("nodes", info.nodes), KI("sessions", info.sessions),
	       KI("ms", mu_clock_mono_ms() - l->begun_ms));
	return 0;
}

/* No snapshot: an empty store, of the journal's tree if there is one. */
static int make_store(struct loading *l, int64_t journal_tree,
                      struct mu_store_config *config, struct mu_err *err)
{
	config->tree_id = journal_tree;
	while (config->tree_id == 0)
		mu_clock_random(&config->tree_id, sizeof config->tree_id);
	return mu_store_new(config, now(), &l->store, err);
}

/* ---- the journal -------------------------------------------------------------------- */

static int on_command(void *arg, uint64_t index, const void *bytes, size_t len,
                      struct mu_err *err)
{
	struct loading *l = arg;
	int rc = mu_store_replay(l->store, bytes, len);

	if (rc == MU_ENOMEM)
		return mu_err(err, rc,
		              "out of memory at command %lu of the "
		              "journal",
		              (unsigned long)index);
	if (rc)
		return mu_err(err, rc,
		              "command %lu of the journal is whole and cannot "
		              "be applied: was it written by another version "
		              "of muster-broker?",
		              (unsigned long)index);
	l->replayed++;
	return 0;
}

static void say_found(const struct loading *l, const struct mu_journal *j)
{
	struct mu_journal_stats st;

	j->stats(j, &st);
	if (st.found.torn_file[0])
		mu_log(MU_WARN,
		       MSG("the journal ended in the middle of a write, which "
		           "nobody was told of; it was cut off"),
		       KS("file", st.found.torn_file),
		       KI("offset", st.found.torn_offset),
		       KI("bytes", st.found.torn_bytes));
	mu_log(MU_INFO, MSG("journal read"), KI("commands", l->replayed),
	       KI("index", mu_store_index(l->store)),
	       KI("ms", mu_clock_mono_ms() - l->begun_ms));
}

static int open_journal(struct loading *l, const struct mu_broker_options *o,
                        const struct mu_store_config *config,
                        struct mu_err *err)
{
	const struct mu_journal_config how = {
		.segments = { .segment_bytes =
		                      (uint64_t)o->journal_segment_bytes,
		              .tree_id = config->tree_id,
		              .progress = on_progress,
		              .progress_arg = l },
		/* The store refuses first, and so keeps the order. */
		.waiting_max = 2 * (uint64_t)o->waiting_max +
		               4 * (uint64_t)o->packet_max,
	};
	int rc;

	begin(l, "reading the journal");
	rc = mu_journal_disk_open(o->data_dir, &how, mu_store_index(l->store),
	                          on_command, l, &l->data->journal, err);
	if (!rc)
		say_found(l, l->data->journal);
	return rc;
}

/* ---- the epoch ------------------------------------------------------------------------ */

static int begin_epoch(struct loading *l, const struct mu_broker_options *o,
                       struct mu_store_config *config, struct mu_err *err)
{
	struct mu_store_stats st;
	uint32_t last;
	int rc;

	mu_store_stats(l->store, &st);
	last = (uint32_t)((uint64_t)st.zxid >> 32);
	rc = mu_epoch_raise(o->data_dir, last + 1, &config->epoch, err);
	if (!rc)
		mu_store_begin(l->store, config->epoch, now());
	return rc;
}

/* ---- the door ---------------------------------------------------------------------------- */

static int open_dir(struct loading *l, const struct mu_broker_options *o,
                    struct mu_err *err)
{
	struct mu_err why;
	int rc = mu_data_lock(o->data_dir, &l->data->lock_fd, &why);

	return rc ? mu_err(err, rc,
	                   "%s (data_dir of broker.conf: one directory for "
	                   "each "
	                   "broker, which it may write)",
	                   why.msg)
	          : 0;
}

static int open_disk(struct loading *l, const struct mu_broker_options *o,
                     struct mu_store_config *config, struct mu_err *err)
{
	struct mu_disk *disk = NULL;
	bool restored = false;
	int64_t tree = 0;
	int rc = open_dir(l, o, err);

	rc = rc ? rc : mu_restore_finish(o->data_dir, &restored, err);
	if (restored)
		mu_log(MU_INFO, MSG("a backup was restored"));
	rc = rc ? rc : mu_disk_open(o->data_dir, &disk, err);
	rc = rc ? rc : look(l, disk, &tree, err);
	rc = rc ? rc : load_snapshot(l, disk, config, err);
	if (disk)
		disk->free(disk);
	if (!rc && !l->store)
		rc = make_store(l, tree, config, err);
	rc = rc ? rc : open_journal(l, o, config, err);
	return rc ? rc : begin_epoch(l, o, config, err);
}

static int is_of_a_tree(void *arg, const char *name)
{
	uint64_t index;

	(void)arg;
	return mu_snapfile_index(name, &index) ||
	       strncmp(name, MU_SEGMENT_NAME, strlen(MU_SEGMENT_NAME)) == 0;
}

/* Who set durability to memory by mistake must not look for his nodes in vain. */
static void say_unread(const char *dir)
{
	struct mu_disk *disk;

	if (mu_disk_open(dir, &disk, NULL))
		return;
	if (disk->list(disk, is_of_a_tree, NULL) > 0)
		mu_log(MU_WARN,
		       MSG("data_dir holds a tree, which is left unread and as "
		           "it is: durability is memory"),
		       KS("data_dir", dir));
	disk->free(disk);
}

static int open_memory(struct loading *l, const struct mu_broker_options *o,
                       struct mu_store_config *config, struct mu_err *err)
{
	int rc = mu_journal_memory_open(o->data_dir, &l->data->journal, err);

	if (rc)
		return rc;
	say_unread(o->data_dir);
	config->epoch = l->data->journal->epoch;
	return make_store(l, 0, config, err);
}

int mu_data_open(const struct mu_broker_options *o,
                 struct mu_store_config *config, struct mu_data *out,
                 struct mu_err *err)
{
	struct loading l = { .data = out };
	int rc;

	*out = (struct mu_data){ .lock_fd = -1 };
	rc = mu_broker_options_durable(o) ? open_disk(&l, o, config, err)
	                                  : open_memory(&l, o, config, err);
	if (l.told)
		mu_notify("STATUS=");
	out->store = l.store;
	out->replayed = l.replayed;
	if (rc)
		mu_data_close(out);
	return rc;
}

void mu_data_close(struct mu_data *d)
{
	mu_store_free(d->store);
	if (d->journal)
		d->journal->close(d->journal);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	*d = (struct mu_data){ .lock_fd = -1 };
}
