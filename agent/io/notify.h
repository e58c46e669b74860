/* notify.h - tell the service manager how we are (sd_notify's protocol). */
#ifndef MU_IO_NOTIFY_H
#define MU_IO_NOTIFY_H

#include <stdint.h>

/* Send `state` ("READY=1") to the socket that NOTIFY_SOCKET names; nothing to
 * do where there is none. 0, or MU_EIO. Never waits. */
int mu_notify(const char *state);

/* How often the service manager wants a WATCHDOG=1 from this process at the least;
 * 0: it does not. */
uint32_t mu_notify_watchdog_ms(void);

#endif /* MU_IO_NOTIFY_H */
