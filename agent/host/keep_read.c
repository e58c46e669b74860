/* The files of an instance, read. See keep.h. */
#include "keep_impl.h"

#include "err.h"
#include "files.h"
#include "log.h"
#include "mem.h"

#include <stdio.h>
#include <unistd.h>

static void set_aside(const struct mu_kept *p, const char *path,
                      const struct mu_err *err)
{
	char to[PATH_MAX];

	mu_format(to, sizeof to, "%s" MU_DAMAGED_EXT, path);
	if (rename(path, to))
		unlink(path);
	mu_log(MU_ERROR,
	       MSG("what the agent remembers of an instance is damaged; it is "
	           "set aside and not used"),
	       KS("instance", p->o.name), KS("file", to),
	       KS("reason", err->msg));
}

/* A file of the instance; *bytes NULL: there is none to be used. */
static void read_file(const struct mu_kept *p, const char *ext,
                      char path[PATH_MAX], char **bytes, size_t *len)
{
	char name[NAME_MAX + 1];
	struct mu_err err;
	int rc;

	*bytes = NULL;
	mu_kept_name(name, p, ext);
	mu_keep_path(path, p->k, name);
	rc = mu_file_read(path, MU_KEEP_FILE_MAX, bytes, len, &err);
	if (rc && rc != MU_ENONODE)
		mu_log(MU_ERROR,
		       MSG("what the agent remembers of an instance cannot be "
		           "read, and is not used"),
		       KS("instance", p->o.name), KS("reason", err.msg));
	if (rc)
		*bytes = NULL;
}

/* ZooKeepers have no tree id: other addresses may be another tree. */
static bool is_usable(const struct mu_kept *p, int64_t tree_id,
                      uint32_t brokers)
{
	const struct mu_keep *k = p->k;

	if (k->tree_known && k->tree_id != tree_id)
		return false;
	return tree_id != 0 || brokers == k->o.brokers;
}

static void read_cursor(struct mu_kept *p)
{
	char path[PATH_MAX];
	struct mu_cursor c;
	struct mu_err err;
	char *bytes;
	size_t len;

	read_file(p, MU_CURSOR_EXT, path, &bytes, &len);
	if (!bytes)
		return;
	p->stored = true;
	if (mu_cursor_get(bytes, len, &c, NULL, NULL, &err)) {
		set_aside(p, path, &err);
		p->stored = false;
	} else if (is_usable(p, c.tree_id, c.brokers)) {
		p->tree_id = c.tree_id;
		mu_cursor_get(bytes, len, &c, mu_kept_take_mark, p, NULL);
		mu_kept_take_failure(p, &c);
	}
	mu_free(bytes);
}

/* What stands in the cache was handled; the cursor may be lost, or behind. */
static void take_cache(struct mu_kept *p)
{
	for (size_t i = 0; i < p->o.count; i++) {
		struct mu_keep_place *own = &p->mark[i].at;
		struct mu_cache_part part;

		if (mu_cache_find(p->cache, p->cache_len, &p->mark[i].source,
		                  &part) &&
		    (!own->known || mu_keep_place_le(own, &part.at)))
			*own = part.at;
	}
}

static void read_cache(struct mu_kept *p)
{
	bool had = mu_kept_has_place(p);
	char path[PATH_MAX];
	struct mu_err err;
	uint32_t brokers;
	int64_t tree_id;

	read_file(p, MU_CACHE_EXT, path, &p->cache, &p->cache_len);
	if (!p->cache)
		return;
	if (mu_cache_check(p->cache, p->cache_len, &tree_id, &brokers, &err)) {
		set_aside(p, path, &err);
		mu_kept_drop_cache(p);
	} else if (!is_usable(p, tree_id, brokers) ||
	           (had && tree_id != p->tree_id)) {
		mu_kept_drop_cache(p);
	} else {
		p->tree_id = tree_id;
		take_cache(p);
	}
}

void mu_kept_read(struct mu_kept *p)
{
	read_cursor(p);
	read_cache(p);
}
