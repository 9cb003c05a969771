/*
 * routes: one request -> one response. The one place that knows which answer WooCommerce gets for what.
 *
 * A delivery with a valid signature is never answered with 4xx or 5xx while it can be kept anywhere, except that
 * undecodable JSON gets its 400 (the bytes are kept).
 */
#pragma once

#include "app/app.h"
#include "web/request.h"
#include "web/response.h"

/* Fills the response; it always holds a complete answer afterwards. */
void routes_handle(struct app *app, const struct request *request, struct response *response);
