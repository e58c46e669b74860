#include "row.h"

#define STR_LEAST 4  /* bytes of the smallest string */
#define ACL_LEAST 12 /* int and two strings */

void mu_row_get_vec(struct mu_in *in, struct mu_vec *v, size_t least,
                    void (*skip)(struct mu_in *in))
{
	int32_t n = mu_get_count(in, least);

	*v = (struct mu_vec){ .count = n };
	if (n < 0)
		return;
	v->at = in->at;
	for (int32_t i = 0; i < n && mu_in_ok(in); i++)
		skip(in);
	v->len = mu_in_ok(in) ? (size_t)(in->at - v->at) : 0;
}

static void skip_str(struct mu_in *in)
{
	(void)mu_get_str(in);
}

static void skip_acl(struct mu_in *in)
{
	(void)mu_get_int(in);
	(void)mu_get_str(in);
	(void)mu_get_str(in);
}

static void get_field(struct mu_in *in, enum mu_field_kind kind, void *to)
{
	switch (kind) {
	case MU_FIELD_KIND_INT:
		*(int32_t *)to = mu_get_int(in);
		break;
	case MU_FIELD_KIND_LONG:
		*(int64_t *)to = mu_get_long(in);
		break;
	case MU_FIELD_KIND_BOOL:
		*(bool *)to = mu_get_bool(in);
		break;
	case MU_FIELD_KIND_STR:
		*(struct mu_str *)to = mu_get_str(in);
		break;
	case MU_FIELD_KIND_STRS:
		mu_row_get_vec(in, to, STR_LEAST, skip_str);
		break;
	case MU_FIELD_KIND_ACLS:
		mu_row_get_vec(in, to, ACL_LEAST, skip_acl);
		break;
	}
}

static void put_field(struct mu_buf *b, enum mu_field_kind kind,
                      const void *from)
{
	switch (kind) {
	case MU_FIELD_KIND_INT:
		mu_put_int(b, *(const int32_t *)from);
		break;
	case MU_FIELD_KIND_LONG:
		mu_put_long(b, *(const int64_t *)from);
		break;
	case MU_FIELD_KIND_BOOL:
		mu_put_bool(b, *(const bool *)from);
		break;
	case MU_FIELD_KIND_STR:
		mu_put_str(b, *(const struct mu_str *)from);
		break;
	case MU_FIELD_KIND_STRS:
	case MU_FIELD_KIND_ACLS:
		mu_put_vec(b, from);
		break;
	}
}

void mu_row_get(struct mu_in *in, const struct mu_field *row, size_t count,
                void *rec)
{
	for (size_t i = 0; i < count; i++)
		get_field(in, row[i].kind, (char *)rec + row[i].at);
}

void mu_row_put(struct mu_buf *b, const struct mu_field *row, size_t count,
                const void *rec)
{
	for (size_t i = 0; i < count; i++)
		put_field(b, row[i].kind, (const char *)rec + row[i].at);
}
