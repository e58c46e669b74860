/*
 * hostcalls.h - struct mu_host, as the runner offers it to its plugin.
 *
 * The calls that need the agent go over the channel and wait for its answer.
 * They work only inside a callback and on the runner's thread: elsewhere they
 * are refused with MU_EINVAL, for the channel carries one conversation. Settings
 * may be asked for from anywhere; inside a callback it is noted that they were.
 * wake is one write to a descriptor, good on any thread and in a signal handler.
 */
#ifndef MU_RUNNER_HOSTCALLS_H
#define MU_RUNNER_HOSTCALLS_H

#include "channel.h"
#include "settings.h"

#include <stdatomic.h>
#include <sys/types.h>

struct mu_hostcalls {
	struct mu_host host; /* what the plugin gets; its agent is this */
	struct mu_channel *channel;
	struct mu_settings *settings;
	pid_t thread;       /* the only one that may call */
	bool inside;        /* of a callback */
	bool stopped;       /* STOP has come; honoured when the callback ends */
	bool removed;       /* it said so */
	atomic_bool warned; /* of a call from elsewhere; once */
	uint64_t last_id;
	struct mu_buf answer; /* of the last get or children */
	const char **names;   /* into it */
	atomic_int wake_fd;   /* readable: wake was called; -1: there is no
	                         tick to wake for. Any thread writes to it */
};

/* Both texts, the channel and the settings are borrowed for as long as *h is
 * used. */
void mu_hostcalls_init(struct mu_hostcalls *h, struct mu_channel *channel,
                       struct mu_settings *settings, const char *instance,
                       const char *member);

/* From now on wake is heard of. MU_EIO. */
int mu_hostcalls_hear_wake(struct mu_hostcalls *h, struct mu_err *err);
/* Was wake called since this was asked last? */
bool mu_hostcalls_take_wake(struct mu_hostcalls *h);

/* STOP has come; `in` behind its type. MU_EPROTO. */
int mu_hostcalls_stop(struct mu_hostcalls *h, struct mu_in *in);

/* Around each callback. Leaving gives back what get and children lent. */
void mu_hostcalls_enter(struct mu_hostcalls *h);
void mu_hostcalls_leave(struct mu_hostcalls *h);

#endif /* MU_RUNNER_HOSTCALLS_H */
