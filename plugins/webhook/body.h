/* body.h - an event as JSON. */
#ifndef MU_WEBHOOK_BODY_H
#define MU_WEBHOOK_BODY_H

#include <muster/plugin.h>

/* The text, to be freed; webhook.c's head says what is in it. NULL: no memory. */
char *body_new(const struct mu_host *h, const struct mu_event *e);

/* Bytes in base64, to be freed; NULL: no memory. */
char *body_base64(const void *p, size_t len);

#endif /* MU_WEBHOOK_BODY_H */
