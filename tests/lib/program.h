/*
 * program.h - programs as a user runs them: to their end with what they print
 * kept, or in the background with their output in files.
 *
 * Whatever is started here dies with the test's process (PDEATHSIG), so that a
 * failed test leaves nothing behind. What cannot go wrong in a sound test (a
 * fork, a file) fails the test. The environment is the test's own: setenv.
 */
#ifndef MU_TEST_PROGRAM_H
#define MU_TEST_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WAIT_MS 20000u /* for what must come, on a busy machine */

/* ---- waiting ---- */

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t now_ms(void);
/* Ask every few ms until it says true; false once limit_ms have passed. */
bool wait_for(bool (*is_true)(void *arg), void *arg, uint32_t limit_ms);

/* ---- files ---- */

/* A whole file with a NUL behind it (free), and its length if asked for; NULL
 * if it cannot be read. */
char *file_read(const char *path, size_t *len);
void file_write(const char *path, const void *data, size_t len);
void file_write_text(const char *path, const char *text);
/* Does the file have this text? */
bool file_has(const char *path, const char *text);
/* The same, waiting for it; false past the limit. */
bool file_comes_to_have(const char *path, const char *text, uint32_t limit_ms);
/* How many times the text stands in it. */
unsigned file_count(const char *path, const char *text);
/* Waiting until it stands there so many times, or more; false past the limit. */
bool file_comes_to_count(const char *path, const char *text, unsigned count,
                         uint32_t limit_ms);
/* A directory of the test's own, below TMPDIR or /tmp. */
void dir_make(char *out, size_t room);
/* A directory with all that is in it, even if its mode forbids that. */
void dir_remove(const char *path);

/* ---- ports ---- */

#define PORTS_MAX 16

/* TCP ports of 127.0.0.1 that are free now, each another. */
void ports_free(uint16_t ports[], size_t count);

/* ---- to its end ---- */

struct run {
	/* in; argv[0] is a path, or a name to be found in PATH */
	const char *const *argv; /* ends in NULL */
	const void *in;          /* its standard input; NULL: /dev/null */
	size_t in_len;
	uint32_t limit_ms; /* 0: WAIT_MS. Past it, it is killed: exit -1 */
	bool pty;          /* 0, 1 and 2 are one terminal; all goes to `out` */

	/* out */
	int exit;  /* exit code; 128 + signal; -1: past its limit */
	char *out; /* standard output, a NUL behind it */
	size_t out_len;
	char *err;
	size_t err_len;
	uint32_t took_ms;
};

void run(struct run *r);
void run_free(struct run *r);

/* ---- in the background ---- */

struct program {
	pid_t pid;     /* 0: it does not run */
	char out[256]; /* files of its standard output and error: may be one */
	char err[256];
};

/* Start it, appending to the two files. */
void program_start(struct program *p, const char *const *argv, const char *out,
                   const char *err);
/* Send a signal. */
void program_signal(const struct program *p, int signum);
/* Wait for its end: as `exit` of struct run; past the limit it is killed. */
int program_wait(struct program *p, uint32_t limit_ms);
/* Both, with WAIT_MS; 0 at once if it does not run. */
int program_stop(struct program *p, int signum);
/* Still there? Collects it if not. */
bool program_is_running(struct program *p);
/* How many descriptors a process has open: to compare with another time. */
unsigned process_descriptors(pid_t pid);

/* ---- the test itself ---- */

/* A number from the environment. */
uint32_t env_number(const char *name, uint32_t otherwise);
/* Copy a directory to where this variable says, if it does; says so if it cannot. */
void env_keep_dir(const char *name, const char *dir);
/* False: no other user's rights can be taken here, and it says that it skips the
 * test. */
bool is_root(const char *test);

#endif /* MU_TEST_PROGRAM_H */
