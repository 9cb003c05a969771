/*
 * settings: the one table of all settings, and the table of their types.
 *
 * A setting is one row in settings.c and one field of struct config. Everything that is done for every setting
 * (parse, print, compare, clear, .env.sample, `woo_ghl check`, the man page) goes through these two tables.
 */
#pragma once

#include "config/config.h"
#include "config/unit.h"

struct setting;

/* What the values of one type need. `field` is the setting's field in struct config. */
struct setting_type {
    size_t size; /* of the field */
    /* Fills a cleared field. False with the error set: what is wrong and what would be right, without the
     * setting's name, and never with the value of a secret. */
    bool (*parse)(const struct setting *setting, const char *text, void *field, struct error *e);
    bool (*print)(const struct setting *setting, const void *field, struct buf *out);
    void (*clear)(const struct setting *setting, void *field); /* frees, wipes secrets, leaves zeros */

    /* What tells types apart that share the functions above. */
    bool hidden;                                      /* the value is a secret */
    bool (*check)(const char *text, struct error *e); /* a text that is not empty; a pair's value */
    const struct unit *units;                         /* of a number; NULL = it is a day */
    bool off;                                         /* 0 is written "off" */
    const char *form;                                 /* what a value looks like, for messages */
    char separator;                                   /* between a pair's key and value */
    bool unique;                                      /* a key may be given once */
};

extern const struct setting_type type_text, type_secret, type_template,
    type_name,         /* letters, digits, _ . - */
    type_country,      /* two letters; capitals in the field */
    type_bool,         /* yes no on off true false 1 0 */
    type_word,         /* one of the row's words; the field is the word's place, an enum */
    type_count,        /* a whole number */
    type_duration,     /* into ms */
    type_off_duration, /* the same, or "off" = 0 */
    type_size,         /* into bytes */
    type_day,          /* 2026-11-01, into s since 1970; 0 = not set */
    type_rate,         /* 100/10s */
    type_status_map,   /* status:outcome,... */
    type_stage_map,    /* status:stage,... */
    type_status_tags,  /* status:tag template,... */
    type_fields,       /* field={template},... */
    type_shops,        /* name=host[/path],alias name2=... */
    type_url,          /* https, or plain http to a loopback address; loses its final slashes */
    type_public_url,   /* the same, or "no" */
    type_redis_url,    /* hidden: may hold a password */
    type_path,         /* absolute */
    type_log;          /* stderr, syslog or an absolute path */

/* -- for the two files that hold the types -- */
#define SETTINGS_NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
bool settings_check_template(const char *text, struct error *e) MUST_CHECK;
bool settings_out_of_memory(struct error *e); /* sets it; false */

/* -- the table -- */

struct setting {
    const char *name;
    const struct setting_type *type;
    size_t offset;            /* of the field in struct config */
    int64_t min, max;         /* of numbers; of a secret its least length */
    const char *const *words; /* of type_word; ends with NULL */
    const char *fallback;     /* the default, as text; NULL = none */
    const char *example;      /* for .env.sample if there is no default; NULL = none */
    bool trim;                /* people paste it: blanks and line ends around it go */
    const char *help;         /* whole sentences */
};

extern const struct setting settings[];
extern const size_t settings_count;

const struct setting *settings_find(const char *name); /* NULL = there is none of that name */
/* The known name that is nearest to this one, for a misspelt setting; NULL when none is near. */
const char *settings_nearest(const char *name);

/* Parses text as the setting's value into config; the value before is cleared. Errors: see `parse`. */
bool settings_parse(const struct setting *setting, const char *text, struct config *config,
                    struct error *e) MUST_CHECK;
bool settings_print(const struct setting *setting, const struct config *config, struct buf *out);
bool settings_same(const struct setting *setting, const struct config *a, const struct config *b);
void settings_clear(const struct setting *setting, struct config *config);
