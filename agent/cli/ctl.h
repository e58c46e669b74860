/*
 * ctl.h - a request to the broker's control socket, and its answer. The protocol
 * stands in broker/control.h; the names of its errors are those of types.h.
 */
#ifndef MU_CLI_CTL_H
#define MU_CLI_CTL_H

#include <muster/types.h>

struct cli;

#define CTL_PATH_DEFAULT "/run/muster/broker.ctl"
#define CTL_IN_BYTES (64u * 1024)

struct ctl {
	struct cli *cli;
	int fd; /* -1: not open */
	const char *path;
	bool told;      /* a line of progress is on the terminal */
	size_t at, len; /* what was read and not yet taken: in[at], in[len] */
	char in[CTL_IN_BYTES];
};

/* Connect to --control and send one line. As all here: an exit code; a sentence
 * has been printed unless it is CLI_OK. *c is to be closed in any case. */
int ctl_open(struct cli *cli, struct ctl *c, const char *line);
void ctl_close(struct ctl *c);

/* Wait for the answer, showing progress on a terminal: the bytes that follow. */
int ctl_answer(struct ctl *c, uint64_t *len);
/* Wait for the line "ready"; an answer that comes instead is a refusal. */
int ctl_ready(struct ctl *c);
/* Some of the bytes that follow, at least one; borrowed until the next call. */
int ctl_some(struct ctl *c, const char **p, size_t *len);
/* All of them as text, freed with free. */
int ctl_text(struct ctl *c, uint64_t len, char **out);
/* Send bytes. CLI_NO_BROKER without a sentence: it takes no more, and has said
 * why in its answer. */
int ctl_send(struct ctl *c, const void *p, size_t len);
/* "12.3 of 40.0 MiB", on a terminal. */
void ctl_tell_bytes(struct ctl *c, const char *doing, uint64_t done,
                    uint64_t total);

#endif /* MU_CLI_CTL_H */
