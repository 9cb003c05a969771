/* The lock of a customer, and which order wrote it last. */
#include "base/ascii.h"
#include "base/clock.h"
#include "sync/sync_work.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LEASE_MARGIN_MS 5000 /* beyond the end of the work's last call */
#define WAIT_MS 50           /* between two tries to lock a customer whom another order is writing */
#define WAIT_MAX_MS 3000
#define RETRY_MS 2000

static bool hash_customer(const struct sync_work *w, struct sync_customer *c)
{
    const char *value[2] = {plan_email(w->plan), plan_phone(w->plan)};
    static const char *const label[2] = {"contact email", "contact phone"};

    *c = (struct sync_customer){0};
    for (int i = 0; i < 2; i++) {
        char lower[320];
        size_t len = strlen(value[i]);
        if (len == 0 || len >= sizeof lower)
            continue;
        for (size_t j = 0; j <= len; j++)
            lower[j] = to_small(value[i][j]);
        if (!app_hash(w->app, label[i], lower, c->hash[c->n]))
            return false;
        c->n++;
    }
    /* In sorted order, so that two workers never wait for each other. */
    if (c->n == 2 && strcmp(c->hash[0], c->hash[1]) > 0) {
        char swap[RECORD_SHORT_SIZE];
        memcpy(swap, c->hash[0], sizeof swap);
        memcpy(c->hash[0], c->hash[1], sizeof swap);
        memcpy(c->hash[1], swap, sizeof swap);
    }
    return true;
}

#define NAME_SIZE (RECORD_SHORT_SIZE + 16)
static void lock_name(const struct sync_customer *c, size_t i, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "customer/%s", c->hash[i]);
}

static void unlock(struct sync_work *w, const struct sync_customer *c, size_t n)
{
    char name[NAME_SIZE];

    for (size_t i = 0; i < n; i++) {
        lock_name(c, i, name);
        app_unlock(w->app, name, w->work->token);
    }
}

/* All or none. */
static enum store_result try_lock(struct sync_work *w, const struct sync_customer *c)
{
    int64_t ttl_ms = clock_left_ms(w->deadline_mono_ms) + LEASE_MARGIN_MS;
    char name[NAME_SIZE];

    for (size_t i = 0; i < c->n; i++) {
        lock_name(c, i, name);
        enum store_result result = store_lock(w->app->store, name, w->work->token, ttl_ms);
        if (result != STORE_OK) {
            unlock(w, c, i);
            return result;
        }
    }
    return STORE_OK;
}

/* The date of the newest order that wrote this customer. */
static enum store_result read_newest(struct sync_work *w, struct sync_customer *c)
{
    char name[NAME_SIZE];
    int64_t wrote_s;

    for (size_t i = 0; i < c->n; i++) {
        snprintf(name, sizeof name, "wrote/%s", c->hash[i]);
        enum store_result result = app_number(w->app, name, &wrote_s);
        if (result != STORE_OK)
            return result;
        c->newest_s = wrote_s > c->newest_s ? wrote_s : c->newest_s;
    }
    return STORE_OK;
}

enum step sync_customer_lock(struct sync_work *w, struct sync_customer *c)
{
    int64_t give_up = clock_mono_ms() + WAIT_MAX_MS;

    if (!hash_customer(w, c))
        return sync_stop_retry(w, RETRY_MS, false, "out_of_memory");
    for (;;) {
        enum store_result result = try_lock(w, c);
        if (result == STORE_OK && (result = read_newest(w, c)) == STORE_OK)
            return STEP_NEXT;
        if (result != STORE_NONE)
            return sync_stop(w, SYNC_END_LEAVE, "store_unavailable");
        if (clock_mono_ms() > give_up || clock_left_ms(w->deadline_mono_ms) == 0 ||
            !clock_sleep_ms(WAIT_MS, w->app->stop))
            return sync_stop_retry(w, RETRY_MS, false, "contact_busy");
    }
}

void sync_customer_wrote(struct sync_work *w, const struct sync_customer *c)
{
    /* An order without a date counts as the newest there is known; neither it nor one of later must make
     * later ones look old. */
    int64_t now_s = clock_wall_ms() / 1000, wrote_s = w->plan->created_s > now_s ? now_s : w->plan->created_s;
    char name[NAME_SIZE], text[24];

    if (wrote_s <= c->newest_s)
        return;
    snprintf(text, sizeof text, "%" PRId64, wrote_s);
    for (size_t i = 0; i < c->n; i++) {
        snprintf(name, sizeof name, "wrote/%s", c->hash[i]);
        app_keep(w->app, name, text, w->app->config.link_ttl_ms);
    }
}

void sync_customer_unlock(struct sync_work *w, const struct sync_customer *c)
{
    unlock(w, c, c->n);
}
