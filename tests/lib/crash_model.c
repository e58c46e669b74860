#include "crash_model.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- data ------------------------------------------------------------------------ */

static char filler(uint32_t op, uint32_t i)
{
	return (char)('a' + (op * 7 + i) % 26);
}

void crash_data(uint32_t slot, const struct crash_op *op, uint32_t part,
                char out[CRASH_DATA_MAX])
{
	const uint32_t len = op->part[part].len;
	int n = snprintf(out, CRASH_DATA_MIN, "s%u.%u.%u ", slot, op->id, part);

	if (len < CRASH_DATA_MIN || len > CRASH_DATA_MAX)
		ck_abort_msg("%u bytes of data", len);
	for (uint32_t i = (uint32_t)n; i < len; i++)
		out[i] = filler(op->id, i);
}

bool crash_data_parse(const void *data, int32_t len, struct crash_seen *out)
{
	char head[CRASH_DATA_MIN + 1] = "";
	const char *p = data;
	int n = 0;

	out->damaged = true;
	out->len = len < 0 ? 0 : (uint32_t)len;
	if (len < (int32_t)CRASH_DATA_MIN || len > (int32_t)CRASH_DATA_MAX)
		return false;
	memcpy(head, p, CRASH_DATA_MIN);
	if (sscanf(head, "s%u.%u.%u %n", &out->slot, &out->op, &out->part,
	           &n) != 3 ||
	    n == 0)
		return false;
	for (uint32_t i = (uint32_t)n; i < (uint32_t)len; i++)
		if (p[i] != filler(out->op, i))
			return false;
	out->damaged = false;
	return true;
}

/* ---- requests ---------------------------------------------------------------------- */

struct crash_node *crash_model_find(struct crash_model *m, const char *name,
                                    bool in_queue)
{
	for (size_t i = 0; name[0] && i < m->count; i++)
		if (m->node[i].in_queue == in_queue &&
		    strcmp(m->node[i].name, name) == 0)
			return &m->node[i];
	return NULL;
}

static bool is_dead(const struct crash_model *m, int64_t session)
{
	for (uint32_t i = 0; i < m->deaths && i < CRASH_DEAD; i++)
		if (m->dead[i] == session)
			return true;
	return false;
}

static int apply_create(struct crash_model *m, const struct crash_op *op,
                        uint32_t part)
{
	const struct crash_part *p = &op->part[part];
	struct crash_node *n;

	if (!p->in_queue && crash_model_find(m, p->name, false))
		return MU_EEXISTS;
	if (m->count == CRASH_NODES)
		ck_abort_msg("the model is full");
	n = &m->node[m->count++];
	*n = (struct crash_node){ .in_queue = p->in_queue,
		                  .made_op = op->id,
		                  .made_part = part,
		                  .op = op->id,
		                  .part = part,
		                  .len = p->len,
		                  .owner = p->ephemeral ? op->session : 0 };
	n->ghost = p->ephemeral && is_dead(m, op->session);
	if (!p->in_queue) {
		strcpy(n->name, p->name);
		m->creates++;
	}
	return 0;
}

static int apply_part(struct crash_model *m, const struct crash_op *op,
                      uint32_t part)
{
	const struct crash_part *p = &op->part[part];
	struct crash_node *n;

	if (p->kind == PART_CREATE)
		return apply_create(m, op, part);
	n = crash_model_find(m, p->name, p->in_queue);
	if (!n)
		return MU_ENONODE;
	if (p->version != -1 && p->version != n->version)
		return MU_EBADVERSION;
	if (p->kind == PART_DELETE)
		*n = m->node[--m->count];
	if (p->kind == PART_SET) {
		n->op = op->id;
		n->part = part;
		n->len = p->len;
		n->version++;
		n->mzxid = 0;
	}
	return 0;
}

int crash_model_apply(struct crash_model *m, const struct crash_op *op)
{
	struct crash_model old = *m;
	int rc = 0;

	for (uint32_t i = 0; i < op->parts && rc == 0; i++)
		rc = apply_part(m, op, i);
	if (rc)
		*m = old;
	return rc;
}

void crash_model_end_session(struct crash_model *m, int64_t session,
                             bool certain)
{
	m->dead[m->deaths++ % CRASH_DEAD] = session;
	for (size_t i = m->count; i-- > 0;) {
		if (m->node[i].owner != session)
			continue;
		m->node[i].ghost = true;
		if (certain)
			m->node[i] = m->node[--m->count];
	}
}

/* ---- what was found ------------------------------------------------------------------- */

static const char *told(const struct crash_node *n)
{
	static char text[96];

	snprintf(text, sizeof text, "%s%s (made by request %u)",
	         n->in_queue ? "q/" : "", n->name[0] ? n->name : "?",
	         n->made_op);
	return text;
}

static bool is_of(const struct crash_seen *s, const struct crash_node *n)
{
	if (s->in_queue != n->in_queue)
		return false;
	if (n->name[0])
		return strcmp(s->name, n->name) == 0;
	return s->op == n->made_op && s->part == n->made_part;
}

static const struct crash_seen *look(const struct crash_view *v,
                                     const struct crash_node *n)
{
	for (size_t i = 0; i < v->count; i++)
		if (is_of(&v->seen[i], n))
			return &v->seen[i];
	return NULL;
}

static bool zxid_fits(int64_t known, int64_t found, int64_t last)
{
	return known ? known == found : found > last;
}

/* last: what is known to be done has a zxid up to here. */
static bool node_fits(const struct crash_node *n, const struct crash_seen *s,
                      int64_t last, char why[CRASH_WHY])
{
	if (s->damaged || s->op != n->op || s->part != n->part ||
	    s->len != n->len)
		snprintf(why, CRASH_WHY,
		         "%s should have the data of request %u (%u bytes), "
		         "and has %s of request %u (%u bytes)",
		         told(n), n->op, n->len,
		         s->damaged ? "damaged data" : "those", s->op, s->len);
	else if (s->stat.version != n->version)
		snprintf(why, CRASH_WHY, "%s should have version %d, not %d",
		         told(n), n->version, s->stat.version);
	else if (s->stat.ephemeral_owner != n->owner)
		snprintf(why, CRASH_WHY,
		         "%s should belong to session %llx, not %llx", told(n),
		         (unsigned long long)n->owner,
		         (unsigned long long)s->stat.ephemeral_owner);
	else if (!zxid_fits(n->czxid, s->stat.czxid, last) ||
	         !zxid_fits(n->mzxid, s->stat.mzxid, last))
		snprintf(why, CRASH_WHY,
		         "%s should have czxid %llx, mzxid %llx (0: above "
		         "%llx), and has %llx, %llx",
		         told(n), (unsigned long long)n->czxid,
		         (unsigned long long)n->mzxid, (unsigned long long)last,
		         (unsigned long long)s->stat.czxid,
		         (unsigned long long)s->stat.mzxid);
	else
		return true;
	return false;
}

static bool nodes_are_there(const struct crash_model *m, int64_t last,
                            const struct crash_view *v, char why[CRASH_WHY])
{
	for (size_t i = 0; i < m->count; i++) {
		const struct crash_node *n = &m->node[i];
		const struct crash_seen *s = look(v, n);

		if (s && !node_fits(n, s, last, why))
			return false;
		if (!s && !n->ghost) {
			snprintf(why, CRASH_WHY, "%s is not there", told(n));
			return false;
		}
	}
	return true;
}

static bool nothing_else_is(const struct crash_model *m,
                            const struct crash_view *v, char why[CRASH_WHY])
{
	for (size_t i = 0; i < v->count; i++) {
		const struct crash_node *n = NULL;

		for (size_t k = 0; k < m->count && !n; k++)
			if (look(v, &m->node[k]) == &v->seen[i])
				n = &m->node[k];
		if (!n) {
			snprintf(why, CRASH_WHY,
			         "%s%s (data of request %u) should not be "
			         "there",
			         v->seen[i].in_queue ? "q/" : "",
			         v->seen[i].name, v->seen[i].op);
			return false;
		}
	}
	return true;
}

/* What is reported as cversion is twice the creates less the children. */
static bool folder_fits(const struct crash_model *m, const struct crash_view *v,
                        char why[CRASH_WHY])
{
	const int64_t creates =
		((int64_t)v->folder.cversion + v->folder.num_children) / 2;

	if (creates == m->creates)
		return true;
	snprintf(why, CRASH_WHY,
	         "the folder should have seen %u creates, and has seen %lld",
	         m->creates, (long long)creates);
	return false;
}

static void learn(struct crash_model *m, const struct crash_view *v)
{
	for (size_t i = m->count; i-- > 0;) {
		struct crash_node *n = &m->node[i];
		const struct crash_seen *s = look(v, n);

		if (!s) {
			*n = m->node[--m->count];
			continue;
		}
		strcpy(n->name, s->name);
		n->czxid = s->stat.czxid;
		n->mzxid = s->stat.mzxid;
		if (n->mzxid > m->last_zxid)
			m->last_zxid = n->mzxid;
	}
}

int crash_model_resolve(struct crash_model *m, const struct crash_op *unknown,
                        size_t count, const struct crash_view *view,
                        char why[CRASH_WHY])
{
	char first[CRASH_WHY] = "", this[CRASH_WHY] = "";
	struct crash_model maybe = *m;

	for (size_t j = 0; j <= count; j++) {
		if (j > 0)
			crash_model_apply(&maybe, &unknown[j - 1]);
		if (j < count && unknown[j].id <= m->witnessed)
			continue; /* that one was read */
		if (nodes_are_there(&maybe, m->last_zxid, view, this) &&
		    nothing_else_is(&maybe, view, this) &&
		    folder_fits(&maybe, view, this)) {
			learn(&maybe, view);
			*m = maybe;
			return (int)j;
		}
		if (!first[0])
			strcpy(first, this);
	}
	snprintf(why, CRASH_WHY,
	         "slot %u, %zu requests without an answer (read: up to %u): "
	         "%.140s; with all of them: %.140s",
	         m->slot, count, m->witnessed, first, this);
	return -1;
}
