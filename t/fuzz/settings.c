/*
 * Fuzzes the settings: whatever text is given for a setting, it is refused with a reason or taken; what is taken is
 * shown, and what is shown means the same (`make fuzz`).
 *
 * The first byte chooses the setting, the rest is the text.
 */
#include "config/settings.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_at(bool good, int line)
{
    if (!good) {
        fprintf(stderr, "%s line %d: this must not happen\n", __FILE__, line);
        abort();
    }
}
#define check(good) check_at(good, __LINE__)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct config config = {0}, again = {0};
    struct error e = ERROR_NONE;
    struct buf shown;

    if (len == 0)
        return 0;
    const struct setting *s = &settings[*bytes % settings_count];
    char *text = strndup((const char *)bytes + 1, len - 1);
    check(text != NULL);
    buf_init(&shown, 1024L * 1024);
    if (settings_parse(s, text, &config, &e)) {
        check(settings_print(s, &config, &shown) && settings_same(s, &config, &config));
        bool empty = !strcmp(shown.data, "-");
        if (!s->type->hidden && !empty)
            check(settings_parse(s, shown.data, &again, &e) && settings_same(s, &config, &again));
    } else {
        check(*e.text);
    }
    settings_clear(s, &config);
    settings_clear(s, &again);
    buf_free(&shown);
    free(text);
    return 0;
}
