/* A file's name says how it is, and comes back as it was. */
#include "spool/spool_name.h"
#include "tap.h"
#include <string.h>

#define NAME                                                                                                 \
    "1790000000000r0123456789ab.nabcdef012345.w0123456789abcdef.o00112233445566ff.f03u1790000004.delivery"

static void comes_back_as_it_was(void)
{
    static const char *const names[] = {
        NAME, (NAME ".damaged"),
        "0000000000000r0123456789ab.nabcdef012345.d0123456789abcdef.o0000000000000000.f00u0000000000.ids"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct spool_name name;
        ok(spool_name_parse(names[i], &name), "%s is a name", names[i]);
        is_str(name.text, names[i], "it is kept");
        memset(name.text, 0, sizeof name.text);
        ok(spool_name_write(&name), "it is written");
        is_str(name.text, names[i], "as it was");
    }
}

static void takes_no_other(void)
{
    static const char *const names[] = {
        "",
        "README",
        ".temp-0123456789abcdef",
        "1790000000000r0123456789ab.nabcdef012345.delivery",
        (NAME "x"),
        (NAME ".locked"),
        (NAME ".damaged.damaged"),
        "179000000000r0123456789ab.nabcdef012345.w0123456789abcdef.o00112233445566ff.f03u1790000004.delivery",
        ("1790000000000r0123456789ab.nabcdef012345.w0123456789abcdef.o00112233445566fg.f03u1790000004."
         "delivery"),
        "1790000000000r0123456789ab.nabcdef012345.w0123456789abcdef.o00112233445566ff.f03u1790000004.",
        "1790000000000r0123456789ab.nabcdef012345.w0123456789abcdef.o00112233445566ff.f03u1790000004.idsx"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct spool_name name;
        ok(!spool_name_parse(names[i], &name), "'%s' is none", names[i]);
    }
}

/* From a full hour on, tried whenever it is due: how long it waits, and when it is told. */
static void waits_longer_and_is_told_once_an_hour(void)
{
    static const int64_t waits[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600, 600, 600, 600};
    struct spool_name name;
    int64_t now_s = 1790000000 / 3600 * 3600, began_s = now_s;
    int told = 0;

    ok(spool_name_parse(NAME, &name), "a name");
    name.failures = 0;
    name.due_s = 0;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        ok(spool_name_is_due(&name, now_s), "it is due after %lld s", (long long)(now_s - began_s));
        told += spool_name_fail(&name, now_s);
        is_int(name.due_s - now_s, waits[i], "and then waits");
        ok(!spool_name_is_due(&name, name.due_s - 1), "so long");
        now_s = name.due_s;
    }
    is_int(told, 2, "in %lld s it was told twice", (long long)(now_s - began_s));
    ok(spool_name_is_due(&name, now_s - 7200), "a clock that is set back makes it wait no longer");
    struct spool_name again;
    ok(spool_name_write(&name) && spool_name_parse(name.text, &again) && again.failures == name.failures &&
           again.due_s == name.due_s,
       "the name keeps it: %s", name.text);
}

int main(void)
{
    comes_back_as_it_was();
    takes_no_other();
    waits_longer_and_is_told_once_an_hour();
    return tap_done();
}
