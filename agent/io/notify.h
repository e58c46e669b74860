/* notify.h - tell the service manager how we are (sd_notify's protocol). */
#ifndef MU_IO_NOTIFY_H
#define MU_IO_NOTIFY_H

/* Send `state` ("READY=1") to the socket that NOTIFY_SOCKET names; nothing to
 * do where there is none. 0, or MU_EIO. Never waits. */
int mu_notify(const char *state);

#endif /* MU_IO_NOTIFY_H */
