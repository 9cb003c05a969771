#include "spool/spool_name.h"
#include "base/files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS_MAX 9999999999999 /* in the year 2286 */
#define DUE_MAX_S 9999999999
#define WAIT_MAX_S 600
#define FAILURES_MAX 11 /* the wait is WAIT_MAX_S from here on */
#define FIELD_SIZE 20
#define DECIMAL "0123456789"
#define HEX "0123456789abcdef"

static const char *const kinds[] = {[SPOOL_IDS] = "ids", [SPOOL_DELIVERY] = "delivery"};

const char *spool_kind_name(enum spool_kind kind)
{
    return kinds[kind];
}

static int64_t within(int64_t n, int64_t max)
{
    return n < 0 ? 0 : n > max ? max : n;
}

bool spool_name_write(struct spool_name *name)
{
    int n = snprintf(name->text, sizeof name->text, "%013lldr%s.n%s.%s.o%s.f%02uu%010lld.%s%s",
                     (long long)within(name->wall_ms, MS_MAX), name->random, name->namespace, name->key_id,
                     name->order, name->failures, (long long)within(name->due_s, DUE_MAX_S),
                     kinds[name->kind], name->damaged ? ".damaged" : "");
    return n > 0 && n < (int)sizeof name->text;
}

/* Cuts `before` and then exactly len characters of the set off *p. */
static bool take(const char **p, const char *before, size_t len, const char *set, char *out)
{
    size_t before_len = strlen(before);

    if (strncmp(*p, before, before_len) != 0 || strspn(*p + before_len, set) < len)
        return false;
    memcpy(out, *p + before_len, len);
    out[len] = '\0';
    *p += before_len + len;
    return true;
}

bool spool_name_parse(const char *text, struct spool_name *out)
{
    char wall[FIELD_SIZE], failures[FIELD_SIZE], due[FIELD_SIZE];
    const char *p = text;

    *out = (struct spool_name){0};
    if (strlen(text) >= sizeof out->text || !take(&p, "", 13, DECIMAL, wall) ||
        !take(&p, "r", sizeof out->random - 1, HEX, out->random) ||
        !take(&p, ".n", sizeof out->namespace - 1, HEX, out->namespace) ||
        !take(&p, ".", sizeof out->key_id - 1, HEX "w", out->key_id) ||
        !take(&p, ".o", sizeof out->order - 1, HEX, out->order) || !take(&p, ".f", 2, DECIMAL, failures) ||
        !take(&p, "u", 10, DECIMAL, due) || *p++ != '.')
        return false;
    memcpy(out->text, text, strlen(text));
    out->wall_ms = strtoll(wall, NULL, 10);
    out->failures = (unsigned)within(strtoll(failures, NULL, 10), FAILURES_MAX);
    out->due_s = strtoll(due, NULL, 10);
    for (out->kind = SPOOL_IDS; out->kind <= SPOOL_DELIVERY; out->kind++) {
        size_t len = strlen(kinds[out->kind]);
        if (strncmp(p, kinds[out->kind], len) != 0)
            continue;
        out->damaged = !strcmp(p + len, ".damaged");
        return out->damaged || !p[len];
    }
    return false;
}

/* After so many failures in a row. */
static int64_t wait_s(unsigned failures)
{
    return failures == 0 ? 0 : within((int64_t)1 << (failures - 1), WAIT_MAX_S);
}

bool spool_name_fail(struct spool_name *name, int64_t now_s)
{
    int64_t last_s = name->due_s - wait_s(name->failures);
    bool first = name->failures == 0 || last_s / 3600 != now_s / 3600;

    if (name->failures < FAILURES_MAX)
        name->failures++;
    name->due_s = now_s + wait_s(name->failures);
    return first;
}

bool spool_name_is_due(const struct spool_name *name, int64_t now_s)
{
    return name->due_s <= now_s || name->due_s > now_s + WAIT_MAX_S;
}

struct walk {
    spool_name_visit visit;
    void *context;
};

static void visit_one(void *context, int dir, const char *text)
{
    const struct walk *walk = context;
    struct spool_name name;

    (void)dir;
    if (spool_name_parse(text, &name))
        walk->visit(walk->context, &name);
}

bool spool_name_each(int dir, void *context, spool_name_visit visit)
{
    struct walk walk = {visit, context};

    return files_each(dir, visit_one, &walk);
}
