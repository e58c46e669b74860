/* sha1.h - SHA-1, for ZooKeeper's digest identities. Any thread. */
#ifndef MU_IO_SHA1_H
#define MU_IO_SHA1_H

#include <stddef.h>
#include <stdint.h>

/* The 20 bytes of the hash of bytes[0..len). */
void mu_sha1(const void *bytes, size_t len, uint8_t hash[20]);

#endif /* MU_IO_SHA1_H */
