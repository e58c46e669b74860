/*
 * bed.h - what the rules are proved on: links that carry records, and a store
 * somewhere behind them. The tests of this folder are written against this header
 * alone and run on three beds: the store with nothing around it
 * (unit/store_bed.c), and a whole broker over each of its carriers
 * (io/carrier_bed.c).
 *
 * Links are numbers that the test chooses. Where a bed cannot see what it is asked
 * for, it says so below.
 */
#ifndef MU_TEST_BED_H
#define MU_TEST_BED_H

#include "command.h"
#include "err.h"
#include "store.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct bed {
	int32_t xid; /* of the last bed_ask */
	struct mu_buf q;
	uint8_t password[MU_PASSWORD_LEN]; /* of the last connect */
	int32_t timeout_ms; /* of sessions, where a test does not ask for one */
};
extern struct bed bed;

struct bed_reply {
	int32_t xid;
	int64_t zxid;
	int32_t err;
	struct mu_in body; /* good until bed_close */
};

struct bed_counts {
	int64_t zxid;
	uint32_t nodes, sessions, ephemerals;
	uint64_t watches;
};

/* ---- what each bed brings ---- */

/* Of the config a broker takes what its file has keys for. */
void bed_open_with(const struct mu_store_config *config);
void bed_close(void);

/* A new link, from bed_address(). */
void bed_link(uint32_t link);
const char *bed_address(void);
/* The client's end goes away, and the broker knows it. */
void bed_lost(uint32_t link);
/* One record. To a link that has ended it is lost. */
void bed_receive(uint32_t link, const void *bytes, size_t len);
/* One that is over the limit. */
void bed_oversize(uint32_t link, const void *bytes, size_t len);
/* Is that answered? Else it ends the link. */
bool bed_answers_oversize(void);
/* From now on what is sent goes in pieces of so many bytes, where the carrier has
 * such a thing. */
void bed_in_pieces(size_t piece);
/* Between the two nothing is answered; what was sent meanwhile comes to the
 * broker in one piece for each link. */
void bed_hold(void);
void bed_release(void);

/* The next record that came out, good until bed_close. */
struct mu_in bed_take(uint32_t link);
/* Nothing more has come out. */
void bed_quiet(uint32_t link);
/* Links end without a word on the wire: a carrier sees that one has ended, only
 * the store's bed sees why. */
bool bed_is_closed(uint32_t link, enum mu_close_reason reason);
bool bed_is_open(uint32_t link);

struct bed_counts bed_counts(void);
/* Let time pass until it is so; fails if that never comes. */
void bed_until(bool (*is)(void));
uint64_t bed_now_ms(void);
/* The hash of digests, as the bed's broker has it. */
void bed_sha1(const void *bytes, size_t len, uint8_t hash[20]);

/* ---- on top of that ---- */

struct mu_store_config bed_config(void);
void bed_open(void);
/* With sessions on links 1 and 2. */
void bed_open_two(void);

struct bed_reply bed_reply(uint32_t link);
void bed_want(uint32_t link, int32_t xid, int32_t err);
/* The next record is this event; its header's zxid comes back. */
int64_t bed_event(uint32_t link, enum mu_node_event type, const char *path);

/* The next record is a change event; strings are good until bed_close. */
struct mu_change_event bed_change(uint32_t link);

/* Bodies of requests, in bed.q: good until the next. */
const struct mu_buf *q_none(void);
const struct mu_buf *q_path(const char *path, bool watch);
struct mu_create_request bed_create_request(const char *path, const char *data,
                                            int32_t mode);
const struct mu_buf *q_create(const char *path, const char *data, int32_t mode);
const struct mu_buf *q_delete(const char *path, int32_t version);
const struct mu_buf *q_set(const char *path, const char *data, int32_t version);
const struct mu_buf *q_sync(const char *path);
const struct mu_buf *q_add_watch(const char *path, int32_t mode);
const struct mu_buf *q_subscribe(int32_t id, const char *path, int32_t mode,
                                 int64_t zxid, int32_t n);
const struct mu_buf *q_unsubscribe(int32_t id);
/* One operation of a multi, appended to bed.q; begin with q_none(). */
void q_sub(int32_t op, const char *path, const char *data, int32_t number);
void q_sub_read(int32_t op, const char *path, bool watch);
const struct mu_buf *q_end(void);
/* A list of paths, appended; NULL: none. */
#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })
void q_strings(const char *const *paths);
const struct mu_buf *q_set_watches(int64_t rel, const char *const *data,
                                   const char *const *exist,
                                   const char *const *child);

/* A whole record: header and body. The caller frees it with free(). */
size_t bed_record(int32_t xid, int32_t op, const struct mu_buf *body,
                  uint8_t **out);
void *bed_copy(const void *bytes, size_t len);
void bed_send(uint32_t link, int32_t xid, int32_t op,
              const struct mu_buf *body);
/* Send with the next xid, which is given back; the reply is yet to be taken. */
int32_t bed_ask(uint32_t link, int32_t op, const struct mu_buf *body);
/* Send, and the next record is the reply. */
struct bed_reply bed_do(uint32_t link, int32_t op, const struct mu_buf *body);
int bed_err(uint32_t link, int32_t op, const struct mu_buf *body);
/* These must work, and give the zxid back. */
int64_t bed_make(uint32_t link, const char *path, const char *data);
int64_t bed_set(uint32_t link, const char *path, const char *data);
int64_t bed_delete(uint32_t link, const char *path);
struct mu_stat bed_stat(uint32_t link, const char *path);

/* The answer comes next: nothing was missed. */
struct mu_subscribe_reply bed_subscribe(uint32_t link, int32_t id,
                                        const char *path, int32_t mode,
                                        int64_t zxid, int32_t n);
/* The answer to one that was asked, when its events were taken. */
struct mu_subscribe_reply bed_subscribed(uint32_t link);

struct mu_connect_request bed_hello(void);
void bed_shake(uint32_t link, const struct mu_connect_request *q);
struct mu_connect_response bed_welcome(uint32_t link);
/* The answer to a handshake is a refusal (rule 10). */
void bed_want_refused(uint32_t link);
/* A new session on a new link; its id. */
int64_t bed_connect(uint32_t link);
int64_t bed_connect_for(uint32_t link, int32_t timeout_ms);
/* Ask to resume a session with the password of the last connect. */
void bed_resume(uint32_t link, int64_t session);

/* An ACL of one entry, good until the next. */
struct mu_vec acl_of(int32_t perms, const char *scheme, const char *id);
const struct mu_buf *q_create_acl(const char *path, struct mu_vec acl);
const struct mu_buf *q_set_acl(const char *path, struct mu_vec acl,
                               int32_t version);
const struct mu_buf *q_auth(const char *scheme, const char *auth);
/* Say who one is; the reply's code. */
int bed_auth(uint32_t link, const char *scheme, const char *auth);
void bed_guard(uint32_t link, const char *path, struct mu_vec acl);

/* How many of its own a session is told of. */
int32_t bed_ephemerals(uint32_t link, const char *prefix);
int bed_create(uint32_t link, int32_t op, const char *path, int32_t mode,
               int64_t ttl_ms);
int bed_container(uint32_t link, const char *path);
int bed_mortal(uint32_t link, const char *path, int64_t ttl_ms);
/* As zkCli's setquota makes one for a path of one part. */
void bed_set_quota(const char *path, const char *limits);
void bed_want_used(const char *quota, const char *want);

/* ---- suites ---- */

#define BED_COUNT(tests) (sizeof(tests) / sizeof *(tests))
TCase *bed_case(const char *name, void (*setup)(void),
                const TTest *const *tests, size_t count);
TCase *semantics_acl(void);
TCase *semantics_ask(void);
TCase *semantics_mortal(void);
TCase *semantics_order(void);
TCase *semantics_resume(void);
TCase *semantics_resume_small(void);
TCase *semantics_resume_none(void);
TCase *semantics_session(void);
TCase *semantics_subscribe(void);
TCase *semantics_subscribe_limits(void);
TCase *semantics_time(void);
TCase *semantics_watch(void);
TCase *semantics_write(void);

int bed_run_suite(Suite *suite);
/* All of the above on this bed; what a main returns. */
int bed_run_semantics(const char *name);
/* One case and its own teardown. */
int bed_run(const char *name, const TTest *const *tests, size_t count,
            void (*setup)(void), void (*teardown)(void));

#endif /* MU_TEST_BED_H */
