/*
 * agent_conf.h - agent.conf and conf.d/: what each key is, as rows, and what was
 * read. Used at start and, for conf.d/, again at each SIGHUP.
 */
#ifndef MU_HOST_AGENT_CONF_H
#define MU_HOST_AGENT_CONF_H

#include "account.h"
#include "buf.h"
#include "conffile.h"
#include "mirror.h"

#include <muster/types.h>

#define MU_PLUGIN_FILE_MAX \
	8192u /* bytes of the path of a plugin, with its NUL */

struct mu_agent_conf {
	char *name;
	struct mu_conf_list brokers;
	int64_t session_timeout_ms;
	char *address;
	int64_t port;
	char *state_dir, *runtime_dir, *conf_dir, *plugin_dir, *runner;
	int64_t stop_grace_ms;
	int64_t watchdog_ms, restart_failures, restart_window_s;
	int64_t watch_nodes_max, watch_bytes_max, watch_queue_max;
	char *log_level;
	/* Made from the above: */
	int64_t silence_max_ms; /* of a worker: watchdog_ms, or what 0 is */
	char *broker_urls;      /* one text with commas */
	char *labels;           /* JSON object */
	int level;              /* enum mu_level */
};

extern const struct mu_conf_row mu_agent_rows[];
extern const struct mu_conf_row mu_instance_rows[];
extern const struct mu_conf_row mu_watch_rows[];

/* Read the file (NULL: the defaults), fill in what depends on this host (its
 * name, where the agent's own program lies) and check that it makes sense. Free
 * with wipe. MU_ECONFIG with file and line, MU_EIO, MU_ENOMEM: *out owns
 * nothing. */
int mu_agent_conf_load(const char *file, struct mu_agent_conf *out,
                       struct mu_err *err);
void mu_agent_conf_wipe(struct mu_agent_conf *c);

/* True if watchdog_ms was set so long that a session may end before a worker that
 * hangs is killed; `text` is then a sentence that says so. */
bool mu_agent_conf_is_slow_to_kill(const struct mu_agent_conf *c, char *text,
                                   size_t room);

/* The values of one key are the same (of a group: always true). */
bool mu_conf_row_eq(const struct mu_conf_row *row, const void *a,
                    const void *b);

/* Call `say` with each key in which the two differ. */
void mu_agent_conf_diff(const struct mu_agent_conf *a,
                        const struct mu_agent_conf *b,
                        void (*say)(void *arg, const struct mu_conf_row *row),
                        void *arg);

/* Are the files there that the two name: the runner, the directory of plugins,
 * each plugin? MU_ECONFIG. The agent starts without them, and waits for them. */
struct mu_instance_confs;
int mu_agent_conf_check_files(const struct mu_agent_conf *c,
                              const struct mu_instance_confs *instances,
                              struct mu_err *err);

struct mu_watch_conf {
	char *path;
	enum mu_mirror_mode mode;
};

struct mu_instance_conf {
	char *name, *plugin;
	char *user, *group, *work_dir;
	int64_t processes_max;
	struct mu_conf_list environment;
	bool members, connection;
	int64_t deadline_ms, queue_max, memory_max_mb, files_max, cpu_max_s;
	int64_t tick_ms, check_ms;
	int64_t output_lines_max, log_lines_max, quarantine_failures,
		quarantine_window_s;
	/* Made from the groups: */
	struct mu_watch_conf *watch;
	size_t watches;
	struct mu_buf settings; /* as they go into START's vector */
	int32_t setting_count;
	struct mu_account account; /* of user and group */
};

struct mu_instance_confs {
	struct mu_instance_conf **at; /* in the order of the files */
	size_t count;
};

/* Read all *.conf of a directory, in the order of their names. A directory that
 * is not there holds none. On error *out is empty and nothing is to change:
 * MU_ECONFIG with file and line, MU_EIO, MU_ENOMEM. */
int mu_instance_confs_load(const char *dir, struct mu_instance_confs *out,
                           struct mu_err *err);
/* The same for one text; `name` stands for its file in errors. Adds to *out.
 * A user that is not there, and a limit that cannot be set here, are errors. */
int mu_instance_confs_parse(const char *name, const char *text,
                            struct mu_instance_confs *out, struct mu_err *err);
void mu_instance_confs_wipe(struct mu_instance_confs *c);
void mu_instance_conf_free(struct mu_instance_conf *c); /* NULL is allowed */
/* The file of its plugin. */
void mu_instance_conf_file(const struct mu_instance_conf *c,
                           const struct mu_agent_conf *agent,
                           char out[MU_PLUGIN_FILE_MAX]);
/* Where it works; its own below state_dir unless work_dir says otherwise. */
void mu_instance_conf_work_dir(const struct mu_instance_conf *c,
                               const struct mu_agent_conf *agent,
                               char out[MU_PLUGIN_FILE_MAX]);
/* True if nothing differs, so that the instance can go on as it is. */
bool mu_instance_conf_eq(const struct mu_instance_conf *a,
                         const struct mu_instance_conf *b);

#endif /* MU_HOST_AGENT_CONF_H */
