#include "proc.h"

#include "bug.h"
#include "err.h"
#include "loop_uv.h"
#include "mem.h"

#include <linux/close_range.h>
#include <signal.h>
#include <unistd.h>

struct mu_proc {
	uv_process_t uv; /* first: see mu_uv_close */
	void (*on_exit)(void *arg, int status, int signum); /* NULL: let go */
	void *arg;
	bool exited;
};

/* The child leads its group, which therefore has its number. */
static void kill_group(const struct mu_proc *p, int signum)
{
	kill(-uv_process_get_pid(&p->uv), signum);
}

static void on_exited(uv_process_t *uv, int64_t status, int signum)
{
	struct mu_proc *p = (struct mu_proc *)uv;

	kill_group(p, SIGKILL);
	p->exited = true;
	if (p->on_exit)
		p->on_exit(p->arg, (int)status, signum); /* may free p */
	else
		mu_uv_close((uv_handle_t *)uv);
}

int mu_proc_start(struct mu_loop *l, const struct mu_proc_options *o,
                  struct mu_proc **out, struct mu_err *err)
{
	int output = o->output_fd > 0 ? o->output_fd : STDERR_FILENO;
	uv_stdio_container_t fds[4] = {
		{ .flags = UV_IGNORE }, /* /dev/null */
		{ .flags = UV_INHERIT_FD, .data.fd = output },
		{ .flags = UV_INHERIT_FD, .data.fd = output },
		{ .flags = UV_INHERIT_FD, .data.fd = o->channel_fd },
	};
	/* libuv takes arrays that it does not write to. */
	uv_process_options_t uv = {
		.exit_cb = on_exited,
		.file = o->argv[0],
		.args = (char **)(uintptr_t)o->argv,
		.env = (char **)(uintptr_t)o->env,
		.flags = UV_PROCESS_DETACHED, /* setsid, before exec */
		.stdio_count = o->channel_fd < 0 ? 3 : 4,
		.stdio = fds,
	};
	struct mu_proc *p = mu_alloc(sizeof *p);
	int rc;

	if (!p)
		return mu_err(err, MU_ENOMEM, "no memory left to start %s",
		              o->argv[0]);
	/* What a parent or a library of ours left open without the flag. An old
	 * kernel says no, and then it rests with each open(). */
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	p->on_exit = o->on_exit;
	p->arg = o->arg;
	rc = uv_spawn(&l->uv, &p->uv, &uv);
	if (rc) {
		mu_uv_close((uv_handle_t *)&p->uv);
		return mu_err(err, mu_uv_status(rc), "cannot start %s: %s",
		              o->argv[0], uv_strerror(rc));
	}
	*out = p;
	return 0;
}

int mu_proc_pid(const struct mu_proc *p)
{
	return uv_process_get_pid(&p->uv);
}

void mu_proc_kill(struct mu_proc *p, int signum)
{
	if (!p->exited)
		kill_group(p, signum);
}

/* Before its exit: the handle lives on until the child is reaped, without
 * keeping the loop running; mu_loop_free knows it by that. */
void mu_proc_free(struct mu_proc *p)
{
	if (!p)
		return;
	if (p->exited) {
		mu_uv_close((uv_handle_t *)&p->uv);
		return;
	}
	p->on_exit = NULL;
	uv_unref((uv_handle_t *)&p->uv);
	kill_group(p, SIGKILL);
}
