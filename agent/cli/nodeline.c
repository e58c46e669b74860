#include "nodeline.h"

#include "err.h"
#include "json.h"
#include "mem.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	char letter;
	int32_t right;
} rights[] = { /* in the order that zkCli shows */
	       { 'c', MU_ACL_CREATE },
	       { 'd', MU_ACL_DELETE },
	       { 'r', MU_ACL_READ },
	       { 'w', MU_ACL_WRITE },
	       { 'a', MU_ACL_ADMIN }
};
#define RIGHTS (sizeof rights / sizeof rights[0])

/* ---- ACLs -------------------------------------------------------------------- */

static int entry_set(struct mu_json *o, const struct mu_acl_entry *e)
{
	char perms[RIGHTS + 1] = "";
	size_t n = 0;

	for (size_t i = 0; i < RIGHTS; i++)
		if (e->rights & rights[i].right)
			perms[n++] = rights[i].letter;
	if (mu_json_set_str(o, "perms", perms) ||
	    mu_json_set_str(o, "scheme", e->scheme) ||
	    mu_json_set_str(o, "id", e->id))
		return MU_ENOMEM;
	return 0;
}

struct mu_json *nodeline_acl_json(const struct mu_acl_entry *acl, size_t count)
{
	struct mu_json *a = mu_json_array();

	for (size_t i = 0; a && i < count; i++) {
		struct mu_json *o = mu_json_object();

		if (o && entry_set(o, &acl[i]) == 0 && mu_json_add(a, o) == 0)
			continue;
		mu_json_free(a);
		return NULL;
	}
	return a;
}

bool nodeline_acl_is_open(const struct mu_acl_entry *acl, size_t count)
{
	return count == 1 && acl->rights == MU_ACL_ALL &&
	       strcmp(acl->scheme, "world") == 0 &&
	       strcmp(acl->id, "anyone") == 0;
}

bool nodeline_acl_is_same(const struct mu_acl_entry *a, size_t a_count,
                          const struct mu_acl_entry *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (a[i].rights != b[i].rights ||
		    strcmp(a[i].scheme, b[i].scheme) != 0 ||
		    strcmp(a[i].id, b[i].id) != 0)
			return false;
	return true;
}

bool nodeline_acl_is_masked(const struct mu_acl_entry *acl, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *colon = strrchr(acl[i].id, ':');

		if (strcmp(acl[i].scheme, "digest") == 0 && colon &&
		    strcmp(colon, ":x") == 0)
			return true;
	}
	return false;
}

/* The rights in letters; -1. */
static int32_t parse_perms(const char *text)
{
	int32_t all = 0;

	for (; *text; text++) {
		size_t i = 0;

		while (i < RIGHTS && rights[i].letter != *text)
			i++;
		if (i == RIGHTS)
			return -1;
		all |= rights[i].right;
	}
	return all;
}

static int parse_acl(struct nodeline *n, struct mu_err *err)
{
	const struct mu_json *a = mu_json_get_array(n->json, "acl");
	size_t count = a ? mu_json_count(a) : 0;

	if (count == 0)
		return mu_err(err, MU_EDATA,
		              "\"acl\" is not a list with an entry");
	n->acl = calloc(count, sizeof *n->acl);
	if (!n->acl)
		return MU_ENOMEM;
	n->acl_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct mu_json *o = mu_json_at(a, i);
		const char *perms = mu_json_get_str(o, "perms", "?");
		struct mu_acl_entry *e = &n->acl[i];

		e->rights = parse_perms(perms);
		e->scheme = mu_json_get_str(o, "scheme", NULL);
		e->id = mu_json_get_str(o, "id", NULL);
		if (e->rights < 0)
			return mu_err(err, MU_EDATA,
			              "\"perms\" of the ACL must be letters "
			              "of cdrwa");
		if (!e->scheme || !e->id)
			return mu_err(err, MU_EDATA,
			              "an entry of the ACL lacks its \"%s\"",
			              e->scheme ? "id" : "scheme");
	}
	return 0;
}

/* ---- the line ------------------------------------------------------------------ */

static int parse_path(struct nodeline *n, struct mu_err *err)
{
	const char *path = mu_json_get_str(n->json, "path", NULL);
	struct mu_err why;

	if (!path)
		return mu_err(err, MU_EDATA, "there is no \"path\"");
	if (mu_path_check(mu_str_of(path), &why))
		return mu_err(err, MU_EDATA, "\"path\": %.400s", why.msg);
	if (strcmp(path, "/zookeeper") == 0 ||
	    strncmp(path, "/zookeeper/", 11) == 0)
		return mu_err(err, MU_EDATA,
		              "%.200s is the server's own; take the line out",
		              path);
	n->path = strdup(path);
	return n->path ? 0 : MU_ENOMEM;
}

static int parse_kind(struct nodeline *n, struct mu_err *err)
{
	const char *kind = mu_json_get_str(
		n->json, "kind",
		mu_json_has(n->json, "kind") ? "" : "persistent");

	n->container = strcmp(kind, "container") == 0;
	if (n->container || strcmp(kind, "persistent") == 0)
		return 0;
	if (strcmp(kind, "ttl") != 0)
		return mu_err(err, MU_EDATA,
		              "\"kind\" is none of persistent, container, "
		              "ttl");
	n->ttl_ms = mu_json_get_int(n->json, "ttl_ms", 0);
	return n->ttl_ms > 0 ? 0
	                     : mu_err(err, MU_EDATA,
	                              "\"kind\" ttl goes with \"ttl_ms\" above "
	                              "0");
}

static int parse(struct nodeline *n, struct mu_err *err)
{
	int rc;

	if (!mu_json_is_object(n->json))
		return mu_err(err, MU_EDATA, "not a JSON object");
	rc = parse_path(n, err);
	if (!rc)
		rc = mu_json_get_data(n->json, "data", &n->data, &n->len, err);
	if (!rc)
		rc = parse_kind(n, err);
	if (!rc && mu_json_has(n->json, "acl"))
		rc = parse_acl(n, err);
	n->version = mu_json_get_int(n->json, "version", -1);
	return rc;
}

int nodeline_parse(const char *text, size_t len, struct nodeline *out,
                   struct mu_err *err)
{
	struct nodeline n = { .len = -1, .version = -1 };
	int rc = mu_json_parse_line(text, len, &n.json, err);

	if (rc)
		return rc;
	rc = parse(&n, err);
	if (rc) {
		nodeline_fini(&n);
		return rc == MU_ENOMEM ? mu_err(err, rc, "out of memory")
		                       : MU_EDATA;
	}
	if (!n.acl) { /* only an ACL needs it still */
		mu_json_free(n.json);
		n.json = NULL;
	}
	*out = n;
	return 0;
}

void nodeline_fini(struct nodeline *n)
{
	free(n->path);
	mu_free(n->data);
	free(n->acl);
	if (n->json)
		mu_json_free(n->json);
	*n = (struct nodeline){ .len = -1, .version = -1 };
}
