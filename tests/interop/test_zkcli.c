/* ZooKeeper's own command line against the broker. */
#include "exec_script.h"

int main(void)
{
	return exec_script(MU_SOURCE "/tests/interop/zkcli.py");
}
