#include "fileset_notes.h"

#include "fail.h"

#include <stdlib.h>
#include <string.h>

#define NOTES_MAX (1024u * 1024) /* bytes */

void mu_fileset_read_notes(struct mu_fileset *s)
{
	struct mu_filecopy text;
	struct mu_err err;

	if (s->notes_read)
		return;
	s->notes_read = true;
	if (mu_filecopy_read(s->notes, NOTES_MAX, &text, &err)) {
		s->host->log(s->host, MU_WARN,
		             "what was put in force before is not known: %s",
		             err.msg);
		return;
	}
	for (size_t i = 0; text.exists && i < s->count; i++) {
		struct mu_fileset_file *f = &s->files[i];

		f->seen = f->noted =
			mu_filenote_find(text.bytes, text.len, f->file);
	}
	mu_filecopy_fini(&text);
}

static int write_notes(const struct mu_fileset *s, struct mu_err *err)
{
	char *text = NULL;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++)
		if (mu_filenote_add(&text, s->files[i].file, &s->files[i].seen))
			rc = fail(err, MU_ENOMEM, "out of memory");
	if (rc == 0 && text)
		rc = mu_filecopy_write(s->notes_new, text, strlen(text), 0600,
		                       NULL, err);
	if (rc == 0 && text)
		rc = mu_filecopy_rename(s->notes_new, s->notes, err);
	free(text);
	return rc;
}

void mu_fileset_keep_notes(struct mu_fileset *s)
{
	struct mu_err err;
	bool news = false;

	for (size_t i = 0; i < s->count; i++)
		news = news ||
		       !mu_filenote_eq(&s->files[i].seen, &s->files[i].noted);
	if (!news)
		return;
	if (write_notes(s, &err)) {
		if (!s->notes_fail)
			s->host->log(s->host, MU_WARN,
			             "an edit by hand will not be told from "
			             "the plugin's own after a restart: %s",
			             err.msg);
		s->notes_fail = true;
		return;
	}
	s->notes_fail = false;
	for (size_t i = 0; i < s->count; i++)
		s->files[i].noted = s->files[i].seen;
}
