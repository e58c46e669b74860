#include "zst.h"

#include "err.h"
#include "mem.h"

#include <zstd.h>

#define LEVEL 3 /* zstd's own default: a fair price for the size */
#define OUT_BYTES (128u * 1024)

struct mu_zst {
	ZSTD_CCtx *pack; /* one of the two */
	ZSTD_DCtx *unpack;
	uint64_t total, fed; /* packing */
	bool ended;          /* unpacking: the frame is whole */
	char out[OUT_BYTES];
};

int mu_zst_pack_new(uint64_t total, struct mu_zst **out)
{
	struct mu_zst *z = mu_alloc(sizeof *z);

	if (!z)
		return MU_ENOMEM;
	z->total = total;
	z->pack = ZSTD_createCCtx();
	if (!z->pack ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(
		    z->pack, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(
		    ZSTD_CCtx_setParameter(z->pack, ZSTD_c_checksumFlag, 1)) ||
	    ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(z->pack, total))) {
		mu_zst_free(z);
		return MU_ENOMEM;
	}
	*out = z;
	return 0;
}

int mu_zst_unpack_new(struct mu_zst **out)
{
	struct mu_zst *z = mu_alloc(sizeof *z);

	if (!z)
		return MU_ENOMEM;
	z->unpack = ZSTD_createDCtx();
	if (!z->unpack) {
		mu_zst_free(z);
		return MU_ENOMEM;
	}
	*out = z;
	return 0;
}

void mu_zst_free(struct mu_zst *z)
{
	if (!z)
		return;
	ZSTD_freeCCtx(z->pack);
	ZSTD_freeDCtx(z->unpack);
	mu_free(z);
}

static int failed(size_t code, struct mu_err *err)
{
	return mu_err(err, MU_EDATA, "zstd: %s", ZSTD_getErrorName(code));
}

/* Until all of `in` is taken, and at the end until nothing is left inside. */
static int pack(struct mu_zst *z, ZSTD_inBuffer *in, bool end,
                mu_zst_sink_fn *sink, void *arg, struct mu_err *err)
{
	size_t left;
	int rc = 0;

	do {
		ZSTD_outBuffer out = { z->out, sizeof z->out, 0 };

		left = ZSTD_compressStream2(z->pack, &out, in,
		                            end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return failed(left, err);
		if (out.pos > 0)
			rc = sink(arg, z->out, out.pos);
	} while (!rc && (end ? left > 0 : in->pos < in->size));
	return rc;
}

static int unpack(struct mu_zst *z, ZSTD_inBuffer *in, mu_zst_sink_fn *sink,
                  void *arg, struct mu_err *err)
{
	bool full = true; /* there may be more inside */
	int rc = 0;

	while (!rc && !z->ended && (in->pos < in->size || full)) {
		ZSTD_outBuffer out = { z->out, sizeof z->out, 0 };
		size_t left = ZSTD_decompressStream(z->unpack, &out, in);

		if (ZSTD_isError(left))
			return failed(left, err);
		z->ended = left == 0;
		full = out.pos == out.size;
		if (out.pos > 0)
			rc = sink(arg, z->out, out.pos);
	}
	if (!rc && in->pos < in->size)
		return mu_err(err, MU_EDATA,
		              "there is something behind the end of the data");
	return rc;
}

int mu_zst_feed(struct mu_zst *z, const void *p, size_t len,
                mu_zst_sink_fn *sink, void *arg, struct mu_err *err)
{
	ZSTD_inBuffer in = { p, len, 0 };

	if (len == 0)
		return 0;
	if (z->unpack)
		return unpack(z, &in, sink, arg, err);
	z->fed += len;
	if (z->fed > z->total)
		return mu_err(err, MU_EDATA, "more bytes than were told");
	return pack(z, &in, false, sink, arg, err);
}

int mu_zst_done(struct mu_zst *z, mu_zst_sink_fn *sink, void *arg,
                struct mu_err *err)
{
	ZSTD_inBuffer none = { NULL, 0, 0 };

	if (z->unpack && !z->ended)
		return mu_err(err, MU_EDATA, "the data is cut off");
	if (z->unpack)
		return 0;
	if (z->fed != z->total)
		return mu_err(err, MU_EDATA, "fewer bytes than were told");
	return pack(z, &none, true, sink, arg, err);
}

int mu_zst_total(const void *head, size_t len, uint64_t *total,
                 struct mu_err *err)
{
	unsigned long long n = ZSTD_getFrameContentSize(head, len);

	if (n == ZSTD_CONTENTSIZE_ERROR)
		return mu_err(err, MU_EDATA, "not a file of zstd");
	if (n == ZSTD_CONTENTSIZE_UNKNOWN)
		return mu_err(err, MU_EDATA,
		              "a file of zstd, but one that does not tell the "
		              "length of what is in it");
	*total = n;
	return 0;
}
