/*
 * rules_work: what the rules share. Only this folder includes it.
 */
#pragma once

#include "base/text.h"
#include "queue/rules.h"

#define SET(member, text) text_copy(member, sizeof(member), text)
/* Is it one of the list's words, which have a space between? */
bool rules_has_word(const char *list, const char *word, size_t len);

bool rules_is_leased(const struct order_record *record, int64_t now_ms);
/* A worker begins. What it writes after the window is the last word; what it wrote before may not be. */
void rules_begin(struct order_record *record, const char *token, const struct queue_terms *terms);
/* Nobody has the lease. */
void rules_make_due(struct order_record *record, int64_t due_ms);
/* The worker that had the lease never said how it ended. */
void rules_take_over(struct order_record *record, const struct queue_terms *terms);
/* The store forgot something since the record's version came: it may have forgotten its opportunity. */
void rules_look_after_loss(struct order_record *record, int64_t up_ms);
/* Something else may have been written to GHL since; but no note is written twice. */
void rules_doubt_parts(struct order_record *record);
/* What GHL holds is unknown. */
void rules_forget_parts(struct order_record *record);
