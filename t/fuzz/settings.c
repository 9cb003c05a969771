/*
 * Fuzzes the settings: whatever text is given for a setting, it is refused with a reason or taken; what is taken is
 * shown, and what is shown means the same (`make fuzz`).
 *
 * The first byte chooses the setting, the rest is the text.
 */
#include "config/settings.h"
#include "rig.h"
#include <stdlib.h>
#include <string.h>

void fuzz_settings(const uint8_t *bytes, size_t len)
{
    struct config config = {0}, again = {0};
    struct error e = ERROR_NONE;
    struct buf shown;

    if (len == 0)
        return;
    const struct setting *s = &settings[*bytes % settings_count];
    char *text = fuzz_text(bytes + 1, len - 1);
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
}
