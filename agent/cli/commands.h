/* commands.h - one function a command, each in cmd_<name>.c. */
#ifndef MU_CLI_COMMANDS_H
#define MU_CLI_COMMANDS_H

struct cli;

int cmd_get(struct cli *cli);
int cmd_set(struct cli *cli);
int cmd_create(struct cli *cli);
int cmd_rm(struct cli *cli);
int cmd_ls(struct cli *cli);
int cmd_tree(struct cli *cli);
int cmd_stat(struct cli *cli);
int cmd_watch(struct cli *cli);
int cmd_members(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_wait(struct cli *cli);
int cmd_export(struct cli *cli);
int cmd_import(struct cli *cli);
int cmd_broker(struct cli *cli);
int cmd_backup(struct cli *cli);
int cmd_restore(struct cli *cli);
int cmd_plugin(struct cli *cli);
int cmd_version(struct cli *cli);

#endif /* MU_CLI_COMMANDS_H */
