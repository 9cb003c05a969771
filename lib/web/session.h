/*
 * session: who may see the owner's page.
 *
 * A session is a random token in a cookie (HttpOnly, SameSite=Strict, and Secure over https); the store knows its keyed hash,
 * bound to the password, for 12 hours. A form carries a hash of the token, so that no other site can send it. A client
 * address may try 20 times a day to log in, as the shared store counts.
 */
#pragma once

#include "app/app.h"
#include "web/request.h"
#include "web/response.h"

struct session {
    bool good;
    char name[DIGEST_HEX_SIZE + 16]; /* of the store's value */
    char csrf[DIGEST_HEX_SIZE];      /* what its forms carry */
};

/* The one of the request's cookie, if it is good. UNAVAILABLE: the store does not tell. */
enum store_result session_find(struct app *app, const struct request *request,
                               struct session *session) MUST_CHECK;

enum login { LOGIN_GOOD, LOGIN_WRONG, LOGIN_LIMITED, LOGIN_UNAVAILABLE };
/* GOOD: the response gets the cookie. */
enum login session_login(struct app *app, const struct request *request, const char *password,
                         struct response *response) MUST_CHECK;
/* The store forgets it, and so does the browser. */
void session_end(struct app *app, const struct request *request, const struct session *session,
                 struct response *response);

/* Does the form come from a page of this session? */
bool session_sent(const struct session *session, const char *csrf);
