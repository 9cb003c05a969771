/* Fuzzes a settings file: each line is an assignment, nothing, or a complaint that says what is wrong. */
#include "base/dotenv.h"
#include "config/settings.h"
#include "rig.h"
#include <stdlib.h>
#include <string.h>

static void take(void *context, const char *name, const char *value, int line)
{
    struct config *config = context;
    const struct setting *setting = settings_find(name);
    struct error e = ERROR_NONE;

    check(*name && line > 0 && (setting || !settings_nearest(name) || settings_find(settings_nearest(name))));
    if (setting && !settings_parse(setting, value, config, &e))
        check(*e.text);
}

static void complain(void *context, const char *name, int line, const char *what)
{
    (void)context;
    check(name && line > 0 && *what);
}

void fuzz_dotenv(const uint8_t *bytes, size_t len)
{
    struct config config = {0};
    char *text = fuzz_text(bytes, len);

    check(dotenv_parse(text, take, complain, &config));
    for (size_t i = 0; i < settings_count; i++)
        settings_clear(&settings[i], &config);
    free(text);
}
