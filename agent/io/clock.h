/* clock.h - the only file that asks the OS for time and randomness. */
#ifndef MU_IO_CLOCK_H
#define MU_IO_CLOCK_H

#include <muster/types.h>

uint64_t mu_clock_mono_ms(void); /* CLOCK_MONOTONIC */
uint64_t mu_clock_mono_us(void);
int64_t mu_clock_wall_ms(void); /* since 1970 */

/* Fill with random bytes of the kernel. Stops the program (mu_bug) if there are
 * none, for then nothing is safe. */
void mu_clock_random(void *p, size_t len);

#endif /* MU_IO_CLOCK_H */
