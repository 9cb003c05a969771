#include "order/signature.h"
#include "base/html_entity.h"

#include "tap.h"
#include <stdlib.h>
#include <string.h>

#define BODY "{\"id\":1}"
#define UNDER_X_Y "W4wMraSqrdHGiZ6BbbCjYq/3jTy/5tE/f8kQUDndrnI="     /* key: x&y */
#define UNDER_X_AMP_Y "ZbA+UZQKAOXc6js0hiw/f2bu5iCbawjMy0XfBGBdttY=" /* key: x&amp;y */
#define UNDER_UTF8 "wCZxULIBOzUMHwdsn+XWmMiP4gp4manU6y7R0pRo7oM="    /* key: sécret */

static bool verifies(const char *secret, const char *previous, const char *header)
{
    struct signature_keys keys;
    bool good = signature_keys_init(&keys, secret, previous) &&
                signature_verify(&keys, header, BODY, sizeof BODY - 1, NULL);
    signature_keys_free(&keys);
    return good;
}

static void keys(void)
{
    struct signature_keys k;
    ok(verifies("x&y", NULL, UNDER_X_Y), "the secret's signature is good");
    ok(verifies("x&amp;y", NULL, UNDER_X_Y), "so is the one under its entity-decoded form");
    ok(verifies("x&amp;y", NULL, UNDER_X_AMP_Y), "and the one under the secret as it is");
    ok(!verifies("x&y", NULL, UNDER_X_AMP_Y), "nothing is encoded to make it fit");
    ok(verifies("new secret", "x&amp;y", UNDER_X_Y), "the previous secret still counts, decoded too");
    ok(verifies("", "x&y", UNDER_X_Y), "and alone");
    ok(verifies("s\xc3\xa9"
                "cret",
                "", UNDER_UTF8),
       "secrets are bytes");
    ok(!verifies(NULL, NULL, UNDER_X_Y), "without a key nothing is good");
    ok(!verifies("", "", UNDER_X_Y), "an empty secret is no key");

    ok(signature_keys_init(&k, "x&amp;y", "x&y") && k.count == 2, "equal keys are kept once");
    signature_keys_free(&k);
    is_int(k.count, 0, "freed keys are no keys");
    ok(signature_keys_init(&k, "a&lt; %41", "b&lt;%41") && k.count == 6,
       "two secrets in three forms are six");
    signature_keys_free(&k);

    char made[SIGNATURE_SIZE];
    ok(signature_make("x&y", "", 0, made) && strlen(made) == 44, "an empty body is signed too");
    ok(signature_keys_init(&k, "x&y", NULL) && signature_verify(&k, made, "", 0, NULL) == SIGNATURE_RAW,
       "and verified");
    ok(!signature_verify(&k, made, BODY, sizeof BODY - 1, NULL), "for itself only");
    signature_keys_free(&k);
    unsigned char of_new[DIGEST_LEN], of_old[DIGEST_LEN], first[DIGEST_LEN];
    ok(signature_keys_init(&k, "new", "x&y") &&
           signature_verify(&k, UNDER_X_Y, BODY, sizeof BODY - 1, of_old) == SIGNATURE_RAW,
       "a signature under the previous secret");
    ok(signature_make("new", BODY, sizeof BODY - 1, made) &&
           signature_verify(&k, made, BODY, sizeof BODY - 1, of_new) == SIGNATURE_RAW &&
           !memcmp(of_new, of_old, DIGEST_LEN),
       "tells the same HMAC as one under the new one");
    ok(signature_first(&k, BODY, sizeof BODY - 1, first) && !memcmp(of_new, first, DIGEST_LEN),
       "which is the one under the first key");
    signature_keys_free(&k);
    ok(!signature_first(&k, BODY, sizeof BODY - 1, first), "without a key there is none");
    ok(signature_make("x&y", BODY, sizeof BODY - 1, made), "a signature is made");
    is_str(made, UNDER_X_Y, "as WooCommerce makes it");
}

/* A body signed by WooCommerce with `stored`, while the settings have `typed`. */
static void is_form(const char *typed, const char *stored, enum signature_form want)
{
    struct signature_keys k;
    char made[SIGNATURE_SIZE];
    ok(signature_make(stored, BODY, sizeof BODY - 1, made) && signature_keys_init(&k, typed, NULL), "'%s'",
       stored);
    is_int(signature_verify(&k, made, BODY, sizeof BODY - 1, NULL), want, "'%s' signs like '%s'", typed,
           stored);
    signature_keys_free(&k);
}

/* What saving a webhook's page makes of a secret, and what of that is signed with. */
static void saved(void)
{
    static const char *const same[] = {"plain", "a b", "50%", "%zz %4", "a > b", "a&b;\"'\\", "&lt;x"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        is_form(same[i], same[i], SIGNATURE_RAW);
    is_form("x&amp;y", "x&y", SIGNATURE_DECODED);
    is_form("a%41b", "ab", SIGNATURE_CLEANED);
    is_form("a%4%411b", "ab", SIGNATURE_CLEANED); /* what falls together is an octet again */
    is_form("%aF%Af%aF", "", SIGNATURE_NONE);     /* nothing is left, and nothing is no key */
    is_form("a  b\t\n c", "a b c", SIGNATURE_CLEANED);
    is_form(" a ", "a", SIGNATURE_CLEANED);
    is_form("a %41 b", "a b", SIGNATURE_CLEANED);
    is_form("%41 a", "a", SIGNATURE_CLEANED);
    is_form("a<b>c", "ac", SIGNATURE_CLEANED);
    is_form("a< b>c  d", "a< b>c d", SIGNATURE_CLEANED); /* no tag: a blank follows */
    is_form("a<\"b>c\"d>e", "ae", SIGNATURE_CLEANED);    /* a quote hides the first ">" */
    is_form("a<\"b>c", "a", SIGNATURE_CLEANED);          /* or all of them */
    is_form("a<x\"y>\"b<c>d>e", "ae", SIGNATURE_CLEANED);
    is_form("<only  this", "<only this", SIGNATURE_CLEANED); /* stored "&lt;only this" */
    is_form("a<b<c>d", "a<bd", SIGNATURE_CLEANED);
    is_form("%20<'\"&amp;", "<'\"&", SIGNATURE_CLEANED);
    is_form("a%41b", "a%41c", SIGNATURE_NONE);
    struct signature_keys k;
    ok(signature_keys_init(&k, "x", NULL) && strstr(signature_tried(&k), "WordPress cleans"),
       "all forms are named");
    signature_keys_free(&k);
    ok(signature_keys_init(&k, "", NULL) && strstr(signature_tried(&k), "no secret"),
       "no secret is said to be none");
    signature_keys_free(&k);
}

static void headers(void)
{
    static const char *const bad[] = {
        "",
        " ",
        "=",
        "W4wMraSqrdHGiZ6BbbCjYq/3jTy/5tE/f8kQUDndrnI",                          /* no padding */
        "W4wMraSqrdHGiZ6BbbCjYq/3jTy/5tE/f8kQUDndrnI==",                        /* too much */
        "W4wMraSqrdHGiZ6BbbCjYq/3jTy/5tE/f8kQUDndrnJ=",                         /* its last bits are not 0 */
        "W4wMraSqrdHGiZ6BbbCjYq/3jTy/5tE/f8kQUDndrn==",                         /* 31 bytes */
        "W4wMraSqrdHGiZ6BbbCjYq/3jTy /5tE/f8kQUDndrnI=",                        /* a space inside */
        "W4wMraSqrdHGiZ6BbbCjYq_3jTy_5tE_f8kQUDndrnI=",                         /* base64url */
        "w4wMraSqrdHGiZ6BbbCjYq/3jTy/5tE/f8kQUDndrnI=",                         /* one letter is another */
        "W4wMraSqrdHGiZ6BbbCjYq/3jTy/5tE/f8kQUDndrnI=W4wMraSqrdHGiZ6BbbCjYq/3", /* more behind it */
        "5b8c0cada4aaadd1c6899e816db0a362aff78d3cbfe6d13f7fc9105039ddae72",     /* hex */
        "sha256=W4wMraSqrdHGiZ6BbbCjYq/3jTy/5tE/f8kQUDndrnI=",
        "\xc3\xa9wMraSqrdHGiZ6BbbCjYq/3jTy/5tE/f8kQUDndrnI=",
    };
    ok(verifies("x&y", NULL, " \t" UNDER_X_Y "\r\n"), "white space around a signature is taken off");
    ok(!verifies("x&y", NULL, NULL), "no header is no signature");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!verifies("x&y", NULL, bad[i]), "'%s' is no signature", bad[i]);
}

static void is_decoded(const char *text, const char *want)
{
    char *got = entity_decode(text, ENTITY_SPECIAL);
    is_str(got, want, "'%s' is decoded", text);
    free(got);
}

static void entities(void)
{
    is_decoded("", "");
    is_decoded("a&amp;b&lt;c&gt;d&quot;e&#39;f&#039;g&apos;h", "a&b<c>d\"e'f'g'h");
    is_decoded("&amp;lt;", "&lt;");
    is_decoded("&amp;amp;amp;", "&amp;amp;");
    is_decoded("&#x27;&#X27;&#x00027;&#0000039;", "''''");
    is_decoded("&#233;&#8364;&#x1F600;&#x7f;", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f");
    is_decoded("&#0;&#x0;&#xD800;&#x110000;&#99999999999999999999;",
               "&#0;&#x0;&#xD800;&#x110000;&#99999999999999999999;");
    is_decoded("& && &; &amp &# &#; &#x &#x; &#xg; &#1a; &AMP; &nbsp;&",
               "& && &; &amp &# &#; &#x &#x; &#xg; &#1a; &AMP; &nbsp;&");
}

int main(void)
{
    keys();
    saved();
    headers();
    entities();
    return tap_done();
}
