/*
 * account.h - users and groups by name or number, as the system knows them. May
 * ask the network (NSS), so not from a loop that others wait for.
 */
#ifndef MU_IO_ACCOUNT_H
#define MU_IO_ACCOUNT_H

#include <muster/types.h>

struct mu_account {
	uint32_t uid, gid; /* our own where none was named */
	char name[256];    /* of the user; "" if none was named, or a number
	                      that has no name */
	char home[1024];   /* likewise */
};

/* user and group: "" for none. A group without a user goes with our own user; a
 * user without a group has the system's for it. MU_ECONFIG with a sentence: there
 * is no such user or group. */
int mu_account_find(const char *user, const char *group, struct mu_account *out,
                    struct mu_err *err);

#endif /* MU_IO_ACCOUNT_H */
