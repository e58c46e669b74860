/*
 * supervision.h - what the supervisor of a worker is to do next: a table of
 * states. Pure: time and what has happened come in, one action goes out.
 *
 * A worker that ends is started again: at once, then after pauses that grow with
 * the number of ends within a window of time. It is given up after so many of
 * them, or when nothing changes by trying again. Whoever gives up, or is told to
 * end while no worker is there to do it, has somebody else tell the others.
 */
#ifndef MU_HOST_SUPERVISION_H
#define MU_HOST_SUPERVISION_H

#include <muster/types.h>

#define MU_RESTARTS_MAX 100u /* limit of failures_max */

enum mu_supervision_state {
	MU_SV_STARTING, /* a worker lives, and has not said that it is ready */
	MU_SV_RUNNING,  /* it has */
	MU_SV_STOPPING, /* it was told to end */
	MU_SV_KILLING,  /* it hung and was killed, and is not gone yet */
	MU_SV_WAITING,  /* none lives; the next one comes after a pause */
	MU_SV_PARTING,  /* none lives; the others are being told */
	MU_SV_OVER,
};

enum mu_supervision_event {
	MU_SV_READY,
	MU_SV_ENDED,    /* the worker, on purpose */
	MU_SV_REFUSED,  /* it cannot start, and no worker ever could */
	MU_SV_FAILED,   /* it ended otherwise; there may be a next one */
	MU_SV_HOPELESS, /* the same, and there may not */
	MU_SV_SILENT,   /* it gave no sign for too long */
	MU_SV_DUE,      /* the pause is over */
	MU_SV_END,      /* a signal: end and keep the session */
	MU_SV_LEAVE,    /* a signal: end and close it */
	MU_SV_RELOAD,   /* a signal: read the configuration again */
	MU_SV_PARTED,   /* the others were told, or could not be */
};

enum mu_supervision_action {
	MU_SV_NOTHING,
	MU_SV_START, /* a worker */
	MU_SV_WAIT,  /* pause_ms, then MU_SV_DUE */
	MU_SV_PASS,  /* the signal on to the worker */
	MU_SV_KILL,  /* the worker */
	MU_SV_PART,  /* tell the others as `asked` says */
	MU_SV_EXIT,  /* with `code` */
};

struct mu_supervision {
	enum mu_supervision_state state;
	/* MU_SV_END or MU_SV_LEAVE: we were told to; else MU_SV_HOPELESS: the
	 * others are to see a failure. */
	enum mu_supervision_event asked;
	bool was_ready; /* a worker, at some time */
	int code;       /* enum mu_agent_exit */
	uint32_t pause_ms;
	uint32_t failures_max;
	uint64_t window_ms;
	uint64_t failed_ms[MU_RESTARTS_MAX]; /* a ring */
	uint32_t failed;                     /* ever */
};

/* The first worker is being started. failures_max: 1 to MU_RESTARTS_MAX. */
void mu_supervision_init(struct mu_supervision *s, uint32_t failures_max,
                         uint64_t window_ms);

/* One move. An event that means nothing in this state changes nothing. */
enum mu_supervision_action mu_supervision_step(struct mu_supervision *s,
                                               enum mu_supervision_event event);

/* The worker has ended: exit code, or minus its signal. What that was is told in
 * the event, and is counted. */
enum mu_supervision_action mu_supervision_ended(struct mu_supervision *s,
                                                int status, uint64_t now_ms);

/* How often it failed within the window. */
uint32_t mu_supervision_failures(const struct mu_supervision *s,
                                 uint64_t now_ms);

#endif /* MU_HOST_SUPERVISION_H */
