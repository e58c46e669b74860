/* The same random requests to a real ZooKeeper and to the broker. */
#include "exec_script.h"

int main(void)
{
	return exec_script(MU_SOURCE "/tests/interop/transcript.py");
}
