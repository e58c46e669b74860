/* host.h - what host.c offers the test that loads it. Nothing of muster/plugin.h:
 * the test has today's, and host.c its own. */
#ifndef MU_TEST_ABI_HOST_H
#define MU_TEST_ABI_HOST_H

#include <stddef.h>

#define ABI_REASON_MAX 512

struct abi_put {
	const void *plugin;          /* its mu_plugin */
	const char *const *settings; /* key, value, ..., NULL; NULL: none. All
	                                are texts; "list[0].key" makes a list */
	char *said;                  /* what the plugin logs, a line each */
	size_t room, len;            /* of it */
	char reason[ABI_REASON_MAX]; /* for a code other than 0 */
};

/* Do with the plugin what a runner of this revision does: judge it; init, two
 * events, a tick and a check if both know them, fini. 0, the code of the refusal,
 * or the last code that an event or the tick gave. */
typedef int abi_host_fn(struct abi_put *put);

#endif
