#include "storage.h"

#include "err.h"
#include "logrec.h"
#include "mem.h"
#include "snapfile.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_OF_A_BATCH 12u
#define READ_MAX_MS 4000u

static struct world *world(const struct storage *s)
{
	return s->history->world;
}

void storage_init(struct storage *s, struct history *h)
{
	static const uint32_t sizes[] = { 4096, 4096, 16384, 65536, 262144 };

	memset(s, 0, sizeof *s);
	s->history = h;
	platter_init(&s->platter, h->world);
	s->segment_bytes = sizes[world_below(h->world, 5)];
	s->keep = world_between(h->world, 1, 3);
}

static void cut(struct storage *s, uint64_t count)
{
	while (s->count > count)
		free(s->entries[--s->count].bytes);
}

void storage_fini(struct storage *s)
{
	mu_segments_free(s->segments);
	s->segments = NULL;
	mu_buf_fini(&s->gathered);
	mu_buf_fini(&s->batch);
	cut(s, 0);
	free(s->entries);
	s->entries = NULL;
	platter_fini(&s->platter);
}

/* ---- what was logged ---- */

static void remember(struct storage *s, const void *bytes, size_t len)
{
	struct storage_entry *e;

	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 256;
		s->entries = realloc(s->entries, s->room * sizeof *s->entries);
		if (!s->entries)
			abort();
	}
	e = &s->entries[s->count++];
	e->len = len;
	e->bytes = malloc(len + 1);
	if (!e->bytes)
		abort();
	memcpy(e->bytes, bytes, len);
}

void storage_append(struct storage *s, uint64_t index, const void *bytes,
                    size_t len)
{
	if (index != s->count + 1)
		world_fail(world(s), "command %" PRIu64 " follows command %zu",
		           index, s->count);
	remember(s, bytes, len);
	if (mu_log_put(&s->gathered, 1, index, bytes, len))
		abort();
}

static void make_known(struct storage *s, uint64_t upto, uint64_t now_ms)
{
	for (; s->durable < upto; s->durable++) {
		const struct storage_entry *e = &s->entries[s->durable];

		history_apply(s->history, e->bytes, e->len, now_ms);
	}
}

void storage_believe(struct storage *s, uint64_t now_ms)
{
	make_known(s, s->count, now_ms);
}

/* ---- batches ---- */

uint32_t storage_begin(struct storage *s)
{
	struct mu_buf free_buf = s->batch;

	if (s->busy || s->gathered.len == 0)
		return 0;
	s->batch = s->gathered;
	s->gathered = free_buf;
	mu_buf_reset(&s->gathered);
	s->busy = true;
	return ++s->number;
}

static void forget_waiting(struct storage *s)
{
	mu_buf_reset(&s->gathered);
	mu_buf_reset(&s->batch);
	s->busy = false;
}

int storage_write(struct storage *s, uint64_t now_ms, struct mu_err *err)
{
	int rc = mu_segments_write(s->segments, s->batch.data, s->batch.len,
	                           err);

	if (s->platter.dead)
		return rc;
	make_known(s, mu_segments_durable(s->segments), now_ms);
	if (rc) {
		forget_waiting(s);
		cut(s, s->durable);
	}
	mu_buf_reset(&s->batch);
	s->busy = false;
	return rc;
}

/* ---- snapshots ---- */

int storage_snapshot(struct storage *s, const struct mu_store *store,
                     const struct mu_store_config *config, struct mu_err *err)
{
	struct mu_disk *d = &s->platter.face;
	uint64_t bytes, oldest = 0;
	int rc = mu_snapfile_write(d, store, &bytes, err);

	if (rc == MU_EEXISTS)
		rc = 0;
	if (!rc)
		rc = mu_snapfile_check(d, mu_store_index(store), config, NULL,
		                       err);
	if (!rc)
		rc = mu_snapfile_purge(d, s->keep, &oldest, err);
	if (!rc)
		s->needless = oldest;
	return rc;
}

int storage_purge(struct storage *s, struct mu_err *err)
{
	return mu_segments_purge(s->segments, s->needless, err);
}

/* ---- ends ---- */

void storage_crash(struct storage *s, bool power_lost, bool in_call)
{
	struct platter *d = &s->platter;
	struct mu_err err;

	if (in_call && s->busy && s->segments && !d->dead) {
		d->dies_at =
			d->calls + 1 + world_below(d->world, CALLS_OF_A_BATCH);
		mu_segments_write(s->segments, s->batch.data, s->batch.len,
		                  &err);
	}
	mu_segments_free(s->segments);
	s->segments = NULL;
	forget_waiting(s);
	platter_restart(d, power_lost);
}

void storage_wipe(struct storage *s)
{
	platter_wipe(&s->platter);
	cut(s, 0);
	s->durable = s->needless = 0;
}

/* ---- starts ---- */

struct loading {
	struct storage *s;
	struct mu_store *store;
	uint64_t last;    /* index */
	uint64_t reaches; /* the journal has all after this */
};

static bool reaches(void *arg, uint64_t index)
{
	const struct loading *l = arg;

	return index >= l->reaches;
}

static int look(struct loading *l, int64_t *tree, struct mu_err *err)
{
	const struct mu_segments_config how = { .look_only = true };
	struct mu_segments_stats stats;
	struct mu_segments *segments = NULL;
	int rc = mu_segments_open(&l->s->platter.face, &how, &segments, err);

	if (!rc) {
		*tree = mu_segments_tree_id(segments);
		mu_segments_stats(segments, &stats);
		l->reaches = stats.first ? stats.first - 1 : UINT64_MAX;
	}
	mu_segments_free(segments);
	return rc;
}

static int load(struct loading *l, struct mu_store_config *config,
                struct mu_when when, struct mu_err *err)
{
	struct mu_disk *d = &l->s->platter.face;
	struct mu_snapshot_info info;
	const struct mu_snapfile_load how = {
		.config = config, .when = when, .reaches = reaches, .arg = l
	};
	int64_t tree = 0;
	int rc = look(l, &tree, err);

	rc = rc ? rc : mu_snapfile_clean(d, err);
	rc = rc ? rc : mu_snapfile_load(d, &how, &l->store, &info, err);
	if (rc)
		return rc;
	if (l->store) {
		config->tree_id = info.tree_id;
		world_trace(world(l->s), "snapshot of command %" PRIu64,
		            info.index);
		return 0;
	}
	if (tree)
		config->tree_id = tree;
	return mu_store_new(config, when, &l->store, err);
}

/* One that anybody was told of is what was logged; one behind it was logged and
 * on its way, or refused and not taken back. */
static int on_command(void *arg, uint64_t index, const void *bytes, size_t len,
                      struct mu_err *err)
{
	struct loading *l = arg;
	struct storage *s = l->s;
	const struct storage_entry *e =
		index <= s->count ? &s->entries[index - 1] : NULL;
	int rc = mu_store_replay(l->store, bytes, len);

	if (rc)
		return mu_err(err, rc, "command %" PRIu64 " is not replayed",
		              index);
	if (index != mu_store_index(l->store))
		world_fail(world(s), "command %" PRIu64 " comes as %" PRIu64,
		           index, mu_store_index(l->store));
	if (index <= s->durable &&
	    (e->len != len || memcmp(e->bytes, bytes, len)))
		world_fail(world(s),
		           "command %" PRIu64
		           " is not the one that was told of",
		           index);
	if (index <= s->durable)
		return 0;
	cut(s, index - 1);
	remember(s, bytes, len);
	return 0;
}

static void check_loaded(struct loading *l, uint64_t now_ms)
{
	struct storage *s = l->s;
	uint64_t index = mu_store_index(l->store);

	if (index < s->durable) {
		world_fail(world(s),
		           "commands %" PRIu64 " to %" PRIu64
		           " were told of and are lost",
		           index + 1, s->durable);
		return;
	}
	cut(s, index);
	if (s->count != index)
		world_fail(world(s),
		           "the store is at command %" PRIu64
		           ", and only %zu are known",
		           index, s->count);
	s->returned = index - s->durable;
	make_known(s, s->count, now_ms);
	history_compare(s->history, mu_store_tree(l->store));
}

int storage_open(struct storage *s, const struct mu_store_config *config,
                 struct mu_when when, struct mu_store **out, struct mu_err *err)
{
	struct loading l = { .s = s };
	struct mu_store_config c = *config;
	struct mu_segments_config how = { .segment_bytes = s->segment_bytes };
	/* Reading takes its time, which is no session's fault. */
	struct mu_when began = {
		.mono_ms = when.mono_ms - world_below(world(s), READ_MAX_MS),
		.wall_ms = when.wall_ms,
	};
	int rc = load(&l, &c, began, err);

	how.tree_id = c.tree_id;
	rc = rc ? rc
	        : mu_segments_open(&s->platter.face, &how, &s->segments, err);
	rc = rc ? rc
	        : mu_segments_replay(s->segments, mu_store_index(l.store),
	                             on_command, &l, err);
	if (rc) {
		mu_store_free(l.store);
		mu_segments_free(s->segments);
		s->segments = NULL;
		return rc;
	}
	check_loaded(&l, when.mono_ms);
	mu_store_begin(l.store, config->epoch, when);
	*out = l.store;
	return 0;
}
