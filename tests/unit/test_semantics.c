/* The semantics on the store alone. */
#include "store_bed.h"

int main(void)
{
	return bed_run_semantics("semantics: store");
}
