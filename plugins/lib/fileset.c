#include "fileset.h"

#include "command.h"
#include "fail.h"
#include "fileset_notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OLD_MAX (64u * 1024 * 1024) /* bytes of a file that we replace */

/* One go at putting values in force. */
struct change {
	struct mu_fileset *set;
	const struct mu_file_value *values;
	struct mu_filecopy now[MU_FILESET_MAX]; /* what is in place */
	bool pending; /* there was a mark when we began */
	enum mu_report_state *state;
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

static void free_env(char **env)
{
	for (size_t i = 0; env[i]; i++)
		free(env[i]);
}

/* What a command finds in its environment; false: no memory, nothing to free. */
static bool make_env(const struct mu_fileset *s, const char *file,
                     char *env[MU_FILESET_MAX + 2])
{
	size_t n = 0;
	bool good = asprintf(&env[n], "MUSTER_FILE=%s", file) >= 0;

	for (size_t i = 0; good && i < s->count; i++)
		good = asprintf(&env[++n], "MUSTER_NEW_%zu=%s", i + 1,
		                s->files[i].fresh) >= 0;
	if (good)
		return true;
	env[n] = NULL;
	free_env(env);
	return false;
}

/* Run a command about `file`: 0 or an error whose sentence begins with `what`. */
static int run(const struct mu_fileset *s, const char *what,
               const char *command, const char *file, struct mu_err *err)
{
	char *env[MU_FILESET_MAX + 2] = { NULL };
	struct mu_command how = { .env = (const char *const *)env,
		                  .input_len = -1,
		                  .timeout_ms = s->timeout_ms };
	struct mu_command_end end;
	char *text = with_file(command, file);
	char line[300];
	int rc;

	if (!text || !make_env(s, file, env)) {
		free(text);
		return fail(err, MU_ENOMEM, "%s: out of memory", what);
	}
	rc = mu_command_run_shell(text, &how, &end, err);
	free(text);
	free_env(env);
	if (rc)
		return rc;
	mu_command_describe(&end, command, line, sizeof line);
	if (!mu_command_is_good(&end))
		return fail(err, MU_EDATA, "%s: %s", what, line);
	return 0;
}

static int reload(const struct mu_fileset *s, struct mu_err *err)
{
	return s->reload ? run(s, "reload", s->reload, s->files[0].file, err)
	                 : 0;
}

/* ---- the new values, beside the files ---- */

static void unlink_fresh(const struct mu_fileset *s)
{
	for (size_t i = 0; i < s->count; i++)
		(void)unlink(s->files[i].fresh);
}

static int check(const struct change *c, size_t i, struct mu_err *err)
{
	const struct mu_fileset_file *f = &c->set->files[i];
	char what[160] = "check";
	int rc;

	if (!c->values[i].bytes || !f->check)
		return 0;
	if (c->set->count > 1)
		snprintf(what, sizeof what, "check of %s", f->file);
	rc = run(c->set, what, f->check, f->fresh, err);
	if (rc == MU_EDATA)
		*c->state = MU_REPORT_REJECTED;
	return rc;
}

/* Write all new bytes beside the files, then have them checked: those too that
 * do not change, for a check may look at the others. */
static int stage(const struct change *c, struct mu_err *err)
{
	const struct mu_fileset *s = c->set;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++)
		if (c->values[i].bytes)
			rc = mu_filecopy_write(
				s->files[i].fresh, c->values[i].bytes,
				c->values[i].len, s->files[i].mode,
				c->now[i].exists ? &c->now[i].st : NULL, err);
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		rc = check(c, i, err);
	if (rc)
		unlink_fresh(s);
	return rc;
}

/* ---- what is in force, kept ---- */

static bool is_seen(const struct mu_fileset_file *f,
                    const struct mu_filecopy *now)
{
	struct mu_filenote n = mu_filenote_of(now->bytes, now->len);

	return mu_filenote_eq(&f->seen, &n);
}

static bool is_same(const struct mu_filecopy *f, const struct mu_file_value *v)
{
	if (!f->exists || !v->bytes)
		return !f->exists && !v->bytes;
	return f->len == v->len &&
	       (v->len == 0 || memcmp(f->bytes, v->bytes, v->len) == 0);
}

static int copy_to(const char *name, const struct mu_filecopy *from,
                   struct mu_err *err)
{
	return mu_filecopy_write(name, from->bytes, from->len,
	                         from->st.st_mode & 07777, &from->st, err);
}

/* Keep a copy of a file that was not put there by us, and say so. */
static int keep_edited(const struct change *c, size_t i, struct mu_err *err)
{
	const struct mu_host *h = c->set->host;
	const struct mu_filecopy *now = &c->now[i];
	struct mu_fileset_file *f = &c->set->files[i];
	int rc;

	if (!now->exists || is_seen(f, now) || is_same(now, &c->values[i]))
		return 0;
	rc = copy_to(f->hand, now, err);
	if (rc == 0)
		rc = mu_filecopy_sync_dir(f->hand, err);
	if (rc)
		return rc;
	if (f->seen.known)
		h->log(h, MU_WARN,
		       "%s is not as it was last put in force (edited by "
		       "hand?); it is replaced, what it said is in %s",
		       f->file, f->hand);
	else
		h->log(h, MU_INFO,
		       "%s was there before; it is replaced, what it "
		       "said is in %s",
		       f->file, f->hand);
	f->seen = mu_filenote_of(now->bytes, now->len);
	return 0;
}

static int keep_old(const struct change *c, size_t i, struct mu_err *err)
{
	struct mu_fileset_file *f = &c->set->files[i];
	int rc;

	if (c->now[i].exists)
		rc = copy_to(f->old, &c->now[i], err);
	else
		rc = mu_filecopy_remove(f->old, err);
	return rc ? rc : mu_filecopy_sync_dir(f->old, err);
}

/* Note that all files are about to change: with all their names, for a later
 * set of this instance may have others. */
static int mark(const struct mu_fileset *s, struct mu_err *err)
{
	char *names = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&names, &len);
	int rc;

	if (!out)
		return fail(err, MU_ENOMEM, "out of memory");
	for (size_t i = 0; i < s->count; i++)
		fprintf(out, "%s\n", s->files[i].file);
	if (fclose(out) != 0) {
		free(names);
		return fail(err, MU_ENOMEM, "out of memory");
	}
	/* A mark that is there stays until the longer one can take its place. */
	rc = mu_filecopy_write(s->pending_new, names, len, 0600, NULL, err);
	free(names);
	if (rc == 0)
		rc = mu_filecopy_rename(s->pending_new, s->pending, err);
	if (rc)
		(void)unlink(s->pending_new);
	return rc;
}

/* Keep what is in force now, and mark that this is about to change. While a
 * change is pending, what is kept already is the last that was good. */
static int cover(const struct change *c, struct mu_err *err)
{
	struct mu_fileset *s = c->set;
	bool more = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++) {
		if (s->files[i].covered)
			continue;
		more = true;
		rc = keep_edited(c, i, err);
		if (rc == 0)
			rc = keep_old(c, i, err);
	}
	if (rc == 0 && more)
		rc = mark(s, err);
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		s->files[i].covered = true;
	return rc;
}

static bool has_line(const struct mu_filecopy *text, const char *line)
{
	const char *at = text->bytes, *end = text->bytes + text->len;
	size_t len = strlen(line);

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((stop ? stop : end) - at);

		if (n == len && memcmp(at, line, len) == 0)
			return true;
		at += n + 1;
	}
	return false;
}

/* Is there a mark, and for which files? An empty one speaks of the first. */
static int read_mark(struct change *c, struct mu_err *err)
{
	struct mu_fileset *s = c->set;
	struct mu_filecopy text;
	int rc = mu_filecopy_read(s->pending, OLD_MAX, &text, err);

	if (rc)
		return rc;
	c->pending = text.exists;
	for (size_t i = 0; i < s->count; i++)
		s->files[i].covered =
			text.exists && (has_line(&text, s->files[i].file) ||
		                        (i == 0 && text.len == 0));
	mu_filecopy_fini(&text);
	return 0;
}

/* The service has read the files, which are as seen: that is noted first, for
 * without the mark it must be right. Then goes the mark: without it, what is in
 * place is good. */
static int settle(struct mu_fileset *s, struct mu_err *err)
{
	int rc;

	mu_fileset_keep_notes(s);
	rc = mu_filecopy_remove(s->pending, err);

	for (size_t i = 0; rc == 0 && i < s->count; i++) {
		s->files[i].covered = false;
		rc = mu_filecopy_remove(s->files[i].old, err);
	}
	return rc;
}

/* ---- there and back ---- */

static int put_in_place(const struct change *c, struct mu_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->set->count; i++) {
		const struct mu_fileset_file *f = &c->set->files[i];

		if (is_same(&c->now[i], &c->values[i]))
			(void)unlink(f->fresh);
		else if (c->values[i].bytes)
			rc = mu_filecopy_rename(f->fresh, f->file, err);
		else
			rc = mu_filecopy_remove(f->file, err);
	}
	return rc;
}

/* Put a last good file back: as a copy, for what is kept must stay until the
 * service has read it. *was says if there was one. */
static int put_back(struct mu_fileset_file *f, bool *was, struct mu_err *err)
{
	struct mu_filecopy old;
	int rc = mu_filecopy_read(f->old, OLD_MAX, &old, err);

	if (rc)
		return rc;
	f->seen = mu_filenote_of(old.bytes, old.len);
	if (!old.exists)
		return mu_filecopy_remove(f->file, err);
	*was = true;
	rc = copy_to(f->fresh, &old, err);
	mu_filecopy_fini(&old);
	if (rc == 0)
		rc = mu_filecopy_rename(f->fresh, f->file, err);
	if (rc)
		(void)unlink(f->fresh);
	return rc;
}

/* Those whose last good value is kept; as many as possible. */
static int put_all_back(struct mu_fileset *s, bool *was, struct mu_err *err)
{
	struct mu_err one;
	int rc = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->files[i].covered && put_back(&s->files[i], was, &one)) {
			rc = one.code;
			*err = one;
		}
	return rc;
}

/* The new values cannot be put in force, and *err says why: go back. Always
 * returns the error, with what went wrong on the way back added. */
static int roll_back(struct mu_fileset *s, int code, struct mu_err *err)
{
	struct mu_err first = *err, second;
	bool was = false;

	if (put_all_back(s, &was, &second))
		return fail(err, MU_EIO,
		            "%.240s; and the old file is not back: %.200s",
		            first.msg, second.msg);
	if (was && reload(s, &second))
		return fail(err, code,
		            "%.240s; and with the old file back, %.200s",
		            first.msg, second.msg);
	if (settle(s, &second))
		return fail(err, MU_EIO, "%.240s; the old file is back; %.200s",
		            first.msg, second.msg);
	return code;
}

static bool are_same(const struct change *c)
{
	for (size_t i = 0; i < c->set->count; i++)
		if (!is_same(&c->now[i], &c->values[i]))
			return false;
	return true;
}

/* Bring the files to their new values, in place but not yet in force. */
static int replace(const struct change *c, struct mu_err *err)
{
	int rc = stage(c, err);

	/* A crash left files that the service has not read: they are not what
	 * the refused values would have replaced. */
	if (rc)
		return c->pending ? roll_back(c->set, rc, err) : rc;
	rc = cover(c, err);
	if (rc) {
		unlink_fresh(c->set);
		return rc;
	}
	rc = put_in_place(c, err);
	if (rc) {
		unlink_fresh(c->set);
		return roll_back(c->set, rc, err);
	}
	return 0;
}

static void note_values(const struct change *c)
{
	for (size_t i = 0; i < c->set->count; i++)
		c->set->files[i].seen =
			mu_filenote_of(c->values[i].bytes, c->values[i].len);
}

static int put_in_force(const struct change *c, bool same, struct mu_err *err)
{
	int rc = same ? 0 : replace(c, err);

	if (rc)
		return rc;
	rc = reload(c->set, err);
	if (rc)
		return roll_back(c->set, rc, err);
	note_values(c);
	return settle(c->set, err);
}

static int look(struct change *c, struct mu_err *err)
{
	int rc = read_mark(c, err);

	mu_fileset_read_notes(c->set);
	for (size_t i = 0; rc == 0 && i < c->set->count; i++)
		rc = mu_filecopy_read(c->set->files[i].file, OLD_MAX,
		                      &c->now[i], err);
	return rc;
}

int mu_fileset_apply(struct mu_fileset *s, const struct mu_file_value *values,
                     bool *changed, enum mu_report_state *state,
                     struct mu_err *err)
{
	struct change c = { .set = s, .values = values, .state = state };
	int rc;

	*state = MU_REPORT_FAILED;
	*changed = false;
	rc = look(&c, err);
	if (rc == 0) {
		bool same = are_same(&c);

		*changed = !same || c.pending;
		if (*changed)
			rc = put_in_force(&c, same, err);
	}
	if (rc == 0 && !*changed) {
		note_values(&c);
		mu_fileset_keep_notes(s);
	}
	for (size_t i = 0; i < s->count; i++)
		mu_filecopy_fini(&c.now[i]);
	return rc;
}

/* ---- names ---- */

static char *beside(const char *file, const char *suffix)
{
	char *name;

	return asprintf(&name, "%s%s", file, suffix) < 0 ? NULL : name;
}

int mu_fileset_init(struct mu_fileset *s, struct mu_err *err)
{
	bool good = true;

	for (size_t i = 0; i < s->count; i++) {
		struct mu_fileset_file *f = &s->files[i];

		f->fresh = beside(f->file, ".muster-new");
		f->old = beside(f->file, ".muster-old");
		f->hand = beside(f->file, ".muster-hand");
		good = good && f->fresh && f->old && f->hand;
	}
	s->pending = beside(s->files[0].file, ".muster-pending");
	s->pending_new = beside(s->files[0].file, ".muster-pending-new");
	if (asprintf(&s->notes, "in-force.%s", s->host->instance) < 0)
		s->notes = NULL;
	s->notes_new = s->notes ? beside(s->notes, ".new") : NULL;
	if (good && s->pending && s->pending_new && s->notes_new)
		return 0;
	mu_fileset_fini(s);
	return fail(err, MU_ENOMEM, "out of memory");
}

void mu_fileset_fini(struct mu_fileset *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct mu_fileset_file *f = &s->files[i];

		free(f->fresh);
		free(f->old);
		free(f->hand);
		f->fresh = f->old = f->hand = NULL;
	}
	free(s->pending);
	free(s->pending_new);
	free(s->notes);
	free(s->notes_new);
	s->pending = s->pending_new = s->notes = s->notes_new = NULL;
}
