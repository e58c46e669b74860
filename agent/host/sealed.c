#include "sealed.h"

#include "crc.h"
#include "err.h"

#include <string.h>

#define HEAD MU_SEALED_HEAD
#define SUM MU_SEALED_SUM

void mu_sealed_begin(struct mu_buf *b, const struct mu_sealed_kind *kind)
{
	mu_buf_put(b, kind->magic, MU_SEALED_MAGIC);
	mu_put_int(b, kind->version);
	mu_put_long(b, 0);
}

void mu_sealed_end(struct mu_buf *b)
{
	uint64_t inside;

	mu_put_int(b, 0);
	if (mu_buf_failed(b))
		return;
	inside = b->len - HEAD - SUM;
	mu_patch_int(b, HEAD - 8, (int32_t)(inside >> 32));
	mu_patch_int(b, HEAD - 4, (int32_t)(inside & UINT32_MAX));
}

void mu_sealed_sum(uint8_t *bytes, size_t len)
{
	uint32_t sum = mu_crc32c(0, bytes, len - SUM);

	for (unsigned i = 0; i < SUM; i++)
		bytes[len - SUM + i] = (uint8_t)(sum >> (24 - 8 * i));
}

int mu_sealed_open(const void *p, size_t len, const struct mu_sealed_kind *kind,
                   struct mu_in *in, struct mu_err *err)
{
	const uint8_t *bytes = p;
	struct mu_in head, tail;
	int32_t version;

	if (len < HEAD + SUM)
		return mu_err(err, MU_EDATA, "it is cut short");
	tail = mu_in_of(bytes + len - SUM, SUM);
	if ((uint32_t)mu_get_int(&tail) != mu_crc32c(0, bytes, len - SUM))
		return mu_err(err, MU_EDATA, "its checksum does not fit");
	if (memcmp(bytes, kind->magic, MU_SEALED_MAGIC) != 0)
		return mu_err(err, MU_EDATA, "it is not %s", kind->noun);
	head = mu_in_of(bytes + MU_SEALED_MAGIC, HEAD - MU_SEALED_MAGIC);
	version = mu_get_int(&head);
	if (version != kind->version)
		return mu_err(err, MU_EDATA,
		              "it is of version %d, this agent's is %d",
		              (int)version, (int)kind->version);
	if ((uint64_t)mu_get_long(&head) != len - HEAD - SUM)
		return mu_err(err, MU_EDATA, "its length does not fit");
	*in = mu_in_of(bytes + HEAD, len - HEAD - SUM);
	return 0;
}
