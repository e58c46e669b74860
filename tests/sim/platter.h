/*
 * platter.h - a directory in memory that forgets as a real one does.
 *
 * What is written lies in a cache until sync, name by name until sync_dir. The
 * death of the process alone leaves the cache as it is. A loss of power leaves
 * of what was not synced, by chance: some sectors and not others, whatever the
 * order they were written in; part of a sector; the old length or the new; the
 * first few of the changes of names. A sync that fails has written some sectors
 * and forgets which: they read well from the cache, are taken for clean by the
 * next sync, and are gone with the power.
 */
#ifndef SIM_PLATTER_H
#define SIM_PLATTER_H

#include "disk.h"

#include "world.h"

#define PLATTER_NAME_MAX 64u
#define PLATTER_FILES_MAX 4096u
#define PLATTER_OPEN_MAX 16u

struct platter_file {
	uint8_t *now,
		*kept; /* owned: as it reads, as it lies on the platters */
	size_t len, kept_len;
	size_t room, kept_room;
	uint8_t *dirty; /* owned, one for each sector of `room` */
};

struct platter_name {
	char name[PLATTER_NAME_MAX];
	uint32_t file;
};

struct platter_change { /* of names, not yet synced */
	enum { PLATTER_LINK, PLATTER_RENAME, PLATTER_UNLINK } what;
	char from[PLATTER_NAME_MAX], to[PLATTER_NAME_MAX];
	uint32_t file;
};

struct platter {
	struct mu_disk face; /* first, so that a pointer to it is one to this */
	struct world *world;
	struct platter_file *files; /* owned */
	uint32_t file_count;
	struct platter_name *names, *kept_names; /* owned */
	size_t name_count, kept_count;
	struct platter_change *changes; /* owned */
	size_t change_count;
	struct {
		uint32_t file; /* 1 + number; 0: closed */
		bool writable;
	} open[PLATTER_OPEN_MAX];
	uint64_t calls;   /* so far */
	uint64_t dies_at; /* at this call the process is no more; 0: never */
	bool dead;
	bool full;          /* nothing can be written or made */
	bool broken;        /* what is written is refused */
	bool sync_fails;    /* the next one */
	bool sync_failed;   /* one has */
	bool ignores_syncs; /* a planted fault: says yes, does nothing */
};

void platter_init(struct platter *d, struct world *w);
void platter_fini(struct platter *d);

/* The process is dead, or the power was off, and another one begins. */
void platter_restart(struct platter *d, bool power_lost);

/* Everything is gone: a new disk. */
void platter_wipe(struct platter *d);

#endif /* SIM_PLATTER_H */
