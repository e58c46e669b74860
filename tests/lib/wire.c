#include "wire.h"

#include "program.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NET 0x0a4d0000u /* 10.77.0.0/24 */
#define LOOPBACK 0x7f000001u

struct wire_packet {
	struct wire_packet *next;
	int64_t due_ms;
	int to;
	size_t len;
	uint8_t bytes[];
};

/* ---- one host ---- */

static bool set_address(int s, const char *name, uint32_t address)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
	if (address) {
		at.sin_addr.s_addr = htonl(address);
		memcpy(&r.ifr_addr, &at, sizeof at);
		if (ioctl(s, SIOCSIFADDR, &r))
			return false;
		at.sin_addr.s_addr = htonl(0xffffff00u);
		memcpy(&r.ifr_netmask, &at, sizeof at);
		if (ioctl(s, SIOCSIFNETMASK, &r))
			return false;
	}
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(s, SIOCSIFFLAGS, &r) == 0;
}

/* Packets for 127.0.0.1 may come from the device. */
static bool allow_loopback(void)
{
	int fd = open("/proc/sys/net/ipv4/conf/all/route_localnet",
	              O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, "1", 1) == 1;

	if (fd >= 0)
		close(fd);
	return good;
}

static bool make_device(int tun, uint32_t address)
{
	struct ifreq r = { .ifr_name = "wire" };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool good;

	r.ifr_flags = IFF_TUN | IFF_NO_PI;
	good = s >= 0 && ioctl(tun, TUNSETIFF, &r) == 0 &&
	       set_address(s, "wire", address) && set_address(s, "lo", 0) &&
	       allow_loopback();
	if (s >= 0)
		close(s);
	return good;
}

static bool make_host(struct wire *w, int host)
{
	bool good;

	/* A device is of the namespace in which its file was opened. */
	if (unshare(CLONE_NEWNET))
		return false;
	w->tun[host] = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	w->ns[host] = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	good = w->tun[host] >= 0 && w->ns[host] >= 0 &&
	       make_device(w->tun[host], NET + (uint32_t)host + 1);
	wire_leave(w);
	return good;
}

/* ---- addresses ---- */

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* RFC 1624: the checksum at `sum` when these four bytes change. */
static void mend_sum(uint8_t *sum, const uint8_t *old, const uint8_t *new)
{
	uint32_t s = (uint16_t) ~((uint32_t)sum[0] << 8 | sum[1]);

	for (int i = 0; i < 4; i += 2) {
		s += (uint16_t) ~((uint32_t)old[i] << 8 | old[i + 1]);
		s += (uint32_t) new[i] << 8 | new[i + 1];
	}
	s = (s & 0xffff) + (s >> 16);
	s = ~((s & 0xffff) + (s >> 16));
	sum[0] = (uint8_t)(s >> 8);
	sum[1] = (uint8_t)s;
}

/* Put another address at this place (12: source, 16: destination) of a packet
 * of TCP. */
static void set_place(uint8_t *p, size_t len, size_t place, uint32_t address)
{
	size_t tcp = (size_t)(p[0] & 15) * 4;
	uint8_t new[4] = { (uint8_t)(address >> 24), (uint8_t)(address >> 16),
		           (uint8_t)(address >> 8), (uint8_t)address };

	mend_sum(p + 10, p + place, new);
	if (p[9] == IPPROTO_TCP && len >= tcp + 18)
		mend_sum(p + tcp + 16, p + place, new);
	memcpy(p + place, new, sizeof new);
}

/* A host talks as 10.77.0.x to the others, and is 127.0.0.1 to itself where it
 * listens. Which host is it for? -1: none of ours. */
static int address_packet(struct wire *w, int from, uint8_t *p, size_t len)
{
	uint32_t to;

	if (len < 20 || p[0] >> 4 != 4)
		return -1;
	to = get32(p + 16) - NET - 1;
	if (to >= (uint32_t)w->hosts)
		return -1;
	if (get32(p + 12) == LOOPBACK)
		set_place(p, len, 12, NET + (uint32_t)from + 1);
	/* Host 0 listens; the others hear what they asked for. */
	if (to == 0)
		set_place(p, len, 16, LOOPBACK);
	return (int)to;
}

/* ---- the wire ---- */

static void keep(struct wire *w, int to, const uint8_t *bytes, size_t len,
                 uint32_t delay_ms)
{
	struct wire_packet **end = &w->late, *p = malloc(sizeof *p + len);

	if (!p)
		return; /* lost, as on a wire */
	p->due_ms = now_ms() + delay_ms;
	p->to = to;
	p->len = len;
	memcpy(p->bytes, bytes, len);
	while (*end && (*end)->due_ms <= p->due_ms)
		end = &(*end)->next;
	p->next = *end;
	*end = p;
}

/* What a device does not take is lost, as on a wire. */
static void put(const struct wire *w, int to, const void *bytes, size_t len)
{
	if (write(w->tun[to], bytes, len) < 0)
		return;
}

static void carry(struct wire *w, int from)
{
	uint8_t bytes[WIRE_PACKET_MAX];
	ssize_t n;

	while ((n = read(w->tun[from], bytes, sizeof bytes)) > 0) {
		int to = address_packet(w, from, bytes, (size_t)n);
		uint32_t delay_ms;
		bool cut;

		if (to < 0)
			continue;
		pthread_mutex_lock(&w->lock);
		cut = w->cut[from][to];
		delay_ms = w->delay_ms;
		pthread_mutex_unlock(&w->lock);
		if (cut)
			continue;
		if (delay_ms || w->late)
			keep(w, to, bytes, (size_t)n, delay_ms);
		else
			put(w, to, bytes, (size_t)n);
	}
}

/* What is due; how long until the next, -1: none waits. */
static int deliver(struct wire *w)
{
	int64_t now = now_ms();

	while (w->late && w->late->due_ms <= now) {
		struct wire_packet *p = w->late;

		w->late = p->next;
		put(w, p->to, p->bytes, p->len);
		free(p);
	}
	return w->late ? (int)(w->late->due_ms - now) : -1;
}

static void *run_wire(void *arg)
{
	struct wire *w = arg;
	struct pollfd fds[WIRE_HOSTS_MAX + 1];

	for (int i = 0; i < w->hosts; i++)
		fds[i] = (struct pollfd){ w->tun[i], POLLIN, 0 };
	fds[w->hosts] = (struct pollfd){ w->bell, POLLIN, 0 };
	for (;;) {
		int wait_ms = deliver(w);

		if (poll(fds, (nfds_t)w->hosts + 1, wait_ms) < 0)
			continue;
		if (fds[w->hosts].revents)
			return NULL;
		for (int i = 0; i < w->hosts; i++)
			if (fds[i].revents)
				carry(w, i);
	}
}

bool wire_open(struct wire *w, int hosts)
{
	sigset_t all, before;
	int rc;

	*w = (struct wire){ .hosts = hosts };
	ck_assert_int_le(hosts, WIRE_HOSTS_MAX);
	w->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(w->home, 0);
	for (int i = 0; i < hosts; i++) {
		if (make_host(w, i))
			continue;
		printf("SKIPPED: no network namespace with a device of its "
		       "own: %s\n",
		       strerror(errno));
		return false;
	}
	w->bell = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_ge(w->bell, 0);
	pthread_mutex_init(&w->lock, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, run_wire, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ck_assert_int_eq(rc, 0);
	return true;
}

void wire_close(struct wire *w)
{
	uint64_t one = 1;

	ck_assert_int_eq((int)write(w->bell, &one, sizeof one), sizeof one);
	pthread_join(w->thread, NULL);
	pthread_mutex_destroy(&w->lock);
	while (w->late) {
		struct wire_packet *p = w->late;

		w->late = p->next;
		free(p);
	}
	for (int i = 0; i < w->hosts; i++) {
		close(w->tun[i]);
		close(w->ns[i]);
	}
	close(w->bell);
	close(w->home);
}

void wire_enter(struct wire *w, int host)
{
	ck_assert_int_eq(setns(w->ns[host], CLONE_NEWNET), 0);
}

void wire_leave(struct wire *w)
{
	ck_assert_int_eq(setns(w->home, CLONE_NEWNET), 0);
}

void wire_cut(struct wire *w, int from, int to, bool cut)
{
	pthread_mutex_lock(&w->lock);
	w->cut[from][to] = cut;
	pthread_mutex_unlock(&w->lock);
}

void wire_cut_host(struct wire *w, int host, bool cut)
{
	for (int i = 0; i < w->hosts; i++) {
		wire_cut(w, host, i, cut);
		wire_cut(w, i, host, cut);
	}
}

void wire_delay(struct wire *w, uint32_t ms)
{
	pthread_mutex_lock(&w->lock);
	w->delay_ms = ms;
	pthread_mutex_unlock(&w->lock);
}
