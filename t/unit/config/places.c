/* Where settings, data and log belong, and what a web server hands out. */
#include "config/places.h"
#include "sandbox.h"
#include "tap.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sandbox sandbox;

static const char *in_dir(const char *name)
{
    static char path[2][128];
    static unsigned turn;
    char *out = path[turn++ % 2];

    snprintf(out, sizeof path[0], "%s%s", sandbox.dir, name);
    return out;
}

static void make_dir(const char *name)
{
    ok(mkdir(in_dir(name), 0700) == 0, "%s is made", name);
}

static void environment(void)
{
    clearenv();
    ok(!places_env("SHOP"), "not set");
    setenv("REDIRECT_REDIRECT_SHOP", "twice", 1);
    is_str(places_env("SHOP"), "twice", "after two internal redirects");
    setenv("REDIRECT_SHOP", "once", 1);
    is_str(places_env("SHOP"), "once", "after one");
    setenv("SHOP", "plain", 1);
    is_str(places_env("SHOP"), "plain", "its own name comes first");
    clearenv();
}

static void beside(void)
{
    char out[PATH_MAX], longest[PATH_MAX + 8];

    ok(places_beside("/home/shop/woo-ghl/env", PLACES_DATA, out), "beside a file");
    is_str(out, "/home/shop/woo-ghl/woo_ghl-data", "is in its directory");
    ok(places_beside("/env", "x", out), "beside a file of the root");
    is_str(out, "/x", "has one slash");
    memset(longest, 'a', sizeof longest);
    longest[0] = '/';
    longest[PATH_MAX - 2] = '/';
    longest[sizeof longest - 1] = '\0';
    ok(!places_beside(longest, "woo_ghl", out), "a path that is too long is refused");
}

static void candidates(void)
{
    char out[PATH_MAX], own[PATH_MAX];
    unsigned n = 0;

    ok(places_beside_program(".env", own), "the program knows its directory");
    ok(places_settings(out), "and where its settings belong");
    ok(!strcmp(out + strlen(out) - strlen("/woo-ghl/env"), "/woo-ghl/env"), "which is %s", out);
    for (; places_candidate(n, out); n++)
        if (n == 1)
            is_str(out, "/etc/woo-ghl/env", "the system's come second");
        else if (n == 2)
            is_str(out, own, "those beside the program come last");
    is_int(n, 3, "there are three places");
}

static void served(void)
{
    char root[PATH_MAX];
    FILE *file;

    make_dir("/site");
    make_dir("/site/public_html");
    make_dir("/site/sub");
    make_dir("/site2");
    make_dir("/blog");
    make_dir("/blog/private");
    ok((file = fopen(in_dir("/blog/wp-load.php"), "w")) && fclose(file) == 0, "a WordPress is made");
    ok(symlink(in_dir("/site/sub"), in_dir("/link")) == 0, "a link is made");

    ok(!places_is_served(in_dir("/site/env"), NULL, root), "without a document root nothing is served");
    ok(!places_is_served(in_dir("/site/env"), "/", root), "nor by a document root of /");
    ok(places_is_served(in_dir("/site/env"), in_dir("/site"), root), "what lies under it is");
    is_str(root, in_dir("/site"), "and it is named");
    ok(places_is_served(in_dir("/site/none/deeper/env"), in_dir("/site/"), root),
       "also what is not there yet");
    ok(places_is_served(in_dir("/link/env"), in_dir("/site"), root), "and what a link leads to");
    ok(!places_is_served(in_dir("/site2/env"), in_dir("/site"), root),
       "a name that only begins alike is not");
    ok(!places_is_served(in_dir("/site/../site2"), in_dir("/site"), root), "nor what only passes through");
    ok(places_is_served(in_dir("/site/public_html/a/env"), NULL, root), "a public_html is known by its name");
    is_str(root, in_dir("/site/public_html"), "and named");
    ok(places_is_served(in_dir("/blog/private/env"), NULL, root), "and a WordPress by its files");
    ok(!places_is_served(in_dir("/env"), NULL, root), "what lies above is not served");
    setenv("CONTEXT_DOCUMENT_ROOT", in_dir("/site2"), 1);
    ok(places_is_served(in_dir("/site2/env"), in_dir("/site"), root),
       "Apache's root for a user's pages counts");
    clearenv();
}

int main(void)
{
    if (!sandbox_begin(&sandbox))
        return 1;
    environment();
    beside();
    candidates();
    served();
    sandbox_end(&sandbox);
    return tap_done();
}
