#include "base/error.h"

#include "tap.h"
#include <string.h>

static void no_terminal_obeys(void)
{
    struct error e;

    error_set(&e, "a name: %s", "\x1b[31m\xc2\x9b\x32J\x07\n\xc3\xa9");
    is_str(e.text, "a name:  [31m  2J  \xc3\xa9", "control characters are spaces");
}

int main(void)
{
    no_terminal_obeys();
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

    /* A message of characters of two bytes, that is cut after an odd number of bytes. */
    for (size_t i = 0; i + 2 < sizeof longest; i += 2)
        memcpy(longest + i, "\xC3\xA9", 3);
    error_set(&e, "x%s", longest);
    is_str(e.text + strlen(e.text) - 5, "\xC3\xA9...", "a text is cut between characters");
    is_int(strlen(e.text), sizeof e.text - 2, "here one byte before its end");
    error_set(&e, "%s", longest);
    is_str(e.text + strlen(e.text) - 5, "\xC3\xA9...", "and here");
    is_int(strlen(e.text), sizeof e.text - 1, "at its end");
    return tap_done();
}
