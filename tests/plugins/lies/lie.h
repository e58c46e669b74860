/* What the lying plugins share: a plugin that is well but for what its file
 * says. Each is one .so, called as its file. */
#ifndef LIE_H
#define LIE_H

#include <muster/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Microseconds of CLOCK_MONOTONIC. */
__attribute__((unused)) static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

__attribute__((unused)) static int quiet_init(const struct mu_host *h,
                                              void **self, struct mu_err *err)
{
	(void)err;
	*self = (void *)h;
	return 0;
}

__attribute__((unused)) static int
quiet_event(void *self, const struct mu_event *e, struct mu_err *err)
{
	(void)self, (void)e, (void)err;
	return 0;
}

__attribute__((unused)) static void quiet_fini(void *self)
{
	(void)self;
}

/* Names the three functions; the rest is as it should be. */
#define PLUGIN(its_name, its_init, its_event, its_fini) \
	MU_EXPORT const struct mu_plugin mu_plugin = { \
		.abi = MU_PLUGIN_ABI, \
		.size = sizeof(struct mu_plugin), \
		.name = (its_name), \
		.init = (its_init), \
		.event = (its_event), \
		.fini = (its_fini), \
	}

#endif
