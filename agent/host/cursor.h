/*
 * cursor.h - how far an instance has handled what it asked for: a file. Pure.
 *
 *     long tree id, int hash of the brokers' list
 *     int count, and for each source with a position
 *             string path, int mode, long zxid, int n
 *     bool, and if it is set the event that was given and not handled:
 *             string path of its source, int mode, string path, int type,
 *             long zxid, int n, int attempts, bool yields
 *
 * Sources are known by path and mode, for a configuration may have changed
 * between two starts.
 */
#ifndef MU_HOST_CURSOR_H
#define MU_HOST_CURSOR_H

#include "sealed.h"

/* Beside the modes of enum mu_mirror_mode. */
#define MU_KEEP_MEMBERS 3

/* What an instance is told of: a watch, or the members. */
struct mu_keep_source {
	struct mu_str path;
	int32_t mode;
};

/* Behind a change: this one, and all before it. */
struct mu_keep_place {
	bool known;
	int64_t zxid;
	int32_t n;
};

struct mu_cursor_mark {
	struct mu_keep_source source;
	struct mu_keep_place at;
	bool restart; /* the next place may lie behind; not in the file */
};

struct mu_cursor {
	int64_t tree_id;
	uint32_t brokers; /* mu_brokers_hash: tells ZooKeepers apart */
	/* The event that was given so often and not handled; attempts 0: none. */
	struct mu_keep_source failed_of;
	struct mu_str failed_path;
	uint32_t failed_type, attempts;
	int64_t failed_zxid;
	int32_t failed_n;
	bool yields; /* to a newer one; see mailbox.h */
};

/* a is before b, or the same. */
bool mu_keep_place_le(const struct mu_keep_place *a,
                      const struct mu_keep_place *b);

/* Append the file, without its checksum (mu_sealed_sum). Marks that are not
 * known are left out. */
void mu_cursor_put(struct mu_buf *b, const struct mu_cursor *c,
                   const struct mu_cursor_mark *marks, size_t count);

/* Read it: each is told of every mark. Texts are borrowed from the bytes.
 * MU_EDATA, with a sentence and before anything is told: no such file, or not a
 * whole one. */
typedef void mu_cursor_fn(void *arg, const struct mu_cursor_mark *mark);
int mu_cursor_get(const void *p, size_t len, struct mu_cursor *out,
                  mu_cursor_fn *each, void *arg, struct mu_err *err);

#endif /* MU_HOST_CURSOR_H */
