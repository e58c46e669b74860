/* suite.c - all parts of the semantics, one after the other. */
#include "bed.h"

int bed_run_semantics(const char *name)
{
	TCase *(*const parts[])(void) = {
		semantics_session,     semantics_order,
		semantics_write,       semantics_watch,
		semantics_ask,         semantics_acl,
		semantics_mortal,      semantics_time,
		semantics_subscribe,   semantics_subscribe_limits,
		semantics_resume,      semantics_resume_small,
		semantics_resume_none,
	};
	Suite *suite = suite_create(name);

	for (size_t i = 0; i < BED_COUNT(parts); i++)
		suite_add_tcase(suite, parts[i]());
	return bed_run_suite(suite);
}
