#include "agent_conf.h"
#include "chan.h"
#include "err.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "path.h"
#include "supervision.h"

#include <errno.h>
#include <limits.h>
#include <muster/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(field) offsetof(struct mu_agent_conf, field)

const struct mu_conf_row mu_agent_rows[] = {
	{ "name", MU_CONF_STR, AT(name), "\"\"", 0, 255, "",
	  "name of this host in /members; empty: the host name", false },
	{ "brokers", MU_CONF_LIST, AT(brokers), "[ \"tcp://127.0.0.1:7400\" ]",
	  0, 0, "",
	  "where the brokers are, tried in random order; "
	  "tcp://host:port/chroot, ipc:///path#/chroot, or a ZooKeeper: "
	  "zookeeper://host:2181,host:2181/chroot",
	  false },
	{ "session_timeout_ms", MU_CONF_INT, AT(session_timeout_ms), "3000",
	  300, 3600000, "ms", "silence after which this host counts as failed",
	  false },
	{ "address", MU_CONF_STR, AT(address), "\"\"", 0, 255, "",
	  "address of this host, for its record in /members", false },
	{ "port", MU_CONF_INT, AT(port), "0", 0, 65535, "",
	  "port for its record; 0: none", false },
	{ "labels", MU_CONF_GROUP, 0, NULL, 0, 0, "",
	  "texts by key for its record: { role = \"web\"; }", false },
	{ "state_dir", MU_CONF_STR, AT(state_dir), "\"/var/lib/muster\"", 1,
	  4000, "", "what must outlive a reboot: this host's id", false },
	{ "runtime_dir", MU_CONF_STR, AT(runtime_dir), "\"/run/muster\"", 1,
	  4000, "", "what must outlive a restart: the session", false },
	{ "conf_dir", MU_CONF_STR, AT(conf_dir), "\"/etc/muster/conf.d\"", 1,
	  4000, "", "*.conf in there name the plugin instances", false },
	{ "plugin_dir", MU_CONF_STR, AT(plugin_dir), "\"\"", 0, 4000, "",
	  "where plugins are; empty: found from the agent's own place", false },
	{ "runner", MU_CONF_STR, AT(runner), "\"\"", 0, 4000, "",
	  "the program muster-runner; empty: found likewise", false },
	{ "stop_grace_ms", MU_CONF_INT, AT(stop_grace_ms), "5000", 0, 600000,
	  "ms", "time an instance gets to stop before it is killed", false },
	{ "watchdog_ms", MU_CONF_INT, AT(watchdog_ms), "0", 0, 600000, "ms",
	  "a worker whose loop gives no sign for so long is killed and "
	  "started again; at least 1000, or 0: half of session_timeout_ms, but "
	  "not less than 1000 and not more than 10000",
	  false },
	{ "restart_failures", MU_CONF_INT, AT(restart_failures), "5", 1,
	  MU_RESTARTS_MAX, "",
	  "after so many ends of the worker within restart_window_s the "
	  "session is closed at once and the agent ends",
	  false },
	{ "restart_window_s", MU_CONF_INT, AT(restart_window_s), "60", 1, 86400,
	  "s", "the time for restart_failures", false },
	{ "watch_nodes_max", MU_CONF_INT, AT(watch_nodes_max), "20000", 1,
	  1000000, "nodes", "nodes that one watch may cover", false },
	{ "watch_bytes_max", MU_CONF_INT, AT(watch_bytes_max), "67108864",
	  1048576, 4294967295, "bytes", "values that one watch may hold",
	  false },
	{ "watch_queue_max", MU_CONF_INT, AT(watch_queue_max), "10000", 1,
	  1000000, "",
	  "changes of one watch that may wait while what is there, or a long "
	  "value, is read; beyond, asked for again; what waits for an instance "
	  "is its queue_max",
	  false },
	{ "log_level", MU_CONF_STR, AT(log_level), "\"info\"", 0, 0, "",
	  "error, warn, info or debug", true },
	{ 0 },
};

/* ---- defaults that depend on this host ---- */

static int set(char **text, const char *value, struct mu_err *err)
{
	size_t len = strlen(value) + 1;
	char *copy = mu_alloc(len);

	if (!copy)
		return mu_err(err, MU_ENOMEM, "out of memory");
	memcpy(copy, value, len);
	mu_free(*text);
	*text = copy;
	return 0;
}

static int fill_name(struct mu_agent_conf *c, struct mu_err *err)
{
	char host[256] = "";
	char path[300];
	int rc;

	if (!c->name[0]) {
		if (gethostname(host, sizeof host - 1) || !host[0])
			return mu_err(err, MU_ECONFIG,
			              "this host has no name; set name in the "
			              "configuration");
		rc = set(&c->name, host, err);
		if (rc)
			return rc;
	}
	snprintf(path, sizeof path, "/%s", c->name);
	if (strchr(c->name, '/') || mu_path_check(mu_str_of(path), NULL))
		return mu_err(err, MU_ECONFIG,
		              "'%s' cannot be the name of a node; set name to "
		              "a word without '/' and control characters",
		              c->name);
	return 0;
}

/* Of two places, seen from the agent's own program, the first that is there. */
static int fill_place(char **text, const char *installed, const char *built,
                      struct mu_err *err)
{
	char self[PATH_MAX], place[PATH_MAX + 64];
	ssize_t n;
	char *slash;

	if ((*text)[0])
		return 0;
	n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0)
		return mu_err(err, MU_ECONFIG,
		              "cannot tell where the agent's program lies; "
		              "set plugin_dir and runner");
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	snprintf(place, sizeof place, "%s/%s", self, built);
	if (access(place, F_OK))
		snprintf(place, sizeof place, "%s/%s", self, installed);
	return set(text, place, err);
}

static int join_brokers(struct mu_agent_conf *c, struct mu_err *err)
{
	size_t len = 1;

	if (c->brokers.count == 0)
		return mu_err(err, MU_ECONFIG, "brokers is empty");
	for (size_t i = 0; i < c->brokers.count; i++)
		len += strlen(c->brokers.item[i]) + 1;
	c->broker_urls = mu_alloc(len);
	if (!c->broker_urls)
		return mu_err(err, MU_ENOMEM, "out of memory");
	for (size_t i = 0; i < c->brokers.count; i++) {
		if (i)
			strcat(c->broker_urls, ",");
		strcat(c->broker_urls, c->brokers.item[i]);
	}
	return 0;
}

/* The client library knows what a URL is: let it say. */
static int check_brokers(const struct mu_agent_conf *c, struct mu_err *err)
{
	struct mu_client_options o = { .size = sizeof o };
	struct mu_client *client;
	struct mu_err why;
	int rc;

	o.brokers = c->broker_urls;
	rc = mu_client_new(&o, &client, &why);
	if (rc == 0)
		mu_client_free(client);
	if (rc == MU_EINVAL)
		return mu_err(err, MU_ECONFIG, "brokers: %.400s", why.msg);
	return rc ? mu_err(err, rc, "%.400s", why.msg) : 0;
}

/* ---- the watchdog ---- */

#define WATCHDOG_MIN_MS 1000          /* a busy host is none that hangs */
#define WATCHDOG_DEFAULT_MAX_MS 10000 /* a long session is no reason to wait */

/* Half of it, for up to a third has passed since the session's last sign. */
static int fill_silence_max(struct mu_agent_conf *c, struct mu_err *err)
{
	int64_t ms =
		c->watchdog_ms ? c->watchdog_ms : c->session_timeout_ms / 2;

	if (c->watchdog_ms && c->watchdog_ms < WATCHDOG_MIN_MS)
		return mu_err(err, MU_ECONFIG,
		              "watchdog_ms is %lld; it must be at least %d, or "
		              "0: half of session_timeout_ms, from %d to %d",
		              (long long)c->watchdog_ms, WATCHDOG_MIN_MS,
		              WATCHDOG_MIN_MS, WATCHDOG_DEFAULT_MAX_MS);
	if (ms < WATCHDOG_MIN_MS)
		ms = WATCHDOG_MIN_MS;
	if (!c->watchdog_ms && ms > WATCHDOG_DEFAULT_MAX_MS)
		ms = WATCHDOG_DEFAULT_MAX_MS;
	c->silence_max_ms = ms;
	return 0;
}

bool mu_agent_conf_is_slow_to_kill(const struct mu_agent_conf *c, char *text,
                                   size_t room)
{
	if (!c->watchdog_ms || c->watchdog_ms * 3 < c->session_timeout_ms * 2)
		return false;
	snprintf(
		text, room,
		"watchdog_ms is %lld, which is not less than two thirds of "
		"session_timeout_ms (%lld): the session of a worker that hangs "
		"can expire before it is killed, and then the others see this "
		"host fail",
		(long long)c->watchdog_ms, (long long)c->session_timeout_ms);
	return true;
}

/* ---- read ---- */

static int finish(struct mu_agent_conf *c, struct mu_err *err)
{
	int rc = fill_name(c, err);

	if (!rc)
		rc = fill_silence_max(c, err);
	if (!rc)
		rc = fill_place(&c->plugin_dir, "../lib/muster/plugins",
		                "plugins", err);
	if (!rc)
		rc = fill_place(&c->runner, "../libexec/muster-runner",
		                "muster-runner", err);
	if (!rc)
		rc = join_brokers(c, err);
	if (!rc)
		rc = check_brokers(c, err);
	if (rc)
		return rc;
	c->level = mu_log_level_by_word(c->log_level);
	if (c->level < 0)
		return mu_err(err, MU_ECONFIG,
		              "log_level is '%s'; it must be error, warn, info "
		              "or debug",
		              c->log_level);
	return 0;
}

/* ---- labels ---- */

struct label_walk {
	struct mu_json *to;
	char bad[MU_CONF_KEY_MAX + 100]; /* a sentence */
};

static int add_label(void *arg, const char *key, int type, const char *text,
                     int64_t number)
{
	struct label_walk *w = arg;

	(void)number;
	if (strpbrk(key, ".["))
		snprintf(w->bad, sizeof w->bad, "%s lies in a group or a list",
		         key);
	else if (type != MU_SETTING_STR)
		snprintf(w->bad, sizeof w->bad, "%s is not a text in quotes",
		         key);
	if (w->bad[0])
		return MU_ECONFIG;
	return mu_json_set_str(w->to, key, text);
}

static int read_labels(const struct mu_conf_node *root, char **out,
                       struct mu_err *err)
{
	const struct mu_conf_node *node = mu_conf_sub(root, "labels");
	struct label_walk w = { .to = mu_json_object() };
	char *text = NULL;
	int rc = 0;

	if (node)
		rc = mu_conf_walk(node, add_label, &w);
	if (!rc)
		text = mu_json_text(w.to);
	mu_json_free(w.to);
	if (rc == MU_ECONFIG)
		return mu_err(err, rc, "%s:%d: labels may hold texts only: %s",
		              mu_conf_file(node), mu_conf_line(node), w.bad);
	if (rc || !text) {
		free(text);
		return mu_err(err, MU_ENOMEM, "out of memory");
	}
	rc = set(out, text, err);
	free(text);
	return rc;
}

int mu_agent_conf_load(const char *file, struct mu_agent_conf *out,
                       struct mu_err *err)
{
	struct mu_conf *conf = NULL;
	const struct mu_conf_node *root;
	struct mu_err why;
	int rc = file ? mu_conf_open(file, &conf, err) : 0;

	*out = (struct mu_agent_conf){ 0 };
	if (rc)
		return rc;
	root = conf ? mu_conf_root(conf) : NULL;
	rc = mu_conf_fill(root, mu_agent_rows, out, err);
	if (!rc)
		rc = read_labels(root, &out->labels, err);
	mu_conf_close(conf);
	if (rc) {
		mu_agent_conf_wipe(out);
		return rc;
	}
	rc = finish(out, &why);
	if (rc) {
		mu_agent_conf_wipe(out);
		return mu_err(err, rc, "%s: %.400s",
		              file ? file : "the defaults", why.msg);
	}
	return 0;
}

void mu_agent_conf_wipe(struct mu_agent_conf *c)
{
	mu_conf_wipe(mu_agent_rows, c);
	mu_free(c->broker_urls);
	mu_free(c->labels);
	*c = (struct mu_agent_conf){ 0 };
}

/* ---- compared ---- */

static bool list_eq(const struct mu_conf_list *a, const struct mu_conf_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->item[i], b->item[i]) != 0)
			return false;
	return true;
}

bool mu_conf_row_eq(const struct mu_conf_row *row, const void *a, const void *b)
{
	const void *x = (const char *)a + row->offset;
	const void *y = (const char *)b + row->offset;

	switch (row->type) {
	case MU_CONF_INT:
		return *(const int64_t *)x == *(const int64_t *)y;
	case MU_CONF_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case MU_CONF_STR:
		return strcmp(*(char *const *)x, *(char *const *)y) == 0;
	case MU_CONF_LIST:
		return list_eq(x, y);
	case MU_CONF_GROUP:
		break;
	}
	return true;
}

void mu_agent_conf_diff(const struct mu_agent_conf *a,
                        const struct mu_agent_conf *b,
                        void (*say)(void *arg, const struct mu_conf_row *row),
                        void *arg)
{
	for (const struct mu_conf_row *r = mu_agent_rows; r->key; r++) {
		/* The one group that there is are the labels. */
		bool same = r->type == MU_CONF_GROUP
		                    ? strcmp(a->labels, b->labels) == 0
		                    : mu_conf_row_eq(r, a, b);

		if (!same)
			say(arg, r);
	}
}

/* ---- the files that it names ---- */

int mu_agent_conf_check_files(const struct mu_agent_conf *c,
                              const struct mu_instance_confs *instances,
                              struct mu_err *err)
{
	char file[MU_PLUGIN_FILE_MAX];

	if (access(c->runner, X_OK))
		return mu_err(
			err, MU_ECONFIG,
			"runner: %.300s is not there or cannot be run: %s",
			c->runner, strerror(errno));
	if (access(c->plugin_dir, R_OK | X_OK))
		return mu_err(err, MU_ECONFIG,
		              "plugin_dir: %.300s is not there or cannot be "
		              "read: %s",
		              c->plugin_dir, strerror(errno));
	for (size_t i = 0; i < instances->count; i++) {
		const struct mu_instance_conf *one = instances->at[i];

		mu_instance_conf_file(one, c, file);
		if (access(file, R_OK))
			return mu_err(err, MU_ECONFIG,
			              "instance %.64s: plugin %.300s is not "
			              "there or cannot be read: %s",
			              one->name, file, strerror(errno));
	}
	return 0;
}
