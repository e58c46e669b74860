/*
 * fake_agent.h - plays the agent's side of the channel for a real muster-runner:
 * starts it, gives it events, answers its calls from a table, and collects what
 * it says. Every wait has a deadline; one that passes fails the test.
 */
#ifndef MU_TEST_FAKE_AGENT_H
#define MU_TEST_FAKE_AGENT_H

#include "chan.h"

#include <sys/types.h>

/* What a wait gives besides 0 and MU_E* codes. */
#define FAKE_GONE 1000    /* the runner closed its end */
#define FAKE_TIMEOUT 1001 /* only where the caller names the deadline */

#define FAKE_WAIT_MS 20000u /* for what must come, on a busy machine */

/* How a CALL is answered. */
struct fake_answer {
	int32_t op; /* enum mu_chan_op; 0 ends the table */
	const char *path;
	int32_t rc;
	const char *text;         /* data of a GET; reason when rc is not 0 */
	const char *const *names; /* of CHILDREN, ends in NULL */
	bool late;                /* sent only before the next answer */
	bool stop_first;          /* STOP is sent before the answer */
	bool hang_up;             /* no answer: the channel is closed */
};

struct fake_options {
	const char *plugin_file;
	const char *instance, *member; /* NULL: "test", "host1" */
	const struct mu_setting *settings;
	size_t setting_count;
	uint32_t memory_max_mb, files_max, cpu_max_s, processes_max;
	const char *user, *group, *work_dir; /* NULL: "" */
	int32_t version;                     /* 0: MU_CHAN_VERSION */
	const struct fake_answer *answers;
	bool bound_by_modes; /* root without CAP_DAC_OVERRIDE */
};

#define FAKE_STR(k, v) \
	{ \
		.key = { (k), (uint32_t)strlen(k) }, .type = MU_SETTING_STR, \
		.text = { \
			(v), \
			(uint32_t)strlen(v) \
		} \
	}
#define FAKE_NUM(k, t, v) \
	{ \
		.key = { (k), (uint32_t)strlen(k) }, .type = (t), \
		.number = (v) \
	}

struct fake_change {
	unsigned count;
	int32_t version;
	uint32_t flags;
	bool null; /* data */
	char path[256], data[256];
};

struct fake_agent {
	pid_t pid; /* of the runner; 0: it has been waited for */
	int fd;    /* our end of the channel; -1: closed */
	int said;  /* what it wrote to its standard error: a file in memory */
	struct mu_buf in;
	const struct fake_answer *answers;
	uint64_t seq;     /* of the last event */
	uint64_t late_id; /* of a call whose answer is held back; 0: none */
	bool has_ready, has_ack, has_wake;
	unsigned wakes; /* that came so far */
	struct {
		int32_t version, rc;
		char reason[1024], plugin[64];
		uint32_t wants;
		bool has_tick, has_check;
	} ready;
	struct {
		uint64_t seq;
		int32_t rc;
		char reason[1024];
	} ack;
	struct {
		unsigned count;
		int64_t zxid;
		int32_t version, state;
		char path[256], digest[64], reason[1024];
	} report;              /* the last one */
	struct mu_buf reports; /* "path version\n" each; a NUL beyond the end */
	struct {
		unsigned count;
		int32_t version;
		char data[256];
	} set;                              /* the last CALL to set */
	struct fake_change create, removal; /* the last CALL of each */
	struct mu_buf logs; /* "<level> text\n" each; a NUL beyond the end */
};

/* The file of a shipped plugin, of a lying one. Static text. */
const char *fake_plugin(const char *name);
const char *fake_lie(const char *name);

/* Start a runner and send START. */
void fake_start(struct fake_agent *a, const struct fake_options *o);
/* The code of READY, or FAKE_GONE. */
int fake_ready(struct fake_agent *a);

/* Send an event; seq, count and attempt are filled in if 0. */
void fake_send(struct fake_agent *a, struct mu_chan_event e);
/* The code of its ACK, FAKE_GONE, or FAKE_TIMEOUT after timeout_ms. */
int fake_ack(struct fake_agent *a, uint32_t timeout_ms);
/* Both. */
int fake_event(struct fake_agent *a, struct mu_chan_event e);

/* TICK or CHECK (MU_CHAN_*), and its ACK's code. */
int fake_turn(struct fake_agent *a, int32_t type);
/* True once a WAKE has come that was not waited for yet. */
bool fake_wake_comes(struct fake_agent *a);

void fake_put_stop(struct fake_agent *a);
void fake_hang_up(struct fake_agent *a);
/* Read what comes until the runner closes its end. */
void fake_drain(struct fake_agent *a);

/* The runner's exit status as of waitpid. */
int fake_exit(struct fake_agent *a);
/* Kill its group, as an agent does past a deadline, and wait for it. */
void fake_kill(struct fake_agent *a);
/* STOP, exit status 0, and all that goes with it. */
void fake_stop(struct fake_agent *a);
/* STOP, as the instance is taken out of the configuration, and exit status 0. */
void fake_remove(struct fake_agent *a);
/* Let go, killing what is left. */
void fake_fini(struct fake_agent *a);

/* True if a line of its log, or its standard error, has `text`. */
bool fake_logged(const struct fake_agent *a, const char *text);
bool fake_said(const struct fake_agent *a, const char *text);

/* True once no process of the runner's group `group` is alive; waits for it. */
bool fake_group_is_gone(pid_t group);
/* True once the file is there; waits for it. */
bool fake_file_comes(const char *path);

/* All of a small file, as a text. "" if it is not there. Static text. */
const char *fake_read(const char *path);

#endif
