#include "record.h"

#include <stdlib.h>
#include <string.h>

char *mu_record_encode(const struct mu_member *m,
                       const struct mu_states *instances)
{
	static const struct mu_states none = { NULL };
	struct mu_json *o = mu_json_object(), *labels = NULL;
	char *text = NULL;
	int rc;

	rc = mu_json_parse(m->labels, strlen(m->labels), &labels, NULL);
	if (rc)
		labels = mu_json_object();
	rc = mu_json_set_str(o, "id", m->id);
	rc = rc ? rc : mu_json_set_str(o, "name", m->name);
	rc = rc ? rc : mu_json_set_str(o, "address", m->address);
	rc = rc ? rc : mu_json_set_int(o, "port", m->port);
	rc = rc ? rc : mu_json_set_str(o, "version", m->version);
	rc = rc ? rc : mu_json_set_str(o, "boot_id", m->boot_id);
	rc = rc ? rc : mu_json_set_int(o, "started", m->started_ms);
	if (rc)
		mu_json_free(labels);
	else
		rc = mu_json_set(o, "labels", labels);
	rc = rc ? rc : mu_json_set_str(o, "state", m->state);
	rc = rc ? rc : mu_json_set(o, "checks", mu_json_object());
	rc = rc ? rc
	        : mu_json_set(o, "instances",
	                      mu_states_json(instances ? instances : &none));
	if (!rc)
		text = mu_json_text(o);
	mu_json_free(o);
	return text;
}

void mu_record_decode(struct mu_str data, const char *name, int64_t czxid,
                      struct mu_record *out)
{
	struct mu_member *m = &out->member;
	int64_t port;

	*out = (struct mu_record){ 0 };
	if (data.at &&
	    mu_json_parse(data.at, data.len, &out->json, NULL) == 0 &&
	    !mu_json_is_object(out->json)) {
		mu_json_free(out->json);
		out->json = NULL;
	}
	m->size = sizeof *m;
	m->name = name;
	m->czxid = czxid;
	m->id = m->address = m->version = m->boot_id = m->state = "";
	m->labels = "{}";
	if (!out->json)
		return;
	out->labels = mu_json_get_text(out->json, "labels");
	m->id = mu_json_get_str(out->json, "id", "");
	m->address = mu_json_get_str(out->json, "address", "");
	m->version = mu_json_get_str(out->json, "version", "");
	m->boot_id = mu_json_get_str(out->json, "boot_id", "");
	m->state = mu_json_get_str(out->json, "state", "");
	m->started_ms = mu_json_get_int(out->json, "started", 0);
	port = mu_json_get_int(out->json, "port", 0);
	m->port = port > 0 && port < 65536 ? (uint32_t)port : 0;
	if (out->labels && out->labels[0] == '{')
		m->labels = out->labels;
}

void mu_record_wipe(struct mu_record *r)
{
	if (r->json)
		mu_json_free(r->json);
	free(r->labels);
	*r = (struct mu_record){ 0 };
}
