#include "alarms.h"

#include "err.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "notice.h"

#include <stdlib.h>
#include <string.h>

#define PARENT "/alarms/quarantine/"
#define PATH_ROOM 512u /* names of an instance and a host are shorter */

struct mu_alarms {
	struct mu_notices *notices;
	const char *host;
};

static void path_of(char out[PATH_ROOM], const struct mu_alarms *a,
                    const char *instance)
{
	mu_format(out, PATH_ROOM, PARENT "%s@%s", instance, a->host);
}

static char *encode(const struct mu_alarms *a, const char *instance,
                    const struct mu_alarm *alarm)
{
	struct mu_json *o = mu_json_object();
	char *text = NULL;
	int rc;

	rc = mu_json_set_str(o, "instance", instance);
	rc = rc ? rc : mu_json_set_str(o, "host", a->host);
	rc = rc ? rc : mu_json_set_int(o, "since", alarm->since_ms);
	rc = rc ? rc : mu_json_set_int(o, "failures", alarm->failures);
	rc = rc ? rc
	        : mu_json_set_data(o, "reason", alarm->reason,
	                           (int32_t)strlen(alarm->reason));
	if (!rc)
		text = mu_json_text(o);
	mu_json_free(o);
	return text;
}

int mu_alarms_raise(struct mu_alarms *a, const char *instance,
                    const struct mu_alarm *alarm)
{
	char path[PATH_ROOM];
	struct mu_notice notice = { .path = path,
		                    .text = encode(a, instance, alarm),
		                    .on_deleted = alarm->on_released,
		                    .arg = alarm->arg };

	path_of(path, a, instance);
	if (notice.text && mu_notices_put(a->notices, &notice) == 0)
		return 0;
	free(notice.text);
	return MU_ENOMEM;
}

void mu_alarms_clear(struct mu_alarms *a, const char *instance)
{
	char path[PATH_ROOM];

	path_of(path, a, instance);
	if (mu_notices_remove(a->notices, path))
		mu_log(MU_WARN,
		       MSG("an alarm of the agent before may be left; delete "
		           "its node by hand"),
		       KS("path", path),
		       KS("reason", mu_client_strerror(MU_ENOMEM)));
}

void mu_alarms_forget(struct mu_alarms *a, const void *arg)
{
	mu_notices_forget(a->notices, arg);
}

int mu_alarms_new(struct mu_loop *loop, struct mu_uplink *uplink,
                  const char *host, struct mu_alarms **out)
{
	struct mu_alarms *a = mu_alloc(sizeof *a);

	if (!a)
		return MU_ENOMEM;
	a->host = host;
	if (mu_notices_new(loop, uplink, "an alarm", &a->notices)) {
		mu_free(a);
		return MU_ENOMEM;
	}
	*out = a;
	return 0;
}

void mu_alarms_free(struct mu_alarms *a)
{
	if (!a)
		return;
	mu_notices_free(a->notices);
	mu_free(a);
}
