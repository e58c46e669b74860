#include "filenote.h"

#include "filecopy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mu_filenote mu_filenote_of(const void *bytes, size_t len)
{
	struct mu_filenote n = { .known = true, .exists = bytes != NULL };

	if (n.exists) {
		n.len = len;
		n.crc = mu_filecopy_crc32c(bytes, len);
	}
	return n;
}

bool mu_filenote_eq(const struct mu_filenote *a, const struct mu_filenote *b)
{
	return a->known == b->known && a->exists == b->exists &&
	       a->len == b->len && a->crc == b->crc;
}

/* "e3069283 9 /etc/x", "gone 0 /etc/x". False: it is another's, or none. */
static bool read_line(const char *line, size_t len, const char *file,
                      struct mu_filenote *out)
{
	size_t name = strlen(file);
	char head[40];
	int used = 0;

	if (len < name + 2 || len - name >= sizeof head ||
	    memcmp(line + len - name, file, name) != 0)
		return false;
	memcpy(head, line, len - name);
	head[len - name] = '\0';
	*out = (struct mu_filenote){ .known = true };
	if (strcmp(head, "gone 0 ") == 0)
		return true;
	out->exists = true;
	return sscanf(head, "%8" SCNx32 " %zu %n", &out->crc, &out->len,
	              &used) == 2 &&
	       head[used] == '\0';
}

struct mu_filenote mu_filenote_find(const char *text, size_t len,
                                    const char *file)
{
	const char *end = text + len;
	struct mu_filenote n;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		if (!stop)
			break; /* half a line */
		if (read_line(text, (size_t)(stop - text), file, &n))
			return n;
		text = stop + 1;
	}
	return (struct mu_filenote){ .known = false };
}

int mu_filenote_add(char **text, const char *file, const struct mu_filenote *n)
{
	const char *before = *text ? *text : "";
	char *now;
	int rc;

	if (!n->known)
		return 0;
	if (n->exists)
		rc = asprintf(&now, "%s%08" PRIx32 " %zu %s\n", before, n->crc,
		              n->len, file);
	else
		rc = asprintf(&now, "%sgone 0 %s\n", before, file);
	if (rc < 0)
		return MU_ENOMEM;
	free(*text);
	*text = now;
	return 0;
}
