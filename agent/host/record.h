/* record.h - a member's record, JSON <-> struct. */
#ifndef MU_HOST_RECORD_H
#define MU_HOST_RECORD_H

#include "json.h"
#include "path.h"
#include "states.h"

#include <muster/plugin.h>

/* {"id":...,"name":...,"address","port","version","boot_id","started","labels",
 * "state","checks":{},"instances":{...}}; freed with free; NULL: memory is out.
 * instances NULL: there are none. */
char *mu_record_encode(const struct mu_member *m,
                       const struct mu_states *instances);

struct mu_record {
	struct mu_member member; /* texts borrowed from json, labels and name */
	struct mu_json *json;
	char *labels;
};

/* Decode what stands in a member's node. What is missing, or no record at all,
 * comes out as empty texts: a member is there because its node is. name is
 * borrowed. Wipe in any case. */
void mu_record_decode(struct mu_str data, const char *name, int64_t czxid,
                      struct mu_record *out);
void mu_record_wipe(struct mu_record *r);

#endif /* MU_HOST_RECORD_H */
