/* kit_record_impl.h - what the files of `muster plugin record` share. */
#ifndef MU_CLI_KIT_RECORD_IMPL_H
#define MU_CLI_KIT_RECORD_IMPL_H

#include "cli.h"
#include "mirror.h"
#include "roll.h"

#include <stdio.h>

#define MEMBERS "/members"

struct recording;

struct watcher {
	struct recording *r;
	struct mu_mirror *mirror;
	char *path;
	enum mu_mirror_mode mode;
	int32_t subscription; /* its number on this link; 0: none */
	bool armed;           /* the library has its watch */
};

struct recording {
	struct cli *cli;
	FILE *out;
	struct watcher *watcher;
	size_t watchers;
	struct mu_roll *roll; /* NULL: members are not asked for */
	size_t written;
	bool streams;    /* the broker has subscriptions */
	int64_t tree_id; /* that it last had */
	size_t reads;    /* under way */
	int32_t last_subscription;
	int rc; /* why it must end; 0: it need not */
	char why[512];
};

/* It must end, if rc is not 0: for the first reason that is given. */
void record_fail(struct recording *r, int rc, const char *what);

/* kit_record_line.c: what the mirrors and the roll call. */
int record_change(void *arg, const struct mu_mirror_event *e);
int record_member_node(void *arg, const struct mu_mirror_event *e);
void record_member(void *arg, const struct mu_roll_event *e);
/* Ask for what the roll wants to know. */
void record_ask_left(struct recording *r);

/* kit_record_link.c: follow everything from now on, over any number of links. The
 * client is connected. */
void record_follow(struct recording *r);
void record_unfollow(struct recording *r);

#endif /* MU_CLI_KIT_RECORD_IMPL_H */
