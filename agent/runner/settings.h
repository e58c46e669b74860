/*
 * settings.h - the typed settings of an instance, by key, as START brought
 * them. Values are read only once made: any thread may ask. What was asked for
 * is noted by the runner's thread alone (asked.h).
 */
#ifndef MU_RUNNER_SETTINGS_H
#define MU_RUNNER_SETTINGS_H

#include "chan.h"

struct mu_settings {
	struct mu_setting
		*rows; /* kept to the end; texts lie in START's bytes and end
	                            in a NUL */
	size_t count;
	uint8_t *marks;      /* of each row: asked.c's */
	struct mu_buf asked; /* keys that were asked for, a NUL behind each */
};

/* Read START's vector. The bytes it lies in must live as long as *s, and are
 * written to: each text gets its NUL, so decode all that is needed of START
 * before. MU_ENOMEM. */
int mu_settings_load(struct mu_settings *s, const struct mu_vec *v);

/* The value of a key of that type, or the fallback. A whole number is also
 * good where a float is asked for. */
const char *mu_settings_str(const struct mu_settings *s, const char *key,
                            const char *fallback);
int64_t mu_settings_int(const struct mu_settings *s, const char *key,
                        int64_t fallback);
bool mu_settings_bool(const struct mu_settings *s, const char *key,
                      bool fallback);
double mu_settings_float(const struct mu_settings *s, const char *key,
                         double fallback);
int mu_settings_count(const struct mu_settings *s, const char *key);

#endif /* MU_RUNNER_SETTINGS_H */
