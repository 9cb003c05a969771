/*
 * mask: how personal data looks in a log.
 *
 * It never keeps enough to find the person: an email keeps two letters and its domain's end stays whole
 * ("jo***@example.com"), a phone its last four digits ("***-7890").
 */
#pragma once

#include "base/buf.h"

/* "john@example.com" -> "jo***@example.com"; a local part of one or two letters keeps one; no '@' -> "***".
 */
void mask_email(const char *email, char *out, size_t out_size);

/* "+1 (555) 555-7890" -> "***-7890"; fewer than 7 digits -> "***". */
void mask_phone(const char *phone, char *out, size_t out_size);

/* Copies text to out with every email address and everything that looks like a phone number (a '+' or "00"
 * and 7 or more digits, or 10 or more digits broken by spaces, dots, brackets or hyphens) masked, and every
 * control character and newline made a space. Plain runs of digits (order numbers) and ISO dates stay. */
bool mask_text(const char *text, struct buf *out);
