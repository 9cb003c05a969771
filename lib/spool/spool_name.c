#include "spool/spool_name.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MS_DIGITS 13
#define MS_MAX 9999999999999 /* in the year 2286 */
#define RANDOM_LEN 6

static const char *const kinds[] = {[SPOOL_IDS] = "ids", [SPOOL_DELIVERY] = "delivery"};

/* Every ending that a name may have. */
static const struct ending {
    const char *text;
    enum spool_kind kind;
    enum spool_place place;
} endings[] = {
    {"ids", SPOOL_IDS, SPOOL_WAITING},
    {"ids.locked", SPOOL_IDS, SPOOL_LOCKED},
    {"ids.damaged", SPOOL_IDS, SPOOL_DAMAGED},
    {"delivery", SPOOL_DELIVERY, SPOOL_WAITING},
    {"delivery.locked", SPOOL_DELIVERY, SPOOL_LOCKED},
    {"delivery.damaged", SPOOL_DELIVERY, SPOOL_DAMAGED},
};

const char *spool_kind_name(enum spool_kind kind)
{
    return kinds[kind];
}

bool spool_name_make(const char *space, int64_t wall_ms, enum spool_kind kind, char out[SPOOL_NAME_SIZE])
{
    unsigned char random[RANDOM_LEN];
    char hex[2 * RANDOM_LEN + 1];

    if (!digest_random(random, sizeof random))
        return false;
    digest_hex(random, sizeof random, hex);
    if (wall_ms < 0)
        wall_ms = 0;
    if (wall_ms > MS_MAX)
        wall_ms = MS_MAX;
    int n = snprintf(out, SPOOL_NAME_SIZE, "%0*lldr%s.n%s.%s", MS_DIGITS, (long long)wall_ms, hex, space,
                     kinds[kind]);
    return n > 0 && n < SPOOL_NAME_SIZE;
}

/* Exactly n hex digits and then `end`; *p moves behind it. */
static bool take_hex(const char **p, size_t n, char end)
{
    if (strspn(*p, "0123456789abcdef") != n || (*p)[n] != end)
        return false;
    *p += n + 1;
    return true;
}

bool spool_name_parse(const char *space, const char *text, struct spool_name *out)
{
    const char *p = text;
    size_t len = strlen(text), space_len = strlen(space);

    *out = (struct spool_name){0};
    if (len >= sizeof out->text || strspn(text, "0123456789") != MS_DIGITS)
        return false;
    memcpy(out->text, text, len);
    for (int i = 0; i < MS_DIGITS; i++)
        out->wall_ms = out->wall_ms * 10 + (*p++ - '0');
    if (*p++ != 'r' || !take_hex(&p, (size_t)2 * RANDOM_LEN, '.') || *p++ != 'n')
        return false;
    out->foreign = strncmp(p, space, space_len) != 0;
    if (!take_hex(&p, VAULT_NAMESPACE_SIZE - 1, '.'))
        return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (!strcmp(p, endings[i].text)) {
            out->kind = endings[i].kind;
            out->place = endings[i].place;
            return true;
        }
    return false;
}

bool spool_name_each(int dir, const char *space, void *context, spool_name_visit visit)
{
    int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* its own position in the list */
    DIR *list = again < 0 ? NULL : fdopendir(again);
    struct spool_name name;
    bool good = true;

    if (!list) {
        int why = errno;
        if (again >= 0)
            close(again);
        errno = why;
        return false;
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(list);
        if (!entry) {
            good = errno == 0;
            break;
        }
        if (spool_name_parse(space, entry->d_name, &name) && !visit(context, &name)) {
            good = false;
            break;
        }
    }
    int why = errno;
    closedir(list);
    errno = why;
    return good;
}
