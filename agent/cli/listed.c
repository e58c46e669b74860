#include "listed.h"

#include "cli.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

static int room_make(struct listed *l, size_t count)
{
	l->path = calloc(count + 1, sizeof *l->path);
	l->value = calloc(count + 1, sizeof *l->value);
	l->rc = calloc(count + 1, sizeof *l->rc);
	return l->path && l->value && l->rc ? 0 : MU_ENOMEM;
}

/* The names are taken over, and given back to free. */
static int fill(struct cli *cli, const char *path, bool stat_only,
                const struct mu_names *names, struct listed *out)
{
	int rc;

	*out = (struct listed){ .name = names->names, .count = names->count };
	rc = room_make(out, out->count);
	for (size_t i = 0; rc == 0 && i < out->count; i++) {
		out->path[i] = cli_join(path, out->name[i]);
		rc = out->path[i] ? 0 : MU_ENOMEM;
	}
	if (rc == 0)
		rc = cli_fetch(cli, out->path, out->count, stat_only,
		               out->value, out->rc);
	if (rc) {
		cli_fail_at(cli, rc, path);
		listed_free(out);
	}
	return rc;
}

static int read_list(struct cli *cli, const char *path, bool stat_only,
                     bool may_miss, struct listed *out)
{
	struct mu_names names = { NULL, 0, { 0 } };
	struct mu_err err = { 0, "" };
	int rc = mu_client_children_sync(cli->client, path, &names,
	                                 cli->timeout_ms, &err);

	*out = (struct listed){ 0 };
	if (rc == MU_ENONODE && may_miss)
		return 0;
	if (rc) {
		cli_fail(cli, rc, err.msg);
		return rc;
	}
	return fill(cli, path, stat_only, &names, out);
}

int listed_read(struct cli *cli, const char *path, bool stat_only,
                struct listed *out)
{
	return read_list(cli, path, stat_only, false, out);
}

int listed_read_any(struct cli *cli, const char *path, struct listed *out)
{
	return read_list(cli, path, false, true, out);
}

void listed_free(struct listed *l)
{
	struct mu_names names = { l->name, l->count, { 0 } };

	for (size_t i = 0; i < l->count; i++) {
		if (l->path)
			free(l->path[i]);
		if (l->value)
			mu_value_free(&l->value[i]);
	}
	free(l->path);
	free(l->value);
	free(l->rc);
	mu_names_free(&names);
	*l = (struct listed){ 0 };
}

int listed_find(const struct listed *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->name[i], name) == 0 && l->rc[i] == 0)
			return (int)i;
	return -1;
}

struct mu_json *listed_json(const struct listed *l, size_t i)
{
	struct mu_json *j = NULL;

	if (l->rc[i] || l->value[i].len <= 0)
		return NULL;
	if (mu_json_parse(l->value[i].data, (size_t)l->value[i].len, &j, NULL))
		return NULL;
	if (mu_json_is_object(j))
		return j;
	mu_json_free(j);
	return NULL;
}
