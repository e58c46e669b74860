/*
 * net.h - wires between clients and the broker. A wire is one carrier link: in
 * each direction an ordered, lossless stream of messages for as long as it
 * lives. It can be cut at any moment (what is under way is lost), and each side
 * then hears of that later, or never. An empty message is a goodbye.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "world.h"

struct sim;

struct message {
	struct message *next;
	uint64_t due_ms;
	size_t len;
	uint8_t bytes[];
};

struct lane { /* one direction of a wire */
	struct message *head, *tail;
	uint64_t last_ms; /* when the last one is due */
	bool swallows;    /* what is put in does not come out */
};

struct wire {
	uint32_t client;
	uint32_t life;     /* of the client, whose wire this is */
	bool client_end;   /* the client has not let go of it */
	bool opening;      /* the client has not heard that it is up */
	bool broker_end;   /* the broker may still hear of it */
	bool broker_open;  /* and has taken it in */
	bool broker_spoke; /* the broker's first record went out */
	int64_t session;   /* attached to it, as the broker said */
	uint32_t boot;     /* of the broker, whose wire this is */
	struct lane to_broker, to_client;
	uint8_t *outbox; /* owned: what the broker's turn has gathered */
	size_t outbox_len, outbox_room;
};

#define NET_WIRES_MAX 20000u

struct net {
	struct wire *wires; /* owned; wire n is wires[n - 1] */
	uint32_t count;
	bool isolated[10]; /* of each client: nothing can be opened */
};

void net_init(struct net *n);
void net_fini(struct net *n);
struct wire *net_wire(struct sim *s, uint32_t wire);

/* The client opens a wire; it will hear that it is up, or that it is lost, or
 * nothing. Returns its number. */
uint32_t net_open(struct sim *s, uint32_t client, uint32_t life);

/* The client sends; the client lets go (what it sent may still arrive). */
void net_send_up(struct sim *s, uint32_t wire, const void *p, size_t len);
void net_shut(struct sim *s, uint32_t wire);

/* The broker sends (gathered until net_flush); the broker lets go, saying
 * goodbye behind what it sent. */
void net_send_down(struct sim *s, uint32_t wire, const void *p, size_t len);
void net_flush(struct sim *s, uint32_t wire);
void net_end(struct sim *s, uint32_t wire);

/* Cut a wire. Each side is told, or not. */
void net_cut(struct sim *s, uint32_t wire, bool tell_client, bool tell_broker);

/* One direction swallows everything from now on; nobody is told. */
void net_half_open(struct sim *s, uint32_t wire, bool upwards);

/* The broker's host went down: cut all wires; clients may be told. */
void net_cut_all(struct sim *s);

#endif /* SIM_NET_H */
