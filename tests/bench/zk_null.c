#include "zk_null.h"

#include "proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uv.h>

#define READ_BYTES 65536u
#define BACKLOG 128
#define CHILDREN 10
#define OPS 32 /* others are answered with a header */

struct link {
	uv_tcp_t tcp; /* first: it is the link */
	bool greeted, watches;
	struct mu_buf kept; /* of a frame that is not whole */
	LIST_ENTRY(link) next;
};

static LIST_HEAD(, link) links;
static struct mu_buf answer[OPS], hello, told, out;
static char input[READ_BYTES];

/* ---- the constants ---------------------------------------------------------------- */

static struct mu_buf *answer_to(int32_t op)
{
	return &answer[op > 0 && op < OPS ? op : 0];
}

static void make_answers(void)
{
	static const char data[100], password[16];
	const struct mu_connect_response up = { .timeout_ms = 30000,
		                                .session = 1,
		                                .password = { password, 16 } };
	const struct mu_stat stat = { .czxid = 1 };
	size_t at[OPS];

	for (int op = 0; op < OPS; op++) {
		at[op] = mu_frame_begin(&answer[op]);
		mu_put_reply_header(&answer[op], 0, 1, 0);
	}
	mu_put_data(&answer[MU_OP_GET_DATA], data, sizeof data);
	mu_put_stat(&answer[MU_OP_GET_DATA], &stat);
	mu_put_stat(&answer[MU_OP_EXISTS], &stat);
	mu_put_stat(&answer[MU_OP_SET_DATA], &stat);
	mu_put_str(&answer[MU_OP_CREATE], mu_str_of("/zkbench"));
	mu_put_int(&answer[MU_OP_GET_CHILDREN], CHILDREN);
	for (int i = 0; i < CHILDREN; i++)
		mu_put_str(&answer[MU_OP_GET_CHILDREN], mu_str_of("child0"));
	for (int op = 0; op < OPS; op++)
		mu_frame_end(&answer[op], at[op]);
	at[0] = mu_frame_begin(&hello);
	mu_put_connect_response(&hello, &up);
	mu_frame_end(&hello, at[0]);
	at[0] = mu_frame_begin(&told);
	mu_put_reply_header(&told, MU_XID_NOTIFICATION, -1, 0);
	mu_put_watcher_event(&told, 3, 3, mu_str_of("/crowd"));
	mu_frame_end(&told, at[0]);
}

/* ---- links -------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
	struct link *l = (struct link *)h;

	LIST_REMOVE(l, next);
	mu_buf_fini(&l->kept);
	free(l);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* A change of anything is a change of what all watch. */
static void tell_all(void)
{
	uv_buf_t w = uv_buf_init((char *)told.data, (unsigned)told.len);
	struct link *l;

	LIST_FOREACH(l, &links, next)
	{
		if (l->watches)
			uv_try_write((uv_stream_t *)&l->tcp, &w, 1);
		l->watches = false;
	}
}

static void answer_one(struct link *l, const uint8_t *record, size_t len)
{
	const int32_t op = l->greeted ? (int32_t)be32(record + 4) : 0;
	const struct mu_buf *a = l->greeted ? answer_to(op) : &hello;
	const size_t at = out.len;

	if (op == MU_OP_SET_DATA)
		tell_all();
	else if (op == MU_OP_GET_DATA)
		l->watches = record[len - 1];
	mu_buf_put(&out, a->data, a->len);
	if (l->greeted && out.len > at)
		memcpy(out.data + at + 4, record, 4); /* the xid */
	l->greeted = true;
}

/* Whole frames off the start: how many bytes those were. */
static size_t take(struct link *l, const uint8_t *p, size_t len)
{
	size_t at = 0;

	for (; len - at >= 4 && len - at - 4 >= be32(p + at);
	     at += 4 + be32(p + at))
		answer_one(l, p + at + 4, be32(p + at));
	return at;
}

static void on_data(struct link *l, const uint8_t *p, size_t len)
{
	size_t n;

	if (l->kept.len) {
		mu_buf_put(&l->kept, p, len);
		n = take(l, l->kept.data, l->kept.len);
		mu_buf_drop(&l->kept, n);
		return;
	}
	n = take(l, p, len);
	mu_buf_put(&l->kept, p + n, len - n);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *b)
{
	(void)h;
	(void)hint;
	*b = uv_buf_init(input, sizeof input);
}

/* Its clients never have more outstanding than the kernel holds. */
static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct link *l = (struct link *)s;
	uv_buf_t w;

	if (n > 0) {
		mu_buf_reset(&out);
		on_data(l, (const uint8_t *)b->base, (size_t)n);
		w = uv_buf_init((char *)out.data, (unsigned)out.len);
	}
	if (n < 0 ||
	    (n > 0 && out.len && uv_try_write(s, &w, 1) != (int)out.len))
		uv_close((uv_handle_t *)s, on_closed);
}

static void on_waiting(uv_stream_t *server, int status)
{
	struct link *l = status ? NULL : calloc(1, sizeof *l);

	if (!l)
		return;
	uv_tcp_init(server->loop, &l->tcp);
	LIST_INSERT_HEAD(&links, l, next);
	if (uv_accept(server, (uv_stream_t *)&l->tcp) ||
	    uv_tcp_nodelay(&l->tcp, 1) ||
	    uv_read_start((uv_stream_t *)&l->tcp, on_alloc, on_read))
		uv_close((uv_handle_t *)&l->tcp, on_closed);
}

int zk_null_serve(uint16_t port)
{
	uv_loop_t *loop = uv_default_loop();
	struct sockaddr_in a;
	uv_tcp_t server;

	make_answers();
	uv_ip4_addr("127.0.0.1", port, &a);
	if (uv_tcp_init(loop, &server) ||
	    uv_tcp_bind(&server, (const struct sockaddr *)&a, 0) ||
	    uv_listen((uv_stream_t *)&server, BACKLOG, on_waiting))
		return 1;
	return uv_run(loop, UV_RUN_DEFAULT);
}
