/*
 * admin: the owner's page, GET and POST /woo-order/admin, if ADMIN_PASSWORD is set.
 *
 * It needs no script and no other resource. It is given over https alone, or to a browser on this machine.
 */
#pragma once

#include "app/app.h"
#include "web/request.h"
#include "web/response.h"

/* Fills the response. */
void admin_handle(struct app *app, const struct request *request, struct response *response);
