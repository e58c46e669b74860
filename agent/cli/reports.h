/*
 * reports.h - what the instances of all hosts last reported: the records of
 * /applied/<instance>/<host>, and where the nodes they speak of are now.
 */
#ifndef MU_CLI_REPORTS_H
#define MU_CLI_REPORTS_H

#include "listed.h"

#define REPORT_UNKNOWN (-1) /* no version */
#define REPORT_GONE (-2)    /* the node is not there */

struct report {
	char *instance, *host;
	struct mu_json *record; /* as the host wrote it; NULL: unreadable */
	bool alive;             /* the host is a member now */
	int64_t written_ms;     /* wall clock */
	int64_t version;        /* of the node, that the record speaks of */
	int64_t node_version;   /* of the node now */
};

struct reports {
	struct report *report; /* by instance, then host */
	size_t count, room;
};

/* Read those of one instance, or of all (NULL). 0; or MU_E*, a sentence has been
 * printed then. reports_free in any case. */
int reports_read(struct cli *cli, const char *instance,
                 const struct listed *members, struct reports *out);
void reports_free(struct reports *rs);

#endif /* MU_CLI_REPORTS_H */
