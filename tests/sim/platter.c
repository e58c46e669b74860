#include "platter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512u

static struct platter *platter(struct mu_disk *face)
{
	return (struct platter *)(void *)face;
}

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* ---- calls ---- */

/* Every call begins here; false: the process died before it. */
static bool lives(struct platter *d)
{
	if (++d->calls == d->dies_at)
		d->dead = true;
	return !d->dead;
}

static struct platter_file *file_of(struct platter *d, int fd)
{
	if (fd < 0 || fd >= (int)PLATTER_OPEN_MAX || !d->open[fd].file)
		abort(); /* a descriptor that is not open */
	return &d->files[d->open[fd].file - 1];
}

static struct platter_name *find(struct platter *d, const char *name)
{
	for (size_t i = 0; i < d->name_count; i++)
		if (strcmp(d->names[i].name, name) == 0)
			return &d->names[i];
	return NULL;
}

static int refusal(const struct platter *d)
{
	return d->broken ? -EIO : d->full ? -ENOSPC : 0;
}

static int open_file(struct platter *d, uint32_t file, bool writable)
{
	for (int fd = 0; fd < (int)PLATTER_OPEN_MAX; fd++)
		if (!d->open[fd].file) {
			d->open[fd].file = file + 1;
			d->open[fd].writable = writable;
			return fd;
		}
	return -EMFILE;
}

/* ---- names ---- */

static void name_put(struct platter_name *names, size_t *count,
                     const char *name, uint32_t file)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(names[i].name, name) == 0) {
			names[i].file = file;
			return;
		}
	if (*count == PLATTER_FILES_MAX || strlen(name) >= PLATTER_NAME_MAX)
		abort();
	strcpy(names[*count].name, name);
	names[(*count)++].file = file;
}

static void name_drop(struct platter_name *names, size_t *count,
                      const char *name)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(names[i].name, name) == 0) {
			names[i] = names[--*count];
			return;
		}
}

static void change_names(struct platter_name *names, size_t *count,
                         const struct platter_change *c)
{
	if (c->what != PLATTER_LINK)
		name_drop(names, count, c->from);
	if (c->what != PLATTER_UNLINK)
		name_put(names, count, c->to, c->file);
}

static void change(struct platter *d, struct platter_change c)
{
	change_names(d->names, &d->name_count, &c);
	d->changes = must(realloc(d->changes,
	                          (d->change_count + 1) * sizeof *d->changes));
	d->changes[d->change_count++] = c;
}

static int p_create(struct mu_disk *face, const char *name)
{
	struct platter *d = platter(face);
	struct platter_change c = { .what = PLATTER_LINK,
		                    .file = d->file_count };

	if (!lives(d))
		return -EIO;
	if (find(d, name))
		return -EEXIST;
	if (refusal(d))
		return refusal(d);
	if (d->file_count == PLATTER_FILES_MAX)
		abort();
	d->files[d->file_count++] = (struct platter_file){ 0 };
	strncpy(c.to, name, sizeof c.to - 1);
	change(d, c);
	return open_file(d, c.file, true);
}

static int p_open(struct mu_disk *face, const char *name, bool writable)
{
	struct platter *d = platter(face);
	const struct platter_name *n;

	if (!lives(d))
		return -EIO;
	n = find(d, name);
	return n ? open_file(d, n->file, writable) : -ENOENT;
}

static void p_close(struct mu_disk *face, int fd)
{
	struct platter *d = platter(face);

	file_of(d, fd);
	d->open[fd].file = 0;
}

static int p_rename(struct mu_disk *face, const char *from, const char *to)
{
	struct platter *d = platter(face);
	struct platter_change c = { .what = PLATTER_RENAME };
	const struct platter_name *n;

	if (!lives(d))
		return -EIO;
	n = find(d, from);
	if (!n)
		return -ENOENT;
	if (d->broken)
		return -EIO;
	c.file = n->file;
	strncpy(c.from, from, sizeof c.from - 1);
	strncpy(c.to, to, sizeof c.to - 1);
	change(d, c);
	return 0;
}

static int p_unlink(struct mu_disk *face, const char *name)
{
	struct platter *d = platter(face);
	struct platter_change c = { .what = PLATTER_UNLINK };

	if (!lives(d))
		return -EIO;
	if (!find(d, name))
		return -ENOENT;
	if (d->broken)
		return -EIO;
	strncpy(c.from, name, sizeof c.from - 1);
	change(d, c);
	return 0;
}

static int p_list(struct mu_disk *face, int (*each)(void *arg, const char *),
                  void *arg)
{
	struct platter *d = platter(face);
	int rc = 0;

	if (!lives(d))
		return -EIO;
	for (size_t i = 0; i < d->name_count && !rc; i++)
		rc = each(arg, d->names[i].name);
	return rc;
}

/* ---- bytes ---- */

static int64_t p_size(struct mu_disk *face, int fd)
{
	struct platter *d = platter(face);

	return lives(d) ? (int64_t)file_of(d, fd)->len : -EIO;
}

static ssize_t p_read(struct mu_disk *face, int fd, void *p, size_t len,
                      uint64_t at)
{
	struct platter *d = platter(face);
	const struct platter_file *f = file_of(d, fd);

	if (!lives(d))
		return -EIO;
	if (at >= f->len)
		return 0;
	if (len > f->len - at)
		len = f->len - (size_t)at;
	memcpy(p, f->now + at, len);
	return (ssize_t)len;
}

static size_t sectors(size_t len)
{
	return (len + SECTOR - 1) / SECTOR;
}

static void soil(struct platter_file *f, size_t at, size_t len)
{
	if (len)
		memset(f->dirty + at / SECTOR, 1,
		       sectors(at + len) - at / SECTOR);
}

/* Behind the end there are zeros, always. */
static void grow(struct platter_file *f, size_t len)
{
	size_t room = f->room ? f->room : SECTOR;

	while (room < len)
		room *= 2;
	if (room > f->room) {
		f->now = must(realloc(f->now, room));
		f->dirty = must(realloc(f->dirty, sectors(room)));
		memset(f->now + f->room, 0, room - f->room);
		memset(f->dirty + sectors(f->room), 0,
		       sectors(room) - sectors(f->room));
		f->room = room;
	}
	if (len > f->len)
		f->len = len;
}

static void put(struct platter_file *f, const void *p, size_t len, size_t at)
{
	grow(f, at + len);
	memcpy(f->now + at, p, len);
	soil(f, at, len);
}

static ssize_t p_write(struct mu_disk *face, int fd, const void *p, size_t len,
                       uint64_t at)
{
	struct platter *d = platter(face);
	struct platter_file *f = file_of(d, fd);

	if (!lives(d)) {
		/* It died in the middle of this very call. */
		if (d->calls == d->dies_at && len)
			put(f, p, world_below(d->world, (uint32_t)len),
			    (size_t)at);
		return -EIO;
	}
	if (!d->open[fd].writable)
		abort();
	if (refusal(d)) {
		/* As much as there is room for; the next one says why. */
		len = len > 1 && world_chance(d->world, 300)
		              ? world_below(d->world, (uint32_t)len)
		              : 0;
		put(f, p, len, (size_t)at);
		return len ? (ssize_t)len : refusal(d);
	}
	put(f, p, len, (size_t)at);
	return (ssize_t)len;
}

static int p_allocate(struct mu_disk *face, int fd, uint64_t len)
{
	struct platter *d = platter(face);
	struct platter_file *f = file_of(d, fd);

	if (!lives(d))
		return -EIO;
	if (refusal(d))
		return refusal(d);
	grow(f, (size_t)len);
	return 0;
}

static int p_truncate(struct mu_disk *face, int fd, uint64_t len)
{
	struct platter *d = platter(face);
	struct platter_file *f = file_of(d, fd);
	size_t was = f->len;

	if (!lives(d))
		return -EIO;
	if (d->broken || (len > was && d->full))
		return refusal(d);
	grow(f, (size_t)len);
	if (was > len) {
		memset(f->now + len, 0, was - (size_t)len);
		soil(f, (size_t)len, was - (size_t)len);
		f->len = (size_t)len;
	}
	return 0;
}

/* ---- what is kept ---- */

static void keep_room(struct platter_file *f, size_t len)
{
	if (len <= f->kept_room)
		return;
	f->kept = must(realloc(f->kept, len));
	memset(f->kept + f->kept_room, 0, len - f->kept_room);
	f->kept_room = len;
}

static void keep_length(struct platter_file *f)
{
	keep_room(f, f->len);
	if (f->len < f->kept_room)
		memset(f->kept + f->len, 0, f->kept_room - f->len);
	f->kept_len = f->len;
}

/* One sector, or the first bytes of it. */
static void keep_sector(struct platter_file *f, size_t i, size_t bytes)
{
	size_t at = i * SECTOR;

	if (at + bytes > f->room)
		bytes = f->room - at;
	keep_room(f, at + bytes);
	memcpy(f->kept + at, f->now + at, bytes);
}

static void keep_all(struct platter_file *f)
{
	keep_length(f);
	for (size_t i = 0; i < sectors(f->len); i++)
		if (f->dirty[i])
			keep_sector(f, i, SECTOR);
	if (f->room)
		memset(f->dirty, 0, sectors(f->room));
}

/* By chance; the sector that the power left in the middle is torn. */
static void keep_some(struct platter *d, struct platter_file *f, bool torn)
{
	uint32_t luck = world_below(d->world, 1001);

	if (world_chance(d->world, 500))
		keep_length(f);
	for (size_t i = 0; i < sectors(f->len); i++) {
		if (!f->dirty[i])
			continue;
		if (world_chance(d->world, luck))
			keep_sector(f, i, SECTOR);
		else if (torn && world_chance(d->world, 100))
			keep_sector(f, i, world_below(d->world, SECTOR));
	}
	if (f->kept_len < f->kept_room)
		memset(f->kept + f->kept_len, 0, f->kept_room - f->kept_len);
	if (f->room)
		memset(f->dirty, 0, sectors(f->room));
}

static int p_sync(struct mu_disk *face, int fd)
{
	struct platter *d = platter(face);
	struct platter_file *f = file_of(d, fd);

	if (!lives(d))
		return -EIO;
	if (d->ignores_syncs)
		return 0;
	if (d->sync_fails) {
		d->sync_fails = false;
		d->sync_failed = true;
		keep_some(d, f, false);
		return -EIO;
	}
	keep_all(f);
	return 0;
}

static void keep_names(struct platter *d, size_t changes)
{
	for (size_t i = 0; i < changes; i++)
		change_names(d->kept_names, &d->kept_count, &d->changes[i]);
	d->change_count = 0;
}

static int p_sync_dir(struct mu_disk *face)
{
	struct platter *d = platter(face);

	if (!lives(d))
		return -EIO;
	if (!d->ignores_syncs)
		keep_names(d, d->change_count);
	return 0;
}

static void p_free(struct mu_disk *face)
{
	(void)face; /* it is the simulation's */
}

/* ---- lives ---- */

static void file_fini(struct platter_file *f)
{
	free(f->now);
	free(f->kept);
	free(f->dirty);
	*f = (struct platter_file){ 0 };
}

static bool is_named(const struct platter *d, uint32_t file)
{
	for (size_t i = 0; i < d->name_count; i++)
		if (d->names[i].file == file)
			return true;
	for (size_t i = 0; i < d->kept_count; i++)
		if (d->kept_names[i].file == file)
			return true;
	for (size_t i = 0; i < d->change_count; i++)
		if (d->changes[i].file == file)
			return true;
	return false;
}

void platter_init(struct platter *d, struct world *w)
{
	static const struct mu_disk face = {
		.create = p_create,
		.open = p_open,
		.close = p_close,
		.size = p_size,
		.read = p_read,
		.write = p_write,
		.allocate = p_allocate,
		.truncate = p_truncate,
		.sync = p_sync,
		.rename = p_rename,
		.unlink = p_unlink,
		.sync_dir = p_sync_dir,
		.list = p_list,
		.free = p_free,
	};

	memset(d, 0, sizeof *d);
	d->face = face;
	d->world = w;
	d->files = must(calloc(PLATTER_FILES_MAX, sizeof *d->files));
	d->names = must(calloc(PLATTER_FILES_MAX, sizeof *d->names));
	d->kept_names = must(calloc(PLATTER_FILES_MAX, sizeof *d->names));
}

void platter_fini(struct platter *d)
{
	platter_wipe(d);
	free(d->files);
	free(d->names);
	free(d->kept_names);
	free(d->changes);
	memset(d, 0, sizeof *d);
}

/* What the platters hold is what there is. */
static void read_back(struct platter_file *f)
{
	size_t len = f->kept_len;

	f->len = 0;
	if (f->room)
		memset(f->now, 0, f->room);
	grow(f, len);
	keep_room(f, len);
	if (len)
		memcpy(f->now, f->kept, len);
	if (f->room)
		memset(f->dirty, 0, sectors(f->room));
}

static void lose_power(struct platter *d)
{
	uint32_t changes = (uint32_t)d->change_count;

	for (uint32_t i = 0; i < d->file_count; i++) {
		keep_some(d, &d->files[i], true);
		read_back(&d->files[i]);
	}
	keep_names(d, world_below(d->world, changes + 1));
	memcpy(d->names, d->kept_names, d->kept_count * sizeof *d->names);
	d->name_count = d->kept_count;
}

void platter_restart(struct platter *d, bool power_lost)
{
	if (power_lost)
		lose_power(d);
	memset(d->open, 0, sizeof d->open);
	d->dead = d->sync_failed = false;
	d->dies_at = 0;
	for (uint32_t i = 0; i < d->file_count; i++)
		if (!is_named(d, i))
			file_fini(&d->files[i]);
}

void platter_wipe(struct platter *d)
{
	for (uint32_t i = 0; i < d->file_count; i++)
		file_fini(&d->files[i]);
	d->file_count = 0;
	d->name_count = d->kept_count = d->change_count = 0;
	memset(d->open, 0, sizeof d->open);
	d->dead = d->full = d->broken = d->sync_fails = d->sync_failed = false;
	d->dies_at = 0;
}
