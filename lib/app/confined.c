#include "app/confined.h"
#include "app/alert.h"
#include "base/confine.h"
#include "base/files.h"
#include "base/text.h"
#include "config/places.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the C library, libcurl and OpenSSL read: names, zones, certificates, modules. resolv.conf is replaced now and then,
 * so its directory counts. */
static const char *const system_files[] = {
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/var/lib/ca-certificates",
    "/proc/sys",
    "/sys/devices/system/cpu",
    "/dev/urandom",
    "/dev/random",
};

/* The file's directory, for a file may be replaced; but never all files of the machine. */
static void allow_place(const struct confine *confine, const char *path, enum confine_access access)
{
    char real[PATH_MAX], parent[PATH_MAX];

    confine_allow(confine, path, access);
    if (text_copy(parent, sizeof parent, path) && strrchr(parent, '/')) {
        *strrchr(parent, '/') = '\0';
        if (*parent)
            confine_allow(confine, parent, access);
    }
    /* /etc/woo-ghl/env may be a link to where secrets are mounted. */
    if (access == CONFINE_READ && realpath(path, real) && strcmp(real, path) != 0)
        confine_allow(confine, real, access);
}

void app_confine(struct app *app)
{
    const struct config *c = &app->config;
    const bool lasts = app->listener >= 0; /* FastCGI: settings may change meanwhile */
    struct confine confine;
    struct error e = ERROR_NONE;

    if (app->confined || !app->config_ok || !c->sandbox)
        return;
    app->confined = true;
    if (lasts || *c->alert_command || *c->alert_url)
        alert_begin_apart(app);
    int data = files_open_dir(c->data_dir, &e); /* made now: its parent is out of reach later */
    if (data >= 0)
        close(data);
    confine_begin(&confine);
    confine_allow(&confine, c->data_dir, CONFINE_WRITE);
    if (*c->log_to == '/')
        allow_place(&confine, c->log_to, CONFINE_WRITE);
    confine_allow(&confine, "/dev/null", CONFINE_WRITE);
    for (size_t i = 0; i < c->file_count; i++)
        allow_place(&confine, config_file(c, i), CONFINE_READ);
    const char *const certificates[] = {c->ca_file, places_env("SSL_CERT_FILE"), places_env("SSL_CERT_DIR")};
    for (size_t i = 0; i < sizeof certificates / sizeof *certificates; i++)
        if (certificates[i] && *certificates[i])
            allow_place(&confine, certificates[i], CONFINE_READ);
    for (size_t i = 0; i < sizeof system_files / sizeof *system_files; i++)
        confine_allow(&confine, system_files[i], CONFINE_READ);
    if (!confine_end(&confine, !lasts, &e))
        log_event(app->log, LOG_LEVEL_WARN, "sandbox", NULL,
                  "%s; the worker goes on without. SANDBOX=off says nothing of it", e.text);
    else if (lasts && confine_lacks(&e)) /* a CGI program would say it with each request; check does */
        log_event(app->log, LOG_LEVEL_INFO, "sandbox", NULL, "The sandbox is not whole: %s", e.text);
}
