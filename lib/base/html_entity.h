/*
 * entity: "O&#039;Neil", "M&uuml;ller", "Tee &amp; Mug" -> the characters that are meant.
 *
 * WordPress stores some of what people type with HTML's entities. They are decoded once, never again over
 * the result; what is no known entity stays as it is.
 */
#pragma once

enum entity_set {
    ENTITY_SPECIAL, /* &amp; &lt; &gt; &quot; &apos; and numeric ones: what WordPress makes of a secret */
    ENTITY_TEXT, /* for a text: also those with a name (HTML 4's for Latin-1, punctuation and signs of money
                       and trade), but not < and >: what is no markup does not become any */
};

/* malloc'ed, and not longer than the text; NULL when out of memory. */
char *entity_decode(const char *text, enum entity_set set);
