/*
 * last_run.h - for tests that run one program after the other: the last one, what it
 * ended with and what it said. In one file of a test program.
 */
#ifndef MU_TEST_LAST_RUN_H
#define MU_TEST_LAST_RUN_H

#include "cluster.h"

#include <check.h>
#include <string.h>

static struct run r;

/* Run it; the exit code. */
static inline int run_next(struct run how)
{
	run_free(&r);
	r = how;
	run(&r);
	r.argv = NULL;
	return r.exit;
}
/* The same with `muster ARGUMENT...`. */
#define MUSTER(...) (run_free(&r), cluster_muster(&r, __VA_ARGS__, NULL))

#define ck_exit(code, call) \
	do { \
		int exit_ = (call); \
		ck_assert_msg(exit_ == (code), \
		              "exit %d, not %d: %.1500s%.1500s", exit_, \
		              (code), r.out, r.err); \
	} while (0)
#define ck_has(all, text) \
	ck_assert_msg(strstr(all, text) != NULL, "no \"%s\" in \"%s\"", text, \
	              all)
#define ck_has_not(all, text) \
	ck_assert_msg(strstr(all, text) == NULL, "a \"%s\" in \"%s\"", text, \
	              all)
#define ck_out_has(text) ck_has(r.out, text)
#define ck_err_has(text) ck_has(r.err, text)

#endif /* MU_TEST_LAST_RUN_H */
