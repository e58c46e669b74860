/*
 * json.h - JSON in and out (jansson); the one file that includes <jansson.h> is
 * json.c. Values that are not valid UTF-8 go out as base64 (mu_json_set_data).
 */
#ifndef MU_IO_JSON_H
#define MU_IO_JSON_H

#include <muster/types.h>

struct mu_json; /* a value; a handle owns one reference */

struct mu_json *mu_json_object(void); /* NULL when memory is out */
struct mu_json *mu_json_array(void);
void mu_json_free(struct mu_json *j);

/* Setters: 0 or MU_ENOMEM; a NULL object is MU_ENOMEM too, so that a chain of
 * them needs one check. Keys and texts are copied. */
int mu_json_set_str(struct mu_json *o, const char *key, const char *text);
int mu_json_set_int(struct mu_json *o, const char *key, int64_t v);
int mu_json_set_bool(struct mu_json *o, const char *key, bool v);
/* `key`: text, or null for len -1; or, not UTF-8, `key`_base64. */
int mu_json_set_data(struct mu_json *o, const char *key, const void *p,
                     int32_t len);
/* Takes `v` over, also on error. */
int mu_json_set(struct mu_json *o, const char *key, struct mu_json *v);
/* As mu_json_set, and `v` stays the caller's too. */
int mu_json_set_copy(struct mu_json *o, const char *key,
                     const struct mu_json *v);
int mu_json_add(struct mu_json *a, struct mu_json *v);
int mu_json_add_str(struct mu_json *a, const char *text);

/* Compact text, keys in the order in which they were set; freed with free. */
char *mu_json_text(const struct mu_json *j);

/* Parse. MU_EDATA with the line and the reason. Depth and size are limited. */
int mu_json_parse(const void *p, size_t len, struct mu_json **out,
                  struct mu_err *err);
/* The same for one line of a file of many, which may be longer: the sentence
 * tells the column alone. */
int mu_json_parse_line(const void *p, size_t len, struct mu_json **out,
                       struct mu_err *err);
/* Getters; the fallback when it is absent or of another type. Borrowed. */
const char *mu_json_get_str(const struct mu_json *o, const char *key,
                            const char *fallback);
int64_t mu_json_get_int(const struct mu_json *o, const char *key,
                        int64_t fallback);
bool mu_json_is_object(const struct mu_json *j);
/* Is there such a member, be it null? */
bool mu_json_has(const struct mu_json *o, const char *key);
/* A member that is an array; NULL if absent or something else. Borrowed. */
const struct mu_json *mu_json_get_array(const struct mu_json *o,
                                        const char *key);
/* The same of one that is an object. */
const struct mu_json *mu_json_get_object(const struct mu_json *o,
                                         const char *key);
/* The text of a value that is one; NULL. Borrowed. */
const char *mu_json_text_of(const struct mu_json *v);
/* Each member of an object in its order, until `each` gives other than 0, which
 * is returned. */
int mu_json_each(const struct mu_json *o,
                 int (*each)(void *arg, const char *key,
                             const struct mu_json *v),
                 void *arg);
size_t mu_json_count(const struct mu_json *a);
const struct mu_json *mu_json_at(const struct mu_json *a, size_t i);
/* What mu_json_set_data has written; *out is freed with mu_free and has a NUL
 * after its *len bytes; NULL and -1: null. MU_ENONODE: there is none; MU_EDATA:
 * neither text nor null, base64 that is none, or both; MU_ENOMEM. */
int mu_json_get_data(const struct mu_json *o, const char *key, void **out,
                     int32_t *len, struct mu_err *err);
/* A member as compact text, freed with free; NULL if absent. */
char *mu_json_get_text(const struct mu_json *o, const char *key);

#endif /* MU_IO_JSON_H */
