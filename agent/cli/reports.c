#include "reports.h"

#include "cli.h"

#include "json.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>

static struct report *add(struct reports *rs)
{
	if (rs->count == rs->room) {
		size_t room = rs->room ? rs->room * 2 : 16;
		struct report *r = realloc(rs->report, room * sizeof *r);

		if (!r)
			return NULL;
		rs->report = r;
		rs->room = room;
	}
	rs->report[rs->count] =
		(struct report){ .version = REPORT_UNKNOWN,
		                 .node_version = REPORT_UNKNOWN };
	return &rs->report[rs->count++];
}

static int add_host(struct reports *rs, const char *instance,
                    const struct listed *l, size_t i, bool alive)
{
	struct report *r = add(rs);

	if (!r)
		return MU_ENOMEM;
	r->instance = strdup(instance);
	r->host = strdup(l->name[i]);
	r->record = listed_json(l, i);
	r->alive = alive;
	r->written_ms = l->value[i].stat.mtime;
	r->version = mu_json_get_int(r->record, "version", REPORT_UNKNOWN);
	return r->instance && r->host ? 0 : MU_ENOMEM;
}

static int add_instance(struct cli *cli, const char *instance, bool must_be,
                        const struct listed *members, struct reports *rs)
{
	char *path = cli_join("/applied", instance);
	struct listed l = { 0 };
	int rc = MU_ENOMEM;

	if (!path)
		cli_fail(cli, rc, NULL);
	else
		rc = must_be ? listed_read(cli, path, false, &l)
		             : listed_read_any(cli, path, &l);
	for (size_t i = 0; rc == 0 && i < l.count; i++) {
		if (l.rc[i])
			continue;
		rc = add_host(rs, instance, &l, i,
		              listed_find(members, l.name[i]) >= 0);
		if (rc)
			cli_fail(cli, rc, NULL);
	}
	listed_free(&l);
	free(path);
	return rc;
}

static int add_all(struct cli *cli, const struct listed *members,
                   struct reports *rs)
{
	struct listed instances;
	int rc = listed_read_any(cli, "/applied", &instances);

	if (rc)
		return rc;
	for (size_t i = 0; rc == 0 && i < instances.count; i++)
		rc = add_instance(cli, instances.name[i], false, members, rs);
	listed_free(&instances);
	return rc;
}

/* The node that a record speaks of; "/" where it names none that can be. */
static const char *node_of(const struct report *r)
{
	const char *path = mu_json_get_str(r->record, "path", "/");

	return mu_path_check(mu_str_of(path), NULL) ? "/" : path;
}

/* Where the nodes are now: all asked for at once. */
static int ask_nodes(struct cli *cli, struct reports *rs)
{
	char **path = calloc(rs->count + 1, sizeof *path);
	struct mu_value *value = calloc(rs->count + 1, sizeof *value);
	int *rcs = calloc(rs->count + 1, sizeof *rcs);
	int rc = path && value && rcs ? 0 : MU_ENOMEM;

	for (size_t i = 0; rc == 0 && i < rs->count; i++) {
		path[i] = strdup(node_of(&rs->report[i]));
		rc = path[i] ? 0 : MU_ENOMEM;
	}
	if (rc == 0)
		rc = cli_fetch(cli, path, rs->count, true, value, rcs);
	for (size_t i = 0; rc == 0 && i < rs->count; i++) {
		if (rcs[i] == MU_ENONODE)
			rs->report[i].node_version = REPORT_GONE;
		else if (rcs[i] == 0 && path[i][1])
			rs->report[i].node_version = value[i].stat.version;
	}
	if (rc)
		cli_fail(cli, rc, NULL);
	for (size_t i = 0; path && i < rs->count; i++)
		free(path[i]);
	free(path);
	free(value);
	free(rcs);
	return rc;
}

int reports_read(struct cli *cli, const char *instance,
                 const struct listed *members, struct reports *out)
{
	int rc;

	*out = (struct reports){ 0 };
	rc = instance ? add_instance(cli, instance, true, members, out)
	              : add_all(cli, members, out);
	return rc ? rc : ask_nodes(cli, out);
}

void reports_free(struct reports *rs)
{
	for (size_t i = 0; i < rs->count; i++) {
		free(rs->report[i].instance);
		free(rs->report[i].host);
		mu_json_free(rs->report[i].record);
	}
	free(rs->report);
	*rs = (struct reports){ 0 };
}
