/*
 * plugin_bed.h - what the tests of a shipped plugin have in common: its runner, the
 * settings that the instance is given, and a directory to work in.
 */
#ifndef MU_TEST_PLUGIN_BED_H
#define MU_TEST_PLUGIN_BED_H

#include "fake_agent.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_MAX 40

extern struct fake_agent a;
extern struct mu_setting rows[ROWS_MAX];
extern size_t row_count;
extern char dir[200];  /* in the environment as D, too */
extern char work[300]; /* <dir>/work: the instance's own */

/* Fixtures; `work` is made, and there are no settings. */
void dir_setup(void);
void dir_teardown(void);

/* One setting more. */
void set_str(const char *key, const char *value);
void set_num(const char *key, enum mu_setting_type type, int64_t value);
/* The setting of this key is another; one more if there was none. */
void reset_str(const char *key, const char *value);
void unset_all(void);

/* Start the shipped plugin with the settings, and what else stands in the options. */
void start_plugin(const char *name, struct fake_options o);
/* The same, and it is ready. */
void start_well(const char *name, struct fake_options o);
/* What was started refuses its settings, saying this among other things, and ends. */
void assert_refused(const char *word);

/* A path in `dir`. Static text, until the next call. */
const char *in_dir(const char *name);
/* All of a small file there, "" if there is none. Static text, too. */
const char *content(const char *name);
void put(const char *name, const char *text);
bool there(const char *name);

#endif /* MU_TEST_PLUGIN_BED_H */
