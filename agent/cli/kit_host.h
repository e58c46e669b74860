/*
 * kit_host.h - a plugin in a runner, with us for its agent: one callback at a
 * time, its time and memory measured, its calls answered from a tree of ours.
 */
#ifndef MU_CLI_KIT_HOST_H
#define MU_CLI_KIT_HOST_H

#include "kit_runner.h"
#include "kit_tree.h"

enum kit_outcome {
	KIT_HANDLED,
	KIT_REFUSED, /* it said no: rc and reason */
	KIT_LATE,    /* over the time limit; killed */
	KIT_ENDED,   /* its process is gone */
	KIT_TROUBLE, /* nonsense on the channel, or we are out of memory */
};

/* How a callback went. */
struct kit_step {
	enum kit_outcome outcome;
	int rc;                   /* of KIT_REFUSED */
	char why[MU_ERR_MSG_MAX]; /* a sentence; "" for KIT_HANDLED */
	int64_t us;               /* with the way there and back */
	int64_t grown; /* bytes of memory it now has more; may be negative */
	long files;    /* descriptors it now has more; not of init and fini */
};

struct kit_host_options {
	const char *runner;    /* its file */
	const char *instance;  /* its name */
	const char *plugin;    /* absolute path of the object */
	const char *settings;  /* file with its settings; NULL: none */
	unsigned rounds;       /* 0: an instance; else see runner/rounds.h */
	uint32_t timeout_ms;   /* of a callback */
	struct kit_tree *tree; /* borrowed */
	/* What it does the while: "log info", "get /a", "create /a", "report
	 * /a"; and what came of it. Borrowed texts. */
	void (*note)(void *arg, const char *what, const char *text);
	void *arg;
};

struct kit_host {
	struct kit_host_options o;
	struct kit_runner runner;
	uint64_t seq;
	char measured[160];       /* of --rounds */
	uint32_t wants;           /* of the plugin: enum mu_plugin_wants */
	bool has_tick, has_check; /* likewise */
};

/* Start a runner and have it call init. Not 0: nothing was started, *err says
 * why. Else *step tells how init went; kit_host_fini in any case then. */
int kit_host_init(struct kit_host *h, const struct kit_host_options *o,
                  struct kit_step *step, struct mu_err *err);
/* One event. seq is filled in. */
void kit_host_event(struct kit_host *h, const struct mu_chan_event *e,
                    struct kit_step *step);
/* One tick or check: MU_CHAN_TICK, MU_CHAN_CHECK. MU_EUNIMPLEMENTED in *step where
 * the plugin has none. */
void kit_host_turn(struct kit_host *h, int32_t type, struct kit_step *step);
/* Let it call fini and end. */
void kit_host_stop(struct kit_host *h, struct kit_step *step);
void kit_host_fini(struct kit_host *h);

#endif /* MU_CLI_KIT_HOST_H */
