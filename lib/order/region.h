/*
 * region: "NY" -> "New York".
 *
 * WooCommerce sends a state's code, and GHL's contact shows the text that it was given. Codes of the United
 * States, Canada and Australia become names; other countries' stay as they are sent.
 */
#pragma once

/* The state's name, or `code` itself if it is no code of this country (ISO 3166-1 alpha-2, capitals).
 * Borrowed. */
const char *region_name(const char *country, const char *code);
