/*
 * error: a text for people, carried up to whoever reports it.
 *
 * Every message names the thing, what is wrong with it, and what would be right. Cases that callers must
 * tell apart are enums of their own module; this is only the text beside them.
 */
#pragma once

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK __attribute__((warn_unused_result))

struct error {
    char text[512]; /* always terminated; "" = no error; a longer message ends in "..." */
};

#define ERROR_NONE                                                                                           \
    {                                                                                                        \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }

/* Sets the text; control characters in it become spaces. `e` may be NULL (the caller does not want it). */
void error_set(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "prefix: " before the text that is there. */
void error_prefix(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
