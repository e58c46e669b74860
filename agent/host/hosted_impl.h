/* hosted_impl.h - the inside of a hosted instance; for hosted*.c. */
#ifndef MU_HOST_HOSTED_IMPL_H
#define MU_HOST_HOSTED_IMPL_H

#include "hosted.h"
#include "mailbox.h"
#include "pipe.h"
#include "printed.h"
#include "proc.h"
#include "quarantine.h"

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

/* What a file that was exchanged differs in. */
struct mu_file_mark {
	uint64_t dev, ino, size;
	int64_t mtime_s, mtime_ns;
};

#define MU_DOING_MAX 400u /* bytes of what an instance is doing, in words */

struct mu_hosted {
	struct mu_hosted_options o;
	struct mu_instance_conf *conf;
	enum hosted_state state;
	bool stop;    /* it is not to be started again */
	bool renew;   /* it is, at once: it ends because we want that */
	bool asked;   /* STOP was sent to this runner */
	bool cannot;  /* the plugin said or showed that it cannot run */
	bool refused; /* and will not soon: the object, its settings */
	struct mu_proc *proc;
	struct mu_pipe *pipe;
	struct mu_printed *printed;
	char *cgroup; /* that its processes are in; NULL: none of its own */
	char cgroup_name[96];
	uint32_t looked;         /* times, whether it is empty */
	uint64_t refused_before; /* of its processes, by the cgroup */
	struct mu_quarantine *quarantine;
	struct mu_file_mark plugin_mark; /* its file when quarantine began */
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
	struct mu_sub **sub;
	size_t subs;
	bool missed_members; /* some did not fit: tell them all again */
	/* The call under way; 0: none. */
	uint64_t call_id;
	int32_t call_op;
	bool call_ephemeral; /* it creates one */
	char *call_path;
	struct mu_buf call_waits; /* it, while it cannot be sent yet */
	struct mu_timer *call_timer;
	/* Ticks and checks: hosted_tick.c's. */
	struct mu_hosted_turn turn[MU_TURNS];
	struct mu_timer *turn_timer;
	bool turn_out;  /* one is with the runner: turn_kind, turn_seq */
	bool turn_last; /* one was given last, and not an event */
	int turn_kind;
	uint64_t turn_seq;
	uint32_t wants;  /* of the plugin: enum mu_plugin_wants */
	bool has_tick;   /* likewise */
	bool checked;    /* this runner has answered a check */
	int64_t session; /* that the instance was told of last; 0: of none */
};

/* A CALL of the runner. Not 0: it made no sense. */
int mu_hosted_call(struct mu_hosted *h, struct mu_in *in);
/* The runner is gone, or the time is over: its call ends. */
void mu_hosted_call_end(struct mu_hosted *h);
void mu_hosted_call_timeout(void *arg);
/* As part of mu_hosted_free. */
void mu_hosted_call_fini(struct mu_hosted *h);

/* A frame of the runner's. Not 0: it made no sense. */
int mu_hosted_frame(void *arg, struct mu_str record);

/* What hosted.c does for the others. */
void mu_hosted_on_ready(struct mu_hosted *h, const struct mu_chan_ready *m);
void mu_hosted_pipe_end(void *arg, int rc);

void mu_hosted_on_exit(void *arg, int status, int signum);

/* ---- its process: hosted_start.c ---- */

/* Start a process with all that it needs, and say START. An error: nothing is
 * there. MU_EGONE and the like, without a word in err, only from the channel: the
 * process is there, and its pipe is at its end. */
int mu_hosted_spawn(struct mu_hosted *h, struct mu_err *err);
int mu_hosted_say_start(struct mu_hosted *h);
/* It has ended, or is to: let go of all that went with it. */
void mu_hosted_unspawn(struct mu_hosted *h);
/* Take its cgroup away, if it has one. False: what was killed in it is not gone
 * yet; call again a little later. */
bool mu_hosted_end_cgroup(struct mu_hosted *h);
/* The cgroup has refused it processes: tell, and how often. */
void mu_hosted_tell_refused(struct mu_hosted *h);
/* The plugin's file as it is now; zero if it is not there. */
struct mu_file_mark mu_hosted_mark(const struct mu_hosted *h);

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
/* Tell of all members. */
void mu_hosted_members(struct mu_hosted *h);
mu_mirror_fn mu_hosted_change; /* arg: the instance */

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
