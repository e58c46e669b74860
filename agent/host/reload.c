#include "reload.h"

#include "err.h"
#include "json.h"
#include "log.h"
#include "mem.h"

#include <muster/plugin.h>

#include <limits.h>
#include <string.h>

#define TOP "/reload"

struct mu_reload {
	struct mu_reload_options o;
	struct mu_sub *sub;
};

/* One that says nothing of a host, or nothing at all, is for every host. */
static bool is_for_us(const struct mu_reload *r, struct mu_json *o)
{
	const char *host = o ? mu_json_get_str(o, "host", "") : "";

	return host[0] == '\0' || strcmp(host, r->o.host) == 0;
}

static void heard(const struct mu_reload *r, const char *instance,
                  struct mu_str value)
{
	struct mu_json *o = NULL;
	char why[MU_ERR_MSG_MAX];
	struct mu_err err;

	if (value.len && mu_json_parse(value.at, value.len, &o, &err) == 0 &&
	    !mu_json_is_object(o)) {
		mu_json_free(o);
		o = NULL;
	}
	if (is_for_us(r, o)) {
		mu_format(why, sizeof why, "muster plugin reload, by %.100s",
		          o ? mu_json_get_str(o, "by", "?") : "?");
		r->o.fn(r->o.arg, instance, why);
	}
	mu_json_free(o);
}

static int on_change(void *arg, const struct mu_mirror_event *e)
{
	const struct mu_reload *r = arg;
	size_t top = sizeof TOP "/" - 1;
	char instance[NAME_MAX + 1];

	if ((e->type != MU_EVENT_CREATED && e->type != MU_EVENT_CHANGED) ||
	    e->path.len <= top || e->path.len - top > NAME_MAX)
		return 0;
	mu_format(instance, sizeof instance, "%.*s", (int)(e->path.len - top),
	          e->path.at + top);
	heard(r, instance, e->data);
	return 0;
}

int mu_reload_new(const struct mu_reload_options *o, struct mu_reload **out)
{
	struct mu_reload *r = mu_alloc(sizeof *r);
	struct mu_sub_options sub = { .loop = o->loop,
		                      .uplink = o->uplink,
		                      .limits = o->limits,
		                      .path = TOP,
		                      .mode = MU_MIRROR_CHILDREN,
		                      .who = "reload",
		                      .fn = on_change,
		                      .arg = r };
	int rc;

	if (!r)
		return MU_ENOMEM;
	r->o = *o;
	rc = mu_sub_new(&sub, &r->sub);
	if (rc) {
		mu_free(r);
		return rc;
	}
	*out = r;
	return 0;
}

void mu_reload_free(struct mu_reload *r)
{
	if (!r)
		return;
	mu_sub_free(r->sub);
	mu_free(r);
}
