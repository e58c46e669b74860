/* crc.h - CRC-32C (Castagnoli), the checksum of all that lies on disk. Pure. */
#ifndef MU_CORE_CRC_H
#define MU_CORE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` is the checksum of, followed by p[0..len); begin
 * with 0. "123456789" gives 0xe3069283. Any thread. */
uint32_t mu_crc32c(uint32_t crc, const void *p, size_t len);

#endif /* MU_CORE_CRC_H */
