/* hosted_impl.h - the inside of a hosted instance; for hosted*.c. */
#ifndef MU_HOST_HOSTED_IMPL_H
#define MU_HOST_HOSTED_IMPL_H

#include "hosted.h"
#include "keep.h"
#include "mailbox.h"
#include "pipe.h"
#include "printed.h"
#include "proc.h"
#include "quarantine.h"
#include "record.h"
#include "upgrade.h"

enum hosted_state {
	HOSTED_WAITING,     /* timer: start the runner */
	HOSTED_STARTING,    /* timer: init takes too long */
	HOSTED_READY,       /* timer: the event takes too long, or is due now */
	HOSTED_ENDING,      /* no use any more; timer: kill it */
	HOSTED_QUARANTINED, /* timer: has its plugin's file changed? */
	HOSTED_LEAVING,     /* timer: has its cgroup become empty? */
	HOSTED_STOPPED,
};

/* What a runner can be given besides events; see hosted_tick.c. */
enum mu_hosted_turn_kind { MU_TURN_TICK, MU_TURN_CHECK, MU_TURNS };

struct mu_hosted_turn {
	uint64_t every_ms;          /* 0: only when asked for */
	uint64_t due_ms;            /* UINT64_MAX: it is not */
	char wrong[MU_ERR_MSG_MAX]; /* what it said last; "": all is well */
};

/* What an instance is told of: source i is its watch i, the one behind them the
 * members, if it asked for them. See hosted_source.c. */
struct mu_hosted_source {
	struct mu_hosted *h;
	int32_t index;
	struct mu_sub *sub; /* NULL: the members */
	/* It goes on from where an agent before this one, or an instance
	 * before this one, got to: */
	bool resumes;
	struct mu_keep_place had; /* up to there all was handled */
	int64_t since; /* what came later, no agent before this one told */
	bool stale;    /* the instance was given what the cache has of it */
	bool waived;   /* it is not waited for any more */
	bool ready;    /* all that is there was read */
};

/* A call of a plugin under way. */
struct mu_hosted_call {
	uint64_t id;         /* 0: none is */
	uint64_t last;       /* of all; each is greater than those before */
	uint32_t unanswered; /* by the broker, those included that were given
	                        up */
	int32_t op;
	bool ephemeral; /* it creates one */
	bool inherits;  /* that a process before may have made */
	bool unsent;    /* it waits until it can be sent */
	char *path;
	struct mu_buf waits; /* it, while it may have to be sent again */
	struct mu_timer *timer;
};

/* A process of an instance: the one it has, or the one that is to come after
 * it; see upgrade.h. */
struct mu_hosted_run {
	struct mu_hosted *h;
	struct mu_proc *proc;
	struct mu_pipe *pipe;
	struct mu_printed *printed;
	unsigned slot;           /* which of its two cgroups */
	uint64_t refused_before; /* of its processes, by that */
	struct mu_hosted_call call;
};

#define MU_DOING_MAX 400u /* bytes of what an instance is doing, in words */

struct mu_hosted {
	struct mu_hosted_options o;
	struct mu_instance_conf *conf;
	enum hosted_state state;
	bool stop;    /* it is not to be started again */
	bool removed; /* for the configuration has it no more */
	bool renew;   /* it is, at once: it ends because we want that */
	bool asked;   /* STOP was sent to this runner */
	bool cannot;  /* the plugin said or showed that it cannot run */
	bool refused; /* and will not soon: the object, its settings */
	struct mu_hosted_run *run; /* NULL: none now */
	struct mu_upgrade *upgrade;
	char *cgroup;    /* its processes are in one below it; NULL: in none of
	                 their own */
	uint32_t looked; /* times, whether they are empty */
	struct mu_quarantine *quarantine;
	struct mu_timer *timer;
	char why[MU_ERR_MSG_MAX]; /* we killed it, or it said; "" if not */
	uint32_t failures;        /* in a row */
	uint64_t ready_ms;
	uint64_t given_ms;          /* when the event that is out went out */
	char at_stop[MU_DOING_MAX]; /* what it was at when STOP was sent, and
	                               has not answered; "": nothing */
	bool gone;    /* it has ended; its last words are being read */
	bool handled; /* some event was, so that not all still wait */
	struct mu_mailbox *mail;
	struct mu_mailbox
		*prologue; /* given before mail; see plugin.h, Again */
	struct mu_hosted_source *source;
	size_t sources;
	struct mu_kept *kept;
	struct mu_timer *await_timer; /* for the broker, at the start */
	bool awaited; /* it has rung without a broker; or with one: */
	bool reading;
	bool resuming; /* no prologue was put together yet since the start */
	bool prologue_due;   /* the runner is to be given it, and it waits for a
	                      source; so does what is in the mail */
	bool missed_members; /* some did not fit: tell them all again */
	/* Ticks and checks: hosted_tick.c's. */
	struct mu_hosted_turn turn[MU_TURNS];
	struct mu_timer *turn_timer;
	bool turn_out;  /* one is with the runner: turn_kind, turn_seq */
	bool turn_last; /* one was given last, and not an event */
	int turn_kind;
	uint64_t turn_seq;
	uint32_t wants;  /* of the plugin: enum mu_plugin_wants */
	bool has_tick;   /* likewise */
	int64_t session; /* that the instance was told of last; 0: of none */
};

/* A CALL of the runner. Not 0: it made no sense. */
int mu_hosted_call(struct mu_hosted_run *r, struct mu_in *in);
/* The runner is gone, or the time is over: its call ends. */
void mu_hosted_call_end(struct mu_hosted_run *r);
void mu_hosted_call_timeout(void *arg);
/* It may have waited for that. */
void mu_hosted_run_call_again(struct mu_hosted_run *r);

/* A frame of the runner's, arg. Not 0: it made no sense. */
int mu_hosted_frame(void *arg, struct mu_str record);
/* A REPORT of it. */
int mu_hosted_report(struct mu_hosted *h, struct mu_in *in);

/* What hosted.c does for the others; arg: the run. */
void mu_hosted_on_ready(struct mu_hosted *h, const struct mu_chan_ready *m);
/* Why a plugin that said so cannot run; 0: it can. */
int mu_hosted_judge(const struct mu_chan_ready *m, char *why, size_t room);
void mu_hosted_pipe_end(void *arg, int rc);
/* Why the channel is at its end, rc not 0. */
void mu_hosted_wrong(char *out, size_t room, int rc);
void mu_hosted_on_exit(void *arg, int status, int signum);
/* "it was ended by signal 9 (Killed)" */
void mu_hosted_how(char *out, size_t room, int status, int signum);
/* For the host's record. */
void mu_hosted_tell(struct mu_hosted *h, const char *state, const char *reason);
/* The same for one that is ready: that it is, and why it is not the newest. */
void mu_hosted_tell_ready(struct mu_hosted *h);
/* Likewise, or what its check has said last. */
void mu_hosted_tell_health(struct mu_hosted *h);
/* h->run is another, and has so long to get ready. */
void mu_hosted_starts(struct mu_hosted *h, uint64_t limit_ms);
/* Start it at once, for there is another plugin; because: for the log. */
void mu_hosted_start_now(struct mu_hosted *h, const char *because);
/* STOP, and the time to follow it. */
void mu_hosted_ask_to_stop(struct mu_hosted *h);

/* ---- its process: hosted_start.c ---- */

/* Start a process with all that it needs, beside h->run if there is one. An error:
 * nothing is there. */
int mu_hosted_spawn(struct mu_hosted *h, struct mu_hosted_run **out,
                    struct mu_err *err);
/* Say START; as mu_pipe_send. */
int mu_hosted_say_start(struct mu_hosted_run *r);
/* It has ended, or is to: let go of all that went with it. NULL is allowed. */
void mu_hosted_unspawn(struct mu_hosted_run *r);
/* None runs: take the cgroups away. False: what was killed in them is not gone
 * yet; call again a little later. */
bool mu_hosted_end_cgroup(struct mu_hosted *h);
/* The cgroup has refused it processes: tell, and how often. */
void mu_hosted_tell_refused(struct mu_hosted_run *r);

/* ---- events: hosted_mail.c ---- */

/* An event, a tick or a check is with the runner. */
bool mu_hosted_is_busy(const struct mu_hosted *h);
/* Give the next event, if there is one and the runner can take it; else see to
 * it that this is called again. */
void mu_hosted_next(struct mu_hosted *h);
/* The runner has answered. MU_EPROTO: nothing like that was out. */
int mu_hosted_ack(struct mu_hosted *h, const struct mu_chan_ack *m);
/* What the runner is doing: "in init", "while it handled changed /config, zxid
 * 0x5". */
void mu_hosted_doing(const struct mu_hosted *h, char *out, size_t room);
/* The tree is another: forget what waits. */
void mu_hosted_drop(struct mu_hosted *h);
/* The runner has ended. */
void mu_hosted_lost(struct mu_hosted *h);
/* A runner is ready: what it must know before the events that wait. */
void mu_hosted_prologue(struct mu_hosted *h);
/* Put it together, if it is due and all sources can say what is there; then give
 * what can be given. */
void mu_hosted_begin(struct mu_hosted *h);
/* Put an event behind what waits. Errors as of mu_mailbox_put. */
int mu_hosted_put(struct mu_hosted *h, const struct mu_chan_event *e);
/* Tell of all members. */
void mu_hosted_members(struct mu_hosted *h);
/* An event of a member. path: room for the event's. */
#define MU_MEMBER_PATH_MAX (sizeof "/members/" + 4096)
struct mu_chan_event mu_hosted_member_event(uint32_t type,
                                            const struct mu_member *m,
                                            char path[MU_MEMBER_PATH_MAX]);
mu_mirror_fn mu_hosted_change; /* arg: the source */

/* ---- sources: hosted_source.c ---- */

/* Begin to listen, where the agent or instance before got to. MU_ENOMEM. */
int mu_hosted_subscribe(struct mu_hosted *h);
void mu_hosted_unsubscribe(struct mu_hosted *h); /* as part of _free */
/* Of the members; NULL: it did not ask for them. */
struct mu_hosted_source *mu_hosted_members_source(struct mu_hosted *h);
/* An exact event of the source: was it handled before there was this process?
 * Then it is not to be told. Else *e gains AGAIN if somebody may have been
 * given it. */
bool mu_hosted_had(const struct mu_hosted_source *s, int64_t zxid, int32_t n,
                   bool past, struct mu_chan_event *e);
/* Changes of a source may be missing. */
void mu_hosted_source_gap(struct mu_hosted_source *s);
/* An event of it was put; if it moves the cursor, up to that place. */
void mu_hosted_source_put(struct mu_hosted_source *s, bool moves, int64_t zxid,
                          int32_t n);
/* Can a new process be told what is there? */
bool mu_hosted_can_begin(const struct mu_hosted *h);
/* Is the cache to speak for this source? */
bool mu_hosted_is_stale(const struct mu_hosted_source *s);
/* The link came, or went: there is so much time for the sources; then the cache
 * may have to speak. */
void mu_hosted_await(struct mu_hosted *h);
/* The tree is another: all sources begin anew. */
void mu_hosted_restart_sources(struct mu_hosted *h);

/* ---- the last known state: hosted_cache.c ---- */

/* Nothing waits: write the cache if it is due, or, at the end, if it has
 * changed. */
void mu_hosted_keep(struct mu_hosted *h, bool at_end);
/* The broker could not go on from where the source was: tell what is gone. */
void mu_hosted_tell_gone(struct mu_hosted_source *s);
/* It goes on from there: give the roll the members that the cache has of then. */
void mu_hosted_members_were(struct mu_hosted_source *s,
                            const struct mu_sub_position *from);
/* A member of the cache; wipe it in any case. MU_ENOMEM. */
struct mu_hosted_cached {
	char *name;
	struct mu_record record;
};
int mu_hosted_cached_member(const struct mu_cache_node *node,
                            struct mu_hosted_cached *out);
void mu_hosted_cached_wipe(struct mu_hosted_cached *c);

/* ---- ticks and checks: hosted_tick.c ---- */

/* A runner is ready, and this is what it has; it has ended. */
void mu_hosted_turns_begin(struct mu_hosted *h, const struct mu_chan_ready *m);
void mu_hosted_turns_end(struct mu_hosted *h);
void mu_hosted_turn_timer(void *arg);
/* The runner said WAKE. MU_EPROTO: it has no tick. */
int mu_hosted_wake(struct mu_hosted *h);
/* Give one if it is due and its turn: true, the runner has something to do now
 * (or was ended). */
bool mu_hosted_turn_give(struct mu_hosted *h, bool event_waits);
/* "tick" or "check", if that is with the runner; NULL. */
const char *mu_hosted_turn_doing(const struct mu_hosted *h);
bool mu_hosted_turn_is_out(const struct mu_hosted *h);
/* Its answer, while one is out. MU_EPROTO: to something else. */
int mu_hosted_turn_ack(struct mu_hosted *h, const struct mu_chan_ack *m);

#endif /* MU_HOST_HOSTED_IMPL_H */
