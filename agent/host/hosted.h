/*
 * hosted.h - an instance, as its agent sees it: its subscriptions, the events
 * that wait for it, and the runner that it lives in. Lives on the loop's thread.
 *
 * A runner that dies, hangs, refuses its plugin or talks nonsense is killed,
 * logged and started again. One that does so too often is quarantined: it is not
 * started until somebody releases it, by deleting its alarm (see alarms.h), with
 * another configuration or plugin file, or with the next start of the agent. Its
 * events wait meanwhile.
 */
#ifndef MU_HOST_HOSTED_H
#define MU_HOST_HOSTED_H

#include "agent_conf.h"
#include "alarms.h"
#include "applied.h"
#include "ephemerals.h"
#include "keep.h"
#include "members.h"
#include "roster.h"

struct mu_hosted;

struct mu_hosted_options {
	struct mu_loop *loop;
	struct mu_uplink *uplink;
	struct mu_members *members;
	struct mu_applied *applied;
	struct mu_ephemerals *ephemerals;
	struct mu_alarms *alarms;
	struct mu_roster *roster;
	struct mu_keep *keep;
	const struct mu_agent_conf *agent;
	struct mu_instance_conf *conf; /* taken over, also on error */
	void (*on_stopped)(void *arg); /* after mu_hosted_stop; may be called
	                                  from inside it, must not free */
	void *arg;
};

/* MU_ENOMEM. */
int mu_hosted_new(const struct mu_hosted_options *o, struct mu_hosted **out);
/* Its runner is killed if there is one still. NULL is allowed. */
void mu_hosted_free(struct mu_hosted *h);

/* Let it end in peace, for as long as stop_grace_ms says, then kill it. removed: the
 * configuration has it no more, which its plugin may ask for. */
void mu_hosted_stop(struct mu_hosted *h, bool removed);
/* The tree is another: what was told, and what waits to be told, speaks of one
 * that is gone. Let its runner end in peace as above, and start it anew, with an
 * empty memory; what waits is dropped. What comes from now on is kept for it. */
void mu_hosted_renew(struct mu_hosted *h);
/* Its plugin's file may have changed: if so, its process is exchanged once the
 * file is quiet; see upgrade.h. */
void mu_hosted_look(struct mu_hosted *h);
/* Exchange it now, whether it has changed or not; why: for the log. */
void mu_hosted_reload(struct mu_hosted *h, const char *why);
bool mu_hosted_is_stopping(const struct mu_hosted *h); /* or stopped */
bool mu_hosted_is_quarantined(const struct mu_hosted *h);
bool mu_hosted_is_stopped(const struct mu_hosted *h);

const struct mu_instance_conf *mu_hosted_conf(const struct mu_hosted *h);

/* Deletions have come to an end: a call of it may have waited for that. */
void mu_hosted_call_again(struct mu_hosted *h);

/* Something for those that asked to hear of it; others pass it over. */
void mu_hosted_member(struct mu_hosted *h, const struct mu_roll_event *e);
void mu_hosted_link(struct mu_hosted *h, bool up);
/* As of struct mu_members_options. */
void mu_hosted_members_ready(struct mu_hosted *h, bool quiet);
void mu_hosted_members_position(struct mu_hosted *h, int64_t zxid, int32_t n);
void mu_hosted_members_gap(struct mu_hosted *h,
                           const struct mu_mirror_event *gap);

/* Does what it was told, in this life or one before, speak of another tree? */
bool mu_hosted_is_foreign(const struct mu_hosted *h, int64_t tree_id);

#endif /* MU_HOST_HOSTED_H */
