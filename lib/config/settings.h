/*
 * settings: the one table of all settings. Parsing, `.env.sample`, `woo_ghl check` and the man page come from
 * it.
 */
#ifndef WOO_GHL_SETTINGS_H
#define WOO_GHL_SETTINGS_H

#include "config/config.h"

enum setting_type {
    SETTING_TEXT,
    SETTING_SECRET,
    SETTING_TEMPLATE,
    SETTING_BOOL,         /* yes no on off true false 1 0 */
    SETTING_COUNT,        /* a whole number from min to max */
    SETTING_DURATION,     /* into ms, from min to max */
    SETTING_OFF_DURATION, /* the same, or "off" = 0 */
    SETTING_SIZE,         /* into bytes */
    SETTING_RATE,         /* 100/10s, into ghl_rate_count and ghl_rate_window_ms */
    SETTING_STATUS_MAP,   /* status:outcome,... */
    SETTING_STAGE_MAP,    /* status:stage,... */
    SETTING_STATUS_TAGS,  /* status:tag template,... */
    SETTING_FIELDS,       /* field={template},... */
    SETTING_SHOPS,        /* name=host[/path],alias name2=... */
    SETTING_CHOICE,       /* one of the words in `example`, into an enum that counts them */
    SETTING_DAY,          /* 2026-11-01, into s since 1970; "" = 0 */
    SETTING_COUNTRY,      /* two letters, or "" */
    SETTING_LOG_LEVEL,
    SETTING_HTTPS_URL, /* https, or plain http to a loopback address */
    SETTING_REDIS_URL,
    SETTING_PATH, /* absolute */
    SETTING_LOG,  /* stderr, syslog or an absolute path */
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;        /* of the (first) field in struct config */
    const char *fallback; /* the default, as text; NULL = none ("" in struct config) */
    int64_t min, max;     /* of numbers */
    const char
        *example;     /* for .env.sample if there is no default; NULL = none. Of a choice its words: "a|b" */
    const char *help; /* one or two sentences */
};

extern const struct setting settings[];
extern const size_t settings_count;

const struct setting *settings_find(const char *name); /* NULL = there is none of that name */
/* The known name that is nearest to this one, for a misspelt setting; NULL when none is near. */
const char *settings_nearest(const char *name);

/* Parses text as the setting's value into config. False with the error set: what is wrong and what would be
 * right, without the name (and without a secret's value). A value set before is freed. */
bool settings_parse(const struct setting *setting, const char *text, struct config *config,
                    struct error *e) MUST_CHECK;

/* Frees what the setting holds (secrets are wiped). */
void settings_clear(const struct setting *setting, struct config *config);

#endif
