/* The semantics over ZeroMQ. */
#include "carrier_bed.h"

int main(void)
{
	return carrier_bed_run(PEER_NATIVE, "semantics: native");
}
