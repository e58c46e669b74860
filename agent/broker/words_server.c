/* words_server.c - the words about the broker as a whole. */
#include "words_impl.h"

#include "err.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Those who build packages fix it by SOURCE_DATE_EPOCH. */
#define VERSION_LINE MU_WORDS_VERSION ", built on " __DATE__

/* ---- facts -------------------------------------------------------------------------- */

struct facts {
	struct mu_store_stats store;
	struct mu_tcp_stats tcp;
	struct mu_native_stats native;
	int64_t received, sent, connections, outstanding;
};

static void gather(const struct mu_words *w, struct facts *f)
{
	mu_store_stats(w->store, &f->store);
	mu_tcp_stats(w->tcp, &f->tcp);
	mu_native_stats(w->native, &f->native);
	f->received = (int64_t)(f->store.requests - w->requests_0);
	f->sent = (int64_t)(f->store.replies + f->store.events - w->replies_0);
	f->connections = (int64_t)f->tcp.links + f->native.links;
	f->outstanding = (int64_t)(f->store.logged - f->store.applied);
}

/* As Java writes a double that was rounded to 4 places: 10.25, 0.0. */
static void average(const struct mu_tcp_stats *t, char *out, size_t room)
{
	const double sum = (double)t->latency_sum_ms;
	size_t len = mu_format(out, room, "%.4f",
	                       t->latency_count ? sum / (double)t->latency_count
	                                        : 0.0);

	while (out[len - 1] == '0' && out[len - 2] != '.')
		out[--len] = '\0';
}

/* ---- srvr, stat ----------------------------------------------------------------------- */

static void numbers(struct mu_say *s)
{
	struct facts f;
	char mean[32];

	gather(s->w, &f);
	average(&f.tcp, mean, sizeof mean);
	mu_say(s, "Latency min/avg/max: %llu/%s/%llu\n",
	       (unsigned long long)f.tcp.latency_min_ms, mean,
	       (unsigned long long)f.tcp.latency_max_ms);
	mu_say(s,
	       "Received: %lld\nSent: %lld\nConnections: %lld\n"
	       "Outstanding: %lld\nZxid: 0x%llx\nMode: standalone\n"
	       "Node count: %u\n",
	       (long long)f.received, (long long)f.sent,
	       (long long)f.connections, (long long)f.outstanding,
	       (unsigned long long)f.store.zxid, (unsigned)f.store.nodes);
}

void mu_word_srvr(struct mu_say *s)
{
	mu_say(s, "Zookeeper version: " VERSION_LINE "\n");
	numbers(s);
}

void mu_word_stat(struct mu_say *s)
{
	mu_say(s, "Zookeeper version: " VERSION_LINE "\nClients:\n");
	mu_word_stat_links(s);
	mu_say(s, "\n");
	numbers(s);
}

/* ---- dirs, conf, envi --------------------------------------------------------------------- */

/* Bytes of the files right in a directory. */
static long long dir_bytes(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	long long sum = 0;
	struct stat st;

	while (d && (e = readdir(d))) {
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
		            0 &&
		    S_ISREG(st.st_mode))
			sum += st.st_size;
	}
	if (d)
		closedir(d);
	return sum;
}

void mu_word_dirs(struct mu_say *s)
{
	const long long bytes = dir_bytes(s->w->options->data_dir);

	mu_say(s, "datadir_size: %lld\nlogdir_size: %lld\n", bytes, bytes);
}

void mu_word_conf(struct mu_say *s)
{
	const struct mu_broker_options *o = s->w->options;
	const char *port = strrchr(s->w->address, ':');
	const long long bytes = dir_bytes(o->data_dir);

	mu_say(s, "clientPort=%s\nsecureClientPort=-1\n",
	       port ? port + 1 : "-1");
	mu_say(s, "dataDir=%.400s\ndataDirSize=%lld\n", o->data_dir, bytes);
	mu_say(s, "dataLogDir=%.400s\ndataLogSize=%lld\n", o->data_dir, bytes);
	mu_say(s,
	       "tickTime=%lld\nmaxClientCnxns=%lld\nminSessionTimeout=%lld\n"
	       "maxSessionTimeout=%lld\nclientPortListenBacklog=-1\n"
	       "serverId=0\n",
	       (long long)o->tick_ms, (long long)o->links_per_address_max,
	       (long long)o->session_timeout_min_ms,
	       (long long)o->session_timeout_max_ms);
}

void mu_word_envi(struct mu_say *s)
{
	char dir[512];
	struct utsname u;
	const char *home = getenv("HOME"), *user = getenv("USER");

	if (uname(&u))
		memset(&u, 0, sizeof u);
	mu_say(s, "Environment:\nzookeeper.version=" VERSION_LINE "\n");
	mu_say(s, "host.name=%s\nos.name=%s\nos.arch=%s\nos.version=%s\n",
	       u.nodename, u.sysname, u.machine, u.release);
	mu_say(s, "user.name=%.200s\nuser.home=%.400s\nuser.dir=%s\n",
	       user ? user : "", home ? home : "",
	       getcwd(dir, sizeof dir) ? dir : "");
}

/* ---- mntr --------------------------------------------------------------------------------- */

static long long open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;
	long long n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n ? n - 1 : 0; /* but for the one that reads this */
}

static long long open_files_max(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_NOFILE, &r) ? 0 : (long long)r.rlim_cur;
}

void mu_word_mntr(struct mu_say *s)
{
	const struct mu_words *w = s->w;
	struct facts f;
	char mean[32];
	size_t i;

	gather(w, &f);
	average(&f.tcp, mean, sizeof mean);
	const struct {
		const char *key;
		long long value;
	} rows[] = {
		{ "min_latency", (long long)f.tcp.latency_min_ms },
		{ "max_latency", (long long)f.tcp.latency_max_ms },
		{ "packets_received", f.received },
		{ "packets_sent", f.sent },
		{ "num_alive_connections", f.connections },
		{ "outstanding_requests", f.outstanding },
		{ "znode_count", f.store.nodes },
		{ "watch_count", f.store.watches },
		{ "ephemerals_count", f.store.ephemerals },
		{ "approximate_data_size", (long long)f.store.tree_bytes },
		{ "global_sessions", f.store.sessions },
		{ "local_sessions", 0 },
		{ "open_file_descriptor_count", open_files() },
		{ "max_file_descriptor_count", open_files_max() },
		{ "uptime", (long long)(w->now_ms - w->started_ms) },
		{ "throttled_ops", (long long)f.store.throttled },
		{ "large_requests_rejected",
		  (long long)(f.store.oversize +
		              f.tcp.cut[MU_TCP_CUT_LENGTH]) },
		{ "connection_rejected",
		  (long long)(f.tcp.cut[MU_TCP_CUT_TOO_MANY] +
		              f.tcp.cut[MU_TCP_CUT_CROWDED]) },
		{ "stale_sessions_expired", (long long)f.store.expired },
		{ "bytes_received_count", (long long)f.tcp.bytes_in },
		{ "response_bytes", (long long)f.tcp.bytes_out },
		{ "muster_subscriptions", f.store.subscriptions },
		{ "muster_change_events", (long long)f.store.change_events },
		{ "muster_gaps", (long long)f.store.gaps },
		{ "muster_changes", f.store.changes },
		{ "muster_change_bytes", (long long)f.store.change_bytes },
		{ "muster_links_not_read", f.tcp.paused },
		{ "muster_links_waiting", f.tcp.waiting },
		{ "muster_waiting_bytes", (long long)f.tcp.waiting_bytes },
		{ "muster_stalled_ms", (long long)f.store.stalled_ms },
	};

	mu_say(s, "zk_version\t" VERSION_LINE "\n");
	mu_say(s, "zk_server_state\tstandalone\nzk_avg_latency\t%s\n", mean);
	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		mu_say(s, "zk_%s\t%lld\n", rows[i].key, rows[i].value);
}
