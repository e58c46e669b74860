/* The soak's sessions that come and go: ephemerals, and members. See
 * soak_writer.h. What ends a session is seen from the tree: the zxid of an end
 * that nobody asked for is known from the parent, or not at all (-1). */
#include "soak_link.h"
#include "soak_writer.h"

#include <stdlib.h>

#define LONG_MS 60000u
/* Only who will end without a goodbye has a short timeout: it is waited for. A
 * thread that this machine lets stand still for that long loses its session. */
#define MORTAL_MS 3000u
#define GOODBYE_MS 10000u /* and one whose goodbye was lost */

struct mortal {
	struct soak_thread *t;
	struct soak_link keeper; /* lives, and looks */
	struct soak_link link;
	bool goodbye; /* of link's session */
	unsigned number;
};

static void put(struct mortal *m, const char *path, unsigned type, int64_t zxid,
                int32_t n, const char *value)
{
	struct soak_entry e = { .type = type,
		                .zxid = zxid,
		                .n = n,
		                .len = value ? (int32_t)strlen(value) : -1 };

	e.digest = soak_digest(value, e.len);
	soak_journal_put(m->t->w->j, path, &e);
}

static bool is_lost(int rc)
{
	return rc == MU_ECONNLOSS || rc == MU_EEXPIRED;
}

/* Create an ephemeral, whatever happens; its czxid. 0: it could not be. */
static int64_t create(struct mortal *m, const char *path, const char *value)
{
	struct mu_multi_op op = { .kind = MU_OPKIND_CREATE,
		                  .path = path,
		                  .data = value,
		                  .len = (int32_t)strlen(value),
		                  .flags = MU_CREATE_EPHEMERAL };
	struct mu_stat stat;
	const struct soak_answer *a;

	for (;;) {
		a = soak_link_do(&m->link, &op, 1);
		if (a->rc == 0)
			return a->stat[0].czxid;
		if (!is_lost(a->rc)) {
			soak_writer_fail(m->t->w, "a create of %s: %s", path,
			                 mu_client_strerror(a->rc));
			return 0;
		}
		m->t->lost_answers++;
		if (soak_link_look(&m->keeper, path, &stat) == 0) {
			m->t->lost_done++;
			return stat.czxid;
		}
		if (a->rc == MU_EEXPIRED) {
			soak_writer_fail(m->t->w,
			                 "a session has expired while %s was "
			                 "created: was it?",
			                 path);
			return 0;
		}
	}
}

static void await_gone(struct mortal *m, const char *path)
{
	struct mu_stat stat;

	while (soak_link_look(&m->keeper, path, &stat) == 0)
		soak_link_idle(&m->keeper, 20);
}

/* A session of which is known how it will end: with a goodbye, or by its timeout. */
static void begin(struct mortal *m)
{
	m->goodbye = dice_chance(&m->t->dice, 70);
	soak_link_open(&m->link, m->t->w->url,
	               m->goodbye ? GOODBYE_MS : MORTAL_MS);
}

static void end(struct mortal *m)
{
	if (m->goodbye)
		soak_link_close(&m->link);
	else
		soak_link_drop(&m->link);
}

static void open_mortal(struct mortal *m, void *thread)
{
	memset(m, 0, sizeof *m);
	m->t = thread;
	soak_link_open(&m->keeper, m->t->w->url, LONG_MS);
}

/* ---- ephemerals ---- */

#define EPHEMERALS 3

static void one_session(struct mortal *m)
{
	uint32_t count = 1 + dice_below(&m->t->dice, EPHEMERALS), made = 0;
	char path[EPHEMERALS][SOAK_PATH_MAX];
	struct mu_stat parent;

	begin(m);
	for (; made < count; made++) {
		int64_t zxid;

		snprintf(path[made], sizeof path[0], SOAK_TOP "/e/x%u", made);
		zxid = create(m, path[made], "mine");
		if (!zxid)
			break;
		put(m, path[made], MU_EVENT_CREATED, zxid, 0, "mine");
		m->t->ephemerals++;
	}
	soak_link_idle(&m->link, dice_below(&m->t->dice, 300));
	end(m);
	for (uint32_t i = 0; i < made; i++)
		await_gone(m, path[i]);
	/* All at once, and nobody else has children here. */
	soak_link_look(&m->keeper, SOAK_TOP "/e", &parent);
	for (uint32_t i = 0; i < made; i++)
		put(m, path[i], MU_EVENT_DELETED, parent.pzxid, -1, NULL);
}

void *soak_ephemerals_run(void *thread)
{
	struct mortal m;

	open_mortal(&m, thread);
	while (!atomic_load(&m.t->w->stop))
		one_session(&m);
	soak_link_close(&m.keeper);
	return NULL;
}

/* ---- members ---- */

static void say_record(char *out, size_t room, const char *state, unsigned role)
{
	snprintf(out, room,
	         "{\"id\":\"0123\",\"name\":\"m\",\"address\":\"10.0.0.1\","
	         "\"port\":1,\"version\":\"0.1.0\",\"boot_id\":\"b\","
	         "\"started\":1,\"labels\":{\"role\":\"%u\"},\"state\":\"%s\"}",
	         role, state);
}

/* Other labels: a change that members are told of. */
static void change(struct mortal *m, const char *path)
{
	char record[300];
	struct mu_multi_op op = { .kind = MU_OPKIND_SET,
		                  .path = path,
		                  .data = record,
		                  .version = -1 };
	struct mu_stat was, is;
	const struct soak_answer *a;

	if (soak_link_look(&m->keeper, path, &was))
		return;
	say_record(record, sizeof record, "up", ++m->number);
	op.len = (int32_t)strlen(record);
	a = soak_link_do(&m->link, &op, 1);
	if (a->rc == 0) {
		put(m, path, MU_EVENT_MEMBER_CHANGED, a->stat[0].mzxid, 0,
		    NULL);
		return;
	}
	m->t->lost_answers++;
	if (soak_link_look(&m->keeper, path, &is))
		soak_writer_fail(m->t->w, "%s went while it lived", path);
	else if (is.mzxid != was.mzxid)
		put(m, path, MU_EVENT_MEMBER_CHANGED, is.mzxid, 0, NULL);
}

/* On purpose: its last record says so, or /left/<name> does. False: the answer
 * was lost, and the node is there still. */
static bool leave(struct mortal *m, const char *path, int64_t czxid, bool state)
{
	char record[300], stay[24], left[SOAK_PATH_MAX];
	struct mu_multi_op op[2] = {
		{ .kind = state ? MU_OPKIND_SET : MU_OPKIND_CREATE,
		  .path = state ? path : left,
		  .data = state ? record : stay,
		  .version = -1 },
		{ .kind = MU_OPKIND_DELETE, .path = path, .version = -1 },
	};
	const struct soak_answer *a;
	struct mu_stat stat;
	int64_t zxid;

	say_record(record, sizeof record, "leaving", m->number);
	snprintf(stay, sizeof stay, "%lld", (long long)czxid);
	snprintf(left, sizeof left, "/left/%s", strrchr(path, '/') + 1);
	op[0].len = (int32_t)strlen(op[0].data);
	a = soak_link_do(&m->link, op, 2);
	zxid = state ? a->stat[0].mzxid : a->stat[0].czxid;
	if (a->rc) {
		m->t->lost_answers++;
		if (soak_link_look(&m->keeper, path, &stat) == 0)
			return false;
		m->t->lost_done++;
		/* Others have children in /members. */
		zxid = -1;
		if (!state && soak_link_look(&m->keeper, left, &stat) == 0)
			zxid = stat.czxid;
	}
	/* That it is leaving is nobody's business while it can be seen that
	 * nothing else has changed. */
	if (state)
		soak_journal_put(
			m->t->w->j, path,
			&(struct soak_entry){ .type = MU_EVENT_MEMBER_CHANGED,
		                              .zxid = zxid,
		                              .len = -1,
		                              .quiet = true });
	/* A set is one change, a creation two. */
	put(m, path, MU_EVENT_MEMBER_LEFT, zxid, state ? 1 : 2, NULL);
	return true;
}

static void one_stay(struct mortal *m)
{
	struct dice *d = &m->t->dice;
	/* One that /left tells of has its name for itself: the next stay's
	 * would say nothing of this one. */
	bool own = dice_chance(d, 30), leaves = own || dice_chance(d, 50);
	char path[SOAK_PATH_MAX], record[300];
	int64_t zxid;

	snprintf(path, sizeof path, "/members/%s%u", own ? "once-" : "m",
	         own ? ++m->number : dice_below(d, 3));
	say_record(record, sizeof record, "up", ++m->number);
	begin(m);
	zxid = create(m, path, record);
	if (zxid) {
		put(m, path, MU_EVENT_MEMBER_JOINED, zxid, 0, NULL);
		m->t->stays++;
	}
	soak_link_idle(&m->link, dice_below(d, 300));
	if (zxid && dice_chance(d, 50))
		change(m, path);
	while (zxid && leaves && !leave(m, path, zxid, !own))
		;
	end(m);
	await_gone(m, path);
	if (zxid && !leaves)
		put(m, path, MU_EVENT_MEMBER_FAILED, -1, -1, NULL);
}

void *soak_members_run(void *thread)
{
	struct mortal m;

	open_mortal(&m, thread);
	while (!atomic_load(&m.t->w->stop))
		one_stay(&m);
	soak_link_close(&m.keeper);
	return NULL;
}
