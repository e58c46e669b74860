#include "peer.h"

#include "buf.h"
#include "err.h"
#include "program.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX (1u << 27)
#define LINGER_MS 2000u
#define POLL_MS 100

static const char zookeeper[] = "zookeeper://";

static void wait_more(struct peer *p, long end)
{
	struct pollfd fd = { .fd = mu_zsock_fd(p->z), .events = POLLIN };

	ck_assert_msg(now_ms() < end, "the broker says nothing");
	poll(&fd, 1, POLL_MS);
}

void peer_open(struct peer *p, const char *url)
{
	struct mu_err err;

	memset(p, 0, sizeof *p);
	if (strncmp(url, zookeeper, strlen(zookeeper)) == 0) {
		p->carrier = PEER_TCP;
		raw_open(&p->tcp, atoi(strrchr(url, ':') + 1));
		return;
	}
	mu_zmsg_init(&p->message);
	ck_assert_msg(mu_zsock_dealer_open(&p->z, url, MESSAGE_MAX, &err) == 0,
	              "%s", err.msg);
}

static bool send_message(struct peer *p, const void *bytes, size_t len)
{
	const long end = now_ms() + RAW_LIMIT_S * 1000;
	struct mu_zmsg m;
	int rc;

	mu_zmsg_init(&m);
	ck_assert_int_eq(mu_zmsg_copy_in(&m, bytes, len), 0);
	while ((rc = mu_zsock_send(p->z, NULL, &m)) == MU_EAGAIN) {
		if (mu_zsock_events(p->z) & MU_ZSOCK_LOST)
			break;
		wait_more(p, end);
	}
	mu_zmsg_fini(&m);
	return rc == 0;
}

void peer_close(struct peer *p)
{
	if (p->carrier == PEER_TCP) {
		raw_close(&p->tcp);
		return;
	}
	if (!p->ended) {
		send_message(p, "", 0);
		mu_zsock_linger(p->z, LINGER_MS);
	}
	mu_zmsg_fini(&p->message);
	mu_zsock_close(p->z);
}

bool peer_send(struct peer *p, const void *framed, size_t len)
{
	return p->carrier == PEER_TCP ? raw_send(p->tcp.fd, framed, len)
	                              : send_message(p, framed, len);
}

static int tcp_record(struct peer *p, struct mu_str *record)
{
	const int rc = raw_record(&p->tcp);

	ck_assert_msg(rc != RAW_NOTHING, "the broker says nothing");
	if (rc != RAW_RECORD)
		return PEER_ENDED;
	*record = (struct mu_str){ (const char *)p->tcp.got.data,
		                   (uint32_t)p->tcp.got.len };
	return PEER_RECORD;
}

/* An empty message is the broker's goodbye; what came before a loss counts. */
static int next_message(struct peer *p)
{
	const long end = now_ms() + RAW_LIMIT_S * 1000;
	int told;

	for (;; wait_more(p, end)) {
		told = mu_zsock_events(p->z);
		if (mu_zsock_recv(p->z, NULL, &p->message) == 0)
			break;
		if (told & MU_ZSOCK_LOST)
			return PEER_ENDED;
	}
	p->rest = mu_in_of(mu_zmsg_data(&p->message), mu_zmsg_len(&p->message));
	return mu_in_left(&p->rest) ? PEER_RECORD : PEER_ENDED;
}

static int native_record(struct peer *p, struct mu_str *record)
{
	if (!mu_in_left(&p->rest) && next_message(p) == PEER_ENDED)
		return PEER_ENDED;
	ck_assert_int_eq(mu_frame_next(&p->rest, record), 1);
	return PEER_RECORD;
}

int peer_record(struct peer *p, struct mu_str *record)
{
	int rc;

	if (p->ended)
		return PEER_ENDED;
	rc = p->carrier == PEER_TCP ? tcp_record(p, record)
	                            : native_record(p, record);
	p->ended = rc == PEER_ENDED;
	return rc;
}
