#include "shop/public_url.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/http_client.h"
#include "base/version.h"
#include "order/proof.h"
#include "order/signature.h"
#include "shop/webhooks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_MS 20000
#define PONG "{\"status\":\"pong\"}"
#define UNAVAILABLE "{\"error\":\"Unavailable\"}"
#define TOO_LARGE "{\"error\":\"Payload Too Large\"}"
#define BAD_SIGNATURE "{\"error\":\"Invalid Signature\"}"

char *public_url(const struct config *config, const json_t *webhooks)
{
    const char *told = *config->public_url ? config->public_url : webhooks_url(config, webhooks);
    bool tls = !strncasecmp(config->woo_url, "https:", 6);
    char *url = NULL, *site = order_site(config->woo_url);

    if (!strcmp(told, "no") || (!*told && site && !*site))
        url = strdup("");
    else if (*told)
        url = strdup(told);
    else if (!site || asprintf(&url, "%s://%s/woo-order", tls ? "https" : "http", site) < 0)
        url = NULL;
    free(site);
    if (!url)
        return NULL;
    for (size_t n = strlen(url); n && url[n - 1] == '/'; n--)
        url[n - 1] = '\0';
    return url;
}

/* One question, and the only answer to it that counts. */
struct question {
    const char *name;
    const char *headers[4];
    struct buf body;
    char answer[128];
};

#define LOST "The shop takes this answer for success: every order is lost."
#define REFUSED "No order arrives, and after seven failures in a row WooCommerce disables the webhooks."

/* What else may answer, and what to do. The first row that fits counts. */
static const struct {
    int status;       /* 0 = any; 3 = 300 to 399 */
    const char *body; /* of this program; NULL = any */
    const char *what, *means, *mend;
} others[] = {
    {401, BAD_SIGNATURE, "the program there has another WOO_WEBHOOK_SECRET than this command",
     "Nobody knows which of the two secrets the shop has.", "Give both the same settings file."},
    {503, UNAVAILABLE, "the program there refuses its settings, or can write neither its store nor its spool",
     REFUSED, "Read its log (LOG), and give the web server's user the right to write DATA_DIR."},
    {429, NULL, "too many requests came from here today", "Nothing, for the shop is counted by itself.",
     "Try again tomorrow, or raise RATE_LIMIT_PER_DAY."},
    {200, NULL, "your web server does not run the program, something else answers", LOST,
     "Let the web server run the program at this URL (deploy/ has examples)."},
    {3, NULL, "the web server redirects, and the shop follows no redirect", LOST,
     "Set the Delivery URL of the webhooks to the address that answers, or let the web server answer here."},
    {401, NULL, "the web server asks for a password", REFUSED, "Let /woo-order through without one."},
    {403, NULL, "the web server, a firewall or a security plugin refuses it", REFUSED,
     "Let POST to /woo-order through."},
    {404, NULL, "there is no program at this URL", REFUSED,
     "Set PUBLIC_URL to the Delivery URL of the webhooks."},
    {405, NULL, "your web server does not run the program, it takes no POST here", REFUSED,
     "Let the web server run the program at this URL (deploy/ has examples)."},
    {413, TOO_LARGE, "the program there takes no large bodies", "Large orders do not arrive.",
     "Set MAX_BODY to 8m, its default."},
    {413, NULL, "the web server takes no large bodies", "Large orders do not arrive.",
     "Raise its limit to 8 MB (nginx: client_max_body_size)."},
    {500, NULL, "the web server cannot run the program, or takes no large bodies", REFUSED,
     "Read the web server's error log (mod_fcgid: FcgidMaxRequestLen 8388608)."},
    {502, NULL, "no worker of the program runs behind the web server", REFUSED, "Start the workers."},
    {503, NULL, "no worker of the program runs behind the web server, or the site is in maintenance", REFUSED,
     "Start the workers."},
    {0, NULL, "this is no answer of the program's", REFUSED, "Read the web server's error log."},
};

static bool is_other(size_t i, const struct http_answer *answer)
{
    int status = others[i].status;

    return (!status || status == answer->status || (status == 3 && answer->status / 100 == 3)) &&
           (!others[i].body || !strcmp(others[i].body, answer->body.data));
}

static void tell_other(const char *url, const char *question, const struct http_answer *answer,
                       struct findings *f)
{
    size_t i = 0;

    while (!is_other(i, answer))
        i++;
    findings_add(f, FINDING_FAIL, "answer", others[i].means, others[i].mend, "%s answers %ld to %s%s%s: %s",
                 url, answer->status, question, *answer->location ? ", to " : "", answer->location,
                 others[i].what);
}

static void tell_none(const char *url, const char *question, const struct http_answer *answer,
                      struct findings *f)
{
    if (answer->untrusted)
        findings_add(f, FINDING_FAIL, "certificate", "The shop trusts it no more: no order arrives.",
                     "Let the web server send the whole chain, or name a private CA's file in CA_FILE.",
                     "%s: its certificate is not trusted: %s", url, answer->error);
    else
        findings_add(f, FINDING_FAIL, "no_answer", "The shop's deliveries may meet the same.",
                     "Mend the address or the web server; PUBLIC_URL=no if the address is kept from this "
                     "machine alone.",
                     "%s does not answer %s: %s", url, question, answer->error);
}

static bool ask(struct http *http, const char *url, const struct question *question, struct findings *f)
{
    const struct http_request request = {.method = "POST",
                                         .url = url,
                                         .headers = question->headers,
                                         .body = question->body.data,
                                         .body_len = question->body.len,
                                         .timeout_ms = TIMEOUT_MS,
                                         .send_deadline_mono_ms = CLOCK_NEVER};
    struct http_answer answer;

    http_answer_init(&answer);
    enum http_result result = http_call(http, &request, &answer);
    bool good =
        result == HTTP_ANSWERED && answer.status == 200 && !strcmp(answer.body.data, question->answer);
    if (result != HTTP_ANSWERED)
        tell_none(url, question->name, &answer, f);
    else if (!good)
        tell_other(url, question->name, &answer, f);
    http_answer_free(&answer);
    return good;
}

/* Both questions, to both forms of the URL. */
static bool ask_all(struct http *http, const char *url, const struct question *questions, struct findings *f)
{
    bool good = true;

    for (size_t i = 0; good && i < 4; i++) {
        char *to = NULL;
        good = asprintf(&to, "%s%s", url, i < 2 ? "" : "/") >= 0 && ask(http, to, &questions[i % 2], f);
        free(to);
    }
    return good;
}

void public_url_look(const struct config *config, const char *url, struct findings *f)
{
    struct error e = ERROR_NONE;
    char nonce[PROOF_NONCE_SIZE], proof[DIGEST_HEX_SIZE], signature[SIGNATURE_SIZE], header[96];
    struct question questions[] = {
        {.name = "a ping", .headers = {"Content-Type: application/x-www-form-urlencoded"}, .answer = PONG},
        {.name = "a signed question", .headers = {"Content-Type: application/json", header}}};
    struct http *http = http_new("woo_ghl/" WOO_GHL_VERSION " (+check)", config->ca_file, &e);

    buf_init(&questions[0].body, 64);
    buf_init(&questions[1].body, PROOF_LEN);
    bool good =
        http && digest_token(nonce, sizeof nonce) && buf_adds(&questions[0].body, "webhook_id=0") &&
        proof_ask(nonce, &questions[1].body) && proof_answer(config->webhook_secret, nonce, proof) &&
        signature_make(config->webhook_secret, questions[1].body.data, questions[1].body.len, signature);
    if (good)
        (void)snprintf(questions[1].answer, sizeof questions[1].answer,
                       "{\"status\":\"proof\",\"proof\":\"%s\"}", proof);
    (void)snprintf(header, sizeof header, "X-WC-Webhook-Signature: %s", good ? signature : "");
    if (!good)
        findings_add(f, FINDING_FAIL, "not_asked", "", "", "the question cannot be made: %s",
                     *e.text ? e.text : "out of memory");
    else if (ask_all(http, url, questions, f))
        FINDINGS_OK(f, "answers", "%s", url);
    for (size_t i = 0; i < 2; i++)
        buf_free(&questions[i].body);
    http_free(http);
}
