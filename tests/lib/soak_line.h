/*
 * soak_line.h - the lines in which a plugin writes down what it is told, for the
 * soak: written by tests/plugins/lies/soak.c, read by soak_check.c.
 *
 *     start PID
 *     event PID ZXID N TYPE FLAGS COUNT LEN DIGEST MZXID CZXID CAUSE PATH
 */
#ifndef MU_TEST_SOAK_LINE_H
#define MU_TEST_SOAK_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SOAK_PATH_MAX 128
#define SOAK_LINE_MAX 512 /* 11 numbers and a path */

struct soak_line {
	bool start; /* a life begins; else an event */
	int pid, n;
	long long zxid;
	unsigned type, flags, count;
	int len; /* of the value; -1: none */
	unsigned long long digest;
	long long mzxid, czxid; /* of the Stat, or of the member; 0: none */
	int cause;
	char path[SOAK_PATH_MAX];
};

/* Tells two values apart; of no value 0. */
static inline uint64_t soak_digest(const void *p, int32_t len)
{
	const uint8_t *at = (const uint8_t *)p;
	uint64_t h = 14695981039346656037u;

	if (len < 0)
		return 0;
	for (int32_t i = 0; i < len; i++)
		h = (h ^ at[i]) * 1099511628211u;
	return h;
}

/* The line with its newline; its length. */
static inline int soak_line_put(char *out, size_t room,
                                const struct soak_line *l)
{
	if (l->start)
		return snprintf(out, room, "start %d\n", l->pid);
	return snprintf(out, room,
	                "event %d %lld %d %u %u %u %d %llx %lld %lld %d %s\n",
	                l->pid, l->zxid, l->n, l->type, l->flags, l->count,
	                l->len, l->digest, l->mzxid, l->czxid, l->cause,
	                l->path[0] ? l->path : "-");
}

/* The next line of a text. 1, 0 at the end, -1: it is spoilt. sscanf looks for the
 * end of its whole string first: it gets one line. */
static inline int soak_line_get(const char **at, struct soak_line *l)
{
	const char *end = strchr(*at, '\n');
	char line[SOAK_LINE_MAX];
	size_t len = end ? (size_t)(end - *at) : 0;
	int used = 0;

	memset(l, 0, sizeof *l);
	if (!**at)
		return 0;
	if (!end || len >= sizeof line)
		return -1;
	memcpy(line, *at, len);
	line[len] = '\0';
	if (sscanf(line, "start %d%n", &l->pid, &used) == 1)
		l->start = true;
	else if (sscanf(line,
	                "event %d %lld %d %u %u %u %d %llx %lld %lld %d "
	                "%127s%n",
	                &l->pid, &l->zxid, &l->n, &l->type, &l->flags,
	                &l->count, &l->len, &l->digest, &l->mzxid, &l->czxid,
	                &l->cause, l->path, &used) != 12)
		return -1;
	if ((size_t)used != len)
		return -1;
	*at = end + 1;
	return 1;
}

#endif /* MU_TEST_SOAK_LINE_H */
