#include "snapshots.h"

#include "clock.h"
#include "err.h"
#include "forked.h"
#include "log.h"
#include "mem.h"

#include <string.h>
#include <sys/mman.h>

#define FORK_SLOW_US 20000u /* for which the loop may be held */

/* What the child says, in memory that both see. */
struct word {
	int rc;
	bool said;
	struct mu_snapfile_taken taken;
	struct mu_err err;
};

struct mu_snapshots {
	struct mu_loop *loop;
	struct mu_snapshots_config config;
	const struct mu_store *store;
	struct mu_timer *asked; /* armed: to begin at the next turn */
	struct word *word;      /* shared with the child */
	uint64_t number;        /* of the last that was begun */
	uint64_t wanted;        /* number that was asked for; 0: none */
	uint64_t journal_bytes; /* as told last */
	/* The one at work. */
	struct mu_forked *child; /* NULL: none */
	uint64_t index, begun_ms, begun_bytes, begun_fork_us;
	bool killed;
	/* The last good one. */
	uint64_t last_ms, last_bytes;   /* when, and the journal's bytes then */
	uint64_t retry_ms, retry_at_ms; /* the pause; 0: nothing failed */
	struct mu_snapshots_status status;
};

/* ---- the child -------------------------------------------------------------------- */

static int open_disk(const struct mu_snapshots *n, struct mu_disk **out,
                     struct mu_err *err)
{
	return n->config.disk_open
	               ? n->config.disk_open(n->config.arg, out, err)
	               : mu_disk_open(n->config.dir, out, err);
}

static int work(void *arg)
{
	const struct mu_snapshots *n = arg;
	struct word *w = n->word;
	struct mu_disk *disk;

	w->rc = open_disk(n, &disk, &w->err);
	if (!w->rc) {
		w->rc = mu_snapfile_take(disk, n->store, n->config.keep,
		                         &w->taken, &w->err);
		disk->free(disk);
	}
	w->said = true;
	return w->rc ? 1 : 0;
}

/* ---- the end of one --------------------------------------------------------------- */

static void say_good(const struct mu_snapshots_end *end)
{
	const bool slow = end->fork_us > FORK_SLOW_US;

	mu_log(slow ? MU_WARN : MU_INFO,
	       MSG(slow ? "snapshot taken; the fork held the broker for long"
	                : "snapshot taken"),
	       KI("index", end->index), KI("bytes", end->bytes),
	       KI("took_ms", end->took_ms), KI("fork_us", end->fork_us));
}

static void note_good(struct mu_snapshots *n, struct mu_snapshots_end *end)
{
	struct mu_snapshots_status *st = &n->status;

	st->taken++;
	st->index = end->index;
	st->wall_ms = mu_clock_wall_ms();
	st->bytes = end->bytes = n->word->taken.bytes;
	st->took_ms = end->took_ms;
	st->trouble[0] = '\0';
	n->last_ms = n->begun_ms;
	n->last_bytes = n->begun_bytes;
	n->retry_ms = 0;
	say_good(end);
	if (n->config.purge)
		n->config.purge(n->config.arg, n->word->taken.oldest);
}

static void note_bad(struct mu_snapshots *n, const struct mu_snapshots_end *end)
{
	uint64_t pause_ms =
		n->retry_ms ? n->retry_ms * 2 : n->config.retry_min_ms;

	if (pause_ms > n->config.retry_max_ms)
		pause_ms = n->config.retry_max_ms;
	n->retry_ms = pause_ms;
	n->retry_at_ms = mu_loop_now_ms(n->loop) + pause_ms;
	n->status.failed++;
	mu_format(n->status.trouble, sizeof n->status.trouble, "%s", end->why);
	mu_log(MU_WARN, MSG("no snapshot"), KI("index", end->index),
	       KS("why", end->why), KI("again_in_ms", pause_ms));
}

static void finish(struct mu_snapshots *n, int rc, const char *why)
{
	struct mu_snapshots_end end = {
		.number = n->number,
		.index = n->index,
		.rc = rc,
		.why = rc ? why : "",
		.took_ms = mu_loop_now_ms(n->loop) - n->begun_ms,
		.fork_us = n->begun_fork_us,
	};

	if (rc)
		note_bad(n, &end);
	else
		note_good(n, &end);
	if (n->config.ended)
		n->config.ended(n->config.arg, &end);
	if (n->wanted > n->number)
		mu_timer_arm(n->asked, 0, 0);
}

static void on_end(void *arg, int status)
{
	struct mu_snapshots *n = arg;
	const struct word *w = n->word;
	char why[MU_ERR_MSG_MAX];

	mu_forked_free(n->child);
	n->child = NULL;
	if (w->said) {
		finish(n, w->rc, w->err.msg);
		return;
	}
	if (n->killed)
		mu_format(why, sizeof why,
		          "it took longer than %llu ms and was killed",
		          (unsigned long long)n->config.stuck_ms);
	else
		mu_format(why, sizeof why, "its process ended by %s %d",
		          status < 0 ? "signal" : "itself with code",
		          status < 0 ? -status : status);
	finish(n, MU_ESYSTEM, why);
}

/* ---- the beginning ---------------------------------------------------------------- */

static void start(struct mu_snapshots *n)
{
	const struct mu_forked_options how = { work, -1, on_end, n };
	struct mu_snapshots_status *st = &n->status;
	struct mu_err err = { 0 };
	int rc;

	n->number++;
	n->index = mu_store_index(n->store);
	n->begun_ms = mu_loop_now_ms(n->loop);
	n->begun_bytes = n->journal_bytes;
	n->begun_fork_us = 0;
	n->killed = false;
	memset(n->word, 0, sizeof *n->word);
	rc = mu_forked_start(n->loop, &how, &n->child, &n->begun_fork_us, &err);
	if (rc) {
		finish(n, rc, err.msg);
		return;
	}
	st->fork_us = n->begun_fork_us;
	if (st->fork_us > st->fork_us_max)
		st->fork_us_max = st->fork_us;
}

static bool is_due(const struct mu_snapshots *n)
{
	const struct mu_snapshots_config *c = &n->config;
	const uint64_t now_ms = mu_loop_now_ms(n->loop);

	if (mu_store_index(n->store) == n->status.index ||
	    (n->retry_ms && now_ms < n->retry_at_ms))
		return false;
	return (c->journal_bytes &&
	        n->journal_bytes - n->last_bytes >= c->journal_bytes) ||
	       (c->interval_ms && now_ms - n->last_ms >= c->interval_ms);
}

void mu_snapshots_turn(struct mu_snapshots *n, uint64_t journal_bytes)
{
	n->journal_bytes = journal_bytes;
	if (!n->child) {
		if (is_due(n))
			start(n);
		return;
	}
	if (n->config.stuck_ms && !n->killed &&
	    mu_loop_now_ms(n->loop) - n->begun_ms >= n->config.stuck_ms) {
		n->killed = true;
		mu_forked_kill(n->child);
	}
}

static void on_asked(void *arg)
{
	struct mu_snapshots *n = arg;

	if (!n->child && n->wanted > n->number)
		start(n);
}

uint64_t mu_snapshots_ask(struct mu_snapshots *n)
{
	n->wanted = n->number + 1;
	if (!n->child)
		mu_timer_arm(n->asked, 0, 0);
	return n->wanted;
}

/* ---- making and looking ----------------------------------------------------------- */

static int check_config(const struct mu_snapshots_config *c, struct mu_err *err)
{
	if (c->keep == 0)
		return mu_err(err, MU_EINVAL,
		              "at least one snapshot must be kept");
	if (c->retry_min_ms == 0 || c->retry_max_ms < c->retry_min_ms)
		return mu_err(err, MU_EINVAL,
		              "the pause after a failed snapshot is wrong");
	return 0;
}

int mu_snapshots_new(struct mu_loop *loop,
                     const struct mu_snapshots_config *config,
                     const struct mu_store *store, uint64_t restored,
                     struct mu_snapshots **out, struct mu_err *err)
{
	int rc = check_config(config, err);
	struct mu_snapshots *n;

	if (rc)
		return rc;
	n = mu_alloc(sizeof *n);
	if (!n)
		return mu_err(err, MU_ENOMEM, "no memory for snapshots");
	n->loop = loop;
	n->config = *config;
	n->store = store;
	n->status.index = restored;
	n->last_ms = mu_loop_now_ms(loop);
	n->word = mmap(NULL, sizeof *n->word, PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (n->word == MAP_FAILED) {
		mu_free(n);
		return mu_err(err, MU_ENOMEM, "no memory for snapshots");
	}
	if (mu_timer_new(loop, on_asked, n, &n->asked)) {
		mu_snapshots_free(n);
		return mu_err(err, MU_ENOMEM, "no memory for snapshots");
	}
	*out = n;
	return 0;
}

void mu_snapshots_free(struct mu_snapshots *n)
{
	if (!n)
		return;
	mu_forked_free(n->child);
	mu_timer_free(n->asked);
	munmap(n->word, sizeof *n->word);
	mu_free(n);
}

int mu_snapshots_reconfigure(struct mu_snapshots *n,
                             const struct mu_snapshots_config *config,
                             struct mu_err *err)
{
	int rc = check_config(config, err);

	if (!rc)
		n->config = *config;
	return rc;
}

void mu_snapshots_status(const struct mu_snapshots *n,
                         struct mu_snapshots_status *out)
{
	const uint64_t now_ms = mu_loop_now_ms(n->loop);

	*out = n->status;
	out->running = n->child != NULL;
	out->running_ms = out->running ? now_ms - n->begun_ms : 0;
	out->retry_ms = n->retry_ms && n->retry_at_ms > now_ms
	                        ? n->retry_at_ms - now_ms
	                        : 0;
}
