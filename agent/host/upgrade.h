/*
 * upgrade.h - the exchange of an instance's process for a new one while events
 * go on: after its plugin's file has changed, or because somebody wants it.
 * Lives on the loop's thread.
 *
 * The new process is started beside the one that is there, loads the plugin and
 * runs init; it is given nothing yet. When it is ready, the old one finishes
 * what it is handling, is given nothing more, and is asked to stop. When it has
 * ended the new one takes its place: the events that wait, the positions and the
 * ephemeral nodes are the instance's, not the process's, and stay where they are.
 * If the new one does not get ready, it is killed, and the old one has noticed
 * nothing. A change that comes meanwhile begins anew: the newest wins.
 *
 * A file that changes is left alone until it is quiet, and is a whole shared
 * object as far as its headers say.
 */
#ifndef MU_HOST_UPGRADE_H
#define MU_HOST_UPGRADE_H

#include "chan.h"

#define MU_UPGRADE_QUIET_MS 100u
/* After its new process was told how things stand, an instance has that long to
 * make the ephemeral nodes of the old one its own. */
#define MU_UPGRADE_CLAIM_MS 5000u
/* It ends then at the latest, also if no process of it gets so far. */
#define MU_UPGRADE_CLAIM_LAST_MS 60000u

struct mu_hosted;
struct mu_hosted_run;
struct mu_upgrade; /* of one instance */

/* MU_ENOMEM. */
int mu_upgrade_new(struct mu_hosted *h, struct mu_upgrade **out);
void mu_upgrade_free(struct mu_upgrade *u); /* NULL is allowed */

/* The plugin's file may have changed. */
void mu_upgrade_look(struct mu_upgrade *u);
/* Exchange the process, or start one if there is none; why: for the log. */
void mu_upgrade_begin(struct mu_upgrade *u, const char *why);
/* A process is about to be started in the ordinary way: with the file as it is
 * now. What was under way is not needed any more. */
void mu_upgrade_loads(struct mu_upgrade *u);
/* Let go of what is under way. Not from inside a callback of its pipe. */
void mu_upgrade_drop(struct mu_upgrade *u);

/* Why the last upgrade was refused, or the file that is there now would be; ""
 * if nothing was, or another process was started since. */
const char *mu_upgrade_refusal(const struct mu_upgrade *u);

/* A new process is there that may come to take the place. */
bool mu_upgrade_is_on(const struct mu_upgrade *u);
/* It is ready: the old one is to be given nothing more. */
bool mu_upgrade_is_due(const struct mu_upgrade *u);
/* The old process has ended, for `why` if it is not empty: the new one takes its
 * place. False: there is none. */
bool mu_upgrade_take(struct mu_upgrade *u, const char *why);
/* The instance was told how things stand. */
void mu_upgrade_told(struct mu_upgrade *u);
/* Deletions have come to an end: a call of the new process may wait for that. */
void mu_upgrade_call_again(struct mu_upgrade *u);

/* What the process that is to come says, and how it ends. Not 0: it made no
 * sense. */
int mu_upgrade_ready(struct mu_upgrade *u, struct mu_in *in);
int mu_upgrade_report(struct mu_upgrade *u, struct mu_in *in);
int mu_upgrade_wake(struct mu_upgrade *u, const struct mu_in *in);
void mu_upgrade_pipe_end(struct mu_upgrade *u, int rc);
void mu_upgrade_exit(struct mu_upgrade *u, int status, int signum);

#endif /* MU_HOST_UPGRADE_H */
