/* The types of settings that are lists: pairs of key and value, and shops. The rest is in settings_type.c. */
#include "config/settings.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANK " \t\r\n\v\f"

/* The trimmed piece up to one of the separators outside {braces}; *text moves behind the separator. NULL at
 * the end, or when out of memory: *text is NULL then. malloc'ed. */
static char *next_piece(const char **text, const char *separators)
{
    const char *p = *text;
    int depth = 0;

    while (*p && (isspace((unsigned char)*p) || strchr(separators, *p)))
        p++;
    if (!*p)
        return NULL;
    const char *begin = p;
    for (; *p && (depth > 0 || !strchr(separators, *p)); p++)
        depth += *p == '{' ? 1 : *p == '}' && depth > 0 ? -1 : 0;
    const char *end = p;
    while (end > begin && isspace((unsigned char)end[-1]))
        end--;
    char *piece = strndup(begin, (size_t)(end - begin));
    *text = !piece ? NULL : *p ? p + 1 : p;
    return piece;
}

/* One more element of size bytes behind *list; NULL when out of memory. */
static void *grow(void *list, size_t *n, size_t size)
{
    void **array = list;
    char *more = realloc(*array, (*n + 1) * size);

    if (!more)
        return NULL;
    *array = more;
    memset(more + *n * size, 0, size);
    return more + (*n)++ * size;
}

/* Cuts "key<separator>value" in two trimmed halves, in place. */
static char *split(char *piece, char separator)
{
    char *at = strchr(piece, separator);
    if (!at || at == piece)
        return NULL;
    char *value = at + 1;
    do
        *at-- = '\0';
    while (at > piece && isspace((unsigned char)*at));
    while (isspace((unsigned char)*value))
        value++;
    return *value ? value : NULL;
}

static bool add_pair(const struct setting *s, char *piece, struct pair_list *list, struct error *e)
{
    const char *value = split(piece, s->type->separator);
    bool status = s->type->separator == ':'; /* else a field, whose name may have blanks */
    const char *key = status ? config_plain_status(piece) : piece;

    if (!value || !*key || (status && key[strcspn(key, BLANK)])) {
        error_set(e, "'%s' is not %s", piece, s->type->form);
        return false;
    }
    if (s->type->check && !s->type->check(value, e))
        return false;
    if (s->type->unique && pair_find(list, key)) {
        error_set(e, "'%s' is named twice; name it once", key);
        return false;
    }
    struct pair *pair = grow(&list->item, &list->count, sizeof *pair);
    if (!pair)
        return settings_out_of_memory(e);
    pair->key = strdup(key);
    pair->value = strdup(value);
    return (pair->key && pair->value) || settings_out_of_memory(e);
}

static bool print_pairs(const struct setting *s, const void *field, struct buf *out)
{
    const struct pair_list *list = field;
    bool good = list->count > 0 || buf_addc(out, '-');

    for (size_t i = 0; i < list->count && good; i++)
        good = buf_addf(out, "%s%s%c%s", i ? "," : "", list->item[i].key, s->type->separator,
                        list->item[i].value);
    return good;
}

static void clear_pairs(const struct setting *s, void *field)
{
    struct pair_list *list = field;

    (void)s;
    for (size_t i = 0; i < list->count; i++) {
        free(list->item[i].key);
        free(list->item[i].value);
    }
    free(list->item);
    *list = (struct pair_list){0};
}

static bool check_outcome(const char *text, struct error *e)
{
    enum outcome outcome;

    if (outcome_parse(text, &outcome))
        return true;
    error_set(e, "'%s' is not an outcome; write won, open, lost, abandoned or -", text);
    return false;
}

/* "https://Shop.Example.com/sub/" -> "shop.example.com/sub" */
static char *plain_site(const char *site)
{
    size_t scheme = !strncasecmp(site, "https://", 8) ? 8 : !strncasecmp(site, "http://", 7) ? 7 : 0;
    char *plain = strdup(site + scheme);
    if (!plain)
        return NULL;
    for (char *p = plain; *p && *p != '/'; p++)
        *p = (char)tolower((unsigned char)*p);
    for (size_t n = strlen(plain); n > 0 && plain[n - 1] == '/'; n--)
        plain[n - 1] = '\0';
    return plain;
}

static bool is_site(const char *site)
{
    return *site && *site != '/' && !strstr(site, "//") && !site[strcspn(site, BLANK)];
}

/* A shop's name and each of its hosts may be given once. `shop` is in the list. */
static bool check_once(const struct shop_list *list, const struct shop_rule *shop, struct error *e)
{
    for (const struct shop_rule *other = list->item; other < shop; other++) {
        if (!strcmp(other->name, shop->name)) {
            error_set(e, "'%s' is named twice; name each shop once", shop->name);
            return false;
        }
        for (size_t i = 0; i < other->alias_count; i++)
            for (size_t j = 0; j < shop->alias_count; j++)
                if (!strcmp(other->alias[i], shop->alias[j])) {
                    error_set(e, "'%s' belongs to two shops; give it to one", shop->alias[j]);
                    return false;
                }
    }
    return true;
}

static bool add_shop(char *piece, struct shop_list *list, struct error *e)
{
    const char *aliases = split(piece, '=');
    char *alias;

    if (!aliases || piece[strspn(piece, SETTINGS_NAME)]) {
        error_set(e, "'%s' is not a shop; write name=host[/path],alias with a name of letters, digits, _ . -",
                  piece);
        return false;
    }
    struct shop_rule *shop = grow(&list->item, &list->count, sizeof *shop);
    if (!shop || !(shop->name = strdup(piece)))
        return settings_out_of_memory(e);
    while ((alias = next_piece(&aliases, ","))) {
        char **place = grow(&shop->alias, &shop->alias_count, sizeof *place);
        if (place)
            *place = plain_site(alias);
        free(alias);
        if (!place || !*place)
            return settings_out_of_memory(e);
        if (!is_site(*place)) {
            error_set(e, "'%s' has an address that is not host[/path]", piece);
            return false;
        }
    }
    if (!aliases)
        return settings_out_of_memory(e);
    if (shop->alias_count == 0) {
        error_set(e, "'%s' has no address; write name=host[/path],alias", piece);
        return false;
    }
    return check_once(list, shop, e);
}

static bool parse_list(const struct setting *s, const char *text, void *field, struct error *e)
{
    bool shops = s->type == &type_shops, good = true;
    char *piece;

    while (good && (piece = next_piece(&text, shops ? " \t\n" : ","))) {
        good = shops ? add_shop(piece, field, e) : add_pair(s, piece, field, e);
        free(piece);
    }
    return text ? good : settings_out_of_memory(e);
}

static bool print_shops(const struct setting *s, const void *field, struct buf *out)
{
    const struct shop_list *list = field;
    bool good = list->count > 0 || buf_addc(out, '-');

    (void)s;
    for (size_t i = 0; i < list->count && good; i++) {
        good = buf_addf(out, "%s%s=", i ? " " : "", list->item[i].name);
        for (size_t j = 0; j < list->item[i].alias_count && good; j++)
            good = buf_addf(out, "%s%s", j ? "," : "", list->item[i].alias[j]);
    }
    return good;
}

static void clear_shops(const struct setting *s, void *field)
{
    struct shop_list *list = field;

    (void)s;
    for (size_t i = 0; i < list->count; i++) {
        for (size_t j = 0; j < list->item[i].alias_count; j++)
            free(list->item[i].alias[j]);
        free(list->item[i].alias);
        free(list->item[i].name);
    }
    free(list->item);
    *list = (struct shop_list){0};
}

/* -- the table -- */

#define PAIRS_TYPE                                                                                           \
    .size = sizeof(struct pair_list), .parse = parse_list, .print = print_pairs, .clear = clear_pairs

/* clang-format off */
const struct setting_type
    type_status_map = {PAIRS_TYPE, .unique = true, .separator = ':', .check = check_outcome, .form = "status:outcome, for example processing:won"},
    type_stage_map = {PAIRS_TYPE, .unique = true, .separator = ':', .form = "status:stage"},
    type_status_tags = {PAIRS_TYPE, .separator = ':', .check = settings_check_template, .form = "status:tag"},
    type_fields = {PAIRS_TYPE, .unique = true, .separator = '=', .check = settings_check_template, .form = "field={template}"},
    type_shops = {.size = sizeof(struct shop_list), .parse = parse_list, .print = print_shops, .clear = clear_shops};
/* clang-format on */
