/* kit.h - the verbs of muster plugin; see cmd_plugin.c. */
#ifndef MU_CLI_KIT_H
#define MU_CLI_KIT_H

#include <stddef.h>

struct cli;

/* Each takes its arguments from cli->argv[1] on, and returns an exit code. */
int kit_new(struct cli *cli);
int kit_check(struct cli *cli);
int kit_run(struct cli *cli);
int kit_record(struct cli *cli);
int hosts_release(struct cli *cli);
int hosts_reload(struct cli *cli);

/* The file of a plugin as the loader wants it, "./census.so", and the name that
 * follows from it, "census". An exit code; anything but CLI_OK has been printed. */
#define KIT_FILE_MAX 4096u
struct kit_plugin {
	char file[KIT_FILE_MAX], name[256];
};
int kit_plugin_of(struct cli *cli, struct kit_plugin *out);

/* A file of the kit: what it is called after NAME ("@.c" is NAME.c), and its text;
 * @NAME@ and @ID@ stand for the name, as it is and as C writes it. NULL ends. */
struct kit_template {
	const char *file, *text;
};
extern const struct kit_template kit_templates[];

#endif /* MU_CLI_KIT_H */
