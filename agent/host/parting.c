#include "parting.h"

#include "err.h"
#include "identity.h"
#include "json.h"
#include "member.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 3000u
#define ANSWER_MS 1000u

/* ---- leave ---- */

/* One multi: /left/<name> says which stay ended, and the stay ends. */
static int leave_with(struct mu_client *c, const char *name,
                      enum mu_op_kind kind, const struct mu_stat *stat,
                      uint32_t timeout_ms, struct mu_err *err)
{
	char left[300], member[300], czxid[24];
	struct mu_multi_op ops[2] = {
		{ .kind = kind, .path = left, .data = czxid, .version = -1 },
		{ .kind = MU_OPKIND_DELETE,
		  .path = member,
		  .len = -1,
		  .version = stat->version },
	};

	snprintf(left, sizeof left, "/left/%s", name);
	snprintf(member, sizeof member, "/members/%s", name);
	ops[0].len =
		(int32_t)snprintf(czxid, sizeof czxid, "%" PRId64, stat->czxid);
	return mu_client_multi_sync(c, ops, 2, NULL, timeout_ms, err);
}

int mu_parting_leave(struct mu_client *c, const char *name,
                     const struct mu_stat *stat, uint32_t timeout_ms,
                     struct mu_err *err)
{
	int rc = mu_client_create_sync(c, "/left", NULL, -1, 0, NULL, 0,
	                               timeout_ms, err);

	if (rc && rc != MU_EEXISTS)
		return rc;
	rc = leave_with(c, name, MU_OPKIND_CREATE, stat, timeout_ms, err);
	if (rc == MU_EEXISTS)
		rc = leave_with(c, name, MU_OPKIND_SET, stat, timeout_ms, err);
	return rc;
}

/* ---- for a worker that cannot ---- */

struct parting {
	const struct mu_agent_conf *conf;
	struct mu_saved_session saved;
	struct mu_client *c;
	char path[300];
};

/* The record as it stands, with another state; *text is freed with free. */
static int with_state(const struct mu_value *v, const char *state, char **text,
                      struct mu_err *err)
{
	struct mu_json *record = NULL;
	int rc = mu_json_parse(v->data, v->len > 0 ? (size_t)v->len : 0,
	                       &record, err);

	if (rc)
		return rc;
	rc = mu_json_set_str(record, "state", state);
	*text = rc ? NULL : mu_json_text(record);
	mu_json_free(record);
	return *text ? 0 : mu_err(err, MU_ENOMEM, "out of memory");
}

static int say_leaving(struct parting *p, const struct mu_value *v,
                       struct mu_err *err)
{
	char *text;
	int rc = with_state(v, MU_MEMBER_LEAVING, &text, err);

	if (rc)
		return rc;
	rc = mu_client_set_sync(p->c, p->path, text, (int32_t)strlen(text),
	                        v->stat.version, NULL, ANSWER_MS, err);
	free(text);
	return rc;
}

static int speak(struct parting *p, enum mu_parting_how how, struct mu_err *err)
{
	struct mu_value v;
	int rc = mu_client_get_sync(p->c, p->path, &v, ANSWER_MS, err);

	if (rc == MU_ENONODE)
		return 0; /* the roll does not have it */
	if (rc)
		return rc;
	if (v.stat.ephemeral_owner != p->saved.session)
		rc = 0; /* nor this one: it is another's */
	else if (how == MU_PARTING_LEAVING)
		rc = say_leaving(p, &v, err);
	else
		rc = mu_parting_leave(p->c, p->saved.name, &v.stat, ANSWER_MS,
		                      err);
	mu_value_free(&v);
	return rc;
}

static int part(struct parting *p, enum mu_parting_how how, struct mu_err *err)
{
	int rc = mu_client_wait(p->c, CONNECT_MS, err);

	if (rc == MU_EEXPIRED) {
		mu_session_forget(p->conf->runtime_dir);
		return 0;
	}
	if (!rc && how != MU_PARTING_FAILED)
		rc = speak(p, how, err);
	if (rc || how == MU_PARTING_LEAVING)
		return rc;
	rc = mu_client_close(p->c, ANSWER_MS);
	if (rc && rc != MU_EEXPIRED)
		return mu_err(err, rc, "the session could not be closed: %s",
		              mu_client_strerror(rc));
	mu_session_forget(p->conf->runtime_dir);
	return 0;
}

int mu_parting(const struct mu_agent_conf *conf, enum mu_parting_how how,
               struct mu_err *err)
{
	struct mu_client_options o = { .size = sizeof o };
	struct parting p = { .conf = conf };
	int rc = mu_session_load(conf->runtime_dir, &p.saved, err);

	if (rc == MU_ENONODE)
		return 0;
	if (rc)
		return rc;
	if (p.saved.brokers != mu_brokers_hash(conf->broker_urls))
		return 0;
	snprintf(p.path, sizeof p.path, "/members/%s", p.saved.name);
	o.brokers = conf->broker_urls;
	o.timeout_ms = (uint32_t)conf->session_timeout_ms;
	o.session = p.saved.session;
	memcpy(o.password, p.saved.password, sizeof o.password);
	o.last_zxid = p.saved.last_zxid;
	rc = mu_client_new(&o, &p.c, err);
	if (rc)
		return rc;
	rc = part(&p, how, err);
	mu_client_free(p.c);
	return rc;
}
