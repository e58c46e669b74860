/*
 * identity.h - the agent's own small files. All begin with a line that names
 * their format and its version.
 *
 *     state_dir/identity     the random id of this host; outlives reboots
 *     runtime_dir/session    the session with the broker; outlives restarts
 *     runtime_dir/lock       held while an agent runs, with its pid
 *     runtime_dir/leave      how the last --leave went
 *     runtime_dir/ephemerals nodes that plugins made: see ephemerals_file.h
 */
#ifndef MU_HOST_IDENTITY_H
#define MU_HOST_IDENTITY_H

#include <muster/types.h>

#define MU_ID_LEN 32u    /* hex digits */
#define MU_NAME_MAX 255u /* bytes of a host's name */

/* Read the id of this host, or make one and keep it. MU_EDATA: the file is not
 * ours, and is left alone; MU_EIO; MU_ENOMEM. */
int mu_identity_load(const char *state_dir, char id[MU_ID_LEN + 1],
                     struct mu_err *err);

struct mu_saved_session {
	int64_t session;
	uint8_t password[16];
	int64_t last_zxid;
	int64_t tree_id;
	uint32_t brokers; /* mu_brokers_hash of the list it was made with */
	char name[MU_NAME_MAX + 1]; /* under which this host was registered */
};

uint32_t mu_brokers_hash(const char *urls);

/* MU_ENONODE: none was kept. MU_EDATA: not a file of this version. */
int mu_session_load(const char *runtime_dir, struct mu_saved_session *out,
                    struct mu_err *err);
int mu_session_save(const char *runtime_dir, const struct mu_saved_session *s,
                    struct mu_err *err);
/* The session is no more. */
void mu_session_forget(const char *runtime_dir);

/* How leaving went, for the --leave that asked: why NULL: well. MU_EIO. */
int mu_leave_say(const char *runtime_dir, const char *why, struct mu_err *err);
/* 0: it went well. MU_EGONE: it did not, and the sentence says why. MU_ENONODE:
 * the agent has said nothing since mu_leave_forget. MU_EDATA. */
int mu_leave_read(const char *runtime_dir, struct mu_err *err);
void mu_leave_forget(const char *runtime_dir);

/* Make the directory and be the one agent on it: *fd holds the lock as long as
 * it is open. MU_EFULL: another agent runs; one that is about to end is waited
 * for, a second at most. */
int mu_runtime_lock(const char *runtime_dir, int *fd, struct mu_err *err);

/* The pid of the agent that holds the lock. MU_ENONODE: nobody does. */
int mu_runtime_holder(const char *runtime_dir, int *pid, struct mu_err *err);

#endif /* MU_HOST_IDENTITY_H */
