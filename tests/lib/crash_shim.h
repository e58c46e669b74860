/*
 * crash_shim.h - what a test and crash_shim.so say to each other: a plan, in a
 * file that both map.
 *
 * The shim is preloaded into a program (LD_PRELOAD). It sees the system calls
 * by which the program changes one directory, numbers them from 0, and at the
 * one that the plan names kills the program, tears a write, or says no. On
 * request it also notes how to take back what was not synced: crash_plan.h.
 *
 * The test may change a plan while the program runs: "space is back" is act
 * CRASH_COUNT. Children of the program share the plan and the numbering.
 */
#ifndef MU_TEST_CRASH_SHIM_H
#define MU_TEST_CRASH_SHIM_H

#include <stdatomic.h>
#include <stdint.h>

#define CRASH_PLAN_ENV "CRASH_PLAN" /* names the file */
#define CRASH_DIR_MAX 256u
#define CRASH_NAME_MAX 96u
#define CRASH_LOG "undo" /* in plan.side */

/* The calls that are numbered. X(name, word) */
#define CRASH_CALL_MAP(X) \
	X(CRASH_OPEN, "open to create") \
	X(CRASH_MKDIR, "mkdir") \
	X(CRASH_WRITE, "write") \
	X(CRASH_SYNC, "sync of a file") \
	X(CRASH_SYNC_DIR, "sync of the directory") \
	X(CRASH_RENAME, "rename") \
	X(CRASH_UNLINK, "unlink") \
	X(CRASH_TRUNCATE, "truncate") \
	X(CRASH_ALLOCATE, "allocate")

enum crash_call {
#define CRASH_CALL_ENUM(name, word) name,
	CRASH_CALL_MAP(CRASH_CALL_ENUM)
#undef CRASH_CALL_ENUM
		CRASH_CALLS
};
#define CRASH_BIT(op) (1u << (op))
#define CRASH_ALL ((1u << CRASH_CALLS) - 1)
/* What a file system without room refuses; one that is read-only. */
#define CRASH_GROWS \
	(CRASH_BIT(CRASH_OPEN) | CRASH_BIT(CRASH_MKDIR) | \
	 CRASH_BIT(CRASH_WRITE) | CRASH_BIT(CRASH_ALLOCATE))
#define CRASH_CHANGES \
	(CRASH_ALL & ~(CRASH_BIT(CRASH_SYNC) | CRASH_BIT(CRASH_SYNC_DIR)))

/* X(name, word) */
#define CRASH_ACT_MAP(X) \
	X(CRASH_COUNT, "only count") \
	X(CRASH_KILL_BEFORE, "kill before") \
	X(CRASH_KILL_AFTER, "kill after") \
	X(CRASH_TEAR, "tear, kill") /* calls but writes: as KILL_BEFORE */ \
	X(CRASH_FAIL, "fail") \
	X(CRASH_SHORT, "write short") /* calls but writes: go on */

enum crash_act {
#define CRASH_ACT_ENUM(name, word) name,
	CRASH_ACT_MAP(CRASH_ACT_ENUM)
#undef CRASH_ACT_ENUM
		CRASH_ACTS
};

/* Whose calls. */
enum crash_who { CRASH_ANY, CRASH_MAIN, CRASH_CHILD };

struct crash_plan {
	/* Set by the test. */
	char dir[CRASH_DIR_MAX];  /* the directory, as realpath says */
	char side[CRASH_DIR_MAX]; /* where to note what is not synced; "" */
	_Atomic uint32_t act;     /* enum crash_act */
	_Atomic uint32_t mask;    /* CRASH_BITs of what is numbered */
	_Atomic uint32_t who;     /* enum crash_who */
	_Atomic uint32_t at;      /* the number of the call */
	_Atomic uint32_t lasts;   /* FAIL, SHORT: all calls from there on */
	_Atomic int32_t error;    /* FAIL: errno */
	_Atomic uint32_t bytes;   /* TEAR, SHORT: modulo the write's length */
	_Atomic uint32_t spares;  /* KILL, TEAR: a child dies alone */
	_Atomic uint32_t sync_delay_us; /* of each sync of a file */

	/* Said by the shim. */
	_Atomic int32_t main_pid;  /* the program; 0: not started */
	_Atomic int32_t child_pid; /* the last one of it that was seen */
	_Atomic uint32_t calls;    /* numbered so far */
	_Atomic uint32_t
		of[CRASH_CALLS];   /* all calls of a kind, numbered or not */
	_Atomic uint64_t written;  /* bytes */
	_Atomic uint32_t hits;     /* how often something was done */
	_Atomic uint32_t hit_call; /* at the first hit */
	char hit_name[CRASH_NAME_MAX];
	_Atomic uint64_t seq; /* of notes */
};

/* A note, in side/undo: this, `len` new bytes, `old_len` old ones. */
enum crash_note_kind {
	CRASH_NOTE_WRITE = 1, /* at, len; old_len of old bytes; old size */
	CRASH_NOTE_SIZE,      /* to `at`; old tail; old size */
	CRASH_NOTE_SYNC,      /* seq: when it began */
	CRASH_NOTE_CREATE,    /* name */
	CRASH_NOTE_RENAME,    /* name to other; kept: `other` was there */
	CRASH_NOTE_UNLINK,    /* name */
	CRASH_NOTE_SYNC_DIR,
};

#define CRASH_NOTE_MAGIC 0x65746f6eu

struct crash_note {
	uint32_t magic, kind;
	uint64_t seq, ino;
	uint64_t at, len, old_len, old_size;
	uint32_t kept; /* a link to the old file is side/keep.<seq> */
	char name[CRASH_NAME_MAX], other[CRASH_NAME_MAX];
};

#endif /* MU_TEST_CRASH_SHIM_H */
