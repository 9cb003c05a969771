/*
 * letter: a dead letter, as its owner reads it, retries it and drops it: by command or on the page.
 *
 * It prints nothing; what a function found wrong is in letter_change.why, in words for people.
 */
#pragma once

#include "app/app.h"
#include "shop/woo.h"

/* As the store has it. Zero-initialised; letter_free. */
struct letter {
    struct store_reply reply;
    struct buf body; /* what delivery_pack made; empty = it was deleted, or no key opens it */
};

/* OK, NONE (the key is no dead letter's), UNAVAILABLE. */
enum store_result letter_read(struct app *app, const char *key, struct letter *letter) MUST_CHECK;
void letter_free(struct letter *letter);

/* Called for each dead letter, the oldest first. False = stop. */
typedef bool letter_visit(struct app *app, const struct store_entry *entry, void *context);

/* Those since since_ms, also if a clock that was ahead says that they are of later. At most as many as there are at the
 * start, so that a retry that fails comes to an end. False: the store failed. */
bool letters_each(struct app *app, int64_t since_ms, letter_visit *take, void *context) MUST_CHECK;

/* What changes of several letters share. Zero-initialised; letter_change_free. */
struct letter_change {
    struct woo *woo;  /* NULL until needed */
    struct error why; /* why the last one could not be */
};
void letter_change_free(struct letter_change *change);

/* Due again. Bytes that were no order, or no shop's, are delivered again; content that was deleted is read from the shop.
 * OK, NONE with `why`, UNAVAILABLE. */
enum store_result letter_retry(struct app *app, struct letter_change *change, const char *key) MUST_CHECK;
/* It never reaches GHL. OK, NONE with `why`, UNAVAILABLE. */
enum store_result letter_drop(struct app *app, struct letter_change *change, const char *key) MUST_CHECK;
