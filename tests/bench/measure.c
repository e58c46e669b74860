#include "measure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int bench_run(const char *name, const TTest *figures)
{
	Suite *s = suite_create(name);
	TCase *tc = tcase_create("figures");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, figures);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_set_fork_status(sr, CK_NOFORK);
	srunner_run_all(sr, CK_MINIMAL);
	failed = srunner_ntests_failed(sr);
	if (failed)
		srunner_print(sr, CK_NORMAL);
	srunner_free(sr);
	return failed ? 1 : 0;
}

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void stop(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

void progress(const char *fmt, ...)
{
	static int64_t begun_ns;
	va_list ap;

	if (begun_ns == 0)
		begun_ns = now_ns();
	fprintf(stderr, "[%5.1f s] ", (double)(now_ns() - begun_ns) / 1e9);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int order(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

double part(const int64_t *sorted, size_t n, double p)
{
	size_t i = (size_t)(p * (double)(n - 1) + 0.5);

	return (double)sorted[i];
}
