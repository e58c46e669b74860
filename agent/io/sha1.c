#include "sha1.h"

#include <nettle/sha1.h>

void mu_sha1(const void *bytes, size_t len, uint8_t hash[20])
{
	struct sha1_ctx ctx;

	sha1_init(&ctx);
	if (len)
		sha1_update(&ctx, len, bytes);
	sha1_digest(&ctx, SHA1_DIGEST_SIZE, hash);
}
