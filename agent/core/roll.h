/*
 * roll.h - the members that are there, and the events their comings and goings
 * make. Pure.
 *
 * Fed with what a mirror of /members sees, in its order. Whether a member left
 * or failed may hang on /left/<name>: the roll then holds back everything until
 * mu_roll_answer, so that events keep their order.
 */
#ifndef MU_CORE_ROLL_H
#define MU_CORE_ROLL_H

#include "path.h"

#include <muster/plugin.h>

#define MU_ROLL_QUEUE_MAX 100000u /* comings and goings held back */

struct mu_roll_event {
	uint32_t type; /* MU_EVENT_MEMBER_*, or GAP */
	uint32_t flags, count;
	int64_t zxid;
	const struct mu_member *member; /* as it is, or as it last was */
	/* As of struct mu_mirror_event, for the change behind it. */
	int32_t n;
	bool exact, past, held;
	int cause;
	int64_t session;
	struct mu_str origin;
};

/* Borrowed for the call; must not call the roll, but for mu_roll_next. */
typedef void mu_roll_fn(void *arg, const struct mu_roll_event *e);

struct mu_roll;

struct mu_roll *mu_roll_new(mu_roll_fn *fn, void *arg); /* NULL: no memory */
void mu_roll_free(struct mu_roll *r);                   /* NULL is allowed */

/* The tree is another one: forget everybody, tell nobody. */
void mu_roll_forget(struct mu_roll *r);

/* What the mirror said of one node below /members. */
struct mu_roll_change {
	uint32_t type;  /* PRESENT, CREATED, CHANGED or DELETED; GAP */
	uint32_t flags; /* MU_EVENT_COALESCED is handed on */
	uint32_t count;
	int64_t zxid;
	const struct mu_member *member; /* copied; of DELETED as it last was, as
	                                   far as that is known */
	int32_t n; /* from here on as of struct mu_mirror_event */
	bool exact, past, held;
	int cause;
	int64_t session;
	struct mu_str origin; /* copied */
};

/*
 * PRESENT gives MEMBER_PRESENT, CREATED gives MEMBER_JOINED, CHANGED gives
 * MEMBER_CHANGED if mu_member_differs says so. A known name with another czxid
 * went and came back unseen: LEFT or FAILED, then JOINED, both COALESCED. The
 * end of a member of whom nobody was told tells nobody. What is `past` tells the
 * same, of the member as the change has it, and leaves the roll as it is; where it
 * is not known what the member was before, or the change stands for several,
 * MEMBER_CHANGED always.
 * Errors: MU_ENOMEM, MU_EFULL; nothing has changed then.
 */
int mu_roll_change(struct mu_roll *r, const struct mu_roll_change *c);

/* A member is there, and nobody is to be told. As of mu_roll_change. */
int mu_roll_put(struct mu_roll *r, const struct mu_member *member);

/* A member was there, as this, before the first change that will be told: what it
 * is held against, if it is `past`, or CHANGED of one who is not on the roll. As of
 * mu_roll_change. */
int mu_roll_put_past(struct mu_roll *r, const struct mu_member *member);
void mu_roll_forget_past(struct mu_roll *r); /* all of these; no past is left */

/* The name whose /left node is to be read; NULL: none, or asked already.
 * Borrowed until the answer. */
const char *mu_roll_question(struct mu_roll *r);
/* What /left/<name> holds; at NULL: there is no such node. */
void mu_roll_answer(struct mu_roll *r, struct mu_str left);
/* The question went down with its link: mu_roll_question gives it again. */
void mu_roll_ask_again(struct mu_roll *r);

/* Visit the members by name: NULL begins, NULL at the end. */
const struct mu_member *mu_roll_next(const struct mu_roll *r,
                                     const struct mu_member *m);
size_t mu_roll_count(const struct mu_roll *r);

/* True if a coming or going waits for an answer. */
bool mu_roll_is_waiting(const struct mu_roll *r);

#endif /* MU_CORE_ROLL_H */
