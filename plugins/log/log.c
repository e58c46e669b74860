/*
 * log - write each event as one line of the agent's log: what came, for which
 * node or member, how much data (-1: none), and by whom; never the data itself,
 * which may be secret.
 *
 *     level = "info";    # error, warn, info or debug
 */
#include <muster/plugin.h>

#include "event_rows.h"
#include "fail.h"
#include "typed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct log {
	const struct mu_host *host;
	enum mu_level level;
};

static const char *const levels[] = { "error", "warn", "info", "debug" };

static int log_init(const struct mu_host *h, void **self, struct mu_err *err)
{
	const char *word = "info";
	size_t level = 0;
	struct log *l;
	int rc = typed_text(h, "level", &word, err);

	if (rc)
		return rc;
	while (level < COUNT(levels) && strcmp(word, levels[level]) != 0)
		level++;
	if (level == COUNT(levels))
		return fail(
			err, MU_ECONFIG,
			"level \"%.60s\" is none of error, warn, info, debug",
			word);
	l = malloc(sizeof *l);
	if (!l)
		return fail(err, MU_ENOMEM, "out of memory");
	*l = (struct log){ h, (enum mu_level)level };
	*self = l;
	return 0;
}

static void log_member(const struct log *l, const struct mu_event *e,
                       const char *flags)
{
	const struct mu_member *m = e->member;

	l->host->log(l->host, l->level,
	             "%s member=%s address=%s port=%" PRIu32
	             " state=%s zxid=0x%" PRIx64 "%s",
	             event_word(e->type), m->name, m->address, m->port,
	             m->state, (uint64_t)e->zxid, flags);
}

static void log_node(const struct log *l, const struct mu_event *e,
                     const char *flags)
{
	char version[32] = "";

	if (e->stat)
		snprintf(version, sizeof version, " version=%" PRId32,
		         e->stat->version);
	l->host->log(l->host, l->level,
	             "%s path=%s zxid=0x%" PRIx64 "%s bytes=%" PRId32 "%s",
	             event_word(e->type), e->path, (uint64_t)e->zxid, version,
	             e->data_len, flags);
}

/* Room for what stands behind: flags, count, and an author of 100 bytes. */
#define FLAGS_ROOM 256

static void add_flags(const struct mu_event *e, char flags[FLAGS_ROOM])
{
	snprintf(flags, FLAGS_ROOM, "%s%s%s%s%s",
	         e->flags & MU_EVENT_AGAIN ? " again" : "",
	         e->flags & MU_EVENT_COALESCED ? " coalesced" : "",
	         e->flags & MU_EVENT_OVERFLOW ? " overflow" : "",
	         e->flags & MU_EVENT_STALE ? " stale" : "",
	         e->flags & MU_EVENT_RENEWED ? " renewed" : "");
	if (e->count > 1)
		snprintf(flags + strlen(flags), FLAGS_ROOM - strlen(flags),
		         " count=%" PRIu32, e->count);
}

/* Who did it, and how; an older agent does not tell. */
static void add_author(const struct mu_event *e, char flags[FLAGS_ROOM])
{
	const char *cause = event_cause(e), *author = event_author(e);

	if (cause)
		snprintf(flags + strlen(flags), FLAGS_ROOM - strlen(flags),
		         " cause=%s", cause);
	if (author)
		snprintf(flags + strlen(flags), FLAGS_ROOM - strlen(flags),
		         " session=0x%" PRIx64 " author=%.100s",
		         (uint64_t)event_author_session(e), author);
}

static int log_event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct log *l = self;
	char flags[FLAGS_ROOM];

	(void)err;
	add_flags(e, flags);
	add_author(e, flags);
	if (e->member)
		log_member(l, e, flags);
	else if (e->path[0])
		log_node(l, e, flags);
	else
		l->host->log(l->host, l->level, "%s%s", event_word(e->type),
		             flags);
	return 0;
}

static void log_fini(void *self)
{
	free(self);
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "log",
	.help = "writes each event as one line of the agent's log",
	.init = log_init,
	.event = log_event,
	.fini = log_fini,
};
