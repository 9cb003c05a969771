/* sanitize: what WordPress's sanitize_text_field leaves of a text, which is how saving a webhook's page
 * changes its secret: tags go, and octets such as "%41", runs of white space and the edges; a "<" that begins
 * no tag stays, as an entity. */
#pragma once

/* malloc'ed; NULL when out of memory. */
char *sanitize_text_field(const char *text);
