/* options.c - rows, and the few checks that span more than one of them. */
#include "options.h"

#include "err.h"
#include "log.h"
#include "proto.h"
#include "words.h"

#include <arpa/inet.h>
#include <string.h>

#define AT(field) offsetof(struct mu_broker_options, field)
#define HOUR_MS 3600000
#define MIB 1048576

/* clang-format off */
const struct mu_conf_row mu_broker_rows[] = {
	{ "listen", MU_CONF_LIST, AT(listen),
	  "[ \"tcp://127.0.0.1:7400\", \"ipc:///run/muster/broker.sock\" ]", 0, 0, "",
	  "addresses to listen on: loopback and ipc; port * takes a free one", false },
	{ "listen_zookeeper", MU_CONF_LIST, AT(listen_zookeeper), "[ \"127.0.0.1:2181\" ]", 0, 0, "",
	  "addresses for ZooKeeper's own clients, on loopback; port * takes a free one; [ ]: none", false },
	{ "words", MU_CONF_LIST, AT(words), "[ \"srvr\" ]", 0, 0, "",
	  "four-letter words answered there: ruok, stat, mntr and so on; \"*\": all", true },
	{ "data_dir", MU_CONF_STR, AT(data_dir), "\"/var/lib/muster/broker\"", 1, 4000, "",
	  "directory that belongs to this broker alone", false },
	{ "durability", MU_CONF_STR, AT(durability), "\"disk\"", 1, 16, "",
	  "disk: a write is on disk before it is answered; memory: the tree is gone when the broker stops", false },
	{ "journal_segment_bytes", MU_CONF_INT, AT(journal_segment_bytes), "67108864", 65536, 1024 * MIB, "bytes",
	  "room that a file of the journal takes at once", false },
	{ "snapshot_journal_bytes", MU_CONF_INT, AT(snapshot_journal_bytes), "268435456", 65536, 1024 * 1024 * (int64_t)MIB, "bytes",
	  "a snapshot is written when the journal has grown by this since the last", true },
	{ "snapshot_interval_s", MU_CONF_INT, AT(snapshot_interval_s), "3600", 0, 31536000, "s",
	  "and when the last is this old and something has changed; 0: never for its age", true },
	{ "snapshots_keep", MU_CONF_INT, AT(snapshots_keep), "2", 1, 1000, "files",
	  "snapshots kept; older ones go, and the journal that only they need", true },
	{ "ready_file", MU_CONF_STR, AT(ready_file), "\"\"", 0, 4000, "",
	  "file for the addresses, one a line, written once it listens; empty: none", false },
	{ "control", MU_CONF_STR, AT(control), "\"/run/muster/broker.ctl\"", 0, 107, "",
	  "socket for muster broker, backup and restore: for root and the broker's user; empty: none", false },
	{ "log_level", MU_CONF_STR, AT(log_level), "\"info\"", 1, 16, "",
	  "error, warn, info or debug", true },
	{ "session_timeout_min_ms", MU_CONF_INT, AT(session_timeout_min_ms),
	  "300", 10, HOUR_MS, "ms", "shortest timeout that a session may ask for", true },
	{ "session_timeout_max_ms", MU_CONF_INT, AT(session_timeout_max_ms),
	  "60000", 10, 24 * HOUR_MS, "ms", "longest timeout that a session may ask for", true },
	{ "tick_ms", MU_CONF_INT, AT(tick_ms), "50", 1, 10000, "ms",
	  "how often expired sessions are looked for", true },
	{ "handshake_timeout_ms", MU_CONF_INT, AT(handshake_timeout_ms),
	  "10000", 100, HOUR_MS, "ms", "a link without a session is ended after this", true },
	{ "packet_max", MU_CONF_INT, AT(packet_max), "1048575", 1024, 64 * MIB, "bytes",
	  "largest record taken from a client", false },
	{ "reply_max", MU_CONF_INT, AT(reply_max), "67108864", 4096, 1024 * MIB, "bytes",
	  "largest reply", true },
	{ "outbox_max", MU_CONF_INT, AT(outbox_max), "8388608", 4096, 1024 * MIB, "bytes",
	  "what may wait for one link that reads slowly", true },
	{ "outbox_stall_ms", MU_CONF_INT, AT(outbox_stall_ms), "5000", 10, HOUR_MS, "ms",
	  "a link that takes nothing for this long is ended", true },
	{ "outstanding_max", MU_CONF_INT, AT(outstanding_max), "1000", 1, 1000000, "requests",
	  "requests of one link without a reply; more are refused", true },
	{ "waiting_max", MU_CONF_INT, AT(waiting_max), "268435456", 65536, 1024 * 1024 * (int64_t)MIB, "bytes",
	  "requests of all links that wait for the disk or behind others; more are refused", true },
	{ "max_data", MU_CONF_INT, AT(max_data), "4294967296L", 0, 1024 * 1024 * (int64_t)MIB, "bytes",
	  "memory that the nodes may take; at it only what adds nothing is taken; 0: no limit", true },
	{ "path_max", MU_CONF_INT, AT(path_max), "4096", 1024, MIB, "bytes",
	  "longest path of a new node, a watch or a subscription; nodes with longer ones stay", true },
	{ "session_ephemeral_bytes_max", MU_CONF_INT, AT(session_ephemeral_bytes_max),
	  "134217728", 0, 1024 * 1024 * (int64_t)MIB, "bytes",
	  "paths of the ephemerals of one session, 120 bytes more for each; 0: no limit", true },
	{ "sessions_max", MU_CONF_INT, AT(sessions_max), "10000", 1, 10000000, "sessions",
	  "sessions at a time", true },
	{ "links_max", MU_CONF_INT, AT(links_max), "10000", 1, 1000000, "links",
	  "links at a time", true },
	{ "links_per_address_max", MU_CONF_INT, AT(links_per_address_max), "60", 0, 1000000, "links",
	  "links from one address to listen_zookeeper; more are closed; 0: any number", true },
	{ "watches_max", MU_CONF_INT, AT(watches_max), "2000000", 1, 100000000, "watches",
	  "watches and subscriptions at a time, of all sessions", true },
	{ "watch_bytes_max", MU_CONF_INT, AT(watch_bytes_max), "268435456", 0, 1024 * 1024 * (int64_t)MIB, "bytes",
	  "paths of these, together; where they take it there are no more; 0: no limit", true },
	{ "subscriptions_per_link_max", MU_CONF_INT, AT(subscriptions_per_link_max),
	  "1000", 0, 1000000, "subscriptions", "subscriptions of one link at a time; 0: none", true },
	{ "change_log_max", MU_CONF_INT, AT(change_log_max), "100000", 0, 100000000, "changes",
	  "changes kept for those who were away; who was away for longer reads again; 0: none", true },
	{ "change_log_bytes", MU_CONF_INT, AT(change_log_bytes), "67108864", 0, 1024 * 1024 * (int64_t)MIB, "bytes",
	  "memory that these changes may take", true },
	{ "container_check_interval_ms", MU_CONF_INT, AT(container_check_interval_ms),
	  "60000", 0, 24 * HOUR_MS, "ms",
	  "how often unused containers and nodes past their time to live are looked for; 0: never", true },
	{ "ttl_nodes", MU_CONF_BOOL, AT(ttl_nodes), "true", 0, 0, "",
	  "may nodes be given a time to live? ZooKeeper's extendedTypesEnabled", true },
	{ "enforce_quota", MU_CONF_BOOL, AT(enforce_quota), "false", 0, 0, "",
	  "refuse what goes past a hard limit of a quota; else it is only logged", true },
	{ "super_digest", MU_CONF_STR, AT(super_digest), "\"\"", 0, MU_SUPER_DIGEST_MAX - 1, "",
	  "who passes every ACL, as user:base64(SHA-1(user:password)); empty: nobody", true },
	{ 0 },
};
/* clang-format on */

/* ---- where we may listen ---------------------------------------------------- */

static bool is_loopback(const char *host, size_t len)
{
	struct in_addr at;
	char text[64];

	if (len >= sizeof text)
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	if (strcmp(text, "localhost") == 0 || strcmp(text, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, text, &at) == 1 &&
	       ntohl(at.s_addr) >> 24 == 127;
}

int mu_broker_may_listen(const char *url, struct mu_err *err)
{
	static const char tcp[] = "tcp://", ipc[] = "ipc://";
	const char *host = url + strlen(tcp), *port;

	if (strncmp(url, ipc, strlen(ipc)) == 0 && url[strlen(ipc)] == '/')
		return 0;
	if (strncmp(url, tcp, strlen(tcp)) == 0) {
		port = strrchr(host, ':');
		if (port && is_loopback(host, (size_t)(port - host)))
			return 0;
	}
	return mu_err(err, MU_ECONFIG,
	              "listen: \"%.200s\" is refused: this build has no keys, "
	              "so it listens on tcp://127.0.0.1:PORT, "
	              "tcp://[::1]:PORT, tcp://localhost:PORT and ipc:///PATH "
	              "only",
	              url);
}

int mu_broker_may_listen_zookeeper(const char *address, struct mu_err *err)
{
	const char *port = strrchr(address, ':');

	if (port && is_loopback(address, (size_t)(port - address)))
		return 0;
	return mu_err(
		err, MU_ECONFIG,
		"listen_zookeeper: \"%.200s\" is refused: this build has "
		"no keys, so it listens on 127.0.0.1:PORT, [::1]:PORT and "
		"localhost:PORT only",
		address);
}

/* ---- loading ------------------------------------------------------------------- */

static int check_zookeeper(const struct mu_broker_options *o,
                           struct mu_err *err)
{
	size_t i;
	int rc;

	for (i = 0; i < o->listen_zookeeper.count; i++) {
		rc = mu_broker_may_listen_zookeeper(o->listen_zookeeper.item[i],
		                                    err);
		if (rc)
			return rc;
	}
	for (i = 0; i < o->words.count; i++) {
		if (!mu_words_is_known(o->words.item[i]))
			return mu_err(err, MU_ECONFIG,
			              "words: there is no \"%.100s\"; there "
			              "are ruok srvr stat cons crst dump envi "
			              "mntr isro wchs wchc wchp dirs conf srst "
			              "stmk gtmk, and \"*\" for all",
			              o->words.item[i]);
	}
	return 0;
}

static int check(const struct mu_broker_options *o, struct mu_err *err)
{
	size_t i;
	int rc;

	if (o->listen.count == 0)
		return mu_err(err, MU_ECONFIG,
		              "listen: there must be at least one address");
	for (i = 0; i < o->listen.count; i++) {
		rc = mu_broker_may_listen(o->listen.item[i], err);
		if (rc)
			return rc;
	}
	rc = check_zookeeper(o, err);
	if (rc)
		return rc;
	if (o->super_digest[0] && !strchr(o->super_digest, ':'))
		return mu_err(err, MU_ECONFIG,
		              "super_digest: it must be USER:HASH, where HASH "
		              "is the base64 of the SHA-1 of USER:PASSWORD");
	if (o->session_timeout_min_ms > o->session_timeout_max_ms)
		return mu_err(err, MU_ECONFIG,
		              "session_timeout_min_ms (%ld) must not be above "
		              "session_timeout_max_ms (%ld)",
		              (long)o->session_timeout_min_ms,
		              (long)o->session_timeout_max_ms);
	if (!mu_broker_options_durable(o) && strcmp(o->durability, "memory"))
		return mu_err(err, MU_ECONFIG,
		              "durability: \"%s\" is neither disk nor memory",
		              o->durability);
	if (o->control[0] && o->control[0] != '/')
		return mu_err(err, MU_ECONFIG,
		              "control: \"%s\" must begin with /, or be empty",
		              o->control);
	if (mu_log_level_by_word(o->log_level) < 0)
		return mu_err(err, MU_ECONFIG,
		              "log_level: \"%s\" is none of error, warn, info, "
		              "debug",
		              o->log_level);
	return 0;
}

/* c: NULL for the defaults. Closes it. */
static int fill(struct mu_conf *c, struct mu_broker_options *out,
                struct mu_err *err)
{
	struct mu_err why;
	int rc = mu_conf_fill(c ? mu_conf_root(c) : NULL, mu_broker_rows, out,
	                      err);

	if (!rc) {
		rc = check(out, &why);
		if (rc && c)
			mu_err(err, rc, "%.100s: %.400s",
			       mu_conf_file(mu_conf_root(c)), why.msg);
		else if (rc && err)
			*err = why;
		if (rc)
			mu_broker_options_fini(out);
	}
	mu_conf_close(c);
	return rc;
}

int mu_broker_options_load(const char *file, struct mu_broker_options *out,
                           struct mu_err *err)
{
	struct mu_conf *c = NULL;
	int rc = file ? mu_conf_open(file, &c, err) : 0;

	return rc ? rc : fill(c, out, err);
}

int mu_broker_options_parse(const char *name, const char *text,
                            struct mu_broker_options *out, struct mu_err *err)
{
	struct mu_conf *c;
	int rc = mu_conf_parse(name, text, &c, err);

	return rc ? rc : fill(c, out, err);
}

void mu_broker_options_fini(struct mu_broker_options *o)
{
	mu_conf_wipe(mu_broker_rows, o);
}

/* ---- reloading ------------------------------------------------------------------- */

static bool list_differs(const struct mu_conf_list *a,
                         const struct mu_conf_list *b)
{
	size_t i;

	if (a->count != b->count)
		return true;
	for (i = 0; i < a->count; i++) {
		if (strcmp(a->item[i], b->item[i]) != 0)
			return true;
	}
	return false;
}

/* How large a row's field is, and whether it differs. */
static size_t compare(const struct mu_conf_row *row, const void *a,
                      const void *b, bool *differs)
{
	switch (row->type) {
	case MU_CONF_STR:
		*differs = strcmp(*(char *const *)a, *(char *const *)b) != 0;
		return sizeof(char *);
	case MU_CONF_LIST:
		*differs = list_differs(a, b);
		return sizeof(struct mu_conf_list);
	case MU_CONF_BOOL:
		*differs = *(const bool *)a != *(const bool *)b;
		return sizeof(bool);
	case MU_CONF_INT:
		*differs = *(const int64_t *)a != *(const int64_t *)b;
		return sizeof(int64_t);
	case MU_CONF_GROUP:
		break;
	}
	*differs = false;
	return 0;
}

static void swap(void *a, void *b, size_t len)
{
	unsigned char t[sizeof(struct mu_conf_list)];

	memcpy(t, a, len);
	memcpy(a, b, len);
	memcpy(b, t, len);
}

void mu_broker_options_reload(struct mu_broker_options *o,
                              struct mu_broker_options *fresh,
                              void (*kept)(void *arg, const char *key),
                              void *arg)
{
	const struct mu_conf_row *row;
	char *mine, *theirs;
	bool differs;
	size_t len;

	for (row = mu_broker_rows; row->key; row++) {
		mine = (char *)o + row->offset;
		theirs = (char *)fresh + row->offset;
		len = compare(row, mine, theirs, &differs);
		if (differs && row->reloadable)
			swap(mine, theirs, len);
		else if (differs)
			kept(arg, row->key);
	}
}

/* ---- for others ---------------------------------------------------------------------- */

void mu_broker_options_store(const struct mu_broker_options *o,
                             struct mu_store_config *c)
{
	c->tick_ms = (uint32_t)o->tick_ms;
	c->session_timeout_min_ms = (uint32_t)o->session_timeout_min_ms;
	c->session_timeout_max_ms = (uint32_t)o->session_timeout_max_ms;
	c->handshake_timeout_ms = (uint32_t)o->handshake_timeout_ms;
	c->packet_max = (uint32_t)o->packet_max;
	c->reply_max = (uint32_t)o->reply_max;
	c->outstanding_max = (uint32_t)o->outstanding_max;
	c->waiting_max = (uint64_t)o->waiting_max;
	c->max_data = (uint64_t)o->max_data;
	c->path_max = (uint32_t)o->path_max;
	c->session_ephemeral_bytes_max =
		(uint64_t)o->session_ephemeral_bytes_max;
	c->sessions_max = (uint32_t)o->sessions_max;
	c->links_max = (uint32_t)o->links_max;
	c->watches_max = (uint32_t)o->watches_max;
	c->watch_bytes_max = (uint64_t)o->watch_bytes_max;
	c->subscriptions_per_link_max = (uint32_t)o->subscriptions_per_link_max;
	c->change_log_max = (uint32_t)o->change_log_max;
	c->change_log_bytes = (uint64_t)o->change_log_bytes;
	c->container_check_interval_ms =
		(uint32_t)o->container_check_interval_ms;
	c->ttl_nodes = o->ttl_nodes;
	c->enforce_quota = o->enforce_quota;
	mu_format(c->super_digest, sizeof c->super_digest, "%s",
	          o->super_digest);
}

bool mu_broker_options_durable(const struct mu_broker_options *o)
{
	return strcmp(o->durability, "disk") == 0;
}

struct mu_native_limits
mu_broker_options_native(const struct mu_broker_options *o)
{
	return (struct mu_native_limits){
		.packet_max = (uint32_t)o->packet_max,
		.reply_max = (uint32_t)o->reply_max,
		.outbox_max = (uint32_t)o->outbox_max,
		.outbox_stall_ms = (uint32_t)o->outbox_stall_ms,
		.links_max = (uint32_t)o->links_max,
	};
}

struct mu_tcp_limits mu_broker_options_tcp(const struct mu_broker_options *o)
{
	return (struct mu_tcp_limits){
		.packet_max = (uint32_t)o->packet_max,
		.reply_max = (uint32_t)o->reply_max,
		.outbox_max = (uint32_t)o->outbox_max,
		.outbox_stall_ms = (uint32_t)o->outbox_stall_ms,
		.links_per_address_max = (uint32_t)o->links_per_address_max,
	};
}
