#include "order/phone.h"
#include "tap.h"
#include <stdio.h>
#include <string.h>

static void is_phone(const char *typed, const char *country, const char *want)
{
    char out[PHONE_SIZE];
    bool good = phone_e164(typed, country, out);
    is_str(good ? out : "", want, "\"%s\" in %s", typed, *country ? country : "no country");
    ok(good == (*out != '\0'), "and the result says so");
}

/* A number as people of the country write it, invented within its numbering plan. */
static const struct {
    const char *country, *typed, *want;
} national[] = {
    {"US", "(201) 555-0123", "+12015550123"},  {"CA", "(506) 234-5678", "+15062345678"},
    {"MX", "222 123 4567", "+522221234567"},   {"BR", "(11) 96123-4567", "+5511961234567"},
    {"AR", "011 2345-6789", "+541123456789"},  {"CL", "9 6123 4567", "+56961234567"},
    {"CO", "321 1234567", "+573211234567"},    {"PE", "912 345 678", "+51912345678"},
    {"EC", "099 123 4567", "+593991234567"},   {"UY", "094 231 234", "+59894231234"},
    {"GB", "07400 123456", "+447400123456"},   {"IE", "085 012 3456", "+353850123456"},
    {"DE", "01512 3456789", "+4915123456789"}, {"AT", "0664 123456", "+43664123456"},
    {"CH", "078 123 45 67", "+41781234567"},   {"FR", "06 12 34 56 78", "+33612345678"},
    {"BE", "0470 12 34 56", "+32470123456"},   {"NL", "06 12345678", "+31612345678"},
    {"LU", "628 123 456", "+352628123456"},    {"ES", "612 34 56 78", "+34612345678"},
    {"PT", "912 345 678", "+351912345678"},    {"IT", "312 345 6789", "+393123456789"},
    {"GR", "691 234 5678", "+306912345678"},   {"CY", "96 123456", "+35796123456"},
    {"MT", "9696 1234", "+35696961234"},       {"DK", "32 12 34 56", "+4532123456"},
    {"SE", "070-123 45 67", "+46701234567"},   {"NO", "406 12 345", "+4740612345"},
    {"FI", "041 2345678", "+358412345678"},    {"IS", "611 1234", "+3546111234"},
    {"PL", "512 345 678", "+48512345678"},     {"CZ", "601 123 456", "+420601123456"},
    {"SK", "0912 123 456", "+421912123456"},   {"HU", "06 20 123 4567", "+36201234567"},
    {"RO", "0712 034 567", "+40712034567"},    {"BG", "087 123 4567", "+359871234567"},
    {"HR", "092 123 4567", "+385921234567"},   {"SI", "031 234 567", "+38631234567"},
    {"RS", "060 1234567", "+381601234567"},    {"EE", "5123 4567", "+37251234567"},
    {"LV", "21 234 567", "+37121234567"},      {"LT", "0 612 34567", "+37061234567"},
    {"UA", "050 123 4567", "+380501234567"},   {"RU", "8 (912) 345-67-89", "+79123456789"},
    {"TR", "0501 234 56 78", "+905012345678"}, {"IL", "050-234-5678", "+972502345678"},
    {"AE", "050 123 4567", "+971501234567"},   {"SA", "051 234 5678", "+966512345678"},
    {"QA", "3312 3456", "+97433123456"},       {"KW", "500 12345", "+96550012345"},
    {"EG", "0100 123 4567", "+201001234567"},  {"MA", "0650-123456", "+212650123456"},
    {"TN", "20 123 456", "+21620123456"},      {"ZA", "071 123 4567", "+27711234567"},
    {"NG", "0802 123 4567", "+2348021234567"}, {"KE", "0712 123456", "+254712123456"},
    {"GH", "023 123 4567", "+233231234567"},   {"IN", "081234 56789", "+918123456789"},
    {"PK", "0301 2345678", "+923012345678"},   {"BD", "01812-345678", "+8801812345678"},
    {"LK", "071 234 5678", "+94712345678"},    {"NP", "984-1234567", "+9779841234567"},
    {"TH", "081 234 5678", "+66812345678"},    {"VN", "091 234 56 78", "+84912345678"},
    {"MY", "012-345 6789", "+60123456789"},    {"SG", "8123 4567", "+6581234567"},
    {"ID", "0812-345-678", "+62812345678"},    {"PH", "0905 123 4567", "+639051234567"},
    {"HK", "5123 4567", "+85251234567"},       {"TW", "0912 345 678", "+886912345678"},
    {"JP", "090-1234-5678", "+819012345678"},  {"KR", "010-2000-0000", "+821020000000"},
    {"CN", "131 2345 6789", "+8613123456789"}, {"AU", "0412 345 678", "+61412345678"},
    {"NZ", "021 123 4567", "+64211234567"},    {"IR", "0912 345 6789", "+989123456789"},
};

static void test_countries(void)
{
    for (size_t i = 0; i < sizeof national / sizeof *national; i++) {
        const char *country = national[i].country, *want = national[i].want;
        char typed[PHONE_SIZE + 16];
        is_phone(national[i].typed, country, want);
        is_phone(want, "", want);
        snprintf(typed, sizeof typed, "00%s", want + 1);
        is_phone(typed, "AQ", want);
        is_phone(typed, country, want);
        snprintf(typed, sizeof typed, "%s ext. 12", national[i].typed);
        is_phone(typed, country, want);
        snprintf(typed, sizeof typed, "%sx7", want);
        is_phone(typed, country, want);
        /* given two digits too many or only four at all, then there is none */
        snprintf(typed, sizeof typed, "%s0123456", want);
        is_phone(typed, country, "");
        snprintf(typed, sizeof typed, "%.6s", want);
        is_phone(typed, country, "");
    }
}

static void test_forms(void)
{
    is_phone("+1 555 555 0123", "US", "+15555550123");
    is_phone("+1 555 555 0123 ext 5", "US", "+15555550123");
    is_phone("(555) 555-0123", "US", "+15555550123");
    is_phone("(555) 555-0123", "us", "+15555550123");
    is_phone("555.555.0123", "CA", "+15555550123");
    is_phone("1-555-555-0123", "US", "+15555550123");
    is_phone("15555550123", "US", "+15555550123");
    is_phone("555/555/0123", "US", "+15555550123");
    is_phone(" 555 555 0123 ", "US", "+15555550123");
    is_phone("tel:+1-555-555-0123", "", "+15555550123");
    is_phone("5555550123x12", "US", "+15555550123");
    is_phone("5555550123 X. 12", "US", "+15555550123");
    is_phone("5555550123 #12", "US", "+15555550123");
    is_phone("5555550123 Ext: 12", "US", "+15555550123");
    is_phone("5555550123 extension 1234567", "US", "+15555550123");
    is_phone("+15555550123;ext=9", "", "+15555550123");
    is_phone("0044 20 7946 0958", "GB", "+442079460958");
    is_phone("0044 20 7946 0958", "US", "+442079460958");
    is_phone("011 44 20 7946 0958", "US", "+442079460958");
    is_phone("+44 (0)20 7946 0958", "", "+442079460958");
    is_phone("020 7946 0958", "GB", "+442079460958");
    is_phone("44 20 7946 0958", "GB", "+442079460958");
    is_phone("(+44) 20 7946 0958", "", "+442079460958");
    is_phone("(11) 95555-0123", "BR", "+5511955550123");
    is_phone("06 5555 0123", "IT", "+390655550123");
    is_phone("+39 06 5555 0123", "", "+390655550123");
    is_phone("030/5550123", "DE", "+49305550123");
    is_phone("+7 912 345 67 89", "", "+79123456789");
    /* digits and marks of other keyboards */
    is_phone("\uff10\uff19\uff10\uff0d1234\u30fc5678", "JP", "+819012345678");
    is_phone("\uff0b81\u300090\uff081234\uff095678", "", "+819012345678");
    is_phone("\u0660\u0661\u0660\u0660 \u0661\u0662\u0663 \u0664\u0665\u0666\u0667", "EG", "+201001234567");
    is_phone("\u06f0\u06f9\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7\u06f8\u06f9", "IR", "+989123456789");
    is_phone("\u22121 555 555 0123", "US", "+15555550123");
    /* a mobile of Argentina, as it is dialled there */
    is_phone("011 15-2988-2165", "AR", "+5491129882165");
    is_phone("0351 15 234-5678", "AR", "+5493512345678");
    is_phone("02966 15 423456", "AR", "+5492966423456");
    is_phone("+54 9 11 2988-2165", "", "+5491129882165");
    is_phone("54 11 5655 2639", "AR", "+541156552639");
    /* prefixes that a country has given up */
    is_phone("8 612 34567", "LT", "+37061234567");
    is_phone("(8-615) 87880", "LT", "+37061587880");
    is_phone("+370 (8) 612 34567", "", "+37061234567");
    is_phone("044 222 123 4567", "MX", "+522221234567");
    is_phone("01 222 123 4567", "MX", "+522221234567");
    is_phone("+52 1 222 123 4567", "", "+522221234567");
    /* Italy's 0 is part of a number */
    is_phone("393 551 2701", "IT", "+393935512701");
    is_phone("39 393 551 2701", "IT", "+393935512701");
    is_phone("06 698 12345", "VA", "+390669812345");
    /* given a calling code without its plus, and the trunk prefix behind it */
    is_phone("44 (0)20 7946 0958", "GB", "+442079460958");
    is_phone("91 081234 56789", "IN", "+918123456789");
    is_phone("91234 56789", "IN", "+919123456789");
    /* a no-break space, dashes, and the direction marks that address books put around a number */
    is_phone("\u202a+1\u00a0555\u2011555\u20130123\u202c", "", "+15555550123");
}

static void test_doubt(void)
{
    is_phone("", "US", "");
    is_phone("   ", "US", "");
    is_phone("+", "US", "");
    is_phone("+ ext 5", "US", "");
    is_phone("ext 5", "US", "");
    is_phone("none", "US", "");
    is_phone("n/a", "US", "");
    is_phone("-", "US", "");
    is_phone("555-0123", "US", "");
    is_phone("1-800-FLOWERS", "US", "");
    is_phone("555 555 0123 call me", "US", "");
    is_phone("555 555 0123 x", "US", "");
    is_phone("555 555 0123 ext 12345678", "US", "");
    is_phone("555 555 0123 ext 5 ext 6", "US", "");
    is_phone("555 555 0123, 555 555 0124", "US", "");
    is_phone("555 555 0123 / 555 555 0124", "US", "");
    is_phone("++15555550123", "US", "");
    is_phone("1+5555550123", "US", "");
    is_phone("055 555 0123", "US", "");
    is_phone("155 555 0123", "US", "");
    is_phone("555 055 0123", "US", "");
    is_phone("0000000000", "US", "");
    is_phone("9999999999", "US", "");
    is_phone("+19999999999", "", "");
    is_phone("+0123456789", "", "");
    is_phone("+999 1234567890", "", "");
    is_phone("+800 1234 5678", "", "");
    is_phone("555 555 0123", "", "");
    is_phone("555 555 0123", "XX", "");
    is_phone("555 555 0123", "USA", "");
    is_phone("5550123", "DE", "");    /* a local number of some German town */
    is_phone("7946 0958", "GB", "");  /* and one of London */
    is_phone("468123456", "SE", "");  /* Sweden's code and Stockholm, or a number without its 0? */
    is_phone("2346792009", "NG", ""); /* Nigeria's code and seven digits, or a number without its 0? */
    is_phone("3580284965", "FI", "");
    is_phone("0351 15 15 5678", "AR", ""); /* too short for either */
    is_phone("15 2345 6789", "AR", "");    /* a mobile without its area */
    is_phone("+54 15 2345 6789", "", "");
    is_phone("+39 (0)312 384 9388", "", ""); /* a mobile with a 0 that does not belong there? */
    is_phone("+352 (0)26 12 34 56", "", "");
    is_phone("+34 (0)612 34 56 78", "", "");
    is_phone("123456789012345678901234567890", "DE", "");
    is_phone("+12345678901234567", "", "");
    is_phone("\u0665\u0665\u0665", "EG", "");
    is_phone("5555550123\x80", "US", "");
    is_phone("\xE2\x80", "US", "");
    is_phone("\xE2", "US", "");
    is_phone("\xC2", "US", "");
}

static void test_placeholders(void)
{
    static const char *const nobody[] = {"123456789",
                                         "1234567",
                                         "0123456789",
                                         "9876543210",
                                         "+34 123 456 789",
                                         "0034123456789",
                                         "+1 (234) 567-8901",
                                         "01 23 45 67 89",
                                         "111-111-1111",
                                         "+0 000 000 0000",
                                         "0",
                                         "000",
                                         "600000000",
                                         "+1 555 555 5555",
                                         "+45 12345678",
                                         "5555555",
                                         "0 234 567 89"};
    static const char *const somebody[] = {"+12125550123", "212-345-6789",    "123457",   "+34612345678",
                                           "0800 1234567", "+4930123456",     "555-0100", "",
                                           "n/a",          "+1 800 555 0000", "121212121"};
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
        ok(phone_is_placeholder(nobody[i]), "%s is nobody's", nobody[i]);
    for (size_t i = 0; i < sizeof somebody / sizeof *somebody; i++)
        ok(!phone_is_placeholder(somebody[i]), "'%s' may be somebody's", somebody[i]);
}

static void test_extensions(void)
{
    ok(phone_has_extension("+1 555 555 0123 ext 5") && phone_has_extension("212 555 0123x12") &&
           phone_has_extension("212 555 0123 #5"),
       "extensions");
    ok(!phone_has_extension("+1 555 555 0123") && !phone_has_extension("ext 5") && !phone_has_extension("") &&
           !phone_has_extension("555 0123 call me"),
       "no extensions");
}

int main(void)
{
    test_countries();
    test_forms();
    test_doubt();
    test_placeholders();
    test_extensions();
    return tap_done();
}
