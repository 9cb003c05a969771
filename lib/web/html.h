/*
 * html: markup whose values cannot become markup, and the fields of a form.
 */
#pragma once

#include "base/buf.h"

/* Appends markup. %s (escaped in any case, for text and for attributes in double quotes) and %lld are the only places for
 * values; %% is a percent sign. */
void html(struct buf *out, const char *markup, ...) PRINTF_LIKE(2, 3);

/* The value of a field in the form's body or the URL's query ("a=1&b=2"), decoded, into out. False, and "": it is not
 * there, does not fit, or holds a control character. */
bool form_field(const char *form, size_t len, const char *name, char *out, size_t size) MUST_CHECK;
