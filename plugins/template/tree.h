/*
 * tree.h - what a template may speak of: some nodes and the members, as last
 * heard or read, and all of it as one JSON object.
 */
#ifndef MU_TEMPLATE_TREE_H
#define MU_TEMPLATE_TREE_H

#include <muster/plugin.h>

#include <jansson.h>

#define TREE_SOURCES_MAX 64u

struct tree_source {
	const char *name; /* of the variable; the host's */
	const char *path; /* of the node; the host's */
	bool children;    /* a list of those below it, not itself */
	bool json;        /* values are JSON, not text */
	bool optional;    /* may be missing */
};

struct tree {
	const struct mu_host *host;
	struct tree_source sources[TREE_SOURCES_MAX]; /* the caller's to fill */
	size_t count;
	bool members; /* with the members */
	/* Owned. Path -> { zxid, version, value }, with `problem`, a sentence, if
	 * the value is not JSON, and with `told` once it was; of a member the
	 * value is as for templates, and there is no version. */
	json_t *items;
};

/* The source that a node belongs to; NULL: none. */
const struct tree_source *tree_source_of(const struct tree *t,
                                         const char *path);

/* True if an event speaks of a source, or of a member if there are members. */
bool tree_is_concerned(const struct tree *t, const struct mu_event *e);

/* Take in what an event says, *changed: it was news. What is older than what is
 * known is not. MU_ENOMEM. */
int tree_merge(struct tree *t, const struct mu_event *e, bool *changed,
               struct mu_err *err);

/* Read everything afresh; on error unchanged. The codes of the host's get and
 * children; MU_ENOMEM. */
int tree_load(struct tree *t, struct mu_err *err);

/* Which value of a node is known; false: none, and nothing is set. */
bool tree_known(const struct tree *t, const char *path, int64_t *zxid,
                int32_t *version);

#define TREE_TOLD_MAX 100u

/* Call `tell` with each node of a source whose value was not told yet, those of
 * lists first, and of these so many at most: no agent remembers more of them. All
 * count as told then, `but` too (NULL: none), which is left out.
 * Values that are read afresh are told anew. */
void tree_tell(struct tree *t, const char *but,
               void (*tell)(void *arg, const char *path), void *arg);

/* The value of a text source, borrowed until the next change; NULL: none. */
const char *tree_text(const struct tree *t, const struct tree_source *s,
                      size_t *len);

/* All of it, the caller's to release. MU_EDATA: a node is missing that is not
 * optional, or a value is not JSON; MU_ENOMEM. */
int tree_data(const struct tree *t, json_t **out, struct mu_err *err);

#endif /* MU_TEMPLATE_TREE_H */
