/*
 * child.h - a child process of a test.
 */
#ifndef MU_TEST_CHILD_H
#define MU_TEST_CHILD_H

#include <check.h>
#include <unistd.h>

/* fork(); where that fails, so does the test. The child says nothing of it to
 * Check, as an assertion here would: parent and child have the file of Check's
 * messages in common, with one offset, and what a child writes while the parent
 * reads is lost, or loses another's. So no child that may outlive its test, or a
 * test that runs in Check's own process, holds an assertion. */
static inline pid_t child_fork(void)
{
	pid_t pid = fork();

	if (pid != 0)
		ck_assert_int_gt(pid, 0);
	return pid;
}

#endif /* MU_TEST_CHILD_H */
