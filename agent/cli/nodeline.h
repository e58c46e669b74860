/*
 * nodeline.h - a node as a line of JSON, as export writes and import reads it.
 *
 *     {"path":"/config/web","data":"port 80\n","version":3,...}
 *
 *     path     required
 *     data     required: text, or null; or data_base64 for what is not text
 *     acl      [{"perms":"cdrwa","scheme":"world","id":"anyone"}]; left out: open
 *     kind     "persistent" (so if left out), "container", or "ttl" with ttl_ms
 *     version  of the data when it was exported; looked at for --cas only
 *
 * Anything else is a comment.
 */
#ifndef MU_CLI_NODELINE_H
#define MU_CLI_NODELINE_H

#include <muster/client.h>

struct mu_json;

struct nodeline {
	char *path;
	void *data;
	int32_t len; /* -1: null */
	bool container;
	int64_t ttl_ms;  /* 0: none */
	int64_t version; /* -1: not said */
	struct mu_acl_entry *acl;
	size_t acl_count;     /* 0: not said */
	struct mu_json *json; /* the texts of the ACL lie in it */
	size_t line;          /* of the file, from 1 */
};

/* 0; MU_EDATA with what is wrong; MU_ENOMEM. */
int nodeline_parse(const char *text, size_t len, struct nodeline *out,
                   struct mu_err *err);
void nodeline_fini(struct nodeline *n);

/* The ACL as JSON, or NULL: no memory. */
struct mu_json *nodeline_acl_json(const struct mu_acl_entry *acl, size_t count);
/* Everybody may do everything? */
bool nodeline_acl_is_open(const struct mu_acl_entry *acl, size_t count);
bool nodeline_acl_is_same(const struct mu_acl_entry *a, size_t a_count,
                          const struct mu_acl_entry *b, size_t b_count);
/* The hash of a digest is not shown to who may not change the ACL. */
bool nodeline_acl_is_masked(const struct mu_acl_entry *acl, size_t count);

#endif /* MU_CLI_NODELINE_H */
