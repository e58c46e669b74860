/*
 * carrier_bed.c - the bed that is a whole broker, reached over one carrier.
 *
 * The broker runs in a child with a data directory of its own, and goes when this
 * process does: it waits for the end of a pipe. What a test wants to know of its
 * insides is asked by four-letter words.
 */
#include "carrier_bed.h"

#include "child.h"
#include "clock.h"
#include "log.h"
#include "loop.h"
#include "server.h"
#include "sha1.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNTIL_MS 30000u
#define LINKS 40
#define HOUR_MS 3600000

struct link {
	uint32_t number; /* 0: none */
	bool closed;     /* by us */
	struct peer peer;
	struct mu_buf out; /* held back */
	struct mu_buf *records;
	size_t count, next; /* of records: that came, that were taken */
};

static enum peer_carrier carrier;
static struct link links[LINKS];
static bool held;
static size_t piece; /* 0: as it is */
static struct {
	pid_t pid;
	int alive; /* our end of the pipe */
	char native[128], tcp[128];
} broker;

/* ---- the broker --------------------------------------------------------------- */

static void write_options(const struct mu_store_config *c, const char *dir,
                          char *text, size_t room)
{
	mu_format(text, room,
	          "listen = [ \"tcp://127.0.0.1:*\" ];\n"
	          "listen_zookeeper = [ \"127.0.0.1:*\" ];\n"
	          "words = [ \"*\" ];\ndata_dir = \"%s\";\n"
	          "control = \"\";\njournal_segment_bytes = 65536;\n"
	          "links_per_address_max = 0;\nhandshake_timeout_ms = %d;\n"
	          "tick_ms = %u;\nsession_timeout_min_ms = %u;\n"
	          "session_timeout_max_ms = %u;\n"
	          "container_check_interval_ms = %u;\nttl_nodes = %s;\n"
	          "enforce_quota = %s;\nsuper_digest = \"%s\";\n"
	          "watches_max = %u;\nsubscriptions_per_link_max = %u;\n"
	          "change_log_max = %u;\nchange_log_bytes = %lu;\n",
	          dir, HOUR_MS, c->tick_ms, c->session_timeout_min_ms,
	          c->session_timeout_max_ms, c->container_check_interval_ms,
	          c->ttl_nodes ? "true" : "false",
	          c->enforce_quota ? "true" : "false", c->super_digest,
	          c->watches_max, c->subscriptions_per_link_max,
	          c->change_log_max, (unsigned long)c->change_log_bytes);
}

static void on_end(void *loop, int events)
{
	(void)events;
	mu_loop_stop(loop);
}

static int remove_one(const char *path, const struct stat *s, int type,
                      struct FTW *f)
{
	(void)s, (void)type, (void)f;
	return remove(path);
}

static int run(const char *text, int alive, int told)
{
	struct mu_broker_options options;
	struct mu_server *server = NULL;
	struct mu_loop *loop;
	struct mu_poll *end;
	struct mu_err err = { 0 };
	const char *addresses;
	int rc = 1;

	mu_log_open("broker", MU_ERROR);
	if (mu_broker_options_parse("bed", text, &options, &err) ||
	    mu_loop_new(&loop, &err) ||
	    mu_server_new(loop, &options, &server, &err) ||
	    mu_poll_new(loop, alive, on_end, loop, &end)) {
		fprintf(stderr, "no broker: %s\n", err.msg);
		return rc;
	}
	mu_poll_set(end, MU_POLL_READ);
	addresses = mu_server_addresses(server);
	if (write(told, addresses, strlen(addresses) + 1) > 0) {
		close(told);
		mu_loop_run(loop);
		rc = mu_server_failed(server);
	}
	mu_poll_free(end);
	mu_server_free(server);
	mu_loop_free(loop);
	mu_broker_options_fini(&options);
	return rc;
}

static void child(const struct mu_store_config *config, int alive, int told)
{
	/* Nothing here is worth a disk: the tree is gone with the broker. */
	char dir[64], text[2048];
	int rc;

	mu_format(dir, sizeof dir, "%s/mu-bed-XXXXXX",
	          access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(dir))
		_exit(1);
	write_options(config, dir, text, sizeof text);
	rc = run(text, alive, told);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	_exit(rc);
}

/* The lines of its addresses, native first. */
static void read_addresses(int fd)
{
	char text[512];
	size_t len = 0;
	ssize_t n;
	char *end;

	while ((n = read(fd, text + len, sizeof text - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	end = strchr(text, '\n');
	ck_assert_msg(end != NULL, "the broker did not start");
	*end = '\0';
	mu_format(broker.native, sizeof broker.native, "%s", text);
	end[1 + strcspn(end + 1, "\n")] = '\0';
	mu_format(broker.tcp, sizeof broker.tcp, "%s", end + 1);
}

static void start(const struct mu_store_config *config)
{
	int alive[2], told[2];

	ck_assert_int_eq(pipe(alive), 0);
	ck_assert_int_eq(pipe(told), 0);
	fflush(NULL);
	broker.pid = child_fork();
	if (broker.pid == 0) {
		setpgid(0, 0); /* Check kills its tests by their group */
		close(alive[1]);
		close(told[0]);
		child(config, alive[0], told[1]);
	}
	close(alive[0]);
	close(told[1]);
	broker.alive = alive[1];
	read_addresses(told[0]);
	close(told[0]);
}

static void stop(void)
{
	int status;

	close(broker.alive);
	ck_assert_int_eq(waitpid(broker.pid, &status, 0), broker.pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	              "the broker ended with status %#x", (unsigned)status);
}

/* ---- links -------------------------------------------------------------------- */

static struct link *find(uint32_t number)
{
	for (size_t i = 0; i < LINKS; i++)
		if (links[i].number == number)
			return &links[i];
	return NULL;
}

static struct link *get(uint32_t number)
{
	struct link *l = find(number);

	ck_assert_msg(l != NULL, "there is no link %u", number);
	return l;
}

/* One more record, into those to be taken; false: the link has ended. */
static bool hear(struct link *l)
{
	struct mu_str record;

	if (l->closed || peer_record(&l->peer, &record) == PEER_ENDED)
		return false;
	l->records = realloc(l->records, (l->count + 1) * sizeof *l->records);
	ck_assert_ptr_nonnull(l->records);
	l->records[l->count] = (struct mu_buf){ 0 };
	mu_buf_put(&l->records[l->count++], record.at, record.len);
	return true;
}

static void forget(struct link *l)
{
	if (!l->closed)
		peer_close(&l->peer);
	for (size_t i = 0; i < l->count; i++)
		mu_buf_fini(&l->records[i]);
	free(l->records);
	mu_buf_fini(&l->out);
	memset(l, 0, sizeof *l);
}

void bed_open_with(const struct mu_store_config *config)
{
	memset(&bed, 0, sizeof bed);
	bed.timeout_ms = 60000; /* nobody expires for being slow */
	held = false;
	piece = 0;
	start(config);
}

void bed_close(void)
{
	for (size_t i = 0; i < LINKS; i++)
		if (links[i].number)
			forget(&links[i]);
	mu_buf_fini(&bed.q);
	stop();
}

void bed_link(uint32_t link)
{
	struct link *l = find(0);

	ck_assert_msg(l && !find(link), "no room for link %u", link);
	l->number = link;
	peer_open(&l->peer, carrier == PEER_TCP ? broker.tcp : broker.native);
}

const char *bed_address(void)
{
	return "127.0.0.1";
}

static void frame(struct mu_buf *b, const void *bytes, size_t len)
{
	const size_t at = mu_frame_begin(b);

	mu_buf_put(b, bytes, len);
	mu_frame_end(b, at);
}

static void send_out(struct link *l)
{
	const size_t step = piece ? piece : l->out.len;
	size_t at, left;

	for (at = 0; !l->closed && at < l->out.len; at += step) {
		left = l->out.len - at;
		if (!peer_send(&l->peer, l->out.data + at,
		               left < step ? left : step))
			break;
	}
	mu_buf_reset(&l->out);
}

void bed_in_pieces(size_t n)
{
	piece = carrier == PEER_TCP ? n : 0;
}

void bed_oversize(uint32_t link, const void *bytes, size_t len)
{
	bed_receive(link, bytes, len);
}

bool bed_answers_oversize(void)
{
	return carrier == PEER_NATIVE;
}

void bed_receive(uint32_t link, const void *bytes, size_t len)
{
	struct link *l = get(link);

	frame(&l->out, bytes, len);
	if (!held)
		send_out(l);
}

void bed_hold(void)
{
	held = true;
}

void bed_release(void)
{
	held = false;
	for (size_t i = 0; i < LINKS; i++)
		send_out(&links[i]);
}

/* ---- what came out ------------------------------------------------------------ */

/* What became of the broker, where a link ended that should not have; -1: it
 * runs. */
static int broker_status(void)
{
	int status = 0;

	return waitpid(broker.pid, &status, WNOHANG) == broker.pid ? status
	                                                           : -1;
}

struct mu_in bed_take(uint32_t link)
{
	struct link *l = get(link);
	struct mu_buf *b;

	if (l->next == l->count && !hear(l))
		ck_abort_msg("link %u ended where a record was due; the "
		             "broker's status: %d",
		             link, broker_status());
	b = &l->records[l->next++];
	return mu_in_of(b->data, b->len);
}

static bool is_pong(const struct mu_buf *b)
{
	struct mu_in in = mu_in_of(b->data, b->len);

	return b->len == 16 && mu_get_int(&in) == MU_XID_PING;
}

/* What came before the answer to a ping is all that there is. False: the link
 * has ended. */
static bool ping(struct link *l)
{
	struct mu_buf body = { 0 };

	bed_send(l->number, MU_XID_PING, MU_OP_PING, &body);
	do
		if (!hear(l))
			return false;
	while (!is_pong(&l->records[l->count - 1]));
	mu_buf_fini(&l->records[--l->count]);
	return true;
}

void bed_quiet(uint32_t link)
{
	struct link *l = get(link);

	if (!held)
		(void)ping(l);
	ck_assert_msg(l->next == l->count, "link %u got more", link);
}

bool bed_is_closed(uint32_t link, enum mu_close_reason reason)
{
	struct link *l = get(link);

	(void)reason;
	while (hear(l))
		;
	return true;
}

bool bed_is_open(uint32_t link)
{
	return ping(get(link));
}

/* ---- the broker's insides ------------------------------------------------------- */

static const char *ask_word(const char *word)
{
	const int fd = raw_dial(atoi(strrchr(broker.tcp, ':') + 1));
	const char *text;
	int how;

	ck_assert_int_ge(fd, 0);
	ck_assert(raw_send(fd, word, strlen(word)));
	text = raw_all(fd, NULL, &how);
	ck_assert_int_eq(how, RAW_CLOSED);
	close(fd);
	return text;
}

static unsigned long long number(const char *text, const char *key, int base)
{
	const char *at = strstr(text, key);

	ck_assert_msg(at != NULL, "%s is not in: %s", key, text);
	return strtoull(at + strlen(key), NULL, base);
}

struct bed_counts bed_counts(void)
{
	const char *text = ask_word("mntr");
	struct bed_counts c = {
		.nodes = (uint32_t)number(text, "zk_znode_count\t", 10),
		.watches = number(text, "zk_watch_count\t", 10),
		.ephemerals =
			(uint32_t)number(text, "zk_ephemerals_count\t", 10),
		.sessions = (uint32_t)number(text, "zk_global_sessions\t", 10),
	};

	c.zxid = (int64_t)number(ask_word("srvr"), "Zxid: ", 16);
	return c;
}

void bed_until(bool (*is)(void))
{
	const uint64_t end = mu_clock_mono_ms() + UNTIL_MS;

	while (!is()) {
		ck_assert_msg(mu_clock_mono_ms() < end, "it never came");
		poll(NULL, 0, 5);
	}
}

uint64_t bed_now_ms(void)
{
	return mu_clock_mono_ms();
}

static bool has_noticed(void)
{
	unsigned long long open = 1; /* the one that asks */

	for (size_t i = 0; i < LINKS; i++)
		open += links[i].number && !links[i].closed &&
		        !links[i].peer.ended;
	return number(ask_word("mntr"), "zk_num_alive_connections\t", 10) <=
	       open;
}

void bed_lost(uint32_t link)
{
	struct link *l = get(link);

	peer_close(&l->peer);
	l->closed = true;
	bed_until(has_noticed);
}

void bed_sha1(const void *bytes, size_t len, uint8_t hash[20])
{
	mu_sha1(bytes, len, hash);
}

int carrier_bed_run(enum peer_carrier on, const char *name)
{
	carrier = on;
	return bed_run_semantics(name);
}
