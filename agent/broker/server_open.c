/* Start, stop, and a changed configuration. */
#include "server_impl.h"

#include "clock.h"
#include "err.h"
#include "files.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "sha1.h"

#include <string.h>
#include <unistd.h>

#define GOODBYE_LINGER_MS 500 /* for peers that do not read */
#define ADDRESS_MAX 300u
#define SNAPSHOT_RETRY_MIN_MS 1000u
#define SNAPSHOT_RETRY_MAX_MS 300000u
#define SNAPSHOT_STUCK_MS 3600000u

static int open_store(struct mu_server *s, struct mu_err *err)
{
	struct mu_store_config *c = &s->config;
	int rc;

	mu_clock_random(c->hash_key, sizeof c->hash_key);
	c->sha1 = mu_sha1;
	mu_broker_options_store(s->options, c);
	rc = mu_data_open(s->options, c, &s->data, err);
	if (rc)
		return rc;
	s->store = s->data.store;
	mu_store_on_busy(s->store, mu_server_is_busy, s);
	s->journal = s->data.journal;
	s->logged = s->durable = mu_store_index(s->store);
	return 0;
}

static void on_purge(void *arg, uint64_t upto)
{
	struct mu_server *s = arg;

	s->journal->purge(s->journal, upto);
}

static struct mu_snapshots_config snapshots_config(struct mu_server *s)
{
	const struct mu_broker_options *o = s->options;

	return (struct mu_snapshots_config){
		.dir = o->data_dir,
		.journal_bytes = (uint64_t)o->snapshot_journal_bytes,
		.interval_ms = (uint64_t)o->snapshot_interval_s * 1000,
		.keep = (uint32_t)o->snapshots_keep,
		.retry_min_ms = SNAPSHOT_RETRY_MIN_MS,
		.retry_max_ms = SNAPSHOT_RETRY_MAX_MS,
		.stuck_ms = SNAPSHOT_STUCK_MS,
		.purge = on_purge,
		.ended = mu_server_on_snapshot,
		.arg = s,
	};
}

static int open_snapshots(struct mu_server *s, struct mu_err *err)
{
	const struct mu_snapshots_config config = snapshots_config(s);

	if (!s->journal->keeps)
		return 0;
	return mu_snapshots_new(s->loop, &config, s->store, s->data.snapshot,
	                        &s->snapshots, err);
}

/* The directory of an ipc socket, which a service manager would have made. */
static void make_ipc_dir(const char *url)
{
	char dir[ADDRESS_MAX];
	char *slash;

	if (strncmp(url, "ipc:///", 7) || strlen(url) >= sizeof dir)
		return;
	mu_format(dir, sizeof dir, "%s", url + strlen("ipc://"));
	slash = strrchr(dir, '/');
	*slash = '\0';
	if (*dir)
		mu_dir_make(dir, 0755, NULL); /* binding says what is wrong */
}

static void add_address(struct mu_server *s, const char *scheme,
                        const char *rest)
{
	mu_buf_put(&s->addresses, scheme, strlen(scheme));
	mu_buf_put(&s->addresses, rest, strlen(rest));
	mu_buf_put(&s->addresses, "\n", 1);
}

static int listen_zookeeper(struct mu_server *s, struct mu_err *err)
{
	const struct mu_conf_list *list = &s->options->listen_zookeeper;
	const char *actual;
	struct mu_err why;
	size_t i;
	int rc;

	for (i = 0; i < list->count; i++) {
		rc = mu_tcp_listen(s->tcp, list->item[i], &actual, &why);
		if (rc)
			return mu_err(err, rc,
			              "cannot listen for ZooKeeper clients on "
			              "%.300s; free the port, name another in "
			              "listen_zookeeper, or turn this off with "
			              "listen_zookeeper = [ ];",
			              why.msg);
		if (i == 0)
			s->words.address = actual;
		mu_log(MU_INFO, MSG("listening for ZooKeeper clients"),
		       KS("address", actual));
		add_address(s, "zookeeper://", actual);
	}
	return 0;
}

static int listen_all(struct mu_server *s, struct mu_err *err)
{
	const struct mu_conf_list *list = &s->options->listen;
	char actual[ADDRESS_MAX];
	size_t i;
	int rc;

	for (i = 0; i < list->count; i++) {
		make_ipc_dir(list->item[i]);
		rc = mu_native_listen(s->native, list->item[i], actual,
		                      sizeof actual, err);
		if (rc)
			return rc;
		s->listening++;
		mu_log(MU_INFO, MSG("listening"), KS("url", actual));
		add_address(s, "", actual);
	}
	rc = listen_zookeeper(s, err);
	if (rc)
		return rc;
	mu_buf_put(&s->addresses, "", 1);
	return mu_buf_failed(&s->addresses)
	               ? mu_err(err, MU_ENOMEM, "out of memory at start")
	               : 0;
}

static int open_tcp(struct mu_server *s, struct mu_err *err)
{
	const struct mu_tcp_limits limits = mu_broker_options_tcp(s->options);
	const struct mu_tcp_owner owner = mu_server_tcp_owner(s);

	return mu_tcp_open(s->loop, &limits, s->config.hash_key, &owner,
	                   &s->tcp, err);
}

static int open_carriers(struct mu_server *s, struct mu_err *err)
{
	const struct mu_native_limits limits =
		mu_broker_options_native(s->options);
	const struct mu_native_owner owner = mu_server_native_owner(s);
	int rc = mu_native_open(&limits, &owner, &s->native, err);

	rc = rc ? rc : open_tcp(s, err);
	if (rc)
		return rc;
	s->words = (struct mu_words){ .options = s->options,
		                      .store = s->store,
		                      .tcp = s->tcp,
		                      .native = s->native,
		                      .address = "",
		                      .started_ms = mu_loop_now_ms(s->loop) };
	return listen_all(s, err);
}

static int open_handles(struct mu_server *s, struct mu_err *err)
{
	const int fd = s->journal->fd(s->journal);
	int rc = mu_poll_new(s->loop, mu_native_fd(s->native),
	                     mu_server_on_readable, s, &s->readable);

	if (!rc && fd >= 0)
		rc = mu_poll_new(s->loop, fd, mu_server_on_synced, s,
		                 &s->synced);
	rc = rc ? rc : mu_timer_new(s->loop, mu_server_on_tick, s, &s->tick);
	rc = rc ? rc : mu_timer_new(s->loop, mu_server_on_retry, s, &s->retry);
	rc = rc ? rc : mu_after_new(s->loop, mu_server_on_turn, s, &s->turn);
	if (rc)
		return mu_err(err, rc, "cannot set up the event loop");
	mu_poll_set(s->readable, MU_POLL_READ);
	if (s->synced)
		mu_poll_set(s->synced, MU_POLL_READ);
	mu_timer_arm(s->tick, s->config.tick_ms, s->config.tick_ms);
	mu_after_set(s->turn, true, true);
	return 0;
}

/* libzmq leaves the sockets' files behind. */
static void remove_ipc_files(struct mu_server *s)
{
	static const char ipc[] = "ipc:///";
	const char *url;
	size_t i;

	for (i = 0; i < s->listening; i++) {
		url = s->options->listen.item[i];
		if (strncmp(url, ipc, strlen(ipc)) == 0)
			unlink(url + strlen(ipc) - 1);
	}
}

int mu_server_new(struct mu_loop *loop, const struct mu_broker_options *o,
                  struct mu_server **out, struct mu_err *err)
{
	struct mu_server *s = mu_alloc(sizeof *s);
	int rc;

	if (!s)
		return mu_err(err, MU_ENOMEM, "out of memory at start");
	s->options = o;
	s->loop = loop;
	s->cut_lines.max = MU_CUT_LINES_MAX;
	s->data.lock_fd = s->verify_fd = s->restore_fd = -1;
	rc = open_store(s, err);
	rc = rc ? rc : open_snapshots(s, err);
	rc = rc ? rc : open_carriers(s, err);
	rc = rc ? rc : open_handles(s, err);
	rc = rc ? rc : mu_server_control_open(s, err);
	if (rc) {
		mu_server_free(s);
		return rc;
	}
	if (!s->journal->keeps)
		mu_log(MU_WARN,
		       MSG("the tree is kept in memory only: it is gone when "
		           "the broker stops"));
	*out = s;
	return 0;
}

void mu_server_free(struct mu_server *s)
{
	if (!s)
		return;
	mu_timer_free(s->tick);
	mu_timer_free(s->retry);
	mu_after_free(s->turn);
	mu_poll_free(s->readable);
	mu_poll_free(s->synced);
	if (s->native)
		mu_native_goodbye(s->native, GOODBYE_LINGER_MS);
	mu_native_close(s->native);
	mu_tcp_close(s->tcp);
	remove_ipc_files(s);
	mu_server_control_close(s);
	mu_snapshots_free(s->snapshots);
	mu_data_close(&s->data);
	mu_buf_fini(&s->addresses);
	mu_free(s);
}

int mu_server_reconfigure(struct mu_server *s, struct mu_err *err)
{
	const struct mu_native_limits limits =
		mu_broker_options_native(s->options);
	const struct mu_tcp_limits tcp_limits =
		mu_broker_options_tcp(s->options);
	struct mu_store_config config = s->config;
	int rc;

	mu_broker_options_store(s->options, &config);
	rc = mu_store_reconfigure(s->store, &config, err);
	if (rc)
		return rc;
	s->config = config;
	mu_native_configure(s->native, &limits);
	mu_tcp_configure(s->tcp, &tcp_limits);
	if (s->snapshots) {
		const struct mu_snapshots_config snapshots =
			snapshots_config(s);

		rc = mu_snapshots_reconfigure(s->snapshots, &snapshots, err);
	}
	mu_timer_arm(s->tick, config.tick_ms, config.tick_ms);
	return rc;
}

const char *mu_server_addresses(const struct mu_server *s)
{
	return (const char *)s->addresses.data;
}
