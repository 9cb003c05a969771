/*
 * commands_work: what the files of commands share: the table, what each command does, and the help that is made of it.
 * Nobody else includes it.
 */
#pragma once

#include "app/app.h"
#include "base/json.h"
#include <stdbool.h>

/* The texts are also the man page's: `make docs`. */
struct command {
    const char *name, *arguments;
    const char *help; /* a sentence: what it does */
    const char *more; /* its arguments explained; NULL = nothing to explain */
    /* argv: what follows the name. Without `arguments` nothing does. */
    int (*run)(int argc, char **argv, volatile int *stop);
    bool finishes; /* a signal to stop lets it finish what it has in hand; the others it ends at once */
};

/* -- commands.c -- */
extern const struct command commands[];
extern const size_t commands_count;
/* Says which argument is wrong; EX_USAGE. */
int commands_usage(const char *command, const char *wrong);

/* -- commands_help.c: each appends; false when out of memory -- */
bool commands_help_on(struct buf *out, const struct command *command);
bool commands_overview(struct buf *out);
bool commands_manual(struct buf *out);
bool commands_bash(struct buf *out); /* completions */
bool commands_zsh(struct buf *out);
/* Calls for each word that a person may type after the command: options and actions. */
void commands_words(const struct command *command, void (*call)(void *context, const char *word),
                    void *context);

/* -- commands_run.c -- */

/* Opens an application and works with it; says on standard error why that cannot be. An exit code. */
typedef int command_work(struct app *app, void *context);
int commands_in_app(volatile int *stop, command_work *work, void *context);
/* On standard output, and used up. False: it is NULL, or could not be printed. */
bool commands_print_json(json_t *value, size_t flags) MUST_CHECK;
/* app_ready. False: why not stands on standard error. */
bool commands_ready(struct app *app, const char *command) MUST_CHECK;

/* -- the commands -- */

int run_check(int argc, char **argv, volatile int *stop);
int run_install(int argc, char **argv, volatile int *stop);
int run_drain(int argc, char **argv, volatile int *stop);
int run_status(int argc, char **argv, volatile int *stop);
int run_failed(int argc, char **argv, volatile int *stop);
int run_rekey(int argc, char **argv, volatile int *stop);
int run_reconcile(int argc, char **argv, volatile int *stop);
int run_report(int argc, char **argv, volatile int *stop);
int run_trigger(int argc, char **argv, volatile int *stop);
int run_connect(int argc, char **argv, volatile int *stop);
int run_pipelines(int argc, char **argv, volatile int *stop);
int run_fields(int argc, char **argv, volatile int *stop);
int run_version(int argc, char **argv, volatile int *stop);
