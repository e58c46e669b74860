#include "text.h"

#include <string.h>

const char *mu_text_end(struct mu_str s)
{
	char *at = (char *)s.at; /* the record is ours to write to */

	if (!at)
		return "";
	at[s.len] = '\0';
	return at;
}

void mu_text_clean(char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = ' ';
	while (len > 0 && text[len - 1] == ' ')
		text[--len] = '\0';
}
