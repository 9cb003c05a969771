#include "web/admin.h"
#include "app/ready.h"
#include "base/clock.h"
#include "base/text.h"
#include "owner/letter.h"
#include "web/admin_work.h"
#include "web/body.h"
#include "web/client.h"
#include <string.h>

#define FORM_MAX 4096           /* bytes */
#define PAGE_MAX (1024L * 1024) /* bytes */
#define PASSWORD_SIZE 1024

/* -- pages without a session -- */

static void plain_page(struct admin *a, int status, const char *title, const char *text)
{
    admin_begin(a, status, title);
    html(a->out, "<main class=login><section><h1>%s</h1><p>%s</p></section></main>", title, text);
    admin_end(a);
}

static void login_page(struct admin *a, int status, const char *error)
{
    admin_begin(a, status, "Log in");
    html(a->out, "<main class=login><section><h1>woo_ghl</h1>");
    if (error)
        html(a->out, "<p class=\"state risk\" role=alert>%s</p>", error);
    html(a->out,
         "<form method=post action=admin><input type=hidden name=do value=login>"
         "<input name=user value=owner autocomplete=username hidden>"
         "<label for=password>Password (ADMIN_PASSWORD)</label>"
         "<input id=password name=password type=password autocomplete=current-password required autofocus>"
         "<button class=go>Log in</button></form></section></main>");
    admin_end(a);
}

static void store_away(struct admin *a, const char *trouble)
{
    plain_page(a, 503, "The store does not answer", trouble);
}

/* Back to the page by GET, so that a reload sends nothing again. */
static void see_other(struct admin *a, const char *query)
{
    char where[RESPONSE_VALUE_SIZE];

    a->response->status = 303;
    (void)text_format(where, sizeof where, "admin%s", query);
    response_header(a->response, "Location", where);
}

/* -- forms -- */

static void log_in(struct admin *a, const char *password)
{
    struct log_about about = {.client = a->request->remote_addr};
    struct tally *tally = &a->app->tally;
    char event[80];
    int64_t count;

    switch (session_login(a->app, a->request, password, a->response)) {
    case LOGIN_GOOD:
        tally_count(tally, "owner", "login");
        log_event(a->app->log, LOG_LEVEL_INFO, "admin", &about, "Somebody logged in to the owner's page");
        see_other(a, "");
        break;
    case LOGIN_WRONG:
        tally_count(tally, "owner", "login_failed");
        (void)text_format(event, sizeof event, "login %s", a->request->remote_addr);
        if (app_tells(a->app, event, &count))
            log_event(a->app->log, LOG_LEVEL_WARN, "admin", &about,
                      "%lld wrong passwords for the owner's page from this address in this hour",
                      (long long)count);
        login_page(a, 403, "That is not the password.");
        break;
    case LOGIN_LIMITED:
        tally_count(tally, "owner", "login_limited");
        response_header(a->response, "Retry-After", "3600");
        login_page(a, 429,
                   "Too many tries from this address today. The next ones are taken after midnight (UTC).");
        break;
    case LOGIN_UNAVAILABLE: store_away(a, store_trouble(a->app->store)); break;
    }
}

static void note_act(struct admin *a, const char *key, const char *what)
{
    struct log_about about = {.order = key, .client = a->request->remote_addr};

    tally_count(&a->app->tally, "owner", what);
    tally_note(&a->app->tally, &(struct tally_told){.kind = "owner", .key = key, .what = what});
    log_event(a->app->log, LOG_LEVEL_INFO, "admin", &about, "The owner chose on the page: %s", what);
}

static void act(struct admin *a, const char *what, const char *key)
{
    struct letter_change change = {0};
    bool retry = !strcmp(what, "retry");
    enum store_result result = retry ? letter_retry(a->app, &change, key) : letter_drop(a->app, &change, key);

    letter_change_free(&change);
    if (result == STORE_OK) {
        note_act(a, key, what);
        see_other(a, retry ? "?done=retry" : "?done=drop");
    } else if (result == STORE_NONE) {
        a->error = change.why.text;
        admin_order(a, key);
    } else {
        store_away(a, store_trouble(a->app->store));
    }
}

static void take_form(struct admin *a, const struct buf *form)
{
    char what[16], password[PASSWORD_SIZE], csrf[DIGEST_HEX_SIZE], key[RECORD_KEY_SIZE];
    const char *bytes = form->data;
    bool known = form_field(bytes, form->len, "do", what, sizeof what);

    if (known && !strcmp(what, "login")) {
        bool given = form_field(bytes, form->len, "password", password, sizeof password);
        log_in(a, given ? password : "");
        explicit_bzero(password, sizeof password);
        return;
    }
    if (!form_field(bytes, form->len, "csrf", csrf, sizeof csrf) || !session_sent(&a->session, csrf)) {
        login_page(a, 403, "This form is too old, or not of this page. Log in, and send it again.");
        return;
    }
    if (known && !strcmp(what, "logout")) {
        session_end(a->app, a->request, &a->session, a->response);
        see_other(a, "");
    } else if (known && (!strcmp(what, "retry") || !strcmp(what, "drop")) &&
               form_field(bytes, form->len, "key", key, sizeof key)) {
        act(a, what, key);
    } else {
        plain_page(a, 400, "Unknown form", "The page has no such form. Go back and reload it.");
    }
}

/* -- the way in -- */

static void get(struct admin *a)
{
    const char *query = a->request->query;
    char asked[RECORD_KEY_SIZE];

    if (!a->session.good)
        login_page(a, 200, NULL);
    else if (form_field(query, strlen(query), "order", asked, sizeof asked))
        admin_order(a, asked);
    else
        admin_overview(a);
}

static void post(struct admin *a)
{
    struct buf form;

    buf_init(&form, FORM_MAX);
    if (body_read(a->request, FORM_MAX, &form) == BODY_WHOLE)
        take_form(a, &form);
    else
        plain_page(a, 400, "Unknown form", "The form did not arrive whole. Go back and send it again.");
    buf_wipe(&form);
}

void admin_handle(struct app *app, const struct request *request, struct response *response)
{
    struct admin a = {.app = app, .request = request, .response = response, .out = &response->body};
    struct error e = ERROR_NONE;

    if (!*app->config.admin_password) {
        response_error(response, 404, "Not Found");
        return;
    }
    buf_init(&response->body, PAGE_MAX);
    if (!request->is_tls && !client_is_local(request))
        plain_page(
            &a, 403, "https is needed",
            "The password must not travel in the clear: open this page over https. If a proxy ends the "
            "encryption, it has to send X-Forwarded-Proto: https.");
    else if (!app_ready(app, &e))
        store_away(&a, e.text);
    else if (session_find(app, request, &a.session) != STORE_OK)
        store_away(&a, store_trouble(app->store));
    else if (!strcmp(request->method, "POST"))
        post(&a);
    else
        get(&a);
    if (response->body.failed) {
        buf_reset(&response->body);
        response_error(response, 500, "Out of memory");
    }
}
