/*
 * fuzz.h - what the fuzz targets share.
 *
 * A target is a file fuzz_<name>.c with one function of libFuzzer's shape. It
 * is built by fuzz.sh against libFuzzer, and is included by
 * tests/unit/test_corpus.c (fuzz_tcp.c: by tests/io/test_tcp_corpus.c), which
 * names the function itself.
 */
#ifndef MU_TEST_FUZZ_H
#define MU_TEST_FUZZ_H

#include "bug.h"
#include "jute.h"

#include <string.h>

#ifndef FUZZ_ENTRY
#define FUZZ_ENTRY LLVMFuzzerTestOneInput
#endif

/*
 * `in` was `len` bytes; `again` is what was decoded from them, encoded. They
 * must be the same bytes: jute has one form for each value, save that any byte
 * but zero is true, which is written as 1.
 */
static inline void fuzz_same(const uint8_t *in, size_t len,
                             const struct mu_buf *again)
{
	MU_BUG_ON(mu_buf_failed(again));
	MU_BUG_ON(again->len != len);
	for (size_t i = 0; i < len; i++)
		MU_BUG_ON(again->data[i] != in[i] &&
		          (again->data[i] != 1 || in[i] == 0));
}

#endif
