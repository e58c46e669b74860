#include "crash_plan.h"

#include "program.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512u
#define PATH_BYTES 4096
#define PATH_ROOM (CRASH_DIR_MAX + CRASH_NAME_MAX + 32u)

/* ---- dice (splitmix64) ---------------------------------------------------------- */

uint64_t dice(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t dice_below(struct dice *d, uint32_t below)
{
	return (uint32_t)(dice(d) % below);
}

bool dice_chance(struct dice *d, uint32_t percent)
{
	return dice_below(d, 100) < percent;
}

/* ---- the plan --------------------------------------------------------------------- */

void crash_open(struct crash *c, const char *dir, const char *work, bool notes)
{
	char real[PATH_BYTES];
	int fd;

	ck_assert_ptr_nonnull(realpath(work, real));
	ck_assert_uint_lt(strlen(real) + 8, sizeof c->file);
	snprintf(c->file, sizeof c->file, "%.240s/plan", real);
	fd = open(c->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, sizeof *c->plan), 0);
	c->plan = mmap(NULL, sizeof *c->plan, PROT_READ | PROT_WRITE,
	               MAP_SHARED, fd, 0);
	ck_assert(c->plan != MAP_FAILED);
	close(fd);
	if (notes)
		snprintf(c->plan->side, sizeof c->plan->side, "%.240s", real);
	ck_assert_ptr_nonnull(realpath(dir, real));
	ck_assert_uint_lt(strlen(real), sizeof c->plan->dir);
	strcpy(c->plan->dir, real);
	crash_arm(c, CRASH_COUNT, CRASH_ALL, 0);
}

void crash_close(struct crash *c)
{
	munmap(c->plan, sizeof *c->plan);
	c->plan = NULL;
}

void crash_arm(struct crash *c, enum crash_act act, uint32_t mask, uint32_t at)
{
	struct crash_plan *p = c->plan;

	p->act = act;
	p->mask = mask;
	p->who = CRASH_ANY;
	p->at = at;
	p->lasts = p->bytes = p->spares = p->sync_delay_us = 0;
	p->error = EIO;
	p->main_pid = p->child_pid = 0;
	p->calls = p->hits = p->hit_call = 0;
	p->hit_name[0] = '\0';
	p->written = 0;
	for (int i = 0; i < CRASH_CALLS; i++)
		p->of[i] = 0;
}

/* `act` last: then the rest holds. */
void crash_now(struct crash *c, enum crash_act act, uint32_t mask, int error)
{
	struct crash_plan *p = c->plan;

	p->act = CRASH_COUNT;
	p->mask = mask;
	p->error = error;
	p->at = 0;
	p->lasts = 1;
	p->calls = p->hits = 0;
	p->act = act;
}

void crash_preload(const struct crash *c, bool on)
{
	if (!on) {
		unsetenv("LD_PRELOAD");
		unsetenv(CRASH_PLAN_ENV);
		return;
	}
	setenv("LD_PRELOAD", MU_BUILD "/tests/lib/crash_shim.so", 1);
	setenv(CRASH_PLAN_ENV, c->file, 1);
	/* A program built with ASan minds who is loaded before it. */
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);
}

/* Whoever inherits it may be slow in collecting it. */
static bool child_is_gone(void *arg)
{
	const struct crash *c = arg;
	char path[64], *text, *state;
	bool gone;

	snprintf(path, sizeof path, "/proc/%d/stat", c->plan->child_pid);
	text = file_read(path, NULL);
	state = text ? strrchr(text, ')') : NULL;
	gone = !state || strncmp(state, ") Z", 3) == 0;
	free(text);
	return gone;
}

void crash_wait_child(const struct crash *c)
{
	if (c->plan->child_pid)
		ck_assert_msg(
			wait_for(child_is_gone, (void *)(uintptr_t)c, WAIT_MS),
			"a child outlives its broker");
}

const char *crash_call_word(enum crash_call call)
{
	static const char *const words[] = {
#define CALL_WORD(name, word) word,
		CRASH_CALL_MAP(CALL_WORD)
#undef CALL_WORD
	};

	return words[(unsigned)call % CRASH_CALLS];
}

const char *crash_hit(const struct crash *c)
{
	static const char *const acts[] = {
#define ACT_WORD(name, word) word,
		CRASH_ACT_MAP(ACT_WORD)
#undef ACT_WORD
	};
	static char text[256];
	const struct crash_plan *p = c->plan;

	if (p->hits == 0)
		snprintf(text, sizeof text, "%s at call %u: not reached (%u)",
		         acts[p->act % CRASH_ACTS], p->at, p->calls);
	else
		snprintf(text, sizeof text, "%s: %s %s (call %u)",
		         acts[p->act % CRASH_ACTS],
		         crash_call_word((enum crash_call)p->hit_call),
		         p->hit_name, p->at);
	return text;
}

/* ---- notes ------------------------------------------------------------------------- */

struct noted {
	struct crash_note head;
	const char *fresh, *old; /* in `bytes` of struct notes */
	bool is_live;
};

struct notes {
	char *bytes;
	struct noted *note;
	size_t count;
};

static int by_seq(const void *a, const void *b)
{
	const struct noted *x = a, *y = b;

	return x->head.seq < y->head.seq ? -1 : x->head.seq > y->head.seq;
}

static bool is_data(const struct crash_note *n)
{
	return n->kind == CRASH_NOTE_WRITE || n->kind == CRASH_NOTE_SIZE;
}

static bool is_name(const struct crash_note *n)
{
	return n->kind == CRASH_NOTE_CREATE || n->kind == CRASH_NOTE_RENAME ||
	       n->kind == CRASH_NOTE_UNLINK;
}

static bool covers(const struct crash_note *sync, const struct crash_note *n)
{
	if (sync->seq < n->seq)
		return false;
	return sync->kind == CRASH_NOTE_SYNC
	               ? is_data(n) && sync->ino == n->ino
	               : sync->kind == CRASH_NOTE_SYNC_DIR && is_name(n);
}

static void find_live(struct notes *all)
{
	for (size_t i = 0; i < all->count; i++) {
		struct noted *n = &all->note[i];

		n->is_live = is_data(&n->head) || is_name(&n->head);
		for (size_t k = i + 1; k < all->count && n->is_live; k++)
			n->is_live = !covers(&all->note[k].head, &n->head);
	}
}

/* What looks like the head of a note, from here on. */
static const char *next_note(const char *at, const char *end)
{
	static const uint32_t magic = CRASH_NOTE_MAGIC;
	struct crash_note n;

	while ((at = memmem(at, (size_t)(end - at), &magic, sizeof magic))) {
		if ((size_t)(end - at) < sizeof n)
			return NULL;
		memcpy(&n, at, sizeof n);
		if (n.kind >= CRASH_NOTE_WRITE && n.kind <= CRASH_NOTE_SYNC_DIR)
			return at;
		at++;
	}
	return NULL;
}

/* One note, and in *at what is behind it. False: it is cut off, or what stands
 * there is none. */
static bool note_get(const char **at, const char *end, struct noted *n)
{
	size_t room = (size_t)(end - *at);

	if (room < sizeof n->head)
		return false;
	memcpy(&n->head, *at, sizeof n->head);
	room -= sizeof n->head;
	if (n->head.magic != CRASH_NOTE_MAGIC || n->head.len > room ||
	    n->head.old_len > room - n->head.len)
		return false;
	n->fresh = *at + sizeof n->head;
	n->old = n->fresh + n->head.len;
	*at = n->old + n->head.old_len;
	return *at == end || (size_t)(end - *at) < sizeof(uint32_t) ||
	       memcmp(*at, &(uint32_t){ CRASH_NOTE_MAGIC }, sizeof(uint32_t)) ==
	               0;
}

/* One is cut off where the program was killed while writing it: what it announces
 * was not done. A child of it may have written more behind that. */
static void notes_parse(struct notes *all, size_t len)
{
	const char *at = all->bytes, *end = all->bytes + len;

	while (at && at < end) {
		struct noted n = { .is_live = false };
		const char *from = at;

		if (!note_get(&at, end, &n)) {
			at = next_note(from + 1, end);
			continue;
		}
		all->note = realloc(all->note,
		                    (all->count + 1) * sizeof *all->note);
		ck_assert_ptr_nonnull(all->note);
		all->note[all->count++] = n;
	}
}

static void notes_load(const struct crash_plan *p, struct notes *all)
{
	char path[PATH_ROOM];
	size_t len = 0;

	memset(all, 0, sizeof *all);
	snprintf(path, sizeof path, "%s/" CRASH_LOG, p->side);
	all->bytes = file_read(path, &len);
	if (all->bytes)
		notes_parse(all, len);
	if (all->count)
		qsort(all->note, all->count, sizeof *all->note, by_seq);
	find_live(all);
}

static void notes_forget(const struct crash_plan *p, struct notes *all)
{
	char path[PATH_ROOM];

	free(all->bytes);
	free(all->note);
	snprintf(path, sizeof path, "%s/" CRASH_LOG, p->side);
	unlink(path);
	for (DIR *d = opendir(p->side); d; closedir(d), d = NULL)
		for (struct dirent *e; (e = readdir(d));)
			if (strncmp(e->d_name, "keep.", 5) == 0)
				unlinkat(dirfd(d), e->d_name, 0);
}

/* ---- bytes that were not synced ----------------------------------------------------- */

static bool find_in(const char *dir, uint64_t ino, char out[PATH_ROOM])
{
	DIR *d = opendir(dir);
	bool found = false;

	for (struct dirent *e; d && !found && (e = readdir(d));) {
		found = e->d_ino == ino;
		snprintf(out, PATH_ROOM, "%s/%s", dir, e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

/* -1: it is gone for good (made, and unlinked again). */
static int open_ino(const struct crash_plan *p, uint64_t ino)
{
	char path[PATH_ROOM];

	if (!find_in(p->dir, ino, path) && !find_in(p->side, ino, path))
		return -1;
	return open(path, O_RDWR | O_CLOEXEC);
}

static void take_back(int fd, const struct noted *n)
{
	const struct crash_note *h = &n->head;

	ck_assert_int_eq(pwrite(fd, n->old, h->old_len, (off_t)h->at),
	                 (ssize_t)h->old_len);
	ck_assert_int_eq(ftruncate(fd, (off_t)h->old_size), 0);
}

/* Sectors of the write, each by the dice; or a beginning of it. */
static void redo_part(int fd, const struct noted *n, struct dice *d)
{
	const struct crash_note *h = &n->head;
	const bool begins = dice_chance(d, 50);
	uint64_t len = begins ? dice(d) % (h->len + 1) : h->len, at = 0;

	while (at < len) {
		uint64_t next = ((h->at + at) / SECTOR + 1) * SECTOR - h->at;
		uint64_t some = (next < len ? next : len) - at;

		if (begins || dice_chance(d, 50))
			ck_assert_int_eq(pwrite(fd, n->fresh + at, some,
			                        (off_t)(h->at + at)),
			                 (ssize_t)some);
		at += some;
	}
}

static void redo(int fd, const struct noted *n)
{
	const struct crash_note *h = &n->head;

	if (h->kind == CRASH_NOTE_SIZE)
		ck_assert_int_eq(ftruncate(fd, (off_t)h->at), 0);
	else
		ck_assert_int_eq(pwrite(fd, n->fresh, h->len, (off_t)h->at),
		                 (ssize_t)h->len);
}

enum how { LOSE_ALL, LOSE_NONE, LOSE_SOME, LOSE_TAIL, HOWS };

/* A size is there or not; a write may be torn. True if nothing was lost. */
static bool redo_by(int fd, const struct noted *n, enum how how, struct dice *d)
{
	if (how == LOSE_ALL || (how == LOSE_SOME && dice_chance(d, 40)))
		return false;
	if (how == LOSE_SOME && n->head.kind == CRASH_NOTE_WRITE &&
	    dice_chance(d, 50)) {
		redo_part(fd, n, d);
		return false;
	}
	redo(fd, n);
	return true;
}

static void each_data(struct crash_plan *p, struct notes *all,
                      struct crash_loss *loss, enum how how, struct dice *d)
{
	size_t i, first_lost = all->count;
	int fd;

	for (i = all->count; i-- > 0;) {
		if (!all->note[i].is_live || !is_data(&all->note[i].head))
			continue;
		fd = open_ino(p, all->note[i].head.ino);
		if (fd >= 0)
			take_back(fd, &all->note[i]);
		if (fd >= 0)
			close(fd);
		loss->writes++;
	}
	if (how == LOSE_TAIL)
		first_lost = dice(d) % (all->count + 1);
	for (i = 0; i < all->count; i++) {
		if (!all->note[i].is_live || !is_data(&all->note[i].head))
			continue;
		fd = open_ino(p, all->note[i].head.ino);
		if (fd >= 0 && i >= first_lost)
			loss->lost++;
		else if (fd >= 0 && !redo_by(fd, &all->note[i], how, d))
			loss->lost++;
		if (fd >= 0)
			close(fd);
	}
}

/* ---- names that were not synced ------------------------------------------------------ */

static void put_path(char out[PATH_ROOM], const char *dir, const char *name)
{
	snprintf(out, PATH_ROOM, "%s/%s", dir, name);
}

static void undo_name(const struct crash_plan *p, const struct crash_note *n)
{
	char name[PATH_ROOM], other[PATH_ROOM], kept[PATH_ROOM];

	put_path(name, p->dir, n->name);
	put_path(other, p->dir, n->other);
	snprintf(kept, sizeof kept, "%s/keep.%llu", p->side,
	         (unsigned long long)n->seq);
	if (n->kind == CRASH_NOTE_CREATE) {
		unlink(name);
	} else if (n->kind == CRASH_NOTE_UNLINK) {
		if (n->kept && link(kept, name))
			ck_assert_int_eq(errno, EEXIST);
	} else if (access(name, F_OK) != 0) { /* it was done */
		rename(other, name);
		if (n->kept)
			ck_assert_int_eq(link(kept, other), 0);
	}
}

/* File systems keep the order of names: of those a first part stays. */
static void each_name(struct crash_plan *p, struct notes *all,
                      struct crash_loss *loss, enum how how, struct dice *d)
{
	size_t undo, i;

	for (i = 0; i < all->count; i++)
		loss->names +=
			all->note[i].is_live && is_name(&all->note[i].head);
	undo = loss->names;
	if (how != LOSE_ALL)
		undo = dice(d) % (loss->names + 1);
	loss->lost += undo;
	for (i = all->count; i-- > 0 && undo > 0;) {
		if (!all->note[i].is_live || !is_name(&all->note[i].head))
			continue;
		undo_name(p, &all->note[i].head);
		undo--;
	}
}

struct crash_loss crash_lose_power(struct crash *c, uint64_t seed)
{
	struct crash_loss loss = { 0, 0, 0 };
	struct dice d = { seed };
	const enum how how = (enum how)dice_below(&d, HOWS);
	struct notes all;

	ck_assert_msg(c->plan->side[0], "crash_open was told not to note");
	notes_load(c->plan, &all);
	each_data(c->plan, &all, &loss, how, &d);
	each_name(c->plan, &all, &loss, how, &d);
	notes_forget(c->plan, &all);
	return loss;
}
