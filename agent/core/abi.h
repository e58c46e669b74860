/*
 * abi.h - decide whether a plugin may be run at all.
 *
 * Pure, so that every kind of wrong plugin can be put to it in a unit test
 * without building a shared object for each.
 */
#ifndef MU_CORE_ABI_H
#define MU_CORE_ABI_H

#include <muster/plugin.h>

#define MU_PLUGIN_NAME_MAX 32u /* bytes */

/*
 * Read the constant a plugin exports and copy what both sides know to *out;
 * fields the plugin was built without come out as zero, and what a newer plugin
 * has beyond ours is left alone. Its size must be one of a published revision,
 * or larger than ours. `room` is how many bytes at `raw` are known to
 * be readable, 0 if that is not known: no byte beyond it is read. `raw` need not
 * be aligned. No code of the plugin runs. On error *out is not written and *err
 * says what is at fault.
 *
 * Errors: MU_EABI (abi, or size), MU_EINVAL (name, or a required function).
 */
int mu_abi_adopt(const void *raw, size_t room, struct mu_plugin *out,
                 struct mu_err *err);

/* The revision of muster/plugin.h whose struct mu_plugin has this size; one that is
 * larger than ours: MU_PLUGIN_REVISION + 1; 0: of none. */
unsigned mu_abi_revision(size_t size);

/*
 * A plugin is called as its file: 0 if `file` is "<name>.so", in whichever
 * directory; else MU_EINVAL with a sentence.
 */
int mu_abi_check_name(const char *name, const char *file, struct mu_err *err);

#endif /* MU_CORE_ABI_H */
