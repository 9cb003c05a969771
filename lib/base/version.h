/* version: what `woo_ghl version` prints and what GHL sees as the User-Agent. */
#ifndef WOO_GHL_VERSION_H
#define WOO_GHL_VERSION_H

#define WOO_GHL_VERSION "0.1.0"

#endif
