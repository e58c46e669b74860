/*
 * standing.h - how far each host is with what its instances are to apply: the
 * records of /applied/<instance>/<host>, held against the nodes they speak of, the
 * members, and what is in quarantine.
 */
#ifndef MU_CLI_STANDING_H
#define MU_CLI_STANDING_H

#include "view.h"

/* X(name, word) */
#define STANDING_MAP(X) \
	X(STANDING_APPLIED, "applied") /* the node as it is now */ \
	X(STANDING_BEHIND, "behind")   /* an older one is applied */ \
	X(STANDING_REJECTED, "rejected") \
	X(STANDING_FAILED, "failed") \
	X(STANDING_NONE, "no report yet") /* it has the instance */ \
	X(STANDING_SILENT, \
	  "no reports") /* it runs, and no host has reported */ \
	X(STANDING_QUARANTINED, "quarantined") \
	X(STANDING_UNREADABLE, "unreadable")

enum standing_state {
#define STANDING_ENUM(name, word) name,
	STANDING_MAP(STANDING_ENUM)
#undef STANDING_ENUM
};

#define STANDING_UNKNOWN (-1) /* no version */
#define STANDING_GONE (-2)    /* the node is not there */

/* What the host has in force, as far as it is known. */
struct standing_version {
	int64_t version; /* or STANDING_UNKNOWN, STANDING_GONE */
	int64_t zxid;
	const char *digest;
};

/* Texts are the view's, but for the instance. */
struct standing {
	char *instance;
	const char *host;
	const struct mu_json *record; /* as the host wrote it, or NULL */
	bool is_member;               /* now */
	bool says_applied;            /* its record does, of some version */
	bool is_current; /* the node as it is now has been applied */
	enum standing_state state;
	const char *path;      /* of the node; "": not known */
	int64_t version, zxid; /* that the report speaks of */
	int64_t tried; /* the same, if it was refused; else STANDING_UNKNOWN */
	struct standing_version in_force;
	int64_t node_version, node_zxid;
	int64_t since_ms; /* wall clock */
	const char *reason;
};

struct standings {
	struct standing *at; /* by instance, then host */
	size_t count, room, sorted;
};

/* Cover what is needed of the tree; instance NULL: all. 0 or MU_ENOMEM. */
int standings_cover(struct view *v, const char *instance);

/* Read the view and judge. 0, or MU_E* as view_read; standings_free in any case.
 * Valid until the next view_read. */
int standings_read(struct view *v, const char *instance, struct standings *out);
/* The same, of those that have several nodes in force as they stand with this one;
 * the path is borrowed until standings_free. */
int standings_read_about(struct view *v, const char *instance, const char *path,
                         struct standings *out);
void standings_free(struct standings *s);

/* "applied", "behind"; of what is not there any more "stale (applied)". */
void standing_word(const struct standing *s, char *out, size_t room);

/* The fields of one, set on an object. 0 or MU_ENOMEM. */
int standing_json(struct mu_json *o, const struct standing *s);

/* "<instance>@<host>": what the node of an alarm is called. Where the host
 * begins; NULL: it is no such name. */
const char *alarm_host(const char *name);

/* What an agent says of an instance ends for logs with the name of a code, " (MU_E
 * ...)": the length of the text before that, or of all. */
size_t said_len(const char *text);

#endif /* MU_CLI_STANDING_H */
