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
 * did not work is tried again when the agent gives the event again.
 *
 * A file that is not as it was last put in force here, for somebody has edited
 * it, is copied to <file>.muster-hand (the newest such copy stays) before it is
 * replaced, and the log tells. Whose the file is that a new process finds, it
 * cannot know: that is copied too.
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

#include "command.h"
#include "fail.h"
#include "filecopy.h"
#include "typed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS \
	8000 /* three of them fit the default deadline of a callback */
#define OLD_MAX (64u * 1024 * 1024) /* bytes of a file that we replace */

struct config_file {
	const struct mu_host *host;
	const char *path, *file;            /* the host's */
	const char *check, *reload;         /* the host's; NULL: none */
	char *fresh, *old, *pending, *hand; /* owned: names beside the file */
	uint32_t timeout_ms;
	mode_t mode;
	bool remove_on_delete;
	/* The file as it was last put in force, found to be right, or copied
	 * because somebody had edited it. */
	struct {
		bool known; /* false: this process has done nothing yet */
		bool exists;
		size_t len;
		uint32_t crc;
	} seen;
};

/* What the file should be. */
struct value {
	const void *bytes; /* NULL: no file */
	size_t len;
	int64_t zxid;
	int32_t version; /* -1: no node */
	char digest[24];
};

/* ---- commands ---- */

/* Print `text` as one word of the shell. */
static void print_quoted(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", out);
		else
			fputc(*text, out);
	fputc('\'', out);
}

/* The command with the file's name for each %f; to be freed; NULL: no memory. */
static char *with_file(const char *command, const char *file)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	const char *mark;

	if (!out)
		return NULL;
	while ((mark = strstr(command, "%f"))) {
		fwrite(command, 1, (size_t)(mark - command), out);
		print_quoted(out, file);
		command = mark + 2;
	}
	fputs(command, out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Run a command about `file`: 0 or an error whose sentence begins with `what`. */
static int run(const struct config_file *c, const char *what,
               const char *command, const char *file, struct mu_err *err)
{
	struct mu_command_end end;
	struct mu_command how = { .input_len = -1,
		                  .timeout_ms = c->timeout_ms };
	const char *env[2] = { NULL, NULL };
	char *text = with_file(command, file), *var = NULL;
	char line[300];
	int rc;

	if (!text || asprintf(&var, "MUSTER_FILE=%s", file) < 0) {
		free(text);
		return fail(err, MU_ENOMEM, "%s: out of memory", what);
	}
	env[0] = var;
	how.env = env;
	rc = mu_command_run_shell(text, &how, &end, err);
	free(text);
	free(var);
	if (rc)
		return rc;
	mu_command_describe(&end, command, line, sizeof line);
	if (!mu_command_is_good(&end))
		return fail(err, MU_EDATA, "%s: %s", what, line);
	return 0;
}

static int reload(const struct config_file *c, struct mu_err *err)
{
	return c->reload ? run(c, "reload", c->reload, c->file, err) : 0;
}

/* ---- putting a value in force ---- */

/* Write the new bytes beside the file and have them checked. */
static int stage(const struct config_file *c, const struct value *v,
                 const struct mu_filecopy *now, enum mu_report_state *state,
                 struct mu_err *err)
{
	int rc;

	if (!v->bytes)
		return 0;
	rc = mu_filecopy_write(c->fresh, v->bytes, v->len, c->mode,
	                       now->exists ? &now->st : NULL, err);
	if (rc || !c->check)
		return rc;
	rc = run(c, "check", c->check, c->fresh, err);
	if (rc)
		(void)unlink(c->fresh);
	if (rc == MU_EDATA)
		*state = MU_REPORT_REJECTED;
	return rc;
}

static void note_seen(struct config_file *c, const void *bytes, size_t len)
{
	c->seen.known = true;
	c->seen.exists = bytes != NULL;
	c->seen.len = len;
	c->seen.crc = mu_filecopy_crc32c(bytes, len);
}

static bool is_seen(const struct config_file *c, const struct mu_filecopy *now)
{
	return c->seen.known && c->seen.exists && c->seen.len == now->len &&
	       c->seen.crc == mu_filecopy_crc32c(now->bytes, now->len);
}

/* Keep a copy of a file that was not put there by us, and say so. */
static int keep_edited(struct config_file *c, const struct mu_filecopy *now,
                       struct mu_err *err)
{
	int rc;

	if (!now->exists || is_seen(c, now))
		return 0;
	rc = mu_filecopy_write(c->hand, now->bytes, now->len,
	                       now->st.st_mode & 07777, &now->st, err);
	if (rc == 0)
		rc = mu_filecopy_sync_dir(c->hand, err);
	if (rc)
		return rc;
	if (c->seen.known)
		c->host->log(c->host, MU_WARN,
		             "%s is not as it was last put in force (edited by "
		             "hand?); it is replaced, what it said is in %s",
		             c->file, c->hand);
	else
		c->host->log(c->host, MU_INFO,
		             "%s was there before; it is replaced, what it "
		             "said is in %s",
		             c->file, c->hand);
	note_seen(c, now->bytes, now->len);
	return 0;
}

/* Keep what is in force now, and note that this is about to change. While a
 * change is pending, what is kept already is the last that was good. */
static int keep_old(const struct config_file *c, const struct mu_filecopy *now,
                    struct mu_err *err)
{
	int rc;

	if (now->exists)
		rc = mu_filecopy_write(c->old, now->bytes, now->len,
		                       now->st.st_mode & 07777, &now->st, err);
	else
		rc = mu_filecopy_remove(c->old, err);
	if (rc == 0)
		rc = mu_filecopy_sync_dir(c->old, err);
	if (rc == 0)
		rc = mu_filecopy_write(c->pending, "", 0, 0600, NULL, err);
	return rc ? rc : mu_filecopy_sync_dir(c->pending, err);
}

static int put_in_place(const struct config_file *c, const struct value *v,
                        struct mu_err *err)
{
	return v->bytes ? mu_filecopy_rename(c->fresh, c->file, err)
	                : mu_filecopy_remove(c->file, err);
}

/* The service has read the file. */
static int settle(const struct config_file *c, struct mu_err *err)
{
	int rc = mu_filecopy_remove(c->pending, err);

	return rc ? rc : mu_filecopy_remove(c->old, err);
}

/* Put the last good file back: as a copy, for what is kept must stay until the
 * service has read it. *was says if there was one. */
static int put_back(const struct config_file *c, bool *was, struct mu_err *err)
{
	struct mu_filecopy old;
	int rc = mu_filecopy_read(c->old, OLD_MAX, &old, err);

	if (rc)
		return rc;
	*was = old.exists;
	if (!old.exists)
		return mu_filecopy_remove(c->file, err);
	rc = mu_filecopy_write(c->fresh, old.bytes, old.len,
	                       old.st.st_mode & 07777, &old.st, err);
	mu_filecopy_fini(&old);
	return rc ? rc : mu_filecopy_rename(c->fresh, c->file, err);
}

/* The new value cannot be put in force, and *err says why: go back. Always
 * returns the error, with what went wrong on the way back added. */
static int roll_back(const struct config_file *c, int code, struct mu_err *err)
{
	struct mu_err first = *err, second;
	bool was = false;

	if (put_back(c, &was, &second))
		return fail(err, MU_EIO,
		            "%.240s; and the old file is not back: %.200s",
		            first.msg, second.msg);
	if (was && reload(c, &second))
		return fail(err, code,
		            "%.240s; and with the old file back, %.200s",
		            first.msg, second.msg);
	if (settle(c, &second))
		return fail(err, MU_EIO, "%.240s; the old file is back; %.200s",
		            first.msg, second.msg);
	return code;
}

static bool is_same(const struct mu_filecopy *f, const struct value *v)
{
	if (!f->exists || !v->bytes)
		return !f->exists && !v->bytes;
	return f->len == v->len &&
	       (v->len == 0 || memcmp(f->bytes, v->bytes, v->len) == 0);
}

/* Bring the file from `now` to the value. */
static int change(struct config_file *c, const struct value *v,
                  const struct mu_filecopy *now, bool pending,
                  enum mu_report_state *state, struct mu_err *err)
{
	int rc;

	if (!is_same(now, v)) {
		rc = stage(c, v, now, state, err);
		/* A crash left a file that the service has not read: it is not
		 * what the refused value would have replaced. */
		if (rc)
			return pending ? roll_back(c, rc, err) : rc;
		if (!pending)
			rc = keep_edited(c, now, err);
		if (rc == 0 && !pending)
			rc = keep_old(c, now, err);
		if (rc == 0)
			rc = put_in_place(c, v, err);
		if (rc) {
			(void)unlink(c->fresh);
			return rc;
		}
	}
	rc = reload(c, err);
	return rc ? roll_back(c, rc, err) : settle(c, err);
}

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
	if (v->bytes)
		c->host->log(c->host, MU_INFO,
		             "%s is version %" PRId32 " of %s", c->file,
		             v->version, c->path);
	else
		c->host->log(c->host, MU_INFO, "%s is removed, for %s is gone",
		             c->file, c->path);
}

/* Put the value in force if it is not, and report. */
static int apply(struct config_file *c, const struct value *v,
                 struct mu_err *err)
{
	enum mu_report_state state = MU_REPORT_FAILED;
	bool pending = access(c->pending, F_OK) == 0, done = true;
	struct mu_filecopy now;
	int rc = mu_filecopy_read(c->file, OLD_MAX, &now, err);

	if (rc == 0) {
		done = is_same(&now, v) && !pending;
		if (!done)
			rc = change(c, v, &now, pending, &state, err);
		mu_filecopy_fini(&now);
	}
	if (rc) {
		report(c, v, state, err->msg);
		return rc;
	}
	note_seen(c, v->bytes, v->len);
	if (!done)
		log_in_force(c, v);
	report(c, v, MU_REPORT_APPLIED,
	       v->bytes ? "" : "the node is gone; the file is removed");
	return 0;
}

/* ---- settings ---- */

static int read_commands(struct config_file *c, struct mu_err *err)
{
	int rc = typed_text(c->host, "check", &c->check, err);

	if (rc == 0)
		rc = typed_text(c->host, "reload", &c->reload, err);
	c->timeout_ms = TIMEOUT_MS;
	return rc ? rc : typed_ms(c->host, "timeout_ms", &c->timeout_ms, err);
}

static int read_names(struct config_file *c, struct mu_err *err)
{
	int rc = typed_text(c->host, "path", &c->path, err);

	if (rc == 0)
		rc = typed_text(c->host, "file", &c->file, err);
	if (rc)
		return rc;
	if (!c->path || c->path[0] != '/')
		return fail(err, MU_ECONFIG,
		            "config-file needs `path`: the node to follow");
	if (!c->file || c->file[0] != '/')
		return fail(err, MU_ECONFIG,
		            "config-file needs `file`: the absolute name of "
		            "the file to keep");
	return 0;
}

static int read_manner(struct config_file *c, struct mu_err *err)
{
	const char *mode = "0644", *on_delete = "keep";
	unsigned long bits;
	char *end;
	int rc = typed_text(c->host, "mode", &mode, err);

	if (rc == 0)
		rc = typed_text(c->host, "on_delete", &on_delete, err);
	if (rc)
		return rc;
	bits = strtoul(mode, &end, 8);
	if (mode[0] < '0' || mode[0] > '7' || *end || bits > 07777)
		return fail(
			err, MU_ECONFIG,
			"mode = \"%.20s\" is no octal mode such as \"0644\"",
			mode);
	c->mode = (mode_t)bits;
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

static char *beside(const char *file, const char *suffix)
{
	char *name;

	return asprintf(&name, "%s%s", file, suffix) < 0 ? NULL : name;
}

static void config_file_fini(void *self)
{
	struct config_file *c = self;

	free(c->fresh);
	free(c->old);
	free(c->pending);
	free(c->hand);
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
	rc = read_settings(c, err);
	if (rc)
		goto undo;
	c->fresh = beside(c->file, ".muster-new");
	c->old = beside(c->file, ".muster-old");
	c->pending = beside(c->file, ".muster-pending");
	c->hand = beside(c->file, ".muster-hand");
	if (!c->fresh || !c->old || !c->pending || !c->hand) {
		rc = fail(err, MU_ENOMEM, "out of memory");
		goto undo;
	}
	*self = c;
	return 0;
undo:
	config_file_fini(c);
	return rc;
}

/* ---- events ---- */

static int on_value(struct config_file *c, const struct mu_event *e,
                    struct mu_err *err)
{
	struct value v = { .bytes = e->data, .zxid = e->zxid, .digest = "" };

	if (!e->stat)
		return 0; /* gone since: the deletion comes next */
	v.zxid = e->stat->mzxid;
	v.version = e->stat->version;
	if (e->data_len <= 0) {
		report(c, &v, MU_REPORT_REJECTED,
		       "the node is empty; the file is left as it is");
		return 0;
	}
	v.len = (size_t)e->data_len;
	snprintf(v.digest, sizeof v.digest, "crc32c:%08" PRIx32,
	         mu_filecopy_crc32c(v.bytes, v.len));
	return apply(c, &v, err);
}

static int on_deletion(struct config_file *c, const struct mu_event *e,
                       struct mu_err *err)
{
	struct value gone = { .zxid = e->zxid, .version = -1, .digest = "" };

	if (c->remove_on_delete)
		return apply(c, &gone, err);
	c->host->log(c->host, MU_INFO, "%s is gone; %s is left as it is",
	             c->path, c->file);
	report(c, &gone, MU_REPORT_APPLIED,
	       "the node is gone; the file is kept");
	return 0;
}

static int config_file_event(void *self, const struct mu_event *e,
                             struct mu_err *err)
{
	struct config_file *c = self;

	if (strcmp(e->path, c->path) != 0)
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
};
