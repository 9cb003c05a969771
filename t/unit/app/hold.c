/* hold: the circuit breaker between GHL and the queue. The pause is tested where refusals pause (t/unit/sync/sync.c). */
#include "app/hold.h"
#include "sync/rig_ghl.h"
#include "sync/shifted_clock.h"
#include "tap.h"
#include <stdlib.h>

#define PROBE "GET /opportunities/pipelines\n"
#define WELL                                                                                                 \
    {                                                                                                        \
        .status = 200, .body = "{\"pipelines\":[]}"                                                          \
    }

/* May an order that is due be worked on? */
static enum hold holds(struct app *app)
{
    struct order_work work = {0};
    struct orders_wait wait;
    enum store_result result = orders_lease_due(&app->orders, &work, &wait);

    if (result == STORE_OK)
        ok(orders_retry(&app->orders, &work, &work.record.link, 0, false, false, "only looked at") ==
               STORE_OK,
           "given back");
    order_work_free(&work);
    return result == STORE_OK ? HOLD_NONE : wait.hold;
}

static void fails(struct app *app, int times)
{
    for (int i = 0; i < times; i++) {
        struct work_terms terms;
        work_terms_begin(&terms, app, NULL, NULL);
        terms.terms.heard(
            &terms, &(struct http_answer){.status = 503, .rate_remaining = -1, .rate_daily_remaining = -1},
            false);
    }
}

static void it_opens(struct app *app)
{
    order(app, 1);
    fails(app, 4);
    is_int(holds(app), HOLD_NONE, "given four failures in a row, work goes on");
    fails(app, 1);
    is_int(holds(app), HOLD_BREAKER, "at the fifth nothing is handed out");
    ok(!hold_lift(app, HOLD_BREAKER, false), "nobody may go on");
    is_str(ghl_calls(), "", "and nobody asks GHL");
}

static void one_probe_at_a_time(struct app *app)
{
    order(app, 1);
    fails(app, 5);
    time_passes(31000);
    GHL_DOES({.status = 503, .always = true});
    ok(!hold_lift(app, HOLD_BREAKER, false), "given half a minute, and a probe that fails");
    is_int(ghl_count("GET /opportunities/pipelines") > 0, 1, "GHL was asked");
    int asked = ghl_count("GET /");
    ok(!hold_lift(app, HOLD_BREAKER, false), "another probe");
    is_int(ghl_count("GET /"), asked, "is not sent so soon");
    time_passes(31000);
    ok(!hold_lift(app, HOLD_BREAKER, false) && ghl_count("GET /") == asked, "it waits longer each time");
    time_passes(60000);
    GHL_DOES(WELL);
    ok(hold_lift(app, HOLD_BREAKER, false), "given a probe that is answered");
    is_str(ghl_calls(), PROBE, "it was one call");
    is_int(holds(app), HOLD_NONE, "work goes on");
    is_int(sandbox_location(app).failures, 0, "and all is forgotten");
}

static void any_answer_closes_it(struct app *app)
{
    order(app, 1);
    order(app, 2);
    fails(app, 5);
    is_int(work(app, 1).result, SYNC_DONE, "given an order that a person wants now, and a GHL that is well");
    is_int(holds(app), HOLD_NONE, "the others go on");
}

int main(void)
{
    static void (*const cases[])(struct app *) = {it_opens, one_probe_at_a_time, any_answer_closes_it};

    if (!ok(ghl_begin(), "a GHL"))
        return tap_done();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sandbox sandbox;
        struct app app;
        ghl_does(NULL, 0);
        if (sandbox_begin(&sandbox) && ghl_app(&sandbox, NULL, &app))
            cases[i](&app);
        app_close(&app);
        sandbox_end(&sandbox);
    }
    ghl_end();
    return tap_done();
}
