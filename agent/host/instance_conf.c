/* The instances of conf.d/: each a group of a list. See agent_conf.h. */
#include "agent_conf.h"

#include "cgroup.h"
#include "chan.h"
#include "environment.h"
#include "err.h"
#include "mem.h"
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTINGS_MAX (1024u * 1024) /* bytes of one instance's settings */

#define AT(field) offsetof(struct mu_instance_conf, field)

static const struct mu_conf_row file_rows[] = {
	{ "instances", MU_CONF_GROUP, 0, NULL, 0, 0, "", "list of groups",
	  true },
	{ 0 },
};

const struct mu_conf_row mu_instance_rows[] = {
	{ "name", MU_CONF_STR, AT(name), "\"\"", 0, 64, "",
	  "name of the instance, in logs and /applied", true },
	{ "plugin", MU_CONF_STR, AT(plugin), "\"\"", 0, 4000, "",
	  "the plugin: its name, or the path of its file", true },
	{ "watch", MU_CONF_GROUP, 0, NULL, 0, 0, "",
	  "what it hears of: a list of { path, mode }", true },
	{ "members", MU_CONF_BOOL, AT(members), "false", 0, 0, "",
	  "it hears of members that join, leave, fail or change", true },
	{ "connection", MU_CONF_BOOL, AT(connection), "false", 0, 0, "",
	  "it hears when the broker comes and goes", true },
	{ "deadline_ms", MU_CONF_INT, AT(deadline_ms), "30000", 10, 86400000,
	  "ms", "time one call may take before its process group is killed",
	  true },
	{ "queue_max", MU_CONF_INT, AT(queue_max), "1000", 1, 100000, "",
	  "events that may wait; beyond, the newest of each path is kept",
	  true },
	{ "memory_max_mb", MU_CONF_INT, AT(memory_max_mb), "256", 0, 1048576,
	  "MiB", "address space of its process; 0: no limit", true },
	{ "files_max", MU_CONF_INT, AT(files_max), "256", 0, 1048576, "",
	  "open files of its process; 0: no limit", true },
	{ "cpu_max_s", MU_CONF_INT, AT(cpu_max_s), "0", 0, 86400, "s",
	  "processor time of one call; 0: no limit", true },
	{ "tick_ms", MU_CONF_INT, AT(tick_ms), "0", 0, 86400000, "ms",
	  "how often its tick is called; 0: only when it asks for it", true },
	{ "check_ms", MU_CONF_INT, AT(check_ms), "10000", 0, 86400000, "ms",
	  "how often it is asked whether all is well; 0: never", true },
	{ "processes_max", MU_CONF_INT, AT(processes_max), "0", 0, 4194304, "",
	  "processes and threads, those of its commands too; 0: no limit. "
	  "Needs "
	  "a user of its own, whose other processes count too, or a cgroup "
	  "that is delegated to the agent",
	  true },
	{ "user", MU_CONF_STR, AT(user), "\"\"", 0, 255, "",
	  "user it runs as, which needs an agent that is root; empty: the "
	  "agent's",
	  true },
	{ "group", MU_CONF_STR, AT(group), "\"\"", 0, 255, "",
	  "group it runs as; empty: that of its user", true },
	{ "work_dir", MU_CONF_STR, AT(work_dir), "\"\"", 0, 4000, "",
	  "directory it is in; empty: one of its own below state_dir", true },
	{ "environment", MU_CONF_LIST, AT(environment), "[ ]", 0, 1000, "",
	  "more than the usual of it: \"NAME=value\", or \"NAME\" as the "
	  "agent has it",
	  true },
	{ "output_lines_max", MU_CONF_INT, AT(output_lines_max), "100", 1,
	  10000, "/s",
	  "lines of its stdout and stderr that are logged; more are counted",
	  true },
	{ "log_lines_max", MU_CONF_INT, AT(log_lines_max), "1000", 1, 1000000,
	  "/s", "lines that its plugin logs; more are counted", true },
	{ "quarantine_failures", MU_CONF_INT, AT(quarantine_failures), "5", 0,
	  1000, "", "after so many failures it is not started again; 0: never",
	  true },
	{ "quarantine_window_s", MU_CONF_INT, AT(quarantine_window_s), "600", 1,
	  86400, "s", "time within which they count", true },
	{ "settings", MU_CONF_GROUP, 0, NULL, 0, 0, "",
	  "the plugin's own settings", true },
	{ 0 },
};

struct watch_row {
	char *path, *mode;
};

const struct mu_conf_row mu_watch_rows[] = {
	{ "path", MU_CONF_STR, offsetof(struct watch_row, path), "\"\"", 0, 0,
	  "", "the node", true },
	{ "mode", MU_CONF_STR, offsetof(struct watch_row, mode), "\"exact\"", 0,
	  0, "", "exact, children (one level down) or subtree", true },
	{ 0 },
};

static const char *const modes[] = {
	[MU_MIRROR_EXACT] = "exact",
	[MU_MIRROR_CHILDREN] = "children",
	[MU_MIRROR_SUBTREE] = "subtree",
};
#define MODES (sizeof modes / sizeof modes[0])

/* "file:line: " and the sentence. */
static int wrong(const struct mu_conf_node *node, struct mu_err *err,
                 const char *what, const char *about)
{
	return mu_err(err, MU_ECONFIG, "%s:%d: %s%s", mu_conf_file(node),
	              mu_conf_line(node), what, about);
}

/* Whoever wrote something else than a group wants to see one. */
static int with_form(int rc, struct mu_err *err)
{
	size_t len = strlen(err->msg);

	if (rc == MU_ECONFIG && strstr(err->msg, "must be a group"))
		mu_format(err->msg + len, sizeof err->msg - len,
		          "; write watch = ( { path = \"/x\"; mode = "
		          "\"exact\"; } );");
	return rc;
}

/* ---- one instance ---- */

void mu_instance_conf_free(struct mu_instance_conf *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->watches; i++)
		mu_free(c->watch[i].path);
	mu_free(c->watch);
	mu_buf_fini(&c->settings);
	mu_conf_wipe(mu_instance_rows, c);
	mu_free(c);
}

static int read_watch(const struct mu_conf_node *node, struct mu_watch_conf *w,
                      struct mu_err *err)
{
	struct watch_row row;
	struct mu_err why;
	int rc = mu_conf_fill(node, mu_watch_rows, &row, err);
	size_t mode = 0;

	if (rc)
		return with_form(rc, err);
	while (mode < MODES && strcmp(modes[mode], row.mode) != 0)
		mode++;
	if (mode == MODES)
		rc = wrong(node, err, "mode must be exact, children or subtree",
		           "");
	else if (mu_path_check(mu_str_of(row.path), &why))
		rc = wrong(node, err, "path: ", why.msg);
	if (!rc) {
		w->mode = (enum mu_mirror_mode)mode;
		w->path = mu_alloc(strlen(row.path) + 1);
		if (w->path)
			memcpy(w->path, row.path, strlen(row.path));
		else
			rc = mu_err(err, MU_ENOMEM, "out of memory");
	}
	mu_conf_wipe(mu_watch_rows, &row);
	return rc;
}

static int read_watches(const struct mu_conf_node *node,
                        struct mu_instance_conf *c, struct mu_err *err)
{
	const struct mu_conf_node *list = mu_conf_sub(node, "watch");
	size_t count = list ? mu_conf_count(list) : 0;
	int rc = 0;

	if (count == 0)
		return 0;
	c->watch = mu_alloc(count * sizeof *c->watch);
	if (!c->watch)
		return mu_err(err, MU_ENOMEM, "out of memory");
	for (size_t i = 0; i < count && !rc; i++) {
		rc = read_watch(mu_conf_at(list, i), &c->watch[i], err);
		if (!rc)
			c->watches++;
	}
	return rc;
}

static int add_setting(void *arg, const char *key, int type, const char *text,
                       int64_t number)
{
	struct mu_instance_conf *c = arg;
	struct mu_setting s = { mu_str_of(key), (enum mu_setting_type)type,
		                mu_str_of(text ? text : ""), number };

	mu_put_setting(&c->settings, &s);
	c->setting_count++;
	if (mu_buf_failed(&c->settings))
		return MU_ENOMEM;
	return c->settings.len > SETTINGS_MAX ? MU_ETOOBIG : 0;
}

static bool is_word(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
	                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	return n > 0 && s[n] == '\0' && strcmp(s, ".") != 0 &&
	       strcmp(s, "..") != 0;
}

/* Whoever is not root can become nobody else. */
static int check_user(const struct mu_conf_node *node,
                      struct mu_instance_conf *c, struct mu_err *err)
{
	struct mu_err why;
	int rc = mu_account_find(c->user, c->group, &c->account, &why);

	if (rc)
		return wrong(node, err, "user and group: ", why.msg);
	if (geteuid() != 0 &&
	    (c->account.uid != geteuid() || c->account.gid != getegid()))
		return wrong(node, err,
		             "user and group need an agent that runs as root: ",
		             c->name);
	return 0;
}

/* RLIMIT_NPROC counts all that a user has, and does not hold root. */
static int check_processes(const struct mu_conf_node *node,
                           const struct mu_instance_conf *c, struct mu_err *err)
{
	char base[MU_PLUGIN_FILE_MAX];
	struct mu_err why;

	if (c->processes_max == 0 || c->account.uid != geteuid() ||
	    mu_cgroup_find(base, sizeof base, &why) == 0)
		return 0;
	return mu_err(err, MU_ECONFIG,
	              "%s:%d: processes_max of %.64s needs a user of its own "
	              "(set user to another one than the agent's), or a cgroup "
	              "that is delegated to the agent (Delegate=pids in its "
	              "systemd unit), and there %.150s",
	              mu_conf_file(node), mu_conf_line(node), c->name, why.msg);
}

static int check_environment(const struct mu_conf_node *node,
                             const struct mu_instance_conf *c,
                             struct mu_err *err)
{
	for (size_t i = 0; i < c->environment.count; i++)
		if (!mu_environment_is_item(c->environment.item[i]))
			return wrong(node, err,
			             "environment must hold \"NAME=value\" or "
			             "\"NAME\", not ",
			             c->environment.item[i]);
	return 0;
}

static int check_isolation(const struct mu_conf_node *node,
                           struct mu_instance_conf *c, struct mu_err *err)
{
	int rc;

	if (c->work_dir[0] && c->work_dir[0] != '/')
		return wrong(node, err, "work_dir must begin with '/', not ",
		             c->work_dir);
	rc = check_environment(node, c, err);
	if (!rc)
		rc = check_user(node, c, err);
	return rc ? rc : check_processes(node, c, err);
}

static int read_instance(const struct mu_conf_node *node,
                         struct mu_instance_conf **out, struct mu_err *err)
{
	const struct mu_conf_node *settings;
	struct mu_instance_conf *c = mu_alloc(sizeof *c);
	int rc;

	if (!c)
		return mu_err(err, MU_ENOMEM, "out of memory");
	rc = mu_conf_fill(node, mu_instance_rows, c, err);
	if (rc) {
		mu_free(c);
		return strstr(err->msg, ": watch: ") ? with_form(rc, err) : rc;
	}
	settings = mu_conf_sub(node, "settings");
	if (!is_word(c->name))
		rc = wrong(node, err, "name must be letters, digits and -_.",
		           "");
	else if (c->plugin[0] != '/' && !is_word(c->plugin))
		rc = wrong(node, err,
		           "plugin must be a plugin's name or the path of its "
		           "file, in ",
		           c->name);
	else
		rc = check_isolation(node, c, err);
	if (!rc)
		rc = read_watches(node, c, err);
	if (!rc && settings)
		rc = mu_conf_walk(settings, add_setting, c);
	if (rc == MU_ETOOBIG)
		rc = wrong(settings, err, "settings are over 1 MiB", "");
	else if (rc == MU_ENOMEM)
		mu_err(err, rc, "out of memory");
	if (rc) {
		mu_instance_conf_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void mu_instance_conf_file(const struct mu_instance_conf *c,
                           const struct mu_agent_conf *agent,
                           char out[MU_PLUGIN_FILE_MAX])
{
	if (c->plugin[0] == '/')
		mu_format(out, MU_PLUGIN_FILE_MAX, "%s", c->plugin);
	else
		mu_format(out, MU_PLUGIN_FILE_MAX, "%s/%s.so",
		          agent->plugin_dir, c->plugin);
}

void mu_instance_conf_work_dir(const struct mu_instance_conf *c,
                               const struct mu_agent_conf *agent,
                               char out[MU_PLUGIN_FILE_MAX])
{
	if (c->work_dir[0])
		mu_format(out, MU_PLUGIN_FILE_MAX, "%s", c->work_dir);
	else
		mu_format(out, MU_PLUGIN_FILE_MAX, "%s/instances/%s.d",
		          agent->state_dir, c->name);
}

bool mu_instance_conf_eq(const struct mu_instance_conf *a,
                         const struct mu_instance_conf *b)
{
	for (const struct mu_conf_row *r = mu_instance_rows; r->key; r++)
		if (!mu_conf_row_eq(r, a, b))
			return false;
	if (a->watches != b->watches || a->settings.len != b->settings.len)
		return false;
	for (size_t i = 0; i < a->watches; i++)
		if (a->watch[i].mode != b->watch[i].mode ||
		    strcmp(a->watch[i].path, b->watch[i].path) != 0)
			return false;
	return a->settings.len == 0 ||
	       memcmp(a->settings.data, b->settings.data, a->settings.len) == 0;
}

/* ---- files ---- */

static int add(struct mu_instance_confs *to, struct mu_instance_conf *c,
               const struct mu_conf_node *node, struct mu_err *err)
{
	struct mu_instance_conf **at;

	for (size_t i = 0; i < to->count; i++)
		if (strcmp(to->at[i]->name, c->name) == 0)
			return wrong(node, err,
			             "there is an instance of this name "
			             "already: ",
			             c->name);
	at = mu_realloc(to->at, (to->count + 1) * sizeof *at);
	if (!at)
		return mu_err(err, MU_ENOMEM, "out of memory");
	to->at = at;
	to->at[to->count++] = c;
	return 0;
}

static int read_root(const struct mu_conf_node *root,
                     struct mu_instance_confs *out, struct mu_err *err)
{
	const struct mu_conf_node *list;
	char nothing;
	int rc = mu_conf_fill(root, file_rows, &nothing, err);

	if (rc)
		return rc;
	list = mu_conf_sub(root, "instances");
	for (size_t i = 0; list && i < mu_conf_count(list); i++) {
		const struct mu_conf_node *node = mu_conf_at(list, i);
		struct mu_instance_conf *c = NULL;

		rc = read_instance(node, &c, err);
		if (rc)
			return rc;
		rc = add(out, c, node, err);
		if (rc) {
			mu_instance_conf_free(c);
			return rc;
		}
	}
	return 0;
}

int mu_instance_confs_parse(const char *name, const char *text,
                            struct mu_instance_confs *out, struct mu_err *err)
{
	struct mu_conf *conf;
	int rc = mu_conf_parse(name, text, &conf, err);

	if (rc)
		return rc;
	rc = read_root(mu_conf_root(conf), out, err);
	mu_conf_close(conf);
	return rc;
}

static int is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 &&
	       strcmp(d->d_name + n - 5, ".conf") == 0;
}

static int read_file(const char *dir, const char *name,
                     struct mu_instance_confs *out, struct mu_err *err)
{
	char path[PATH_MAX];
	struct mu_conf *conf;
	int rc;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	rc = mu_conf_open(path, &conf, err);
	if (rc)
		return rc;
	rc = read_root(mu_conf_root(conf), out, err);
	mu_conf_close(conf);
	return rc;
}

int mu_instance_confs_load(const char *dir, struct mu_instance_confs *out,
                           struct mu_err *err)
{
	struct dirent **entry;
	int n = scandir(dir, &entry, is_conf, alphasort);
	int rc = 0;

	*out = (struct mu_instance_confs){ 0 };
	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return mu_err(err, errno == ENOMEM ? MU_ENOMEM : MU_EIO,
		              "cannot read the directory %s: %s", dir,
		              strerror(errno));
	for (int i = 0; i < n; i++) {
		if (!rc)
			rc = read_file(dir, entry[i]->d_name, out, err);
		free(entry[i]);
	}
	free(entry);
	if (rc)
		mu_instance_confs_wipe(out);
	return rc;
}

void mu_instance_confs_wipe(struct mu_instance_confs *c)
{
	for (size_t i = 0; i < c->count; i++)
		mu_instance_conf_free(c->at[i]);
	mu_free(c->at);
	*c = (struct mu_instance_confs){ 0 };
}
