/* exec_script.h - a test program that is a script: it takes this one's place, told
 * by MUSTER_BUILD where the programs are, and prints the line that run.sh reads. */
#ifndef MU_TEST_EXEC_SCRIPT_H
#define MU_TEST_EXEC_SCRIPT_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline int exec_script(const char *path)
{
	setenv("MUSTER_BUILD", MU_BUILD, 1);
	execl(path, path, (char *)NULL);
	perror(path);
	return EXIT_FAILURE;
}

#endif /* MU_TEST_EXEC_SCRIPT_H */
