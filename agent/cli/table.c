#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 12u
#define GAP 2u

struct table {
	size_t columns, rows, room;
	bool colour;
	size_t width[COLUMNS_MAX];
	char **cell; /* rows * columns, the heads first */
	enum table_colour *second;
};

const char *table_paint(bool on, enum table_colour c)
{
	static const char *const escape[] = {
		[TABLE_PLAIN] = "",        [TABLE_GREEN] = "\033[32m",
		[TABLE_RED] = "\033[31m",  [TABLE_YELLOW] = "\033[33m",
		[TABLE_BLUE] = "\033[34m", [TABLE_DIM] = "\033[2m",
		[TABLE_BOLD] = "\033[1m",
	};

	return on ? escape[c] : "";
}

const char *table_plain(bool on)
{
	return on ? "\033[0m" : "";
}

/* Columns a text takes: its bytes less the continuation bytes of UTF-8. */
static size_t shown_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static char safe_char(char c)
{
	unsigned char u = (unsigned char)c;

	return u < 0x20 || u == 0x7f ? '?' : c;
}

void table_safe(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		putchar(safe_char(text[i]));
}

static char *safe_copy(const char *text)
{
	char *copy = strdup(text);

	for (char *p = copy; p && *p; p++)
		*p = safe_char(*p);
	return copy;
}

static bool row_reserve(struct table *t)
{
	size_t room = t->room ? t->room * 2 : 16;
	char **cell;
	enum table_colour *second;

	if (t->rows < t->room)
		return true;
	cell = realloc(t->cell, room * t->columns * sizeof *cell);
	if (!cell)
		return false;
	t->cell = cell;
	second = realloc(t->second, room * sizeof *second);
	if (!second)
		return false;
	t->second = second;
	t->room = room;
	return true;
}

bool table_row(struct table *t, const char *const *cells,
               enum table_colour second)
{
	char **at;

	if (!row_reserve(t))
		return false;
	at = t->cell + t->rows * t->columns;
	for (size_t i = 0; i < t->columns; i++) {
		size_t width;

		at[i] = safe_copy(cells[i]);
		if (!at[i]) {
			while (i-- > 0)
				free(at[i]);
			return false;
		}
		width = shown_width(at[i]);
		if (width > t->width[i])
			t->width[i] = width;
	}
	t->second[t->rows++] = second;
	return true;
}

struct table *table_new(const char *const *heads, bool colour)
{
	struct table *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->colour = colour;
	while (t->columns < COLUMNS_MAX && heads[t->columns])
		t->columns++;
	if (table_row(t, heads, TABLE_PLAIN))
		return t;
	table_free(t);
	return NULL;
}

static void print_cell(const struct table *t, size_t row, size_t col)
{
	const char *text = t->cell[row * t->columns + col];
	enum table_colour c = TABLE_PLAIN;
	size_t pad = 0;

	if (row == 0)
		c = TABLE_DIM;
	else if (col == 1)
		c = t->second[row];
	if (col + 1 < t->columns)
		pad = t->width[col] - shown_width(text) + GAP;
	printf("%s%s%s%*s", table_paint(t->colour, c), text,
	       c == TABLE_PLAIN ? "" : table_plain(t->colour), (int)pad, "");
}

void table_print(const struct table *t)
{
	for (size_t row = 0; row < t->rows; row++) {
		for (size_t col = 0; col < t->columns; col++)
			print_cell(t, row, col);
		putchar('\n');
	}
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cell[i]);
	free(t->cell);
	free(t->second);
	free(t);
}

void table_names(char *const *names, size_t count, int width)
{
	size_t widest = 1, columns, lines;

	for (size_t i = 0; i < count; i++) {
		size_t w = shown_width(names[i]);

		if (w > widest)
			widest = w;
	}
	columns = width > 0 ? (size_t)width / (widest + GAP) : 1;
	if (columns == 0)
		columns = 1;
	lines = (count + columns - 1) / columns;
	for (size_t line = 0; line < lines; line++) {
		for (size_t i = line; i < count; i += lines) {
			size_t pad = widest + GAP - shown_width(names[i]);

			table_safe(names[i], strlen(names[i]));
			if (i + lines < count)
				printf("%*s", (int)pad, "");
		}
		putchar('\n');
	}
}
