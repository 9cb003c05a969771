/*
 * watch: what monitoring reads. health and ready are one JSON object, metrics is Prometheus's text format.
 */
#pragma once

#include "app/app.h"
#include "web/request.h"
#include "web/response.h"

/* ready and metrics are for this machine and for who has METRICS_TOKEN. If not, the response is the refusal. */
bool watch_is_allowed(const struct app *app, const struct request *request, struct response *response);

/* Alive. 200 "ok" or "degraded"; 503: the store is away, deliveries are spooled. */
void watch_health(struct app *app, struct response *response);
/* 200 if the store takes writes, a drain runs, nothing is overdue and nothing holds the work; else 503 with what is not
 * so. */
void watch_ready(struct app *app, struct response *response);
/* 503 if the store is away. */
void watch_metrics(struct app *app, struct response *response);
