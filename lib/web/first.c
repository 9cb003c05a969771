#include "web/first.h"
#include "config/places.h"
#include <limits.h>
#include <string.h>

bool first_is_wanted(const struct app *app, const struct request *request)
{
    return !app->config_ok && app->config.env_file && !*app->config.env_file &&
           !strcmp(request->method, "GET") &&
           (!strcmp(request->path, "/woo-order") || !strcmp(request->path, "/woo-order/"));
}

void first_answer(struct response *response)
{
    char file[PATH_MAX];
    const char *where = places_env("WOO_GHL_ENV") ? "the file that WOO_GHL_ENV names"
                        : places_settings(file) && places_is_home_file(file)
                            ? "woo-ghl/env in your home folder"
                            : "/etc/woo-ghl/env";

    response->status = 200;
    response->content_type = "text/html; charset=utf-8";
    response_header(response, "Content-Security-Policy", "default-src 'none'");
    bool good = buf_addf(
        &response->body,
        "<!doctype html><html lang=\"en\"><meta name=\"viewport\" "
        "content=\"width=device-width\"><title>woo_ghl</title>\n"
        "<h1>woo_ghl runs, and is not set up yet</h1>\n"
        "<p>Make a file with these three lines: <b>%s</b> (rights 0600 or 0640; never below the web "
        "folder).</p>\n"
        "<pre>WOO_WEBHOOK_SECRET='the secret of the webhooks in WooCommerce'\n"
        "GHL_API_KEY='the private integration token of the GoHighLevel sub-account, pit-...'\n"
        "GHL_LOCATION_ID='the id of that sub-account'</pre>\n"
        "<p>Upload it by FTP or with the panel's file manager; nothing is asked for here. With a shell, "
        "<code>install</code> behind the program's name does all of it. Then this page is gone, and saving a "
        "webhook in WooCommerce with this page's address as its Delivery URL shows no error.</p>\n",
        where);
    if (!good)
        response->status = 500;
}
