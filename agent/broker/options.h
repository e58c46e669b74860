/*
 * options.h - the keys of broker.conf, as rows, and what is made of them.
 */
#ifndef MU_BROKER_OPTIONS_H
#define MU_BROKER_OPTIONS_H

#include "conffile.h"
#include "native.h"
#include "store.h"
#include "tcp.h"

#define MU_BROKER_CONF "/etc/muster/broker.conf"

struct mu_broker_options {
	struct mu_conf_list listen, listen_zookeeper, words;
	char *data_dir;
	char *durability;
	int64_t journal_segment_bytes;
	int64_t snapshot_journal_bytes, snapshot_interval_s, snapshots_keep;
	char *ready_file;
	char *control;
	char *log_level;
	int64_t session_timeout_min_ms, session_timeout_max_ms;
	int64_t tick_ms, handshake_timeout_ms;
	int64_t packet_max, reply_max, outbox_max, outbox_stall_ms;
	int64_t outstanding_max, waiting_max, max_data, path_max;
	int64_t session_ephemeral_bytes_max;
	int64_t sessions_max, links_max, watches_max;
	int64_t watch_bytes_max, subscriptions_per_link_max;
	int64_t change_log_max, change_log_bytes;
	int64_t links_per_address_max;
	int64_t container_check_interval_ms;
	bool ttl_nodes, enforce_quota;
	char *super_digest;
};

extern const struct mu_conf_row mu_broker_rows[];

/* Read a file and check it, also what no single row can say; `file` NULL:
 * defaults only. *out is filled; on error it owns nothing. MU_ECONFIG, MU_EIO,
 * MU_ENOMEM, each with a sentence. */
int mu_broker_options_load(const char *file, struct mu_broker_options *out,
                           struct mu_err *err);
/* The same from text, for tests. */
int mu_broker_options_parse(const char *name, const char *text,
                            struct mu_broker_options *out, struct mu_err *err);
void mu_broker_options_fini(struct mu_broker_options *o);

/* Take from `fresh` what may change while running; the rest of *o stays, and
 * `kept` is called with the key of each row that would have been another. */
void mu_broker_options_reload(struct mu_broker_options *o,
                              struct mu_broker_options *fresh,
                              void (*kept)(void *arg, const char *key),
                              void *arg);

/* The parts that the store and the carrier want; of config, what does not come
 * from the file is left as it is. */
void mu_broker_options_store(const struct mu_broker_options *o,
                             struct mu_store_config *config);
struct mu_native_limits
mu_broker_options_native(const struct mu_broker_options *o);
struct mu_tcp_limits mu_broker_options_tcp(const struct mu_broker_options *o);
/* Does the tree survive a restart? */
bool mu_broker_options_durable(const struct mu_broker_options *o);

/* Loopback and ipc only, until there are keys. 0, or MU_ECONFIG. */
int mu_broker_may_listen(const char *url, struct mu_err *err);
/* The same for "HOST:PORT" of listen_zookeeper. */
int mu_broker_may_listen_zookeeper(const char *address, struct mu_err *err);

#endif /* MU_BROKER_OPTIONS_H */
