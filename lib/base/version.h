/* version: what `woo_ghl version` prints and what GHL sees as the User-Agent. */
#pragma once

#define WOO_GHL_VERSION "0.1.0"
