/* host.h - what host.c offers the test that loads it. Nothing of muster/plugin.h:
 * the test has today's, and host.c its own. */
#ifndef MU_TEST_ABI_HOST_H
#define MU_TEST_ABI_HOST_H

#include <stddef.h>

/* Do with the plugin at `raw` what a runner of this revision does: judge it; init,
 * two events, a tick and a check if both know them, fini. What the plugin logs
 * is written to `said`, a line each. 0, the code of the refusal, or the first
 * code that a callback gave. */
typedef int abi_host_fn(const void *raw, char *said, size_t room);

#endif
