/*
 * places: where settings, data, log and certificates belong, and which places a web server hands out.
 *
 * The one rule for all of the program and for who installs it:
 *
 *   settings      the file that WOO_GHL_ENV names (REDIRECT_WOO_GHL_ENV after an internal redirect), else ~/woo-ghl/env
 *                 of the user who owns the program's file, unless that is root, else /etc/woo-ghl/env, else .env beside
 *                 the program
 *   data          DATA_DIR, else PLACES_DATA beside the settings
 *   log           LOG, else PLACES_LOG beside ~/woo-ghl/env; with settings elsewhere standard error
 *   certificates  SSL_CERT_FILE, else where the system has them, else PLACES_CA beside the settings
 *
 * Paths are absolute. Every `out` has PATH_MAX bytes; a path that does not fit counts as unknown.
 */
#pragma once

#include "base/buf.h"

#define PLACES_DATA "woo_ghl-data"
#define PLACES_LOG "woo_ghl.log"
#define PLACES_CA "cacert.pem"

/* The environment's value, also under the names that Apache gives it after internal redirects; NULL = not set. */
const char *places_env(const char *name);

/* Where the settings of this program belong: ~/woo-ghl/env of its owner, /etc/woo-ghl/env if root owns it. That is
 * where they are to be made, and to be moved to; false if it is not known. */
bool places_settings(char *out) MUST_CHECK;

/* The n-th file that settings may be in if WOO_GHL_ENV names none ("" = not known); the first that exists counts. False:
 * there are no more. */
bool places_candidate(unsigned n, char *out) MUST_CHECK;

/* Is this file ~/woo-ghl/env of the program's owner? Only then the log is beside it by default. */
bool places_is_home_file(const char *path) MUST_CHECK;

/* What stands beside a file; beside the program itself. False if that is not known, or too long. */
bool places_beside(const char *file, const char *name, char *out) MUST_CHECK;
bool places_beside_program(const char *name, char *out) MUST_CHECK;

/* Sets SSL_CERT_FILE, which OpenSSL and base/http_client ask, unless it is set: to the first file of certificates of a
 * known system that can be read (a static program brings none along), else to PLACES_CA beside the settings if that is
 * there. */
void places_set_certificates(const char *settings_file);

/* Would a web server hand this path out? Then `root` gets the directory under which it does: document_root (may be
 * NULL or ""), what the environment of a CGI program names, or a directory that only a web server uses: public_html,
 * htdocs, httpdocs, www/html, one that holds WordPress. The path need not exist yet. */
bool places_is_served(const char *path, const char *document_root, char *root) MUST_CHECK;
