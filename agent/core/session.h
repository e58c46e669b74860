/*
 * session.h - who is attached, and until when. Rules 8, 10 to 13, 44 to 48.
 *
 * Pure. Deadlines run on a clock of the table's own, which stands still while
 * the broker was stalled (mu_sessions_stalled), so that a sick broker expires
 * nobody. Touching is O(1): a session's place in the deadline heap is mended
 * only when it comes up. A session costs at most 1 KiB besides its watches and
 * its nodes.
 */
#ifndef MU_CORE_SESSION_H
#define MU_CORE_SESSION_H

#include "path.h"

#define MU_PASSWORD_LEN 16u
#define MU_ORIGIN_MAX 64u /* bytes, with the final NUL */

struct mu_session {
	int64_t id;
	uint8_t password[MU_PASSWORD_LEN]; /* random; better than rule 11 */
	uint32_t timeout_ms;
	uint32_t made_timeout_ms; /* that it was made with */
	uint32_t link;            /* the one link it is attached to; 0: none */
	bool closing;    /* its end is logged; new requests get MU_EEXPIRED */
	uint64_t logged; /* index of its last logged command; 0: none */
	char origin[MU_ORIGIN_MAX]; /* who made it: peer address or key name */
};

struct mu_sessions;

struct mu_sessions *mu_sessions_new(const uint8_t key[16], uint32_t max);
void mu_sessions_free(struct mu_sessions *s);

/* Add one. The pointer is good until it is removed. Errors: MU_EFULL,
 * MU_EEXISTS, MU_ENOMEM; *out is written on success. */
int mu_sessions_add(struct mu_sessions *s, int64_t id,
                    const uint8_t password[MU_PASSWORD_LEN],
                    uint32_t timeout_ms, uint64_t now_ms,
                    struct mu_session **out);
struct mu_session *mu_sessions_find(const struct mu_sessions *s, int64_t id);
void mu_sessions_remove(struct mu_sessions *s, struct mu_session *session);
uint32_t mu_sessions_count(const struct mu_sessions *s);

/* It was heard of: its deadline is now_ms + timeout_ms. */
void mu_sessions_touch(struct mu_sessions *s, struct mu_session *session,
                       uint64_t now_ms);

/* The loop itself came `ms` late: no session loses that time. */
void mu_sessions_stalled(struct mu_sessions *s, uint64_t ms);

/* Take a session whose deadline has passed and that is not closing, marking it
 * closing; NULL when there is none (left). */
struct mu_session *mu_sessions_expire(struct mu_sessions *s, uint64_t now_ms);

/* The expiry could not be logged: bring the session back with a deadline of
 * now_ms, so that the next mu_sessions_expire finds it again. */
void mu_sessions_unexpire(struct mu_sessions *s, struct mu_session *session,
                          uint64_t now_ms);

/* Compare in constant time. */
bool mu_session_password_is(const struct mu_session *session,
                            const uint8_t *password, size_t len);

/* How long until it expires if it is not heard of; 0: now. */
uint64_t mu_session_left_ms(const struct mu_sessions *s,
                            const struct mu_session *session, uint64_t now_ms);

/* Visit all, in no promised order. `each` must not add or remove. */
void mu_sessions_each(const struct mu_sessions *s,
                      void (*each)(void *arg, struct mu_session *), void *arg);

#endif /* MU_CORE_SESSION_H */
