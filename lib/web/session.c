#include "web/session.h"
#include "base/text.h"
#include "web/client.h"
#include <stdlib.h>
#include <string.h>

#define COOKIE "woo_ghl_admin"
#define TOKEN_BYTES 16
#define TTL_MS (12LL * 3600 * 1000)
#define TRIES_PER_DAY 20

/* The store's value: which password opened the session, so that a new one ends it. */
static bool hash_password(const struct app *app, char out[RECORD_SHORT_SIZE])
{
    return app_hash(app, "admin password", app->config.admin_password, out);
}

/* Fills name and csrf. */
static bool derive(const struct app *app, const char *token, struct session *session)
{
    char hex[DIGEST_HEX_SIZE];

    return digest_label_hex(app->hash_key, DIGEST_LEN, "admin session", token, strlen(token), hex) &&
           text_format(session->name, sizeof session->name, "admin/%s", hex) &&
           digest_label_hex(app->hash_key, DIGEST_LEN, "admin csrf", token, strlen(token), session->csrf);
}

/* The cookie's value; false if there is none of the form of a token. */
static bool find_cookie(const char *header, char out[2 * TOKEN_BYTES + 1])
{
    static const char name[] = COOKIE "=";

    for (const char *at = header; (at = strstr(at, name)); at++) {
        const char *value = at + sizeof name - 1;
        if ((at == header || at[-1] == ' ' || at[-1] == ';') &&
            strspn(value, "0123456789abcdef") == 2 * TOKEN_BYTES) {
            (void)text_format(out, 2 * TOKEN_BYTES + 1, "%.*s", 2 * TOKEN_BYTES, value);
            return true;
        }
    }
    return false;
}

static void set_cookie(const struct request *request, const char *token, const char *age,
                       struct response *response)
{
    char value[RESPONSE_VALUE_SIZE];

    /* Without Path it is the page's folder. */
    (void)text_format(value, sizeof value, COOKIE "=%s; HttpOnly; SameSite=Strict; Max-Age=%s%s", token, age,
                      request->is_tls ? "; Secure" : "");
    response_header(response, "Set-Cookie", value);
}

enum store_result session_find(struct app *app, const struct request *request, struct session *session)
{
    char token[2 * TOKEN_BYTES + 1], password[RECORD_SHORT_SIZE], *kept = NULL;

    *session = (struct session){0};
    if (!find_cookie(request->cookie, token) || !derive(app, token, session) || !hash_password(app, password))
        return STORE_OK;
    enum store_result result = store_get(app->store, session->name, &kept);
    session->good = result == STORE_OK && !strcmp(kept, password);
    free(kept);
    return result == STORE_NONE ? STORE_OK : result;
}

enum login session_login(struct app *app, const struct request *request, const char *password,
                         struct response *response)
{
    unsigned char random[TOKEN_BYTES];
    char token[2 * TOKEN_BYTES + 1], client[RECORD_SHORT_SIZE], hash[RECORD_SHORT_SIZE];
    struct session session;
    int64_t count;

    if (!client_hash(app, request->remote_addr, "admin login", client))
        return LOGIN_UNAVAILABLE;
    client[0] = STORE_CLIENT_LOGIN;
    if (store_count_client(app->store, client, &count) != STORE_OK)
        return LOGIN_UNAVAILABLE;
    if (count > TRIES_PER_DAY)
        return LOGIN_LIMITED;
    if (!digest_same_text(password, app->config.admin_password))
        return LOGIN_WRONG;
    if (!digest_random(random, sizeof random) || !hash_password(app, hash))
        return LOGIN_UNAVAILABLE;
    digest_hex(random, sizeof random, token);
    if (!derive(app, token, &session) || store_put(app->store, session.name, hash, TTL_MS) != STORE_OK)
        return LOGIN_UNAVAILABLE;
    set_cookie(request, token, "43200", response);
    return LOGIN_GOOD;
}

void session_end(struct app *app, const struct request *request, const struct session *session,
                 struct response *response)
{
    if (store_put(app->store, session->name, NULL, 0) == STORE_UNAVAILABLE)
        log_event(app->log, LOG_LEVEL_WARN, "admin", NULL, "The store did not forget a session: %s",
                  store_trouble(app->store));
    set_cookie(request, "", "0", response);
}

bool session_sent(const struct session *session, const char *csrf)
{
    return session->good && digest_same_text(session->csrf, csrf);
}
