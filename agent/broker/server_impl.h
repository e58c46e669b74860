/*
 * server_impl.h - what the files of the server share; nobody else includes it.
 *
 *   server.c        the loop's turn, and the effects of the store
 *   server_open.c   start, stop, and a changed configuration
 *   server_stats.c  numbers for the log
 */
#ifndef MU_BROKER_SERVER_IMPL_H
#define MU_BROKER_SERVER_IMPL_H

#include "server.h"

#include "buf.h"
#include "journal.h"
#include "quota_log.h"
#include "words.h"

struct mu_server {
	const struct mu_broker_options *options;
	struct mu_loop *loop;
	struct mu_journal *journal;
	struct mu_store *store;
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
	int64_t wall_ms;          /* never decreases */
	uint64_t logged, durable; /* indices of commands */
	bool refused;             /* the journal did not take a command */
	bool failed;
};

/* The clocks, as of this turn. */
struct mu_when mu_server_when(struct mu_server *s);

/* What the carriers call. */
struct mu_native_owner mu_server_native_owner(struct mu_server *s);
struct mu_tcp_owner mu_server_tcp_owner(struct mu_server *s);

/* What the loop calls. */
void mu_server_on_turn(void *arg);
void mu_server_on_readable(void *arg, int events);
void mu_server_on_tick(void *arg);
void mu_server_on_retry(void *arg);

#endif /* MU_BROKER_SERVER_IMPL_H */
