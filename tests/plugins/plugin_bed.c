#include "plugin_bed.h"

#include "program.h"

#include <sys/stat.h>

#define REFUSED_EXIT 3 /* of a runner whose plugin does not want to run */

struct fake_agent a;
struct mu_setting rows[ROWS_MAX];
size_t row_count;
char dir[200], work[300];

void dir_setup(void)
{
	dir_make(dir, sizeof dir);
	snprintf(work, sizeof work, "%s/work", dir);
	ck_assert_int_eq(mkdir(work, 0755), 0);
	ck_assert_int_eq(setenv("D", dir, 1), 0);
	row_count = 0;
}

void dir_teardown(void)
{
	dir_remove(dir);
}

void set_str(const char *key, const char *value)
{
	ck_assert_uint_lt(row_count, ROWS_MAX);
	rows[row_count++] = (struct mu_setting)FAKE_STR(key, value);
}

void set_num(const char *key, enum mu_setting_type type, int64_t value)
{
	ck_assert_uint_lt(row_count, ROWS_MAX);
	rows[row_count++] = (struct mu_setting)FAKE_NUM(key, type, value);
}

void reset_str(const char *key, const char *value)
{
	for (size_t i = 0; i < row_count; i++)
		if (mu_str_eq(rows[i].key, mu_str_of(key))) {
			rows[i] = (struct mu_setting)FAKE_STR(key, value);
			return;
		}
	set_str(key, value);
}

void unset_all(void)
{
	row_count = 0;
}

void start_plugin(const char *name, struct fake_options o)
{
	o.plugin_file = fake_plugin(name);
	o.settings = rows;
	o.setting_count = row_count;
	fake_start(&a, &o);
}

void start_well(const char *name, struct fake_options o)
{
	start_plugin(name, o);
	ck_assert_msg(fake_ready(&a) == 0, "%s", a.ready.reason);
}

void assert_refused(const char *word)
{
	ck_assert_int_eq(fake_ready(&a), MU_ECONFIG);
	ck_assert_msg(strstr(a.ready.reason, word) != NULL, "%s",
	              a.ready.reason);
	fake_drain(&a);
	ck_assert_int_eq(fake_exit(&a), REFUSED_EXIT << 8);
	fake_fini(&a);
}

const char *in_dir(const char *name)
{
	static char path[400];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

const char *content(const char *name)
{
	return fake_read(in_dir(name));
}

void put(const char *name, const char *text)
{
	file_write_text(in_dir(name), text);
}

bool there(const char *name)
{
	return access(in_dir(name), F_OK) == 0;
}
