#include "base/error.h"

#include "tap.h"
#include <string.h>

int main(void)
{
    struct error e = ERROR_NONE;
    is_str(e.text, "", "no error is an empty text");
    error_set(NULL, "%s", "nobody listens");
    error_prefix(NULL, "%s", "nobody listens");

    error_set(&e, "%s is not a number", "GHL_RATE");
    is_str(e.text, "GHL_RATE is not a number", "the text is set");
    error_prefix(&e, "line %d", 3);
    is_str(e.text, "line 3: GHL_RATE is not a number", "a prefix goes before it");
    error_set(&e, "again: %s", e.text);
    is_str(e.text, "again: line 3: GHL_RATE is not a number", "an error may be made from itself");

    char longest[600];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    error_set(&e, "%s", longest);
    is_int(strlen(e.text), sizeof e.text - 1, "a text too long is cut");
    is_str(e.text + strlen(e.text) - 4, "x...", "and says so");

    longest[sizeof e.text - 1] = '\0';
    error_set(&e, "%s", longest);
    is_str(e.text, longest, "a text that just fits is whole");
    error_prefix(&e, "p");
    is_int(strlen(e.text), sizeof e.text - 1, "a prefix makes it too long");
    ok(!strncmp(e.text, "p: x", 4) && !strcmp(e.text + strlen(e.text) - 4, "x..."),
       "then it is cut at its end");
    error_prefix(&e, "%s", longest);
    is_str(e.text + strlen(e.text) - 4, "x...", "a prefix as long as everything is cut too");
    return tap_done();
}
