/*
 * alarms.h - nodes that say what somebody should look at: one for each instance
 * of this host that is in quarantine, /alarms/quarantine/<instance>@<host>. Who
 * deletes the node releases the instance. Lives on the loop's thread.
 */
#ifndef MU_HOST_ALARMS_H
#define MU_HOST_ALARMS_H

#include "uplink.h"

struct mu_alarms;

/* host: borrowed. MU_ENOMEM. */
int mu_alarms_new(struct mu_loop *loop, struct mu_uplink *uplink,
                  const char *host, struct mu_alarms **out);
void mu_alarms_free(struct mu_alarms *a); /* NULL is allowed */

struct mu_alarm {
	int64_t since_ms;
	uint32_t failures;
	const char *reason;
	/* Somebody has deleted the node, see notice.h; not called from inside
	 * _raise. The alarm is as cleared then. */
	void (*on_released)(void *arg, const char *by);
	void *arg;
};

/* Write the node, now or when there is a broker; again in another tree. Its
 * texts are copied. MU_ENOMEM: there is no alarm. */
int mu_alarms_raise(struct mu_alarms *a, const char *instance,
                    const struct mu_alarm *alarm);

/* There is nothing wrong with this instance, or it is no more: take away the node
 * if there is one, be it left by an agent before this one. */
void mu_alarms_clear(struct mu_alarms *a, const char *instance);

/* Who raised it is no more: nobody hears of a release. The node stays. */
void mu_alarms_forget(struct mu_alarms *a, const void *arg);

#endif /* MU_HOST_ALARMS_H */
