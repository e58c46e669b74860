/*
 * path.h - the rules of a node's path, and walking along one. Pure.
 *
 * Paths are bytes with a length, not NUL-terminated, for they lie in records
 * that came from outside. Rule 59 (common/PathUtils.java): starts with '/', no
 * trailing '/', no empty, "." or ".." part, no \0, \u0001-\u001f,
 * \u007f-\u009f, \ud800-\uf8ff, \ufff0-\uffff. Beyond it: valid UTF-8, and no
 * 4-byte character, for Java would write it as a pair of surrogates.
 */
#ifndef MU_CORE_PATH_H
#define MU_CORE_PATH_H

#include <muster/types.h>

/* Bytes that somebody else owns. */
struct mu_str {
	const char *at; /* NULL for ZooKeeper's null string */
	uint32_t len;   /* bytes */
};

/* A literal as a struct mu_str. */
#define MU_STR(lit) ((struct mu_str){ (lit), (uint32_t)(sizeof(lit) - 1) })

struct mu_str mu_str_of(const char *text); /* NULL gives the null string */
bool mu_str_eq(struct mu_str a, struct mu_str b);
bool mu_str_starts(struct mu_str s, struct mu_str prefix);

/* 0, or MU_EINVAL with what is wrong with the path. err may be NULL. */
int mu_path_check(struct mu_str path, struct mu_err *err);

/* As mu_path_check for a path to which a sequence number will be added (rule
 * 58): "/a/" is then good, since "/a/0000000000" is. */
int mu_path_check_sequential(struct mu_str path, struct mu_err *err);

/* "/a/b" -> "/a"; "/a" -> "/". The path must be legal and not "/". */
struct mu_str mu_path_parent(struct mu_str path);

/* "/a/b" -> "b"; "/" -> "". The path must be legal. */
struct mu_str mu_path_name(struct mu_str path);

/* Number of parts: 0 for "/", 2 for "/a/b". */
uint32_t mu_path_depth(struct mu_str path);

/* True if `path` is `top` or lies below it. Both must be legal. */
bool mu_path_is_within(struct mu_str path, struct mu_str top);

/* Take the next part of a path off the front: *path stands on a '/' and is
 * moved past the part. False at the end (and at once for "/"). */
bool mu_path_step(struct mu_str *path, struct mu_str *part);

#endif /* MU_CORE_PATH_H */
