/* Lists that a record keeps as text: boots that watch an attempt, former contacts, blobs. */
#include "base/text.h"
#include "queue/rules.h"
#include "tap.h"
#include <stdio.h>
#include <string.h>

static void test_watch(void)
{
    const struct queue_terms terms = {.lease_ms = 60000, .now_ms = 5000};
    struct order_record r = {.lease = "t", .lease_ms = 60000};
    char boot[100];

    ok(!order_watch(&r, "boot", 1), "nothing to watch without an attempt");
    ok(order_attempt(&r, "t", ATTEMPT_OPPORTUNITY, "note", 1000, "boot1", 700, &terms),
       "recorded by one boot");
    is_int(order_attempt_age_ms(&r, "boot1", 800), 100, "it counts by its own clock");
    is_int(order_attempt_age_ms(&r, "boot1", 600), 0, "never less than 0");
    is_int(order_attempt_age_ms(&r, "boot", 800), 0, "a boot of a name that begins so knows nothing");
    is_int(order_attempt_age_ms(&r, "boot2", 900000), 0, "another boot knows nothing yet");
    ok(order_watch(&r, "boot2", 900000), "it begins to watch");
    ok(!order_watch(&r, "boot2", 900001) && !order_watch(&r, "boot1", 900001), "once");
    is_int(order_attempt_age_ms(&r, "boot2", 900250), 250, "and counts from then on");
    is_int(order_attempt_age_ms(&r, "boot1", 950), 250, "as the first does");
    ok(!order_watch(&r, "", 1), "a machine that has no boot id does not count");
    is_int(order_attempt_age_ms(&r, "", 1000000), 0, "and never thinks that it is over");
    for (int i = 0; i < 20; i++) {
        snprintf(boot, sizeof boot, "0123456789a%d", i);
        ok(order_watch(&r, boot, 1000000000LL + i) && strlen(r.attempt.watch) < sizeof r.attempt.watch,
           "boot %d watches", i);
    }
    for (int i = 17; i < 20; i++) {
        snprintf(boot, sizeof boot, "0123456789a%d", i);
        is_int(order_attempt_age_ms(&r, boot, 1000000000LL + i + 5), 5, "the last boots are watched");
    }
    memset(boot, 'b', sizeof boot);
    boot[48] = '\0';
    ok(order_watch(&r, boot, TEXT_NUMBER_MAX) && order_attempt_age_ms(&r, boot, TEXT_NUMBER_MAX) == 0,
       "a long name fits");
}

static void test_lists(void)
{
    const struct queue_terms terms = {.lease_ms = 60000, .now_ms = 5000};
    struct order_record r = {.version = 1, .lease = "t", .current = {.id = "cur"}};
    const char *id[RECORD_BLOBS];
    char contact[RECORD_ID_SIZE];

    for (int i = 0; i < 9; i++) {
        memset(contact, 'a' + i, sizeof contact);
        contact[sizeof contact - 1] = '\0';
        (void)order_learn(&r, "t", contact, "", &terms);
        ok(strlen(r.link.former) < sizeof r.link.former && strlen(r.link.former) % 64 == (i ? 63 : 0),
           "former contacts are whole");
    }
    is_int(r.link.former[0], 'h', "the last one is the first of them");
    is_int(order_blobs(&r, id), 1, "one blob");
    is_str(id[0], "cur", "its current body");
    snprintf(r.waiting.id, sizeof r.waiting.id, "wait");
    snprintf(r.attempt.blob, sizeof r.attempt.blob, "note");
    is_int(order_blobs(&r, id), 3, "three blobs");
    ok(!strcmp(id[1], "wait") && !strcmp(id[2], "note"), "the waiting body and the attempt's note");
}

int main(void)
{
    test_watch();
    test_lists();
    return tap_done();
}
