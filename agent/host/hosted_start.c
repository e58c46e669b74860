/* The process of an instance: what it is given before any of its code runs, and
 * what is taken away again when it has ended. See hosted.h. */
#include "hosted_impl.h"

#include "cgroup.h"
#include "crc.h"
#include "environment.h"
#include "err.h"
#include "files.h"
#include "log.h"
#include "mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct mu_file_mark mu_hosted_mark(const struct mu_hosted *h)
{
	struct mu_file_mark m;
	char file[MU_PLUGIN_FILE_MAX];
	struct stat st;

	memset(&m, 0, sizeof m); /* to be compared as bytes */
	mu_instance_conf_file(h->conf, h->o.agent, file);
	if (stat(file, &st))
		return m;
	m.dev = st.st_dev;
	m.ino = st.st_ino;
	m.size = (uint64_t)st.st_size;
	m.mtime_s = st.st_mtim.tv_sec;
	m.mtime_ns = st.st_mtim.tv_nsec;
	return m;
}

/* ---- its directory ---- */

/* One that somebody else made is his: only ours is given away. */
static int make_work_dir(const struct mu_hosted *h, struct mu_err *err)
{
	const struct mu_instance_conf *c = h->conf;
	char dir[MU_PLUGIN_FILE_MAX];
	struct stat st;
	bool own = !c->work_dir[0];
	int rc;

	mu_instance_conf_work_dir(c, h->o.agent, dir);
	if (stat(dir, &st)) {
		rc = mu_dir_make(dir, own ? 0700 : 0755, err);
		if (rc)
			return rc;
		own = true;
	}
	if (own && chown(dir, c->account.uid, c->account.gid))
		return mu_err(
			err, MU_EIO,
			"cannot give the directory %.300s to its user: %s", dir,
			strerror(errno));
	return 0;
}

/* ---- its cgroup ---- */

/* The name is of this agent's and this instance's alone, at each start the same,
 * so that none is left over. */
static int find_cgroup(struct mu_hosted *h, struct mu_err *err)
{
	const char *state = h->o.agent->state_dir;
	char base[MU_PLUGIN_FILE_MAX];

	if (mu_cgroup_find(base, sizeof base, err))
		return 0; /* then it is by its user; the configuration saw to
		             it that there is one */
	h->cgroup = mu_alloc(strlen(base) + 1);
	if (!h->cgroup)
		return mu_err(err, MU_ENOMEM, "out of memory");
	memcpy(h->cgroup, base, strlen(base));
	mu_format(h->cgroup_name, sizeof h->cgroup_name, "muster-%08x-%s",
	          mu_crc32c(0, state, strlen(state)), h->conf->name);
	return 0;
}

static int make_cgroup(struct mu_hosted *h, struct mu_err *err)
{
	int rc;

	if (h->conf->processes_max == 0)
		return 0;
	rc = h->cgroup ? 0 : find_cgroup(h, err);
	if (rc || !h->cgroup)
		return rc;
	rc = mu_cgroup_make(h->cgroup, h->cgroup_name,
	                    (uint32_t)h->conf->processes_max, err);
	h->refused_before = mu_cgroup_refused(h->cgroup, h->cgroup_name);
	return rc;
}

bool mu_hosted_end_cgroup(struct mu_hosted *h)
{
	return !h->cgroup || mu_cgroup_end(h->cgroup, h->cgroup_name);
}

void mu_hosted_tell_refused(struct mu_hosted *h)
{
	uint64_t now;

	if (!h->cgroup)
		return;
	now = mu_cgroup_refused(h->cgroup, h->cgroup_name);
	if (now > h->refused_before)
		mu_log(MU_WARN,
		       MSG("the instance wanted more processes than "
		           "processes_max"),
		       KS("instance", h->conf->name),
		       KI("processes_max", h->conf->processes_max),
		       KI("refused", now - h->refused_before));
}

/* ---- the process ---- */

int mu_hosted_say_start(struct mu_hosted *h)
{
	const struct mu_instance_conf *c = h->conf;
	struct mu_chan_start m = { .version = MU_CHAN_VERSION };
	char file[MU_PLUGIN_FILE_MAX], dir[MU_PLUGIN_FILE_MAX];

	mu_instance_conf_file(c, h->o.agent, file);
	mu_instance_conf_work_dir(c, h->o.agent, dir);
	m.instance = mu_str_of(c->name);
	m.member = mu_str_of(h->o.agent->name);
	m.plugin_file = mu_str_of(file);
	m.memory_max_mb = (uint32_t)c->memory_max_mb;
	m.files_max = (uint32_t)c->files_max;
	m.cpu_max_s = (uint32_t)c->cpu_max_s;
	/* A cgroup does it already, and better. */
	m.processes_max = h->cgroup ? 0 : (uint32_t)c->processes_max;
	m.user = mu_str_of(c->user);
	m.group = mu_str_of(c->group);
	m.work_dir = mu_str_of(dir);
	m.settings = (struct mu_vec){ c->setting_count, c->settings.data,
		                      c->settings.len };
	mu_put_chan_start(mu_pipe_out(h->pipe), &m);
	return mu_pipe_send(h->pipe);
}

/* It waits for START, so that nothing of the plugin runs outside of its cgroup. */
static int run(struct mu_hosted *h, char **env, int channel, int output,
               struct mu_err *err)
{
	const char *argv[] = { h->o.agent->runner, h->conf->name, NULL };
	struct mu_proc_options o = { .argv = argv,
		                     .env = (const char *const *)env,
		                     .channel_fd = channel,
		                     .output_fd = output,
		                     .on_exit = mu_hosted_on_exit,
		                     .arg = h };
	int rc = mu_proc_start(h->o.loop, &o, &h->proc, err);

	if (rc || !h->cgroup)
		return rc;
	return mu_cgroup_add(h->cgroup, h->cgroup_name, mu_proc_pid(h->proc),
	                     err);
}

/* The ends of the child: of its channel, of its output. */
static int open_ends(struct mu_hosted *h, int fd[2], struct mu_err *err)
{
	int rc = mu_pipe_new(h->o.loop, mu_hosted_frame, mu_hosted_pipe_end, h,
	                     &h->pipe, &fd[0], err);

	if (rc)
		return rc;
	rc = mu_printed_new(h->o.loop, h->conf->name,
	                    (uint32_t)h->conf->output_lines_max, &h->printed,
	                    &fd[1], err);
	if (rc)
		close(fd[0]);
	return rc;
}

int mu_hosted_spawn(struct mu_hosted *h, struct mu_err *err)
{
	char **env =
		mu_environment_new(&h->conf->account, &h->conf->environment);
	int fd[2];
	int rc = env ? make_work_dir(h, err)
	             : mu_err(err, MU_ENOMEM, "out of memory");

	if (!rc)
		rc = make_cgroup(h, err);
	if (!rc)
		rc = open_ends(h, fd, err);
	if (!rc) {
		rc = run(h, env, fd[0], fd[1], err);
		close(fd[0]);
		close(fd[1]);
	}
	mu_free(env);
	if (rc)
		mu_hosted_unspawn(h);
	return rc;
}

void mu_hosted_unspawn(struct mu_hosted *h)
{
	mu_pipe_free(h->pipe);
	h->pipe = NULL;
	mu_printed_free(h->printed);
	h->printed = NULL;
	mu_proc_free(h->proc);
	h->proc = NULL;
	(void)mu_hosted_end_cgroup(h);
}
