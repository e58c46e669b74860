/* kazoo's recipes and watchers against the broker. */
#include "exec_script.h"

int main(void)
{
	return exec_script(MU_SOURCE "/tests/interop/kazoo_suite.py");
}
