/*
 * notice.h - nodes that this host keeps up for others to read: each is written now
 * or when there is a broker, with the two nodes above it, again in another tree, and
 * tried again where it fails; or is taken away. Lives on the loop's thread. What is
 * taken away, or deleted by somebody, takes no memory any more.
 */
#ifndef MU_HOST_NOTICE_H
#define MU_HOST_NOTICE_H

#include "path.h"
#include "uplink.h"

struct mu_notices;

/* what: "a report", for the log; borrowed. MU_ENOMEM. */
int mu_notices_new(struct mu_loop *loop, struct mu_uplink *uplink,
                   const char *what, struct mu_notices **out);
/* The nodes stay. NULL is allowed. */
void mu_notices_free(struct mu_notices *n);

struct mu_notice {
	const char *path; /* /a/b/c; copied */
	char *text;       /* of malloc; taken over if all is well */
	/* Somebody else has deleted the node: the notice is no more. by: host
	 * and session, or "" where the broker does not tell. Not called from
	 * inside _put. NULL: nobody wants to know, and it is not looked after. */
	void (*on_deleted)(void *arg, const char *by);
	/* What stood there (nothing: NULL) before this is written; the text to
	 * write instead of it (of malloc), or NULL. NULL: it is not looked at. */
	char *(*on_found)(void *arg, const char *text, struct mu_str was);
	void *arg;
};

/* In place of the one at this path, if there is one. MU_ENOMEM: nothing has changed. */
int mu_notices_put(struct mu_notices *n, const struct mu_notice *notice);

/* Take the node away if it is there, be it left by an agent before this one; now or
 * at the next connection to this tree. An error is logged, and if trying again may
 * help, that is done. MU_ENOMEM: nothing has changed. */
int mu_notices_remove(struct mu_notices *n, const char *path);

/* Who put something with this arg is no more, and is not called. The nodes stay. */
void mu_notices_forget(struct mu_notices *n, const void *arg);

/* How many there are, those on their way out included. */
size_t mu_notices_count(const struct mu_notices *n);

#endif /* MU_HOST_NOTICE_H */
