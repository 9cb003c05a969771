#include "config/places.h"
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOME_FILE "woo-ghl/env" /* below the home, and below /etc */

const char *places_env(const char *name)
{
    char redirected[96];
    const char *value = getenv(name);

    for (unsigned times = 0; !value && times < 2; times++) {
        snprintf(redirected, sizeof redirected, "%s%s", times ? "REDIRECT_REDIRECT_" : "REDIRECT_", name);
        value = getenv(redirected);
    }
    return value;
}

static bool join(const char *directory, const char *name, char *out)
{
    bool is_root = !strcmp(directory, "/");

    if (snprintf(out, PATH_MAX, "%s/%s", is_root ? "" : directory, name) < PATH_MAX)
        return true;
    out[0] = '\0';
    return false;
}

bool places_beside(const char *file, const char *name, char *out)
{
    char copy[PATH_MAX];

    out[0] = '\0';
    return snprintf(copy, sizeof copy, "%s", file) < PATH_MAX && join(dirname(copy), name, out);
}

static bool find_program(char *out)
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);

    out[n > 0 ? n : 0] = '\0';
    if (n > 0)
        return true;
    const char *started =
        (const char *)getauxval(AT_EXECFN); /* NOLINT(performance-no-int-to-ptr): without /proc */
    return started && realpath(started, out);
}

bool places_beside_program(const char *name, char *out)
{
    char self[PATH_MAX];

    out[0] = '\0';
    return find_program(self) && places_beside(self, name, out);
}

static bool find_home_file(char *out)
{
    char self[PATH_MAX];
    struct stat st;

    out[0] = '\0';
    if (!find_program(self) || stat(self, &st) != 0 || st.st_uid == 0)
        return false;
    const struct passwd *owner = getpwuid(st.st_uid);
    return owner && owner->pw_dir[0] == '/' && join(owner->pw_dir, HOME_FILE, out);
}

bool places_is_home_file(const char *path)
{
    char home_file[PATH_MAX];

    return find_home_file(home_file) && !strcmp(path, home_file);
}

bool places_settings(char *out)
{
    return find_home_file(out) || snprintf(out, PATH_MAX, "/etc/" HOME_FILE) > 0;
}

bool places_candidate(unsigned n, char *out)
{
    switch (n) {
    case 0: (void)find_home_file(out); return true; /* "" if it is not known */
    case 1: (void)snprintf(out, PATH_MAX, "/etc/" HOME_FILE); return true;
    case 2: (void)!places_beside_program(".env", out); return true;
    default: return false;
    }
}

/* -- certificates -- */

void places_set_certificates(const char *settings_file)
{
    static const char *const known[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch, Alpine */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* RHEL, Alma, CloudLinux, and so cPanel */
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/cert.pem",
        "/etc/ssl/ca-bundle.pem", /* SUSE */
        "/var/lib/ca-certificates/ca-bundle.pem",
        "/etc/ssl/cert.pem", /* Alpine, BSD */
    };
    char beside[PATH_MAX];

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (access(known[i], R_OK) == 0) {
            (void)setenv("SSL_CERT_FILE", known[i], 0);
            return;
        }
    if (places_beside(settings_file, PLACES_CA, beside) && access(beside, R_OK) == 0)
        (void)setenv("SSL_CERT_FILE", beside, 0);
}

/* -- what web servers hand out -- */

/* Does real (a real path) lie in the directory, or is it it? A root of / names no site. */
static bool lies_in(const char *real, const char *directory, char *root)
{
    if (!directory || !*directory || !realpath(directory, root))
        return false;
    size_t n = strlen(root);
    return n > 1 && !strncmp(real, root, n) && (real[n] == '/' || !real[n]);
}

static bool looks_served(const char *directory)
{
    static const char *const names[] = {"/public_html", "/htdocs", "/httpdocs", "/www/html"};
    char wordpress[PATH_MAX];
    size_t n = strlen(directory);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (n >= strlen(names[i]) && !strcmp(directory + n - strlen(names[i]), names[i]))
            return true;
    return join(directory, "wp-load.php", wordpress) && access(wordpress, F_OK) == 0;
}

/* The real path; what of it is not there yet follows what is. */
static bool find_real(const char *path, char *real)
{
    char above[PATH_MAX];
    size_t n = strlen(path);

    if (n >= sizeof above)
        return false;
    memcpy(above, path, n + 1);
    while (!realpath(above, real)) {
        if (!strcmp(above, "/") || !strcmp(above, "."))
            return false;
        memmove(above, dirname(above), strlen(above) + 1);
    }
    size_t there = strlen(above), end = strlen(real);
    return snprintf(real + end, PATH_MAX - end, "%s", path[there] && path[there] != '/' ? "" : path + there) <
           (int)(PATH_MAX - end);
}

bool places_is_served(const char *path, const char *document_root, char *root)
{
    const char *const known[] = {document_root, places_env("DOCUMENT_ROOT"),
                                 places_env("CONTEXT_DOCUMENT_ROOT")};
    char real[PATH_MAX];

    if (!find_real(path, real))
        return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (lies_in(real, known[i], root))
            return true;
    for (snprintf(root, PATH_MAX, "%s", real); strlen(root) > 1;
         memmove(root, dirname(root), strlen(root) + 1))
        if (looks_served(root))
            return true;
    return false;
}
