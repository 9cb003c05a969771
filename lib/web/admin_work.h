/*
 * admin_work: what the files of the owner's page share. Only they include this.
 */
#pragma once

#include "app/journal.h"
#include "web/html.h"
#include "web/session.h"

struct admin {
    struct app *app;
    const struct request *request;
    struct response *response;
    struct buf *out; /* the response's body */
    struct session session;
    const char *error; /* for people, shown on top; NULL = none */
};

extern const char admin_style[]; /* admin_style.c */

/* -- admin_page.c -- */
void admin_begin(struct admin *a, int status, const char *title);
void admin_end(struct admin *a);
void admin_overview(struct admin *a);
/* A line of a list: its name, and its value as markup. */
#define admin_row(a, name, ...)                                                                              \
    (html((a)->out, "<dt>%s</dt><dd>", name), html((a)->out, __VA_ARGS__), html((a)->out, "</dd>"))
/* Buttons for a dead letter. */
void admin_buttons(struct admin *a, const char *key);

/* -- admin_order.c -- */
/* The page of the order that a person asked for by its number or key. */
void admin_order(struct admin *a, const char *asked);
/* A line of the journal; its order is a link if `link`. */
void admin_event(struct admin *a, const struct tally_event *event, bool link);
