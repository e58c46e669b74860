/* loop_uv.h - what loop.c and proc.c share, and nobody else sees: libuv. */
#ifndef MU_IO_LOOP_UV_H
#define MU_IO_LOOP_UV_H

#include "loop.h"

#include <uv.h>

struct mu_loop {
	uv_loop_t uv;
	bool running;   /* inside mu_loop_run */
	bool in_timers; /* inside the callback of a timer */
};

/* A status of libuv as one of ours. */
int mu_uv_status(int uv_rc);

/* Close a handle that is the first member of memory from mu_alloc, which is
 * freed when libuv has let go of it. */
void mu_uv_close(uv_handle_t *h);

#endif /* MU_IO_LOOP_UV_H */
