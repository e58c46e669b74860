/*
 * control_impl.h - what the files of the control socket share.
 *
 *     control.c       listening, time, the owner's answers
 *     control_conn.c  one connection: its line, its bytes, its answer
 */
#ifndef MU_BROKER_CONTROL_IMPL_H
#define MU_BROKER_CONTROL_IMPL_H

#include "control.h"

#include "buf.h"

#define MU_CONTROL_CHUNK 65536u /* bytes moved at a time */

/* In this order, some left out; never back. */
enum mu_control_state {
	MU_CONTROL_LINE, /* its request comes */
	MU_CONTROL_BODY, /* the bytes of a restore come */
	MU_CONTROL_JOB,  /* the owner is at work */
	MU_CONTROL_SEND, /* the answer goes out; then it is closed */
};

struct mu_control_conn {
	struct mu_control *control;
	uint64_t job;
	int fd;
	struct mu_poll *poll;
	enum mu_control_state state;
	uint64_t since_ms; /* it last did something */
	struct mu_buf in;  /* until the line is whole, then what is behind it */
	struct mu_buf out;
	char progress[128];
	uint64_t begun_ms; /* the job */
	int file;          /* to be sent, or -1 */
	uint64_t file_at, file_len;
	int body; /* where a restore is written; the owner's */
	uint64_t body_left;
	bool restoring; /* restore_end is to be called */
};

struct mu_control {
	struct mu_loop *loop;
	char path[128];
	uint32_t line_ms, idle_ms, tick_ms;
	struct mu_control_owner owner;
	int fd;
	struct mu_poll *poll;
	struct mu_timer *tick;
	struct mu_control_conn *conn[MU_CONTROL_CONNECTIONS_MAX];
	uint64_t jobs; /* numbers given */
	uint64_t requests, refused;
	uint8_t chunk[MU_CONTROL_CHUNK]; /* bytes on their way */
};

/* Takes fd over, also on error. MU_ENOMEM, MU_EIO. */
int mu_control_conn_new(struct mu_control *c, int fd,
                        struct mu_control_conn **out);
void mu_control_conn_free(struct mu_control_conn *k);
/* Time passed; false: it is to be freed. */
bool mu_control_conn_tick(struct mu_control_conn *k, uint64_t now_ms);
void mu_control_conn_answer(struct mu_control_conn *k, int rc, const char *text,
                            size_t len);
void mu_control_conn_give(struct mu_control_conn *k, int fd);

/* control.c: it has ended; frees it. */
void mu_control_drop(struct mu_control *c, struct mu_control_conn *k);

#endif /* MU_BROKER_CONTROL_IMPL_H */
