/*
 * fuzz_tcp.c - the TCP carrier with hostile peers: the real tcp*.c on sockets, a
 * kernel and a clock that are made of the input.
 *
 * The input is a list of steps of two bytes (what and which link, a number) and
 * what that step needs beyond them. What a peer sends is also read by the few
 * lines of `next_of`, which see all of it at once. Whatever comes, and however it
 * is cut: the carrier hands up the same records in the same order, ends a link
 * for a length where they say so, keeps no more than one record and one read,
 * reads nothing past what came (each piece is in memory of its own size), and
 * sends what the owner sent in order. At the end, with all doors open, nothing
 * whole is left that was not handed up.
 */
#include "fuzz.h"
#include "log.h"
#include "mem.h"
#include "proto.h"
#include "tcp_link.h"

#define PEERS 3u
#define CROWD 2u /* of one address */
#define PIECE_MAX 48u
#define TCP_PACKET_MAX 64u
#define TCP_OUTBOX_MAX 200000u
#define WRITE_MAX 5000u  /* bytes that go in one write */
#define SENT_MAX 300000u /* to one peer; beyond it the owner is brief */
#define RECORD_LEAST 8u
#define SHORT_LEN 20u   /* taken where longer ones are not */
#define HELLO_LEAST 28u /* without password and read-only byte */

/* The other side of a connection, its kernel, and what both must agree on. */
struct peer {
	struct mu_tcpsock *socket; /* NULL: not connected */
	uint32_t link;             /* 0: not told of, or ended */
	bool left, gone;           /* after what it sent; at once */
	bool greeted, over;        /* over: a record or word ended it */
	struct mu_buf sent;        /* all that it ever sent */
	size_t read;               /* of it, by the carrier */
	size_t taken;              /* of it, in records handed up */
	size_t room;               /* of the kernel, for what is sent to it */
	struct mu_buf owed;        /* lengths of records sent to it */
	size_t owed_bytes, got_bytes;
	size_t at, off; /* of the record that comes: which, bytes of it */
};

struct mu_tcpsock {
	const struct mu_tcpsock_owner *owner;
	void *arg;
	struct peer *peer;
	bool reading, ended, closed;
	const uint8_t *lent; /* NULL: nothing is */
	size_t lent_len;
	void (*release)(void *kept);
	void *kept;
	struct mu_tcpsock *next;
};

struct mu_tcplisten {
	mu_loop_fn *waiting;
	void *arg;
};

struct mu_loop {
	uint64_t now_ms;
};

static struct shore {
	struct mu_loop loop;
	struct mu_tcplisten listen;
	struct mu_tcp *t;
	struct mu_in in; /* the steps */
	struct peer peer[PEERS];
	struct peer *waits;         /* to be accepted */
	struct mu_tcpsock *sockets; /* all there ever were */
	size_t longest;             /* record that the owner takes now */
	bool refuse;                /* it lets nobody in */
	size_t answer;              /* bytes of an answer to each record */
	uint64_t bad_lengths;
} shore;

/* ---- what a peer is sent ---------------------------------------------------------- */

/* Records to a peer are their length, and bytes that are all the low byte of it;
 * so that only lengths are kept. */
#define WORD_LEN UINT32_MAX /* "imok", which has no length */
#define RECORD_MAX (UINT8_MAX * 256u)

static void peer_is_owed(struct peer *p, uint32_t len)
{
	mu_buf_put(&p->owed, &len, sizeof len);
	p->owed_bytes += len == WORD_LEN ? 4 : 4 + len;
}

static uint32_t length_owed(const struct peer *p)
{
	uint32_t len;

	MU_BUG_ON((p->at + 1) * sizeof len > p->owed.len);
	memcpy(&len, p->owed.data + p->at * sizeof len, sizeof len);
	return len;
}

/* The next bytes that came: are they what was sent? */
static void peer_gets(struct peer *p, const uint8_t *bytes, size_t n)
{
	p->got_bytes += n;
	while (n) {
		const uint32_t len = length_owed(p);
		const size_t whole = len == WORD_LEN ? 4 : 4 + (size_t)len;
		size_t part = whole - p->off < n ? whole - p->off : n;

		if (p->off < 4) {
			part = 1;
			MU_BUG_ON(*bytes !=
			          (len == WORD_LEN
			                   ? (uint8_t) "imok"[p->off]
			                   : (uint8_t)(len >>
			                               (24 - 8 * p->off))));
		} else {
			MU_BUG_ON(*bytes != (uint8_t)len);
			MU_BUG_ON(memcmp(bytes, bytes + 1, part - 1) != 0);
		}
		bytes += part;
		n -= part;
		p->off += part;
		if (p->off == whole) {
			p->at++;
			p->off = 0;
		}
	}
}

/* ---- the sockets, in place of tcpsock.c ----------------------------------------- */

int mu_tcplisten_open(struct mu_loop *l, const char *address,
                      mu_loop_fn *waiting, void *arg, struct mu_tcplisten **out,
                      struct mu_err *err)
{
	(void)l;
	(void)address;
	(void)err;
	shore.listen = (struct mu_tcplisten){ waiting, arg };
	*out = &shore.listen;
	return 0;
}

void mu_tcplisten_close(struct mu_tcplisten *t)
{
	(void)t;
}

const char *mu_tcplisten_address(const struct mu_tcplisten *t)
{
	(void)t;
	return "here";
}

int mu_tcplisten_accept(struct mu_tcplisten *t,
                        const struct mu_tcpsock_owner *owner, void *arg,
                        struct mu_tcpsock **out, struct mu_tcpsock_peer *from)
{
	struct mu_tcpsock *s;

	(void)t;
	if (!shore.waits)
		return MU_EAGAIN;
	s = mu_alloc(sizeof *s);
	MU_BUG_ON(!s);
	s->owner = owner;
	s->arg = arg;
	s->peer = shore.waits;
	s->peer->socket = s;
	s->next = shore.sockets;
	shore.sockets = s;
	shore.waits = NULL;
	memset(from, 0, sizeof *from);
	memcpy(from->host, "here", 5);
	memcpy(from->where, "here:1", 7);
	*out = s;
	return 0;
}

void mu_tcpsock_read(struct mu_tcpsock *t, bool on)
{
	MU_BUG_ON(t->closed);
	t->reading = on && !t->ended;
}

int mu_tcpsock_write(struct mu_tcpsock *t, const struct mu_tcpsock_span *pieces,
                     unsigned count, size_t *written)
{
	struct peer *p = t->peer;
	size_t n;

	MU_BUG_ON(t->closed || t->lent || count == 0 ||
	          count > MU_TCP_SPANS_MAX);
	*written = 0;
	if (p->gone)
		return MU_EGONE;
	for (; count && p->room && *written < WRITE_MAX; count--, pieces++) {
		n = pieces->len < p->room ? pieces->len : p->room;
		n = n < WRITE_MAX - *written ? n : WRITE_MAX - *written;
		peer_gets(p, pieces->at, n);
		p->room -= n;
		*written += n;
	}
	return *written ? 0 : MU_EAGAIN;
}

int mu_tcpsock_lend(struct mu_tcpsock *t, const void *p, size_t len,
                    void (*release)(void *kept), void *kept)
{
	MU_BUG_ON(t->closed || t->lent || len == 0);
	t->lent = p;
	t->lent_len = len;
	t->release = release;
	t->kept = kept;
	return 0;
}

size_t mu_tcpsock_unsent(const struct mu_tcpsock *t)
{
	return t->lent ? t->lent_len : 0;
}

void mu_tcpsock_finish(struct mu_tcpsock *t)
{
	MU_BUG_ON(t->closed);
}

/* What is lent is given back in a later turn: see `sockets_free`. */
void mu_tcpsock_close(struct mu_tcpsock *t)
{
	if (!t)
		return;
	MU_BUG_ON(t->closed);
	t->closed = true;
	t->peer->socket = NULL;
}

uint64_t mu_loop_now_ms(const struct mu_loop *l)
{
	return l->now_ms;
}

void mu_log_write(enum mu_level level, const struct mu_kv *kv)
{
	(void)level;
	(void)kv;
}

static void socket_end(struct mu_tcpsock *s, int rc)
{
	if (s->ended)
		return;
	s->ended = true;
	s->reading = false;
	s->owner->ended(s->arg, rc);
}

static void lent_is_over(struct mu_tcpsock *s, bool good)
{
	s->lent = NULL;
	s->release(s->kept);
	if (s->closed)
		return;
	if (good)
		s->owner->writable(s->arg);
	else
		socket_end(s, MU_EGONE);
}

/* The kernel has room again. */
static void socket_drain(struct mu_tcpsock *s)
{
	struct peer *p = s->peer;
	size_t n;

	if (!s->lent)
		return;
	n = s->lent_len < p->room ? s->lent_len : p->room;
	peer_gets(p, s->lent, n);
	p->room -= n;
	s->lent += n;
	s->lent_len -= n;
	if (s->lent_len == 0)
		lent_is_over(s, true);
}

/* One piece of what the peer has sent, at most `max` bytes, or its end. False:
 * there was nothing to do. */
static bool socket_pump(struct peer *p, size_t max)
{
	struct mu_tcpsock *s = p->socket;
	size_t n = p->sent.len - p->read;
	uint8_t *piece;

	if (!s || !s->reading)
		return false;
	if (p->gone || (n == 0 && p->left)) {
		socket_end(s, p->gone ? MU_EGONE : 0);
		return true;
	}
	n = n < max ? n : max;
	n = n < PIECE_MAX ? n : PIECE_MAX;
	if (n == 0)
		return false;
	piece = mu_alloc(n);
	MU_BUG_ON(!piece);
	memcpy(piece, p->sent.data + p->read, n);
	p->read += n;
	s->owner->data(s->arg, piece, n);
	mu_free(piece);
	return true;
}

static void sockets_free(void)
{
	struct mu_tcpsock *s;

	while ((s = shore.sockets)) {
		MU_BUG_ON(!s->closed);
		if (s->lent)
			lent_is_over(s, false);
		shore.sockets = s->next;
		mu_free(s);
	}
}

/* ---- what should be handed up ---------------------------------------------------- */

enum next { NEXT_MORE, NEXT_WORD, NEXT_BAD, NEXT_RECORD };

static size_t a_word_len(void *arg, const uint8_t first[4])
{
	(void)arg;
	if (memcmp(first, "ruok", 4) == 0)
		return 4;
	return memcmp(first, "stmk", 4) == 0 ? MU_TCP_WORD_MAX : 0;
}

/* What a peer's bytes, as far as they were read, go on with. */
static enum next next_of(const struct peer *p, size_t *len)
{
	const size_t left = p->read - p->taken;
	const uint8_t *at;
	size_t word;

	if (left < 4)
		return NEXT_MORE;
	at = p->sent.data + p->taken;
	word = p->greeted ? 0 : a_word_len(NULL, at);
	*len = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 |
	       at[3];
	if (word)
		return left < word ? NEXT_MORE : NEXT_WORD;
	if (*len < RECORD_LEAST || *len > TCP_PACKET_MAX)
		return NEXT_BAD;
	return left - 4 < *len ? NEXT_MORE : NEXT_RECORD;
}

/* ---- the owner ------------------------------------------------------------------- */

static struct peer *peer_of(uint32_t link)
{
	for (size_t i = 0; i < PEERS; i++)
		if (link && shore.peer[i].link == link)
			return &shore.peer[i];
	return NULL;
}

static int shore_open(void *arg, uint32_t link, const char *origin)
{
	(void)arg;
	MU_BUG_ON(!(link & MU_LINK_TCP) || peer_of(link));
	MU_BUG_ON(strcmp(origin, "tcp:here") != 0);
	if (shore.refuse)
		return MU_EFULL;
	for (size_t i = 0; i < PEERS; i++) {
		struct peer *p = &shore.peer[i];

		if (p->socket && p->link == 0 && !p->over) {
			p->link = link;
			return 0;
		}
	}
	MU_BUG_ON(true);
	return 0;
}

static bool shore_takes(void *arg, uint32_t link, size_t len)
{
	(void)arg;
	MU_BUG_ON(!peer_of(link) || len < RECORD_LEAST || len > TCP_PACKET_MAX);
	return len <= shore.longest;
}

/* A record of `len` bytes to one link, or to all. */
static void say(struct peer *to, size_t len)
{
	static uint8_t frame[4 + RECORD_MAX];
	uint32_t links[PEERS + 1] = { 7 };
	size_t n = 1;

	MU_BUG_ON(len > RECORD_MAX);
	for (size_t i = 0; i < 4; i++)
		frame[i] = (uint8_t)(len >> (24 - 8 * i));
	memset(frame + 4, (uint8_t)len, len);
	for (size_t i = 0; i < PEERS; i++) {
		struct peer *one = &shore.peer[i];

		if (!one->link || (to && one != to))
			continue;
		peer_is_owed(one, (uint32_t)len);
		links[n++] = one->link;
	}
	if (to)
		mu_tcp_send(shore.t, to->link, frame, 4 + len);
	else
		mu_tcp_fanout(shore.t, links, n, frame, 4 + len);
}

/* Nothing comes of it after this; but that it was lost, if it was cut before. */
static void owner_ends(struct peer *p)
{
	const struct mu_tlink *l = mu_idmap_find(&shore.t->links, p->link);

	if (!l)
		return;
	mu_tcp_end(shore.t, p->link);
	p->over = true;
	if (l->state != MU_TLINK_GONE)
		p->link = 0;
}

/* The handshake ends with the read-only byte, or without. */
static void hello_is_read(const void *bytes, size_t len)
{
	struct mu_in in = mu_in_of(bytes, len);
	struct mu_connect_request q;
	int rc = mu_get_connect_request(&in, &q);

	MU_BUG_ON(rc != 0 && rc != MU_EMARSHAL);
	MU_BUG_ON(rc == 0 &&
	          q.has_read_only != (len > HELLO_LEAST + q.password.len));
}

static void shore_record(void *arg, uint32_t link, const void *bytes,
                         size_t len)
{
	struct peer *p = peer_of(link);
	size_t want = 0;

	(void)arg;
	MU_BUG_ON(!p || p->over || len > shore.longest);
	MU_BUG_ON(next_of(p, &want) != NEXT_RECORD || len != want);
	MU_BUG_ON(memcmp(p->sent.data + p->taken + 4, bytes, len) != 0);
	if (!p->greeted)
		hello_is_read(bytes, len);
	p->greeted = true;
	p->taken += 4 + len;
	if (shore.answer)
		say(p, p->owed_bytes < SENT_MAX ? shore.answer : 8);
	if (memcmp(bytes, "end", 3) == 0) {
		owner_ends(p);
	}
}

static void shore_word(void *arg, uint32_t link, const uint8_t *bytes,
                       struct mu_buf *out)
{
	struct peer *p = NULL;
	size_t want;

	(void)arg;
	MU_BUG_ON(peer_of(link)); /* it was lost, before */
	for (size_t i = 0; i < PEERS; i++)
		if (shore.peer[i].over && !shore.peer[i].greeted &&
		    shore.peer[i].socket &&
		    ((struct mu_tlink *)shore.peer[i].socket->arg)->id == link)
			p = &shore.peer[i];
	MU_BUG_ON(!p || next_of(p, &want) != NEXT_WORD || p->taken);
	MU_BUG_ON(memcmp(p->sent.data, bytes, a_word_len(NULL, bytes)) != 0);
	mu_buf_put(out, "imok", 4);
	peer_is_owed(p, WORD_LEN);
}

static void shore_lost(void *arg, uint32_t link)
{
	struct peer *p = peer_of(link);
	const uint64_t bad = shore.t->stats.cut[MU_TCP_CUT_LENGTH];
	size_t len;

	(void)arg;
	MU_BUG_ON(!p);
	/* It may be told of a bad length later than of another link's end. */
	if (bad > shore.bad_lengths && next_of(p, &len) == NEXT_BAD)
		shore.bad_lengths++;
	p->link = 0;
	p->over = true;
}

/* ---- promises -------------------------------------------------------------------- */

static void peer_is_sound(const struct peer *p)
{
	const struct mu_tlink *l = mu_idmap_find(&shore.t->links, p->link);
	size_t len;

	if (!l || l->state != MU_TLINK_OPEN)
		return;
	MU_BUG_ON(l->in.len != p->read - p->taken);
	MU_BUG_ON(l->in.len > 4 + TCP_PACKET_MAX + PIECE_MAX);
	MU_BUG_ON(l->in.room > 2 * (4 + TCP_PACKET_MAX + PIECE_MAX));
	MU_BUG_ON(l->out.bytes > TCP_OUTBOX_MAX);
	MU_BUG_ON(l->greeted != p->greeted);
	MU_BUG_ON(l->pause == MU_TLINK_READ && next_of(p, &len) != NEXT_MORE);
	MU_BUG_ON(p->socket->reading !=
	          (l->pause == MU_TLINK_READ && !p->socket->ended));
	MU_BUG_ON(l->pause != MU_TLINK_READ && next_of(p, &len) == NEXT_MORE &&
	          l->pause != MU_TLINK_READY);
}

static void shore_is_sound(void)
{
	const struct mu_tlink *l;
	uint32_t links = 0, paused = 0;

	TAILQ_FOREACH(l, &shore.t->all, on_all)
	{
		links++;
		paused += l->pause != MU_TLINK_READ;
	}
	MU_BUG_ON(shore.t->stats.links != links || links > CROWD);
	MU_BUG_ON(shore.t->stats.paused != paused);
	MU_BUG_ON(shore.t->stats.cut[MU_TCP_CUT_LENGTH] != shore.bad_lengths &&
	          TAILQ_EMPTY(&shore.t->lost));
	for (size_t i = 0; i < PEERS; i++)
		peer_is_sound(&shore.peer[i]);
}

/* ---- steps ----------------------------------------------------------------------- */

static uint8_t shore_take(void)
{
	return mu_in_left(&shore.in) ? *shore.in.at++ : 0;
}

static void peer_forget(struct peer *p)
{
	mu_buf_fini(&p->sent);
	mu_buf_fini(&p->owed);
	*p = (struct peer){ .room = 4096 };
}

static void peer_dials(struct peer *p)
{
	if (shore.waits || p->socket)
		return;
	peer_forget(p);
	shore.waits = p;
	shore.listen.waiting(shore.listen.arg);
}

static void peer_sends(struct peer *p, size_t n)
{
	if (n > mu_in_left(&shore.in))
		n = mu_in_left(&shore.in);
	if (!p->left)
		mu_buf_put(&p->sent, shore.in.at, n);
	shore.in.at += n;
}

/* A record that is sound, up to one byte over the limits. */
static void peer_sends_record(struct peer *p, uint8_t number)
{
	size_t len = RECORD_LEAST - 1 + number % (TCP_PACKET_MAX - 5);
	size_t mark = mu_frame_begin(&p->sent);
	uint8_t *bytes = mu_buf_grow(&p->sent, len);

	MU_BUG_ON(!bytes);
	memset(bytes, number, len);
	mu_frame_end(&p->sent, mark);
}

static void peer_goes(struct peer *p, bool at_once)
{
	p->left = true;
	p->gone = p->gone || at_once;
	if (p->gone && p->socket && p->socket->lent)
		lent_is_over(p->socket, false);
}

static void turn(void)
{
	mu_tcp_turn(shore.t);
	mu_tcp_flush(shore.t);
}

static void step(void)
{
	const uint8_t what = shore_take(), number = shore_take();
	struct peer *p = &shore.peer[(what >> 4) % PEERS];

	switch (what % 16) {
	case 0:
		peer_dials(p);
		break;
	case 1: /* as much as there is at a time */
		peer_sends(p, number);
		while (socket_pump(p, SIZE_MAX))
			;
		break;
	case 2: /* byte by byte */
		peer_sends(p, number);
		while (socket_pump(p, 1))
			;
		break;
	case 3:
		if (!p->left)
			peer_sends_record(p, number);
		break;
	case 4:
		socket_pump(p, number);
		break;
	case 5:
		shore.longest = number & 4 ? SHORT_LEN : TCP_PACKET_MAX;
		if (number & 1)
			shore.longest = 0;
		shore.refuse = number & 2;
		break;
	case 6:
		p->room += (size_t)number * number;
		if (p->socket && !p->gone)
			socket_drain(p->socket);
		break;
	case 7:
		shore.loop.now_ms += (uint64_t)number * 8;
		mu_tcp_tick(shore.t);
		break;
	case 8:
		if (p->owed_bytes < SENT_MAX)
			say(number & 1 ? NULL : p, (size_t)number * 32);
		break;
	case 9:
		peer_goes(p, number & 1);
		break;
	case 10:
		owner_ends(p);
		break;
	case 11:
		shore.answer = (size_t)number * 256;
		break;
	case 12:
		p->room = number;
		break;
	default:
		turn();
	}
}

static bool peer_moves(struct peer *p)
{
	const bool pumped = socket_pump(p, SIZE_MAX);

	if (!p->socket || !p->socket->lent || p->gone)
		return pumped;
	socket_drain(p->socket);
	return true;
}

/* All doors open: until nothing moves any more. */
static void settle(void)
{
	bool moved = true;

	shore.longest = TCP_PACKET_MAX;
	shore.refuse = false;
	for (size_t i = 0; i < PEERS; i++)
		shore.peer[i].room = SIZE_MAX;
	while (moved || mu_tcp_has_more(shore.t)) {
		moved = false;
		turn();
		shore_is_sound();
		for (size_t i = 0; i < PEERS; i++)
			moved = peer_moves(&shore.peer[i]) || moved;
	}
}

/* What is open has handed up all that was whole, and has sent all it had to. */
static void all_is_said(const struct peer *p)
{
	size_t len;

	if (!p->link)
		return;
	MU_BUG_ON(p->read != p->sent.len || p->left);
	MU_BUG_ON(next_of(p, &len) != NEXT_MORE);
	MU_BUG_ON(p->got_bytes != p->owed_bytes);
}

int FUZZ_ENTRY(const uint8_t *bytes, size_t len);

int FUZZ_ENTRY(const uint8_t *bytes, size_t len)
{
	static const uint8_t key[16] = { 3 };
	const struct mu_tcp_limits limits = { .packet_max = TCP_PACKET_MAX,
		                              .reply_max = 1000,
		                              .outbox_max = TCP_OUTBOX_MAX,
		                              .outbox_stall_ms = 3000,
		                              .links_per_address_max = CROWD };
	const struct mu_tcp_owner owner = { shore_open,   shore_takes,
		                            shore_record, a_word_len,
		                            shore_word,   shore_lost,
		                            &shore };
	const char *address;

	shore = (struct shore){ .in = mu_in_of(bytes, len),
		                .longest = TCP_PACKET_MAX };
	MU_BUG_ON(
		mu_tcp_open(&shore.loop, &limits, key, &owner, &shore.t, NULL));
	MU_BUG_ON(mu_tcp_listen(shore.t, "*", &address, NULL));
	/* A share of a turn is small, so that it is met. */
	shore.t->socket_owner.buffer_len = PIECE_MAX;
	for (size_t i = 0; i < PEERS; i++)
		peer_forget(&shore.peer[i]);
	while (mu_in_left(&shore.in)) {
		step();
		shore_is_sound();
	}
	settle();
	for (size_t i = 0; i < PEERS; i++)
		all_is_said(&shore.peer[i]);
	mu_tcp_close(shore.t);
	sockets_free();
	for (size_t i = 0; i < PEERS; i++)
		peer_forget(&shore.peer[i]);
	return 0;
}
