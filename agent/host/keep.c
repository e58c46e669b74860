#include "keep_impl.h"

#include "err.h"
#include "files.h"
#include "mem.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#define CLEAN_NAME "clean"

void mu_keep_path(char out[PATH_MAX], const struct mu_keep *k, const char *name)
{
	mu_format(out, PATH_MAX, "%s/%s", k->dir, name);
}

struct mu_kept *mu_keep_find(const struct mu_keep *k, const char *name)
{
	struct mu_kept *p = k->all;

	while (p && strcmp(p->o.name, name) != 0)
		p = p->next;
	return p;
}

/* ---- the directory ---- */

static bool ends_in(const char *name, const char *ext, size_t *len)
{
	size_t n = strlen(name), e = strlen(ext);

	if (n <= e || strcmp(name + n - e, ext) != 0)
		return false;
	*len = n - e;
	return true;
}

/* The instance to which a file of ours belongs. */
static bool owner_of(const char *file, char out[NAME_MAX + 1])
{
	static const char *const exts[] = { MU_CURSOR_EXT, MU_CACHE_EXT,
		                            MU_CURSOR_EXT MU_DAMAGED_EXT,
		                            MU_CACHE_EXT MU_DAMAGED_EXT };
	size_t len;

	for (size_t i = 0; i < sizeof exts / sizeof *exts; i++)
		if (ends_in(file, exts[i], &len)) {
			mu_format(out, NAME_MAX + 1, "%.*s", (int)len, file);
			return true;
		}
	return false;
}

/* What a write that was cut short has left behind. */
static bool is_left_over(const char *file)
{
	size_t len;

	return file[0] == '.' && ends_in(file, ".tmp", &len) &&
	       (strstr(file, MU_CURSOR_EXT ".") ||
	        strstr(file, MU_CACHE_EXT "."));
}

static void remove_in(const struct mu_keep *k, const char *name)
{
	char path[PATH_MAX];

	mu_keep_path(path, k, name);
	unlink(path);
}

static void sweep(struct mu_keep *k, bool (*goes)(void *arg, const char *file),
                  void *arg)
{
	DIR *dir = opendir(k->dir);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (goes(arg, d->d_name))
			remove_in(k, d->d_name);
	if (dir)
		closedir(dir);
}

static bool goes_at_start(void *arg, const char *file)
{
	(void)arg;
	return is_left_over(file);
}

void mu_keep_tree(struct mu_keep *k, int64_t tree_id)
{
	k->tree_known = true;
	k->tree_id = tree_id;
	for (struct mu_kept *p = k->all; p; p = p->next) {
		if (mu_kept_is_foreign(p, tree_id))
			mu_kept_forget(p);
		p->tree_id = tree_id;
	}
}

/* ---- those that are no more ---- */

struct census {
	struct mu_keep *k;
	bool (*is_there)(void *arg, const char *name);
	void *arg;
};

static bool is_wanted(const struct census *c, const char *name)
{
	const struct mu_kept *p = mu_keep_find(c->k, name);

	return (p && p->open) || c->is_there(c->arg, name);
}

static bool goes(void *arg, const char *file)
{
	char name[NAME_MAX + 1];

	return owner_of(file, name) && !is_wanted(arg, name);
}

void mu_keep_only(struct mu_keep *k,
                  bool (*is_there)(void *arg, const char *name), void *arg)
{
	struct census c = { k, is_there, arg };
	struct mu_kept **link = &k->all;

	while (*link) {
		struct mu_kept *p = *link;

		if (is_wanted(&c, p->o.name)) {
			link = &p->next;
			continue;
		}
		*link = p->next;
		mu_kept_remove_files(p); /* behind what may be on its way */
		mu_kept_free(p);
	}
	sweep(k, goes, &c);
}

/* ---- life ---- */

static void write_dirty(void *arg)
{
	struct mu_keep *k = arg;

	for (struct mu_kept *p = k->all; p; p = p->next)
		if (p->dirty)
			mu_kept_write_cursor(p);
}

bool mu_keep_was_clean(const struct mu_keep *k)
{
	return k->was_clean;
}

void mu_keep_unclean(struct mu_keep *k)
{
	k->unclean = true;
}

int mu_keep_new(const struct mu_keep_options *o, struct mu_keep **out)
{
	struct mu_keep *k = mu_alloc(sizeof *k);
	char path[PATH_MAX];
	int rc;

	if (!k)
		return MU_ENOMEM;
	k->o = *o;
	mu_format(k->dir, sizeof k->dir, "%s/instances", o->state_dir);
	rc = mu_saver_new(k->dir, mu_sealed_sum, &k->saver);
	if (!rc)
		rc = mu_timer_new(o->loop, write_dirty, k, &k->timer);
	if (rc) {
		mu_saver_free(k->saver);
		mu_free(k);
		return rc;
	}
	mu_keep_path(path, k, CLEAN_NAME);
	/* The next cursor that is written makes sure of it. */
	k->was_clean = unlink(path) == 0;
	sweep(k, goes_at_start, NULL);
	*out = k;
	return 0;
}

/* All is on the disk, and it is all that was handled. */
static bool is_clean(const struct mu_keep *k)
{
	bool dirty = k->unclean;

	for (const struct mu_kept *p = k->all; p; p = p->next)
		dirty = dirty || p->dirty;
	return mu_saver_flush(k->saver, MU_KEEP_FLUSH_MS) && !dirty;
}

static void say_clean(const struct mu_keep *k)
{
	char path[PATH_MAX];

	mu_keep_path(path, k, CLEAN_NAME);
	if (access(k->dir, F_OK) == 0)
		(void)mu_file_replace(path, "clean\n", 6, 0600, NULL);
}

void mu_keep_free(struct mu_keep *k)
{
	if (!k)
		return;
	write_dirty(k);
	if (is_clean(k))
		say_clean(k);
	mu_saver_free(k->saver);
	mu_timer_free(k->timer);
	while (k->all) {
		struct mu_kept *p = k->all;

		k->all = p->next;
		mu_kept_free(p);
	}
	mu_free(k);
}
