/*
 * places.h - how many links come from one address. The loop's thread owns it.
 */
#ifndef MU_BROKER_PLACES_H
#define MU_BROKER_PLACES_H

#include <stdint.h>

struct mu_places;

/* key: random, for addresses are a peer's choice. NULL when memory is out. */
struct mu_places *mu_places_new(const uint8_t key[16]);
void mu_places_free(struct mu_places *p); /* NULL is allowed */

/* One more from this address (IPv4: ::ffff:a.b.c.d), unless there are `max`
 * already (0: any number). MU_EFULL, MU_ENOMEM: not counted. */
int mu_places_enter(struct mu_places *p, const uint8_t ip[16], uint32_t max);
/* One less; it was counted. */
void mu_places_leave(struct mu_places *p, const uint8_t ip[16]);
uint32_t mu_places_count(const struct mu_places *p, const uint8_t ip[16]);

#endif /* MU_BROKER_PLACES_H */
