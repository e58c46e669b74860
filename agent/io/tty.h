/* tty.h - is a person looking, and how wide is the window? */
#ifndef MU_IO_TTY_H
#define MU_IO_TTY_H

#include <muster/types.h>

bool mu_tty_is(int fd);
/* Colour: a terminal, TERM not "dumb", NO_COLOR not set. */
bool mu_tty_colour(int fd);
/* Columns; 80 where nobody says. */
int mu_tty_width(int fd);
/* Ask on the terminal; true only for y or yes. False without one. */
bool mu_tty_ask(const char *question);

#endif /* MU_IO_TTY_H */
