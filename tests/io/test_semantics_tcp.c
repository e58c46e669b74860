/* The semantics over ZooKeeper's own framing. */
#include "carrier_bed.h"

int main(void)
{
	return carrier_bed_run(PEER_TCP, "semantics: tcp");
}
