/*
 * server_impl.h - what the files of the server share; nobody else includes it.
 *
 *   server.c         the loop's turn, and the effects of the store
 *   server_open.c    start, stop, and a changed configuration
 *   server_stats.c   numbers for the log
 *   server_control.c what the control socket asks for
 *   server_status.c  numbers for it
 */
#ifndef MU_BROKER_SERVER_IMPL_H
#define MU_BROKER_SERVER_IMPL_H

#include "server.h"

#include "buf.h"
#include "control.h"
#include "data.h"
#include "line_rate.h"
#include "quota_log.h"
#include "snapshots.h"
#include "words.h"

/* One who waits for a snapshot. */
struct mu_server_job {
	uint64_t job;
	uint64_t snapshot; /* its number; 0: nobody waits */
	bool backup;       /* and wants its bytes */
};

#define MU_SERVER_CALM_MS 5000u  /* without trouble: it has ended */
#define MU_SERVER_AGAIN_MS 1000u /* for the answer to a restore */

struct mu_server {
	const struct mu_broker_options *options;
	struct mu_loop *loop;
	struct mu_data data;
	struct mu_journal *journal;     /* of data */
	struct mu_store *store;         /* of data */
	struct mu_snapshots *snapshots; /* NULL: nothing is kept */
	struct mu_native *native;
	struct mu_tcp *tcp;
	struct mu_words words;
	struct mu_poll *readable;
	struct mu_poll *synced; /* where the journal has a descriptor */
	struct mu_after *turn;
	struct mu_timer *tick, *retry;
	struct mu_buf addresses; /* text */
	size_t listening;        /* on so many of options->listen */
	struct mu_store_config config;
	struct mu_quota_log quota_log;
	struct mu_control *control; /* NULL: off */
	struct mu_server_job jobs[MU_CONTROL_CONNECTIONS_MAX];
	struct mu_forked *verify; /* at work; NULL: not */
	uint64_t verify_job;
	int verify_fd;  /* its report */
	int restore_fd; /* where bytes come to; -1: none do */
	bool again;     /* restored: begin anew, serve nobody till then */
	uint64_t again_at_ms;
	int64_t wall_ms;          /* never decreases */
	uint64_t logged, durable; /* indices of commands */
	int refused; /* why the journal did not take a command; 0: it did */
	uint64_t trouble_ms; /* when it was met last */
	int trouble;         /* the disk's, as it was last logged; 0: none */
	struct mu_line_rate cut_lines; /* about links that were closed */
	bool failed;
};

/* The clocks, as of this turn. */
struct mu_when mu_server_when(struct mu_server *s);

/* What the carriers call. */
struct mu_native_owner mu_server_native_owner(struct mu_server *s);
struct mu_tcp_owner mu_server_tcp_owner(struct mu_server *s);
bool mu_server_is_busy(void *arg, uint32_t link); /* a mu_busy_fn */

/* What the loop calls. */
void mu_server_on_turn(void *arg);
void mu_server_on_readable(void *arg, int events);
void mu_server_on_synced(void *arg, int events);
void mu_server_on_tick(void *arg);
void mu_server_on_retry(void *arg);

/* server_control.c: open where it is configured; time passed. */
int mu_server_control_open(struct mu_server *s, struct mu_err *err);
void mu_server_control_close(struct mu_server *s);
void mu_server_control_tick(struct mu_server *s);
void mu_server_on_snapshot(void *arg, const struct mu_snapshots_end *end);

/* As JSON, freed with free; NULL: memory is out. */
char *mu_server_status(const struct mu_server *s);

#endif /* MU_BROKER_SERVER_IMPL_H */
