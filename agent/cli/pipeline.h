/*
 * pipeline.h - many requests, several under way at a time, answers in order.
 */
#ifndef MU_CLI_PIPELINE_H
#define MU_CLI_PIPELINE_H

#include <muster/client.h>

struct cli;

struct pipeline {
	size_t count;
	/* Send the i-th request with `done` and `done_arg`; what it gives ends
	 * the whole, unless it is 0. */
	int (*ask)(struct cli *cli, size_t i, void *arg, mu_done_fn *done,
	           void *done_arg);
	/* Its answer. Not 0: nothing more is asked, but what is under way is
	 * still told, and this is returned. */
	int (*answer)(size_t i, const struct mu_result *r, void *arg);
	/* Bytes that it moves; so few requests are under way that they stay
	 * within a limit. NULL: none worth counting. */
	size_t (*bytes)(size_t i, void *arg);
	void *arg;
	const char *doing; /* shown with the numbers on a terminal; NULL: no */
};

/* 0, or the first code that ended it. When no answer comes any more the handle is
 * gone. */
int pipeline_run(struct cli *cli, const struct pipeline *p);

#endif /* MU_CLI_PIPELINE_H */
