/* plant.h - mistakes made on purpose, between the broker and a wire, so that
 * the invariants can be seen to notice them. */
#ifndef SIM_PLANT_H
#define SIM_PLANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim;

/* Spoil a message to a client, if the run's plant is of that kind and its turn
 * has come. There are `room` bytes for it. */
void plant_message(struct sim *s, uint8_t *bytes, size_t *len, size_t room);

/* Is what this client sends to be thrown away? */
bool plant_deafens(const struct sim *s, uint32_t client);

#endif /* SIM_PLANT_H */
