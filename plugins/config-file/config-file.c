/*
 * config-file - keep a file equal to a node, and the service that reads it
 * informed.
 *
 *     path = "/config/nginx";         # the node; subscribe the instance to it
 *     file = "/etc/nginx/nginx.conf"; # absolute; a symbolic link is replaced
 *     check = "nginx -t -c %f";       # optional; %f: the new bytes, in a file
 *     reload = "nginx -s reload";     # optional
 *     timeout_ms = 8000;              # of each command; check, reload and the
 *                                     # reload of the old file should together
 *                                     # fit the deadline of a callback
 *     mode = "0644";
 *     on_delete = "keep";             # or "remove": with the node goes the file
 *
 * A new value is written beside the file and checked; only then does it take the
 * file's place, and the service is told to reload. If that fails, the old file
 * comes back and the service reloads that. How it went is reported, and whatever
 * did not work is tried again when the agent gives the event again. Values that a
 * newer one overtakes while they wait are passed over (MU_WANT_NEWEST): whatever
 * came while one was handled, or during a cut, costs one check and one reload. A
 * new process, too, begins with the node as it is now.
 *
 * A file that is not as it was last put in force here, for somebody has edited
 * it, is copied to <file>.muster-hand (the newest such copy stays) before it is
 * replaced, and the log tells. What was put in force is noted in the working
 * directory of the instance, in-force.<instance>, so that a new process knows it
 * too. A file that was there before the first value is copied likewise.
 *
 * Beside the file lie, while a value is being put in force,
 *     <file>.muster-new       the new value, not yet in place
 *     <file>.muster-old       the last value known to be in force; none: there
 *                             was no file
 *     <file>.muster-pending   the service may not have read what the file says
 * and after a crash the last of them leads to a reload even if the file is as it
 * should be. Both commands find a file's name in MUSTER_FILE too: the check the
 * new one's, the reload the file's.
 */
#include <muster/plugin.h>

#include "fail.h"
#include "fileset.h"
#include "typed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS \
	8000 /* three of them fit the default deadline of a callback */

struct config_file {
	const struct mu_host *host;
	const char *path;            /* the host's */
	struct mu_fileset_file file; /* with its check */
	struct mu_fileset set;       /* of that one */
	bool remove_on_delete;
	int64_t present; /* zxid of the value that the present state told */
};

/* What the file should be. */
struct value {
	struct mu_file_value file; /* no bytes: no file */
	int64_t zxid;
	int32_t version; /* -1: no node */
	char digest[24];
};

static void report(const struct config_file *c, const struct value *v,
                   enum mu_report_state state, const char *reason)
{
	struct mu_report r = { .path = c->path,
		               .zxid = v->zxid,
		               .version = v->version,
		               .digest = v->digest,
		               .state = state,
		               .reason = reason };
	struct mu_err err;

	if (c->host->report(c->host, &r, &err))
		c->host->log(c->host, MU_WARN, "the report is lost: %s",
		             err.msg);
}

static void log_in_force(const struct config_file *c, const struct value *v)
{
	if (v->file.bytes)
		c->host->log(c->host, MU_INFO,
		             "%s is version %" PRId32 " of %s", c->file.file,
		             v->version, c->path);
	else
		c->host->log(c->host, MU_INFO, "%s is removed, for %s is gone",
		             c->file.file, c->path);
}

/* Put the value in force if it is not, and report. */
static int apply(struct config_file *c, const struct value *v,
                 struct mu_err *err)
{
	enum mu_report_state state;
	bool changed;
	int rc = mu_fileset_apply(&c->set, &v->file, &changed, &state, err);

	if (rc) {
		report(c, v, state, err->msg);
		return rc;
	}
	if (changed)
		log_in_force(c, v);
	report(c, v, MU_REPORT_APPLIED,
	       v->file.bytes ? "" : "the node is gone; the file is removed");
	return 0;
}

/* ---- settings ---- */

static int read_commands(struct config_file *c, struct mu_err *err)
{
	int rc = typed_text(c->host, "check", &c->file.check, err);

	if (rc == 0)
		rc = typed_text(c->host, "reload", &c->set.reload, err);
	c->set.timeout_ms = TIMEOUT_MS;
	return rc ? rc
	          : typed_ms(c->host, "timeout_ms", &c->set.timeout_ms, err);
}

static int read_names(struct config_file *c, struct mu_err *err)
{
	int rc = typed_text(c->host, "path", &c->path, err);

	if (rc == 0)
		rc = typed_text(c->host, "file", &c->file.file, err);
	if (rc)
		return rc;
	if (!c->path || c->path[0] != '/')
		return fail(err, MU_ECONFIG,
		            "config-file needs `path`: the node to follow");
	if (!c->file.file || c->file.file[0] != '/')
		return fail(err, MU_ECONFIG,
		            "config-file needs `file`: the absolute name of "
		            "the file to keep");
	return 0;
}

static int read_manner(struct config_file *c, struct mu_err *err)
{
	const char *on_delete = "keep";
	int rc;

	c->file.mode = 0644;
	rc = typed_mode(c->host, "mode", &c->file.mode, err);
	if (rc == 0)
		rc = typed_text(c->host, "on_delete", &on_delete, err);
	if (rc)
		return rc;
	c->remove_on_delete = strcmp(on_delete, "remove") == 0;
	if (!c->remove_on_delete && strcmp(on_delete, "keep") != 0)
		return fail(err, MU_ECONFIG,
		            "on_delete = \"%.20s\" is neither keep nor remove",
		            on_delete);
	return 0;
}

static int read_settings(struct config_file *c, struct mu_err *err)
{
	int rc = read_names(c, err);

	if (rc == 0)
		rc = read_manner(c, err);
	return rc ? rc : read_commands(c, err);
}

static void config_file_fini(void *self)
{
	struct config_file *c = self;

	mu_fileset_fini(&c->set);
	free(c);
}

static int config_file_init(const struct mu_host *h, void **self,
                            struct mu_err *err)
{
	struct config_file *c = calloc(1, sizeof *c);
	int rc;

	if (!c)
		return fail(err, MU_ENOMEM, "out of memory");
	c->host = h;
	c->set =
		(struct mu_fileset){ .host = h, .files = &c->file, .count = 1 };
	rc = read_settings(c, err);
	if (rc == 0)
		rc = mu_fileset_init(&c->set, err);
	if (rc)
		config_file_fini(c);
	else
		*self = c;
	return rc;
}

/* ---- events ---- */

static int on_value(struct config_file *c, const struct mu_event *e,
                    struct mu_err *err)
{
	struct value v = { .file = { e->data, 0 },
		           .zxid = e->zxid,
		           .digest = "" };

	if (!e->stat)
		return 0; /* gone since: the deletion comes next */
	v.zxid = e->stat->mzxid;
	v.version = e->stat->version;
	if (e->data_len <= 0) {
		report(c, &v, MU_REPORT_REJECTED,
		       "the node is empty; the file is left as it is");
		return 0;
	}
	v.file.len = (size_t)e->data_len;
	snprintf(v.digest, sizeof v.digest, "crc32c:%08" PRIx32,
	         mu_filecopy_crc32c(v.file.bytes, v.file.len));
	return apply(c, &v, err);
}

static int on_deletion(struct config_file *c, const struct mu_event *e,
                       struct mu_err *err)
{
	struct value gone = { .zxid = e->zxid, .version = -1, .digest = "" };

	if (c->remove_on_delete)
		return apply(c, &gone, err);
	c->host->log(c->host, MU_INFO, "%s is gone; %s is left as it is",
	             c->path, c->file.file);
	report(c, &gone, MU_REPORT_APPLIED,
	       "the node is gone; the file is kept");
	return 0;
}

/* True of what was overtaken before this process began: behind the present state
 * come the changes that led to it, and no service is to go through old values
 * again. What was found by reading may have a zxid that is not its own. */
static bool is_overtaken(const struct config_file *c, const struct mu_event *e)
{
	return e->zxid < c->present && !(e->flags & MU_EVENT_COALESCED);
}

static int config_file_event(void *self, const struct mu_event *e,
                             struct mu_err *err)
{
	struct config_file *c = self;

	if (strcmp(e->path, c->path) != 0)
		return 0;
	if (e->type == MU_EVENT_PRESENT)
		c->present = e->stat ? e->stat->mzxid : e->zxid;
	else if (is_overtaken(c, e))
		return 0;
	switch (e->type) {
	case MU_EVENT_PRESENT:
	case MU_EVENT_CREATED:
	case MU_EVENT_CHANGED:
		return on_value(c, e, err);
	case MU_EVENT_DELETED:
		return on_deletion(c, e, err);
	default:
		return 0;
	}
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "config-file",
	.help = "keeps a file equal to a node: check, replace, reload, undo",
	.init = config_file_init,
	.event = config_file_event,
	.fini = config_file_fini,
	.wants = MU_WANT_NEWEST,
};
