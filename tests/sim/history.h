/*
 * history.h - what has really happened: every applied command in order, what
 * each changed, and what each path looked like after it.
 *
 * It is told of each command just before the store under test applies it, and
 * applies it to a tree of its own. So it also shows that applying is
 * deterministic (command.h), and what a session is told can be compared with
 * what it should be told.
 */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include "command.h"

#include "world.h"

#define HISTORY_NONE SIZE_MAX

/* One event of one command; what follows is the state of its path after the
 * whole command, for nobody ever sees half of one (rule 67). */
struct change {
	int64_t zxid;
	int32_t n; /* its place in the command */
	enum mu_node_event type;
	uint32_t path;
	uint32_t tree; /* which one: the broker may lose its tree */
	size_t before; /* the last change of this path, or HISTORY_NONE */
	bool exists;
	struct mu_stat stat;
	uint64_t data;     /* fingerprint */
	uint64_t children; /* fingerprint, whatever their order */
	uint8_t *tail;     /* owned: what a subscriber is told, as of itself */
	uint32_t tail_len;
};

/* One applied command. */
struct written {
	int64_t zxid;
	int64_t session;
	int32_t op;
	int err;
};

/* A session as an onlooker sees it. */
struct known_session {
	int64_t id;
	uint32_t timeout_ms; /* as negotiated last */
	uint32_t made_ms;    /* as it was made with */
	bool alive;          /* created, and its end not applied */
	bool ending;         /* its end was logged, if only once */
	int64_t logged_zxid; /* of its last logged command */
	uint32_t wire;       /* attached last; 0: none */
	uint64_t heard_ms;   /* the store was last handed something of it */
	uint64_t stalls_ms;  /* of the broker, up to then */
	uint64_t
		arrived_ms; /* something of it last reached the broker's host */
	bool broken;        /* and that had been silent for too long before */
};

struct known_path {
	char *text;
	uint32_t len;
	uint32_t chain;
	size_t last; /* change, or HISTORY_NONE */
};

#define HISTORY_BUCKETS 512u
#define HISTORY_TREES 64u

struct history {
	struct world *world;
	struct mu_tree *tree;
	struct mu_sessions *sessions;
	struct mu_outcome outcome;
	uint8_t key[16];
	struct change *changes;
	size_t change_count, change_room;
	struct written *writes;
	size_t write_count, write_room;
	struct known_session *known;
	size_t known_count, known_room;
	struct known_path *paths; /* counted from 1 */
	uint32_t path_count, path_room;
	uint32_t buckets[HISTORY_BUCKETS];
	int64_t first_zxid[HISTORY_TREES]; /* of each tree so far */
	uint32_t trees;
	uint64_t stalls_ms; /* of the broker so far; it keeps this up to date */
	uint64_t losses;    /* how often it forgot what was logged; likewise */
};

void history_init(struct history *h, struct world *w);
void history_fini(struct history *h);

/* The broker lost everything: a new tree, whose zxids are above first_zxid. */
void history_restart(struct history *h, int64_t first_zxid);

/* The store is about to apply this. now_ms: the store's own reading. */
void history_apply(struct history *h, const void *bytes, size_t len,
                   uint64_t now_ms);

/* The number of a path (never 0), and its text. */
uint32_t history_path(struct history *h, struct mu_str path);
struct mu_str history_path_text(const struct history *h, uint32_t path);

/* The last change of a path at or before a zxid; NULL: none since the tree
 * began, so the path is as it is in an empty tree. */
const struct change *history_state(const struct history *h, uint32_t path,
                                   int64_t zxid);

/* The command that made this zxid, or NULL. */
const struct written *history_written(const struct history *h, int64_t zxid);

/* Index just past the last change at or before a zxid. */
size_t history_after(const struct history *h, int64_t zxid);

struct known_session *history_session(struct history *h, int64_t id);

uint64_t history_print(const void *p, size_t len); /* a fingerprint */

/* Fails the world if the trees differ in anything that can be seen. */
void history_compare(struct history *h, const struct mu_tree *other);

#endif /* SIM_HISTORY_H */
