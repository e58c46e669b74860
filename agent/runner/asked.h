/*
 * asked.h - which settings a plugin asked for, and as what; so that a key with a
 * typing error, or a value of a type that nobody wants, does not go unnoticed.
 *
 * Belongs to the runner's one thread: what a plugin asks for on other threads is
 * not noted. Pure.
 */
#ifndef MU_RUNNER_ASKED_H
#define MU_RUNNER_ASKED_H

#include "settings.h"

/* `key` was asked for as `type`. A plugin may try several types: one that fits
 * is enough. Out of memory costs a suggestion, no more. */
void mu_asked_note(struct mu_settings *s, const char *key,
                   enum mu_setting_type type);

/*
 * Write a sentence of the next setting that was asked for, but never as the type
 * that it has; or that was not asked for at all. Each setting is told of once by
 * each: false if there are no more. Of a list that nobody asked for, its
 * elements are not told.
 */
bool mu_asked_mistyped(struct mu_settings *s, char *out, size_t room);
bool mu_asked_unread(struct mu_settings *s, const char *plugin, char *out,
                     size_t room);

#endif /* MU_RUNNER_ASKED_H */
