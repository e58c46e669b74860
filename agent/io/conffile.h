/*
 * conffile.h - configuration files (libconfig); the one file that includes
 * <libconfig.h> is conffile.c.
 *
 * Rows, not code: a program describes its keys in a table; reading, checking,
 * defaults and --help come from it. An unknown key, a wrong type, a value out
 * of range is an error with file and line; nothing is taken from a file that
 * has one.
 */
#ifndef MU_IO_CONFFILE_H
#define MU_IO_CONFFILE_H

#include <muster/types.h>

enum mu_conf_type {
	MU_CONF_INT,  /* int64_t */
	MU_CONF_BOOL, /* bool */
	MU_CONF_STR,  /* char *, owned by the struct that is filled */
	MU_CONF_LIST, /* struct mu_conf_list of strings; one string is a list */
	MU_CONF_GROUP, /* not read by rows; found by mu_conf_sub */
};

struct mu_conf_list {
	char **item;
	size_t count;
};

struct mu_conf_row {
	const char *key;
	enum mu_conf_type type;
	size_t offset;        /* in the struct that is filled */
	const char *fallback; /* default, as it would stand in the file (a STR
	                         may do without its quotes); NULL: 0, false,
	                         NULL, an empty list */
	int64_t min, max;     /* INT: range; STR: length in bytes; LIST: number
	                         of its texts. min and max 0: any; STR, LIST:
	                         max 0: any */
	const char *unit;     /* "ms", "bytes", "" */
	const char *help;     /* one line */
	bool reloadable;      /* SIGHUP may change it */
};

struct mu_conf;      /* a file */
struct mu_conf_node; /* a group or a list in it, borrowed from it */

#define MU_CONF_FILE_MAX (1u << 20) /* bytes, of each included file too */
#define MU_CONF_DEPTH_MAX 16u       /* groups and lists in each other */
#define MU_CONF_KEY_MAX 255u        /* bytes of "a.b[0].c" */

/* Read and parse. Included files (@include) stand relative to the directory of
 * this one. MU_ECONFIG with "file:line: what", where file may be an included one
 * (not there, over a limit above, a whole number that libconfig would cut without
 * a word); MU_EIO; MU_ENOMEM. */
int mu_conf_open(const char *file, struct mu_conf **out, struct mu_err *err);
/* From text, for tests and defaults; `name` stands for the file in errors. */
int mu_conf_parse(const char *name, const char *text, struct mu_conf **out,
                  struct mu_err *err);
void mu_conf_close(struct mu_conf *c); /* NULL is allowed */
const struct mu_conf_node *mu_conf_root(const struct mu_conf *c);

/* Fill *out from `node` (NULL: defaults only) by the rows (rows[n].key NULL
 * ends). Every key of node must have a row. The fields of the rows are zeroed
 * first; on error they are zero and own nothing. MU_ECONFIG with "file:line: key:
 * what (allowed: ...)", MU_ENOMEM. A default that breaks its own row is a bug. */
int mu_conf_fill(const struct mu_conf_node *node,
                 const struct mu_conf_row *rows, void *out, struct mu_err *err);
/* Free the texts and lists that mu_conf_fill made. */
void mu_conf_wipe(const struct mu_conf_row *rows, void *out);

/* A group, list or array by key; NULL if there is none. By place in a list; NULL
 * past its end. A scalar has no parts: count 0. */
const struct mu_conf_node *mu_conf_sub(const struct mu_conf_node *node,
                                       const char *key);
size_t mu_conf_count(const struct mu_conf_node *node);
const struct mu_conf_node *mu_conf_at(const struct mu_conf_node *node,
                                      size_t i);
const char *mu_conf_file(const struct mu_conf_node *node);
int mu_conf_line(const struct mu_conf_node *node);

/* Visit the scalars below `node`, flat: "reload.timeout", "events[0]", and for
 * each list or array its count. type: as enum mu_setting_type of chan.h. For
 * the settings of plugins, which have no rows. Non-zero from `each` ends it and
 * is returned. */
int mu_conf_walk(const struct mu_conf_node *node,
                 int (*each)(void *arg, const char *key, int type,
                             const char *text, int64_t number),
                 void *arg);

/* Print a commented sample file of all rows to a descriptor; the shipped conf/
 * files are checked against it. */
void mu_conf_help(const struct mu_conf_row *rows, int fd);

#endif /* MU_IO_CONFFILE_H */
