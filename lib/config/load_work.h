/* One load of the settings on its way: shared by the files of config, and nobody else's. */
#pragma once

#include "config/settings.h"

/* What was given for one setting, from where it ranks highest. */
struct given {
    char *value;  /* owned; NULL = not given */
    bool refused; /* given, but not in a way that can be used; the reason is reported already */
};

struct load {
    struct config *config;
    struct config_report *report;
    struct given *given; /* one for each row of the settings table */
    const char *path;    /* of the settings file while it is parsed */
    bool unread;         /* there is a settings file, but what it says is not known */
    bool out_of_memory;
};

void load_problem(struct load *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
void load_warning(struct load *l, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Gives a text of the config another value. */
void load_replace(struct load *l, char **field, const char *value);

/* load_read.c: collects the values from the settings file and from the environment. */
void load_read(struct load *l);
void load_free_files(struct config *config);
/* Warns of a file or directory that every user can read. */
void load_look_at_mode(struct load *l, const char *setting, const char *path);
/* A directory that somebody else may write to, or owns, is refused; root may own it. */
void load_look_at_owner(struct load *l, const char *setting, const char *path);

/* load_check.c: what no setting alone can tell. */
void load_check(struct load *l);
