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
#include "userdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- its directory ---- */

/* Not by a link: who may put one there could be given anything. */
static int give_away(const char *dir, const struct mu_account *to,
                     struct mu_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || fchown(fd, to->uid, to->gid))
		rc = mu_err(err, MU_EIO,
		            "cannot give the directory %.300s to its user: %s",
		            dir, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

/* The way to its own is open to its user, what lies beside it is not. */
static int make_own_dir(const char *state_dir, const char *dir,
                        struct mu_err *err)
{
	char above[MU_PLUGIN_FILE_MAX];
	int rc;

	mu_format(above, sizeof above, "%s/instances", state_dir);
	rc = mu_dir_make(above, 0755, err);
	return rc ? rc : mu_dir_make(dir, 0700, err);
}

/* One that somebody else made is his: only ours is given away. */
static int make_work_dir(const struct mu_hosted *h, struct mu_err *err)
{
	const struct mu_instance_conf *c = h->conf;
	char dir[MU_PLUGIN_FILE_MAX];
	struct stat st;
	int rc;

	mu_instance_conf_work_dir(c, h->o.agent, dir);
	if (!c->work_dir[0])
		rc = make_own_dir(h->o.agent->state_dir, dir, err);
	else if (stat(dir, &st) == 0)
		return 0;
	else if (c->account.uid != geteuid())
		return mu_userdir_make(dir, c->account.uid, c->account.gid,
		                       err);
	else
		rc = mu_dir_make(dir, 0755, err);
	return rc ? rc : give_away(dir, &c->account, err);
}

/* ---- its cgroup ---- */

#define SLOTS 2u /* two processes are there while one is exchanged */
#define CGROUP_NAME_MAX 104

/* The names are of this agent's and this instance's alone, at each start the
 * same, so that none is left over. */
static void cgroup_name(char out[CGROUP_NAME_MAX], const struct mu_hosted *h,
                        unsigned slot)
{
	const char *state = h->o.agent->state_dir;

	mu_format(out, CGROUP_NAME_MAX, "muster-%08x-%s%s",
	          mu_crc32c(0, state, strlen(state)), h->conf->name,
	          slot ? "+" : "");
}

static bool end_slot(struct mu_hosted *h, unsigned slot)
{
	char name[CGROUP_NAME_MAX];

	cgroup_name(name, h, slot);
	return mu_cgroup_end(h->cgroup, name);
}

bool mu_hosted_end_cgroup(struct mu_hosted *h)
{
	bool ended = true;

	for (unsigned slot = 0; slot < SLOTS && h->cgroup; slot++)
		ended = end_slot(h, slot) && ended;
	return ended;
}

static int find_cgroup(struct mu_hosted *h, struct mu_err *err)
{
	char base[MU_PLUGIN_FILE_MAX];

	if (mu_cgroup_find(base, sizeof base, err))
		return 0; /* then it is by its user; the configuration saw to
		             it that there is one */
	h->cgroup = mu_alloc(strlen(base) + 1);
	if (!h->cgroup)
		return mu_err(err, MU_ENOMEM, "out of memory");
	memcpy(h->cgroup, base, strlen(base));
	/* What an agent that was killed has left in them. */
	(void)mu_hosted_end_cgroup(h);
	return 0;
}

static int make_cgroup(struct mu_hosted_run *r, struct mu_err *err)
{
	struct mu_hosted *h = r->h;
	char name[CGROUP_NAME_MAX];
	int rc;

	if (h->conf->processes_max == 0)
		return 0;
	rc = h->cgroup ? 0 : find_cgroup(h, err);
	if (rc || !h->cgroup)
		return rc;
	cgroup_name(name, h, r->slot);
	rc = mu_cgroup_make(h->cgroup, name, (uint32_t)h->conf->processes_max,
	                    err);
	r->refused_before = mu_cgroup_refused(h->cgroup, name);
	return rc;
}

void mu_hosted_tell_refused(struct mu_hosted_run *r)
{
	struct mu_hosted *h = r->h;
	char name[CGROUP_NAME_MAX];
	uint64_t now;

	if (!h->cgroup)
		return;
	cgroup_name(name, h, r->slot);
	now = mu_cgroup_refused(h->cgroup, name);
	if (now > r->refused_before)
		mu_log(MU_WARN,
		       MSG("the instance wanted more processes than "
		           "processes_max"),
		       KS("instance", h->conf->name),
		       KI("processes_max", h->conf->processes_max),
		       KI("refused", now - r->refused_before));
}

/* ---- the process ---- */

int mu_hosted_say_start(struct mu_hosted_run *r)
{
	const struct mu_instance_conf *c = r->h->conf;
	const struct mu_agent_conf *agent = r->h->o.agent;
	struct mu_chan_start m = { .version = MU_CHAN_VERSION };
	char file[MU_PLUGIN_FILE_MAX], dir[MU_PLUGIN_FILE_MAX];

	mu_instance_conf_file(c, agent, file);
	mu_instance_conf_work_dir(c, agent, dir);
	m.instance = mu_str_of(c->name);
	m.member = mu_str_of(agent->name);
	m.plugin_file = mu_str_of(file);
	m.memory_max_mb = (uint32_t)c->memory_max_mb;
	m.files_max = (uint32_t)c->files_max;
	m.cpu_max_s = (uint32_t)c->cpu_max_s;
	/* A cgroup does it already, and better. */
	m.processes_max = r->h->cgroup ? 0 : (uint32_t)c->processes_max;
	m.user = mu_str_of(c->user);
	m.group = mu_str_of(c->group);
	m.work_dir = mu_str_of(dir);
	m.settings = (struct mu_vec){ c->setting_count, c->settings.data,
		                      c->settings.len };
	mu_put_chan_start(mu_pipe_out(r->pipe), &m);
	return mu_pipe_send(r->pipe);
}

/* It waits for START, so that nothing of the plugin runs outside of its cgroup. */
static int run(struct mu_hosted_run *r, char **env, int channel, int output,
               struct mu_err *err)
{
	struct mu_hosted *h = r->h;
	const char *argv[] = { h->o.agent->runner, h->conf->name, NULL };
	struct mu_proc_options o = { .argv = argv,
		                     .env = (const char *const *)env,
		                     .channel_fd = channel,
		                     .output_fd = output,
		                     .on_exit = mu_hosted_on_exit,
		                     .arg = r };
	char name[CGROUP_NAME_MAX];
	int rc = mu_proc_start(h->o.loop, &o, &r->proc, err);

	if (rc || !h->cgroup)
		return rc;
	cgroup_name(name, h, r->slot);
	return mu_cgroup_add(h->cgroup, name, mu_proc_pid(r->proc), err);
}

/* The ends of the child: of its channel, of its output. */
static int open_ends(struct mu_hosted_run *r, int fd[2], struct mu_err *err)
{
	const struct mu_instance_conf *c = r->h->conf;
	const struct mu_printed_limits limits = {
		.printed = (uint32_t)c->output_lines_max,
		.said = (uint32_t)c->log_lines_max,
	};
	int rc = mu_pipe_new(r->h->o.loop, mu_hosted_frame, mu_hosted_pipe_end,
	                     r, &r->pipe, &fd[0], err);

	if (rc)
		return rc;
	rc = mu_printed_new(r->h->o.loop, c->name, &limits, &r->printed, &fd[1],
	                    err);
	if (rc)
		close(fd[0]);
	return rc;
}

static struct mu_hosted_run *run_new(struct mu_hosted *h)
{
	struct mu_hosted_run *r = mu_alloc(sizeof *r);

	if (!r)
		return NULL;
	r->h = h;
	r->slot = h->run ? (h->run->slot + 1) % SLOTS : 0;
	if (mu_timer_new(h->o.loop, mu_hosted_call_timeout, r,
	                 &r->call.timer) == 0)
		return r;
	mu_free(r);
	return NULL;
}

int mu_hosted_spawn(struct mu_hosted *h, struct mu_hosted_run **out,
                    struct mu_err *err)
{
	char **env =
		mu_environment_new(&h->conf->account, &h->conf->environment);
	struct mu_hosted_run *r = run_new(h);
	int fd[2];
	int rc = env && r ? make_work_dir(h, err)
	                  : mu_err(err, MU_ENOMEM, "out of memory");

	if (!rc)
		rc = make_cgroup(r, err);
	if (!rc)
		rc = open_ends(r, fd, err);
	if (!rc) {
		rc = run(r, env, fd[0], fd[1], err);
		close(fd[0]);
		close(fd[1]);
	}
	mu_free(env);
	if (rc)
		mu_hosted_unspawn(r);
	else
		*out = r;
	return rc;
}

void mu_hosted_unspawn(struct mu_hosted_run *r)
{
	if (!r)
		return;
	mu_hosted_call_end(r);
	mu_timer_free(r->call.timer);
	mu_pipe_free(r->pipe);
	mu_printed_free(r->printed);
	mu_proc_free(r->proc);
	if (r->h->cgroup)
		(void)end_slot(r->h, r->slot);
	mu_free(r);
}
