#include "json.h"

#include "err.h"
#include "mem.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX (1u << 20)      /* bytes that mu_json_parse takes */
#define JSON_LINE_MAX (1u << 29) /* and mu_json_parse_line */

/* struct mu_json has no body: it is jansson's value under our name. */
static json_t *in(struct mu_json *j)
{
	return (json_t *)j;
}

static const json_t *see(const struct mu_json *j)
{
	return (const json_t *)j;
}

struct mu_json *mu_json_object(void)
{
	return (struct mu_json *)json_object();
}

struct mu_json *mu_json_array(void)
{
	return (struct mu_json *)json_array();
}

void mu_json_free(struct mu_json *j)
{
	json_decref(in(j));
}

/* ---- texts ------------------------------------------------------------------ */

/* Bytes of the UTF-8 character at p, 0 if there is none: so that jansson, which
 * says no for bad text and for lack of memory alike, is not asked. */
static size_t utf8_len(const unsigned char *p, size_t room)
{
	uint32_t code;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > room)
		return 0;
	code = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	if ((n == 3 && code < 0x800) || (n == 4 && code < 0x10000))
		return 0;
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return n;
}

/* NUL is left out too: many readers of JSON stop there. */
static bool is_text(const void *p, size_t len)
{
	const unsigned char *at = p;

	for (size_t i = 0, n; i < len; i += n) {
		n = at[i] ? utf8_len(at + i, len - i) : 0;
		if (n == 0)
			return false;
	}
	return true;
}

/* A text for people: what is not UTF-8 in it becomes '?'. NULL: no memory. */
static json_t *string_of(const char *text)
{
	size_t len = strlen(text);
	unsigned char *copy;
	json_t *s;

	if (is_text(text, len))
		return json_stringn_nocheck(text, len);
	copy = mu_alloc(len + 1);
	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		n = utf8_len(copy + i, len - i);
		if (n == 0)
			copy[i] = '?';
	}
	s = json_stringn_nocheck((const char *)copy, len);
	mu_free(copy);
	return s;
}

/* ---- setters ---------------------------------------------------------------- */

/* Takes v over. NULL means that its maker had no memory. */
static int put(struct mu_json *o, const char *key, json_t *v)
{
	return json_object_set_new(in(o), key, v) ? MU_ENOMEM : 0;
}

int mu_json_set_str(struct mu_json *o, const char *key, const char *text)
{
	return put(o, key, string_of(text));
}

int mu_json_set_int(struct mu_json *o, const char *key, int64_t v)
{
	return put(o, key, json_integer(v));
}

int mu_json_set_bool(struct mu_json *o, const char *key, bool v)
{
	return put(o, key, json_boolean(v));
}

int mu_json_set(struct mu_json *o, const char *key, struct mu_json *v)
{
	return put(o, key, in(v));
}

int mu_json_set_copy(struct mu_json *o, const char *key,
                     const struct mu_json *v)
{
	return put(o, key, json_deep_copy(see(v)));
}

int mu_json_add(struct mu_json *a, struct mu_json *v)
{
	return json_array_append_new(in(a), in(v)) ? MU_ENOMEM : 0;
}

int mu_json_add_str(struct mu_json *a, const char *text)
{
	return json_array_append_new(in(a), string_of(text)) ? MU_ENOMEM : 0;
}

static void base64_encode(char *out, const unsigned char *p, size_t len)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3, out += 4) {
		uint32_t b = (uint32_t)p[i] << 16;

		b |= i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0;
		b |= i + 2 < len ? p[i + 2] : 0;
		out[0] = digit[b >> 18];
		out[1] = digit[b >> 12 & 63];
		out[2] = i + 1 < len ? digit[b >> 6 & 63] : '=';
		out[3] = i + 2 < len ? digit[b & 63] : '=';
	}
}

static int put_base64(struct mu_json *o, const char *key, const void *p,
                      size_t len)
{
	size_t room = (len + 2) / 3 * 4;
	size_t name_room = strlen(key) + sizeof "_base64";
	char *text = mu_alloc(room + 1), *name = mu_alloc(name_room);
	int rc = MU_ENOMEM;

	if (text && name) {
		base64_encode(text, p, len);
		mu_format(name, name_room, "%s_base64", key);
		rc = put(o, name, json_stringn_nocheck(text, room));
	}
	mu_free(text);
	mu_free(name);
	return rc;
}

int mu_json_set_data(struct mu_json *o, const char *key, const void *p,
                     int32_t len)
{
	if (len < 0)
		return put(o, key, json_null());
	if (len == 0)
		return put(o, key, json_stringn_nocheck("", 0));
	if (is_text(p, (size_t)len))
		return put(o, key, json_stringn_nocheck(p, (size_t)len));
	return put_base64(o, key, p, (size_t)len);
}

/* ---- text and back ---------------------------------------------------------- */

char *mu_json_text(const struct mu_json *j)
{
	return json_dumps(see(j), JSON_COMPACT | JSON_ENCODE_ANY);
}

int mu_json_parse(const void *p, size_t len, struct mu_json **out,
                  struct mu_err *err)
{
	json_error_t why;
	json_t *j;

	if (len > TEXT_MAX)
		return mu_err(err, MU_EDATA,
		              "the JSON text is larger than %u bytes",
		              TEXT_MAX);
	j = json_loadb(p, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (j) {
		*out = (struct mu_json *)j;
		return 0;
	}
	if (json_error_code(&why) == json_error_out_of_memory)
		return mu_err(err, MU_ENOMEM, "no memory left to read JSON");
	return mu_err(err, MU_EDATA, "not valid JSON: line %d, column %d: %s",
	              why.line, why.column, why.text);
}

int mu_json_parse_line(const void *p, size_t len, struct mu_json **out,
                       struct mu_err *err)
{
	json_error_t why;
	json_t *j;

	if (len > JSON_LINE_MAX)
		return mu_err(err, MU_EDATA, "the line is larger than %u bytes",
		              JSON_LINE_MAX);
	j = json_loadb(p, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (j) {
		*out = (struct mu_json *)j;
		return 0;
	}
	if (json_error_code(&why) == json_error_out_of_memory)
		return mu_err(err, MU_ENOMEM, "no memory left to read JSON");
	return mu_err(err, MU_EDATA, "not valid JSON: column %d: %s",
	              why.column, why.text);
}

/* ---- getters ---------------------------------------------------------------- */

const char *mu_json_get_str(const struct mu_json *o, const char *key,
                            const char *fallback)
{
	const char *s = json_string_value(json_object_get(see(o), key));

	return s ? s : fallback;
}

int64_t mu_json_get_int(const struct mu_json *o, const char *key,
                        int64_t fallback)
{
	const json_t *v = json_object_get(see(o), key);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : fallback;
}

bool mu_json_is_object(const struct mu_json *j)
{
	return json_is_object(see(j));
}

char *mu_json_get_text(const struct mu_json *o, const char *key)
{
	const json_t *v = json_object_get(see(o), key);

	return v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
}

/* ---- arrays and data -------------------------------------------------------- */

bool mu_json_has(const struct mu_json *o, const char *key)
{
	return json_object_get(see(o), key) != NULL;
}

const struct mu_json *mu_json_get_array(const struct mu_json *o,
                                        const char *key)
{
	const json_t *v = json_object_get(see(o), key);

	return json_is_array(v) ? (const struct mu_json *)v : NULL;
}

const struct mu_json *mu_json_get_object(const struct mu_json *o,
                                         const char *key)
{
	const json_t *v = json_object_get(see(o), key);

	return json_is_object(v) ? (const struct mu_json *)v : NULL;
}

const char *mu_json_text_of(const struct mu_json *v)
{
	return json_string_value(see(v));
}

/* jansson's walk takes an object that may be changed; ours is not. */
int mu_json_each(const struct mu_json *o,
                 int (*each)(void *arg, const char *key,
                             const struct mu_json *v),
                 void *arg)
{
	json_t *all = (json_t *)(uintptr_t)o;
	int rc = 0;

	for (void *at = json_object_iter(all); at && !rc;
	     at = json_object_iter_next(all, at))
		rc = each(arg, json_object_iter_key(at),
		          (const struct mu_json *)json_object_iter_value(at));
	return rc;
}

size_t mu_json_count(const struct mu_json *a)
{
	return json_array_size(see(a));
}

const struct mu_json *mu_json_at(const struct mu_json *a, size_t i)
{
	return (const struct mu_json *)json_array_get(see(a), i);
}

/* The six bits that a digit stands for; -1. */
static int base64_bits(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Into `out`, which has room for 3 bytes of each 4 digits; the length, or -1.
 * Strict: whole groups, and no bits behind the end. */
static ptrdiff_t base64_decode(unsigned char *out, const char *text, size_t len)
{
	size_t n = 0, pad = 0;
	uint32_t bits = 0;

	if (len % 4)
		return -1;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < len; i++) {
		int v = i < len - pad ? base64_bits(text[i]) : 0;

		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 < 3)
			continue;
		out[n++] = (unsigned char)(bits >> 16);
		out[n++] = (unsigned char)(bits >> 8);
		out[n++] = (unsigned char)bits;
		bits = 0;
	}
	for (size_t i = 0; i < pad; i++)
		if (out[--n])
			return -1;
	return (ptrdiff_t)n;
}

static int take_bytes(const json_t *v, bool base64, void **out, int32_t *len)
{
	const char *text = json_string_value(v);
	size_t room = json_string_length(v);
	ptrdiff_t n = (ptrdiff_t)room;
	unsigned char *p;

	if (!text || room > INT32_MAX)
		return MU_EDATA;
	p = mu_alloc(room + 1);
	if (!p)
		return MU_ENOMEM;
	if (base64)
		n = base64_decode(p, text, room);
	else
		memcpy(p, text, room);
	if (n < 0) {
		mu_free(p);
		return MU_EDATA;
	}
	p[n] = '\0';
	*out = p;
	*len = (int32_t)n;
	return 0;
}

int mu_json_get_data(const struct mu_json *o, const char *key, void **out,
                     int32_t *len, struct mu_err *err)
{
	const json_t *text = json_object_get(see(o), key), *base64;
	char name[64];
	int rc;

	mu_format(name, sizeof name, "%s_base64", key);
	base64 = json_object_get(see(o), name);
	if (!text && !base64)
		return mu_err(err, MU_ENONODE, "there is no \"%s\"", key);
	if (text && base64)
		return mu_err(err, MU_EDATA,
		              "\"%s\" and \"%s\" do not go "
		              "together",
		              key, name);
	*out = NULL;
	*len = -1;
	if (json_is_null(text))
		return 0;
	rc = take_bytes(text ? text : base64, !text, out, len);
	if (rc == MU_ENOMEM)
		return mu_err(err, rc, "no memory left to read JSON");
	return rc ? mu_err(err, rc,
	                   text ? "\"%s\" is neither text nor null"
	                        : "\"%s\" is not base64",
	                   text ? key : name)
	          : 0;
}
