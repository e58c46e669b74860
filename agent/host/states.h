/*
 * states.h - how each instance of this host is, in a word or a sentence, as the
 * host's record in /members tells it. Pure but for memory.
 *
 *     ready                    starting
 *     ready: upgrade refused: REASON   it runs as before, see upgrade.h
 *     unwell: REASON           it runs, and its check says so
 *     failed: REASON           it will be started again
 *     refused: REASON          the plugin cannot run
 *     quarantined: REASON      it will not be, see alarms.h
 */
#ifndef MU_HOST_STATES_H
#define MU_HOST_STATES_H

#include <muster/types.h>

#define MU_STATE_MAX 256u /* bytes of one, with its NUL; longer ones are cut */

struct mu_json;

struct mu_state {
	struct mu_state *next;
	char *name;
	char text[MU_STATE_MAX];
};

struct mu_states {
	struct mu_state *first; /* in the order of their names */
};

/* text NULL: there is no such instance any more. True: something is different
 * now. Out of memory: nothing is, and false. */
bool mu_states_set(struct mu_states *s, const char *name, const char *text);
bool mu_states_is_quarantined(const struct mu_states *s, const char *name);
/* {"motd":"ready",...}; NULL: memory is out. */
struct mu_json *mu_states_json(const struct mu_states *s);
void mu_states_wipe(struct mu_states *s);

#endif /* MU_HOST_STATES_H */
