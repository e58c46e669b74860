/*
 * table.h - text in columns, and text made safe to show.
 *
 * Colours are ANSI and only where the caller says so. What comes from nodes is
 * shown with control characters replaced by '?', so that no node can command a
 * terminal.
 */
#ifndef MU_CLI_TABLE_H
#define MU_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum table_colour {
	TABLE_PLAIN,
	TABLE_GREEN,
	TABLE_RED,
	TABLE_YELLOW,
	TABLE_BLUE,
	TABLE_DIM,
	TABLE_BOLD
};

/* The escape that begins a colour; "" when colour is off or plain. */
const char *table_paint(bool on, enum table_colour c);
const char *table_plain(bool on);

struct table;
/* heads: column titles, NULL at the end. NULL when memory is out. */
struct table *table_new(const char *const *heads, bool colour);
/* One row: as many cells as heads (copied, made safe), and the colour of its
 * second cell. False when memory is out. */
bool table_row(struct table *t, const char *const *cells,
               enum table_colour second);
void table_print(const struct table *t);
void table_free(struct table *t);

/* Names side by side, as ls does; one a line if the width is 0. */
void table_names(char *const *names, size_t count, int width);

/* Print at most len bytes with control characters as '?'. */
void table_safe(const char *text, size_t len);

#endif /* MU_CLI_TABLE_H */
