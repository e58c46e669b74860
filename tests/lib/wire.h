/*
 * wire.h - hosts on a wire: network namespaces of a test's own, with a device
 * each, and a thread that carries the packets between them, late or not at all.
 *
 *     struct wire w;
 *
 *     if (!wire_open(&w, 3))
 *             return;                     it has said why it cannot
 *     wire_enter(&w, 1);                  what is started now runs on host 1
 *     cluster_agent_start(&a);
 *     wire_leave(&w);
 *     wire_cut(&w, 1, 0, true);           host 0 hears no more of host 1
 *     ...
 *     wire_close(&w);
 *
 * Host h has the address 10.77.0.<h + 1>, and its own loopback. What the others
 * send there is handed to its 127.0.0.1, and comes back as from there: a broker
 * without keys listens on loopback only. Nothing of this is seen outside of the
 * test's process, and all of it goes with it.
 */
#ifndef MU_TEST_WIRE_H
#define MU_TEST_WIRE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define WIRE_HOSTS_MAX 8
#define WIRE_PACKET_MAX 2048 /* the devices have an MTU of 1500 */

struct wire_packet;

struct wire {
	int hosts;
	int home;               /* the namespace we came from */
	int ns[WIRE_HOSTS_MAX]; /* of each host */
	int tun[WIRE_HOSTS_MAX];
	int bell; /* eventfd: the thread is to end */
	pthread_t thread;
	pthread_mutex_t lock;                     /* of what follows */
	bool cut[WIRE_HOSTS_MAX][WIRE_HOSTS_MAX]; /* [from][to] */
	uint32_t delay_ms;                        /* of each packet, one way */
	struct wire_packet
		*late; /* in the order of their times; the thread's */
};

/* Make them. False, with a word on standard output: this machine does not let
 * us (no root, no /dev/net/tun). */
bool wire_open(struct wire *w, int hosts);
void wire_close(struct wire *w);

/* This thread, and what it starts, is on that host from now on; and is back. */
void wire_enter(struct wire *w, int host);
void wire_leave(struct wire *w);

/* Packets from one host to another are lost from now on, or no longer. */
void wire_cut(struct wire *w, int from, int to, bool cut);
/* All of a host, both ways. */
void wire_cut_host(struct wire *w, int host, bool cut);
void wire_delay(struct wire *w, uint32_t ms);

#endif /* MU_TEST_WIRE_H */
