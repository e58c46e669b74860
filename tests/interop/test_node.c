/* A Node client against the broker. */
#include "exec_script.h"

int main(void)
{
	return exec_script(MU_SOURCE "/tests/interop/node.py");
}
