#include "fake_disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FDS 64u
#define NAMES 512u
#define NAME_MAX_LEN 64u

/* What a file's bytes are, and what of them a crash leaves. */
struct file {
	uint8_t *live, *synced; /* `room` bytes each, zeros beyond the length */
	bool *dirty;            /* of each page: a sync would write it */
	size_t len, synced_len, room;
	bool len_dirty;
	unsigned refs; /* names, old and new, and descriptors */
};

struct entry {
	char name[NAME_MAX_LEN];
	struct file *file;
};

struct names {
	struct entry entry[NAMES];
	unsigned count;
};

/* A change of names that was not synced. */
struct change {
	char from[NAME_MAX_LEN], to[NAME_MAX_LEN]; /* "" : none */
	struct file *file;                         /* made */
};

struct fake {
	struct mu_disk face;
	pthread_mutex_t lock;
	struct names live, synced;
	struct change changes[NAMES];
	unsigned changes_count;
	struct file *fds[FDS];
	bool writable[FDS];
	/* the plan */
	enum { PLAN_NONE, PLAN_FAIL, PLAN_SHORT, PLAN_DEAD } plan;
	unsigned k, ops;
	int error;
	bool and_on, fired;
	size_t short_len;
	uint64_t space;
	bool read_only;
	void (*before)(void *, enum fake_op);
	void *before_arg;
	unsigned calls[FAKE_OPS];
};

static struct fake *of(struct mu_disk *d)
{
	return (struct fake *)d;
}

static void *need(void *p)
{
	if (!p)
		abort();
	return p;
}

/* ---- files and names ---------------------------------------------------------- */

static void file_put(struct file *f)
{
	if (--f->refs > 0)
		return;
	free(f->live);
	free(f->synced);
	free(f->dirty);
	free(f);
}

static void file_room(struct file *f, size_t len)
{
	size_t room = f->room ? f->room : FAKE_PAGE;

	while (room < len)
		room *= 2;
	if (room == f->room)
		return;
	f->live = need(realloc(f->live, room));
	f->synced = need(realloc(f->synced, room));
	f->dirty = need(realloc(f->dirty, room / FAKE_PAGE));
	memset(f->live + f->room, 0, room - f->room);
	memset(f->synced + f->room, 0, room - f->room);
	memset(f->dirty + f->room / FAKE_PAGE, 0, (room - f->room) / FAKE_PAGE);
	f->room = room;
}

static void file_len(struct file *f, size_t len)
{
	file_room(f, len);
	if (len < f->len) {
		memset(f->live + len, 0, f->len - len);
		for (size_t p = len / FAKE_PAGE; p * FAKE_PAGE < f->len; p++)
			f->dirty[p] = true;
	}
	f->len_dirty |= f->len != len;
	f->len = len;
}

static struct entry *name_find(struct names *n, const char *name)
{
	for (unsigned i = 0; i < n->count; i++) {
		if (strcmp(n->entry[i].name, name) == 0)
			return &n->entry[i];
	}
	return NULL;
}

static void name_drop(struct names *n, const char *name)
{
	struct entry *e = name_find(n, name);

	if (!e)
		return;
	file_put(e->file);
	*e = n->entry[--n->count];
}

static void name_add(struct names *n, const char *name, struct file *f)
{
	if (n->count == NAMES || strlen(name) >= NAME_MAX_LEN)
		abort();
	strcpy(n->entry[n->count].name, name);
	n->entry[n->count++].file = f;
	f->refs++;
}

static void change_do(struct names *n, const struct change *c)
{
	struct entry *e = c->from[0] ? name_find(n, c->from) : NULL;
	struct file *f = e ? e->file : c->file;

	if (!f)
		return;
	f->refs++;
	if (c->from[0])
		name_drop(n, c->from);
	if (c->to[0]) {
		name_drop(n, c->to);
		name_add(n, c->to, f);
	}
	file_put(f);
}

static void changes_forget(struct fake *k)
{
	for (unsigned i = 0; i < k->changes_count; i++) {
		if (k->changes[i].file)
			file_put(k->changes[i].file);
	}
	k->changes_count = 0;
}

static void change(struct fake *k, const char *from, const char *to,
                   struct file *made)
{
	struct change *c = &k->changes[k->changes_count++];

	if (k->changes_count == NAMES)
		abort();
	memset(c, 0, sizeof *c);
	strncpy(c->from, from, NAME_MAX_LEN - 1);
	strncpy(c->to, to, NAME_MAX_LEN - 1);
	c->file = made;
	if (made)
		made->refs++;
	change_do(&k->live, c);
}

static uint64_t space_used(const struct fake *k)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < k->live.count; i++)
		sum += k->live.entry[i].file->len;
	return sum;
}

/* ---- plans ---------------------------------------------------------------------- */

static bool writes(enum fake_op op)
{
	return op == FAKE_CREATE || op == FAKE_WRITE || op == FAKE_ALLOCATE ||
	       op == FAKE_TRUNCATE || op == FAKE_RENAME || op == FAKE_UNLINK;
}

/* Under the lock; 0: the call may go on; *part: how much of a write happens. */
static int planned(struct fake *k, enum fake_op op, size_t *part)
{
	if (k->read_only && writes(op))
		return -EROFS;
	if (k->plan == PLAN_NONE || !(k->ops & FAKE_BIT(op)))
		return 0;
	if (k->k > 0) {
		k->k--;
		return 0;
	}
	if (k->fired && !k->and_on)
		return 0;
	if (k->plan == PLAN_SHORT) {
		k->plan = PLAN_NONE;
		k->fired = true;
		*part = k->short_len < *part ? k->short_len : *part;
		return 0;
	}
	*part = k->plan == PLAN_DEAD && !k->fired ? *part / 2 : 0;
	k->fired = true;
	return k->error;
}

/* The start of each call; ends with `leave`. */
static int enter(struct fake *k, enum fake_op op, size_t *part)
{
	size_t none = 0;

	if (k->before)
		k->before(k->before_arg, op);
	pthread_mutex_lock(&k->lock);
	k->calls[op]++;
	return planned(k, op, part ? part : &none);
}

static int64_t leave(struct fake *k, int64_t rc)
{
	pthread_mutex_unlock(&k->lock);
	return rc;
}

static void plan(struct mu_disk *d, int kind, unsigned k, unsigned ops)
{
	struct fake *f = of(d);

	pthread_mutex_lock(&f->lock);
	f->plan = (unsigned)kind;
	f->k = k;
	f->ops = ops;
	f->error = -EIO;
	f->and_on = true;
	f->fired = false;
	pthread_mutex_unlock(&f->lock);
}

void fake_disk_fail_at(struct mu_disk *d, unsigned k, unsigned ops, int error,
                       bool and_on)
{
	plan(d, PLAN_NONE, k, ops);
	pthread_mutex_lock(&of(d)->lock);
	of(d)->error = -error;
	of(d)->and_on = and_on;
	of(d)->plan = PLAN_FAIL;
	pthread_mutex_unlock(&of(d)->lock);
}

void fake_disk_short_at(struct mu_disk *d, unsigned k, size_t len)
{
	of(d)->short_len = len;
	plan(d, PLAN_SHORT, k, FAKE_BIT(FAKE_WRITE));
}

void fake_disk_dead_at(struct mu_disk *d, unsigned k)
{
	plan(d, PLAN_DEAD, k, FAKE_ALL);
}

bool fake_disk_mend(struct mu_disk *d)
{
	struct fake *k = of(d);
	bool fired;

	pthread_mutex_lock(&k->lock);
	fired = k->fired;
	k->plan = PLAN_NONE;
	k->fired = false;
	k->read_only = false;
	k->space = UINT64_MAX;
	pthread_mutex_unlock(&k->lock);
	return fired;
}

void fake_disk_space(struct mu_disk *d, uint64_t bytes)
{
	pthread_mutex_lock(&of(d)->lock);
	of(d)->space = bytes;
	pthread_mutex_unlock(&of(d)->lock);
}

void fake_disk_read_only(struct mu_disk *d, bool on)
{
	pthread_mutex_lock(&of(d)->lock);
	of(d)->read_only = on;
	pthread_mutex_unlock(&of(d)->lock);
}

void fake_disk_before(struct mu_disk *d, void (*before)(void *, enum fake_op),
                      void *arg)
{
	of(d)->before_arg = arg;
	of(d)->before = before;
}

unsigned fake_disk_calls(struct mu_disk *d, unsigned ops)
{
	unsigned sum = 0;

	pthread_mutex_lock(&of(d)->lock);
	for (unsigned op = 0; op < FAKE_OPS; op++)
		sum += ops & FAKE_BIT(op) ? of(d)->calls[op] : 0;
	pthread_mutex_unlock(&of(d)->lock);
	return sum;
}

/* ---- the calls ---------------------------------------------------------------------- */

static int fd_take(struct fake *k, struct file *f, bool writable)
{
	for (unsigned i = 0; i < FDS; i++) {
		if (k->fds[i])
			continue;
		k->fds[i] = f;
		k->writable[i] = writable;
		f->refs++;
		return (int)i;
	}
	abort();
}

static struct file *file_of(struct fake *k, int fd)
{
	if (fd < 0 || (unsigned)fd >= FDS || !k->fds[fd])
		abort();
	return k->fds[fd];
}

static int fake_create(struct mu_disk *d, const char *name)
{
	struct fake *k = of(d);
	struct file *f;
	int rc = enter(k, FAKE_CREATE, NULL);

	if (rc == 0 && name_find(&k->live, name))
		rc = -EEXIST;
	if (rc)
		return (int)leave(k, rc);
	f = need(calloc(1, sizeof *f));
	file_room(f, 1);
	change(k, "", name, f);
	return (int)leave(k, fd_take(k, f, true));
}

static int fake_open(struct mu_disk *d, const char *name, bool writable)
{
	struct fake *k = of(d);
	struct entry *e;
	int rc = enter(k, FAKE_OPEN, NULL);

	if (rc == 0 && writable && k->read_only)
		rc = -EROFS;
	e = name_find(&k->live, name);
	if (rc == 0)
		rc = e ? fd_take(k, e->file, writable) : -ENOENT;
	return (int)leave(k, rc);
}

static void fake_close(struct mu_disk *d, int fd)
{
	struct fake *k = of(d);

	pthread_mutex_lock(&k->lock);
	file_put(file_of(k, fd));
	k->fds[fd] = NULL;
	pthread_mutex_unlock(&k->lock);
}

static int64_t fake_size(struct mu_disk *d, int fd)
{
	struct fake *k = of(d);
	int rc = enter(k, FAKE_SIZE, NULL);

	return leave(k, rc ? rc : (int64_t)file_of(k, fd)->len);
}

static ssize_t fake_read(struct mu_disk *d, int fd, void *p, size_t len,
                         uint64_t at)
{
	struct fake *k = of(d);
	int rc = enter(k, FAKE_READ, NULL);
	struct file *f = file_of(k, fd);

	if (rc)
		return leave(k, rc);
	if (at >= f->len)
		return leave(k, 0);
	if (len > f->len - at)
		len = f->len - at;
	memcpy(p, f->live + at, len);
	return leave(k, (int64_t)len);
}

static void write_part(struct file *f, const void *p, size_t len, uint64_t at)
{
	if (len == 0)
		return;
	if (at + len > f->len)
		file_len(f, at + len);
	memcpy(f->live + at, p, len);
	for (uint64_t i = at / FAKE_PAGE; i * FAKE_PAGE < at + len; i++)
		f->dirty[i] = true;
}

static ssize_t fake_write(struct mu_disk *d, int fd, const void *p, size_t len,
                          uint64_t at)
{
	struct fake *k = of(d);
	int rc = enter(k, FAKE_WRITE, &len);
	struct file *f = file_of(k, fd);
	uint64_t used = space_used(k);

	if (!k->writable[fd])
		return leave(k, -EBADF);
	if (rc == 0 && at + len > f->len && used - f->len + at + len > k->space)
		return leave(k, -ENOSPC);
	if (rc == 0 || k->plan == PLAN_DEAD)
		write_part(f, p, len, at);
	return leave(k, rc ? rc : (int64_t)len);
}

static int set_len(struct mu_disk *d, int fd, uint64_t len, enum fake_op op)
{
	struct fake *k = of(d);
	int rc = enter(k, op, NULL);
	struct file *f = file_of(k, fd);

	if (rc == 0 && len > f->len && space_used(k) - f->len + len > k->space)
		rc = -ENOSPC;
	if (rc == 0 && (op == FAKE_TRUNCATE || len > f->len))
		file_len(f, len);
	return (int)leave(k, rc);
}

static int fake_allocate(struct mu_disk *d, int fd, uint64_t len)
{
	return set_len(d, fd, len, FAKE_ALLOCATE);
}

static int fake_truncate(struct mu_disk *d, int fd, uint64_t len)
{
	return set_len(d, fd, len, FAKE_TRUNCATE);
}

/* As Linux does: a page whose writing failed is clean afterwards. */
static int fake_sync(struct mu_disk *d, int fd)
{
	struct fake *k = of(d);
	int rc = enter(k, FAKE_SYNC, NULL);
	struct file *f = file_of(k, fd);

	if (rc && k->plan == PLAN_DEAD)
		return (int)leave(k, rc);
	for (size_t i = 0; i < f->room / FAKE_PAGE; i++) {
		if (f->dirty[i] && rc == 0)
			memcpy(f->synced + i * FAKE_PAGE,
			       f->live + i * FAKE_PAGE, FAKE_PAGE);
		f->dirty[i] = false;
	}
	if (rc == 0 && f->len_dirty)
		f->synced_len = f->len;
	f->len_dirty = false;
	return (int)leave(k, rc);
}

static int fake_rename(struct mu_disk *d, const char *from, const char *to)
{
	struct fake *k = of(d);
	int rc = enter(k, FAKE_RENAME, NULL);

	if (rc == 0 && !name_find(&k->live, from))
		rc = -ENOENT;
	if (rc == 0)
		change(k, from, to, NULL);
	return (int)leave(k, rc);
}

static int fake_unlink(struct mu_disk *d, const char *name)
{
	struct fake *k = of(d);
	int rc = enter(k, FAKE_UNLINK, NULL);

	if (rc == 0 && !name_find(&k->live, name))
		rc = -ENOENT;
	if (rc == 0)
		change(k, name, "", NULL);
	return (int)leave(k, rc);
}

static void names_clear(struct names *n)
{
	while (n->count > 0)
		name_drop(n, n->entry[0].name);
}

static void names_copy(struct names *to, const struct names *from)
{
	names_clear(to);
	for (unsigned i = 0; i < from->count; i++)
		name_add(to, from->entry[i].name, from->entry[i].file);
}

static int fake_sync_dir(struct mu_disk *d)
{
	struct fake *k = of(d);
	int rc = enter(k, FAKE_SYNC_DIR, NULL);

	if (rc == 0) {
		names_copy(&k->synced, &k->live);
		changes_forget(k);
	}
	return (int)leave(k, rc);
}

/* `each` may call the disk. */
static int fake_list(struct mu_disk *d, int (*each)(void *, const char *),
                     void *arg)
{
	struct fake *k = of(d);
	int rc = enter(k, FAKE_LIST, NULL);
	unsigned count = k->live.count;
	char(*names)[NAME_MAX_LEN] = need(calloc(count + 1, NAME_MAX_LEN));

	for (unsigned i = 0; i < count; i++)
		strcpy(names[i], k->live.entry[i].name);
	leave(k, 0);
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = each(arg, names[i]);
	free(names);
	return rc;
}

static void fake_free(struct mu_disk *d)
{
	struct fake *k = of(d);

	changes_forget(k);
	names_clear(&k->live);
	names_clear(&k->synced);
	for (unsigned i = 0; i < FDS; i++) {
		if (k->fds[i])
			file_put(k->fds[i]);
	}
	pthread_mutex_destroy(&k->lock);
	free(k);
}

static const struct mu_disk fake_face = {
	.create = fake_create,
	.open = fake_open,
	.close = fake_close,
	.size = fake_size,
	.read = fake_read,
	.write = fake_write,
	.allocate = fake_allocate,
	.truncate = fake_truncate,
	.sync = fake_sync,
	.rename = fake_rename,
	.unlink = fake_unlink,
	.sync_dir = fake_sync_dir,
	.list = fake_list,
	.free = fake_free,
};

struct mu_disk *fake_disk_new(void)
{
	struct fake *k = need(calloc(1, sizeof *k));

	k->face = fake_face;
	k->space = UINT64_MAX;
	pthread_mutex_init(&k->lock, NULL);
	return &k->face;
}

/* ---- crashes ------------------------------------------------------------------------- */

static uint64_t roll(uint64_t *dice)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return *dice;
}

/* Some of what was not synced reaches the disk: whole pages, and a few torn. */
static void page_dice(struct file *f, size_t i, uint64_t *dice)
{
	const uint64_t n = roll(dice);
	size_t len = n % 8 == 0 ? roll(dice) % FAKE_PAGE
	                        : (n % 8 < 5 ? FAKE_PAGE : 0);

	memcpy(f->synced + i * FAKE_PAGE, f->live + i * FAKE_PAGE, len);
}

static void file_crash(struct file *f, uint64_t *dice)
{
	const bool lose_all = *dice == FAKE_LOSE_ALL;

	for (size_t i = 0; i < f->room / FAKE_PAGE; i++) {
		if (f->dirty[i] && !lose_all)
			page_dice(f, i, dice);
		f->dirty[i] = false;
	}
	if (f->len_dirty && !lose_all && roll(dice) % 2)
		f->synced_len = f->len;
	f->len_dirty = false;
	f->len = f->synced_len;
	memset(f->synced + f->len, 0, f->room - f->len);
	memcpy(f->live, f->synced, f->room);
}

static void lose(struct fake *k, uint64_t dice)
{
	unsigned kept = 0;

	if (dice != FAKE_LOSE_ALL) {
		dice = dice * 0x9e3779b97f4a7c15u | 1;
		kept = (unsigned)(roll(&dice) % (k->changes_count + 1));
	}
	for (unsigned i = 0; i < kept; i++)
		change_do(&k->synced, &k->changes[i]);
	for (unsigned i = 0; i < k->synced.count; i++)
		file_crash(k->synced.entry[i].file, &dice);
	names_copy(&k->live, &k->synced);
	changes_forget(k);
}

void fake_disk_crash(struct mu_disk *d, uint64_t seed)
{
	struct fake *k = of(d);

	pthread_mutex_lock(&k->lock);
	for (unsigned i = 0; i < FDS; i++) {
		if (k->fds[i])
			file_put(k->fds[i]);
		k->fds[i] = NULL;
	}
	if (seed != 0)
		lose(k, seed);
	pthread_mutex_unlock(&k->lock);
	fake_disk_mend(d);
}

/* ---- looking and meddling ---------------------------------------------------------------- */

uint8_t *fake_disk_file(struct mu_disk *d, const char *name, size_t *len)
{
	struct entry *e = name_find(&of(d)->live, name);

	if (e)
		*len = e->file->len;
	return e ? e->file->live : NULL;
}

void fake_disk_cut(struct mu_disk *d, const char *name, size_t len)
{
	struct file *f = name_find(&of(d)->live, name)->file;

	file_len(f, len);
	f->synced_len = len;
	memcpy(f->synced, f->live, f->room);
}

void fake_disk_put(struct mu_disk *d, const char *name, const void *p,
                   size_t len)
{
	struct fake *k = of(d);
	struct file *f;

	name_drop(&k->live, name);
	name_drop(&k->synced, name);
	f = need(calloc(1, sizeof *f));
	file_len(f, len);
	memcpy(f->live, p, len);
	memcpy(f->synced, p, len);
	f->synced_len = len;
	f->len_dirty = false;
	name_add(&k->live, name, f);
	name_add(&k->synced, name, f);
}

struct mu_disk *fake_disk_copy(struct mu_disk *d)
{
	struct mu_disk *copy = fake_disk_new();
	struct fake *k = of(d);

	for (unsigned i = 0; i < k->live.count; i++) {
		struct entry *e = &k->live.entry[i];

		fake_disk_put(copy, e->name, e->file->live, e->file->len);
	}
	return copy;
}

unsigned fake_disk_count(struct mu_disk *d)
{
	return of(d)->live.count;
}

unsigned fake_disk_descriptors(struct mu_disk *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FDS; i++)
		n += of(d)->fds[i] != NULL;
	return n;
}
