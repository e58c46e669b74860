/*
 * client.h - a real link machine, its carrier, and an application that does
 * what applications do: asks, watches, closes, dies, comes back.
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "link.h"

#include "invariant.h"

struct sim;

#define CLIENT_ASKED_MAX 1024u

struct client {
	struct sim *sim;
	uint32_t number;
	struct mu_link *link; /* NULL: between two lives */
	uint32_t life;        /* counts them */
	uint32_t wire;        /* the one that is open; 0: none */
	struct view view;
	uint32_t timeout_ms; /* that it asks for */
	uint64_t wake_ms;    /* the earliest that is queued; 0: none */
	uint64_t heard_ms;   /* the broker last said something */
	uint64_t stalled_until_ms;
	struct asked asked[CLIENT_ASKED_MAX]; /* a ring */
	uint64_t ask_count, done_count;       /* cookies are 1 + ask_count */
	int64_t kept_session, kept_zxid;      /* to come back with */
	uint8_t kept_password[16];
};

void client_init(struct client *c, struct sim *s, uint32_t number);
void client_fini(struct client *c);

/* From the wires. */
void client_opened(struct client *c, uint32_t wire);
void client_hear(struct client *c, uint32_t wire, const void *p, size_t len);
void client_lost(struct client *c, uint32_t wire);

/* For the application. path may be 0; watch is MU_LW_* or -1. */
void client_ask(struct client *c, int32_t op, uint32_t path, int watch,
                const struct mu_buf *body);
/* Let the link machine's actions happen. */
void client_turn(struct client *c);
/* The end of this life; the next one begins by itself. */
void client_end(struct client *c, bool come_back);

/* Once all is healed: read every node of the tree. */
void client_read_all(struct client *c);

/* app.c: do something at random, now and then. */
void app_act(void *client, uint32_t a, uint32_t b);
void app_read(struct client *c, int32_t op, uint32_t path, bool watch);
/* Told of a change: look again, as most applications do. */
void app_event(struct client *c, int32_t type, struct mu_str path);

#endif /* SIM_CLIENT_H */
