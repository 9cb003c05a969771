#include "base/json.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *canonical_of(const char *bytes, size_t len)
{
    struct error e = ERROR_NONE;
    json_t *value = json_decode_exact(bytes, len, &e);
    if (!value)
        return strdup("(refused)");
    char *text = json_canonical(value);
    json_decref(value);
    return text;
}

static void decodes(const char *bytes, const char *want)
{
    char *got = canonical_of(bytes, strlen(bytes));
    is_str(got, want, "%.60s", bytes);
    free(got);
}

static void refuses(const char *bytes, const char *why)
{
    struct error e = ERROR_NONE;
    json_t *value = json_decode_exact(bytes, strlen(bytes), &e);
    ok(!value && strstr(e.text, why), "%.40s is refused: %s", bytes, why);
    if (!value)
        tap_note("%s", e.text);
    json_decref(value);
}

static void test_numbers(void)
{
    decodes("{\"id\":21,\"price\":7.35}", "{\"id\":\"21\",\"price\":\"7.35\"}");
    decodes("[0,-0,-1.5e+10,1E5,1e-3]", "[\"0\",\"-0\",\"-1.5e+10\",\"1E5\",\"1e-3\"]");
    decodes("19.989999999999998", "\"19.989999999999998\"");
    decodes("[ 1 , 2 ]", "[\"1\",\"2\"]");
    decodes("123456789012345678901234567890", "\"123456789012345678901234567890\"");
    decodes("1e999999", "\"1e999999\"");
    decodes("{\"12\":\"-3\",\"a\":\"1,2:3\"}", "{\"12\":\"-3\",\"a\":\"1,2:3\"}");
    decodes("[true,false,null]", "[true,false,null]");
    static const char *const illegal[] = {
        "01",       "[01]", "+1",  ".5",        "[.5]",  "1.",    "[1.]",   "-",      "1e",    "1e+",
        "--1",      "1-2",  "0x1", "1 2",       "[1 2]", "1true", "1\"a\"", "\"a\"1", "{1:2}", "{1 :2}",
        "{-1\t:2}", "{1}",  "NaN", "-Infinity", "1.2.3", "00",    "[1,]",   "1e5.5",  "-01",   "truE"};
    for (size_t i = 0; i < sizeof illegal / sizeof *illegal; i++)
        refuses(illegal[i], "");
}

static void test_escapes(void)
{
    decodes("\"a\\u0000b\"", "\"a\xEF\xBF\xBD"
                             "b\"");
    decodes("{\"\\u0000\":\"\\u0000\"}", "{\"\xEF\xBF\xBD\":\"\xEF\xBF\xBD\"}");
    decodes("\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\"");
    decodes("\"\\uD83D\\uDE00\"", "\"\xF0\x9F\x98\x80\"");
    decodes("\"\\ud83d\"", "\"\xEF\xBF\xBD\"");
    decodes("\"\\ude00\"", "\"\xEF\xBF\xBD\"");
    decodes("\"\\ude00\\ud83d\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
    decodes("\"\\ud83d\\ud83d\\ude00\"", "\"\xEF\xBF\xBD\xF0\x9F\x98\x80\"");
    decodes("\"\\ud83dx\"", "\"\xEF\xBF\xBDx\"");
    decodes("\"\\ud83d\\n\"", "\"\xEF\xBF\xBD\\n\"");
    decodes("\"\\\\u0000\"", "\"\\\\u0000\"");
    decodes("\"\\\\\\u0000\"", "\"\\\\\xEF\xBF\xBD\"");
    decodes("\"\\/ \\\" \\u00e9\"", "\"/ \\\" \xC3\xA9\"");
    refuses("\"\\u00g0\"", "not JSON");
    refuses("\"\\u00\"", "not JSON");
    refuses("\"\\x\"", "not JSON");
    refuses("\"\\u", "");
    refuses("\"\\", "");
    refuses("\"\\ud83d\\u", "");
    refuses("\"", "ends too early");
}

static void test_bytes(void)
{
    decodes("\xEF\xBB\xBF{\"a\":1}", "{\"a\":\"1\"}");
    refuses("\xEF\xBB\xBF\xEF\xBB\xBF{}", "");
    refuses("\xFF\xFE{\0}", "");
    refuses("\"\xC3\"", "UTF-8");
    refuses("\"\xED\xA0\xBD\"", "UTF-8");
    refuses("\"a\tb\"", "not JSON");
    refuses("", "ends too early");
    refuses("{} x", "follows its end");
    refuses("{}{}", "follows its end");
    refuses("{\"a\":1,}", "not JSON");
    decodes("\"\x7F\xC2\x80 \xF4\x8F\xBF\xBF\"", "\"\x7F\xC2\x80 \xF4\x8F\xBF\xBF\"");
    refuses("\"\xF4\x90\x80\x80\"", "UTF-8");
    refuses("{\"\xC0\x80\":1}", "UTF-8");
    char *got = canonical_of("{\"a\":\"b\0c\"}", 11);
    is_str(got, "(refused)", "a NUL byte in a string is refused");
    free(got);
    got = canonical_of("{}\0", 3);
    is_str(got, "(refused)", "a NUL byte after the end is refused");
    free(got);
    got = canonical_of("1\0", 2);
    is_str(got, "(refused)", "a NUL byte after a number is refused");
    free(got);
    got = canonical_of("{\"a\":null\0}", 11);
    is_str(got, "(refused)", "and one after a word");
    free(got);
    decodes("{\"a\":1,\"a\":2}", "{\"a\":\"2\"}");
    decodes("{\"b\":1,\"a\":{\"d\":1,\"c\":2}}", "{\"a\":{\"c\":\"2\",\"d\":\"1\"},\"b\":\"1\"}");
}

static void test_every_prefix(void)
{
    /* given any part of a body, when it is decoded, then nothing is read past its end (the sanitizers watch)
     */
    static const char body[] = "{\"a\":[1,-2.5e3,\"\\ud83d\\ude00\\u0000\\\"\"],\"b\":{\"c\":null}}";
    int decoded = 0;
    for (size_t n = 0; n < sizeof body; n++) {
        char *part = malloc(n ? n : 1);
        memcpy(part, body, n);
        json_t *value = json_decode_exact(part, n, NULL);
        decoded += value != NULL;
        json_decref(value);
        free(part);
    }
    is_int(decoded, 1, "only the whole body decodes");
}

static void test_depth(void)
{
    size_t n = 1000000;
    char *deep = malloc(n);
    memset(deep, '[', n);
    struct error e = ERROR_NONE;
    memset(deep + JSON_PARSER_MAX_DEPTH, ']', JSON_PARSER_MAX_DEPTH);
    json_t *value = json_decode_exact(deep, 2 * (size_t)JSON_PARSER_MAX_DEPTH, &e);
    ok(value != NULL, "%d levels are read", JSON_PARSER_MAX_DEPTH);
    json_decref(value);
    memset(deep, '[', n);
    ok(!json_decode_exact(deep, 45000, &e) && strstr(e.text, JSON_TOO_MANY), "45,000 levels are too many");
    ok(!json_decode_exact(deep, n, &e) && strstr(e.text, JSON_TOO_MANY), "a million are too many");
    free(deep);
}

static void test_position(void)
{
    struct error e = ERROR_NONE;
    const char *body = "{\"a\":1,\"b\":2,\"c\":3,\"jane@example.com\" x}";
    ok(!json_decode_exact(body, strlen(body), &e), "a bad body is refused");
    ok(strstr(e.text, "about byte 39"), "the error names the place in the sender's bytes");
    ok(!strstr(e.text, "jane"), "and holds nothing of the body");
    tap_note("%s", e.text);
}

static void test_text(void)
{
    json_t *object = json_pack("{s:s,s:n,s:i,s:[],s:{}}", "s", "text", "n", "i", 1, "a", "o");
    is_str(json_text(object, "s"), "text", "a string");
    is_str(json_text(object, "n"), "", "null");
    is_str(json_text(object, "i"), "", "a number");
    is_str(json_text(object, "a"), "", "an array");
    is_str(json_text(object, "o"), "", "an object");
    is_str(json_text(object, "missing"), "", "a missing one");
    is_str(json_text(NULL, "s"), "", "nothing at all");
    is_str(json_text(json_object_get(object, "a"), "s"), "", "a key of an array");
    json_decref(object);
}

static size_t count_of(const char *text)
{
    json_t *list = json_loads(text, JSON_DECODE_ANY, NULL);
    struct json_walk walk = {.list = list};
    size_t n = 0;
    while (json_walk(&walk))
        n++;
    json_decref(list);
    return n;
}

static void test_walk(void)
{
    is_int(count_of("[1,2,3]"), 3, "an array's elements");
    is_int(count_of("{\"0\":1,\"2\":2}"), 2, "an object's values");
    is_int(count_of("[]"), 0, "an empty array");
    is_int(count_of("{}"), 0, "an empty object");
    is_int(count_of("\"abc\""), 0, "a string is no list");
    struct json_walk none = {.list = NULL};
    ok(!json_walk(&none), "nothing is no list");
}

static void prints(const char *decimal, const char *want)
{
    json_t *number = json_decimal(decimal);
    char *text = json_canonical(number);
    is_str(text, want, "%s is sent as %s", decimal, want);
    free(text);
    json_decref(number);
}

static void test_decimal(void)
{
    prints("150", "150");
    prints("21.76", "21.76");
    prints("-0.5", "-0.5");
    prints("0", "0");
    prints("0.1", "0.1");
    prints("39.98", "39.98");
    prints("999999999999999999", "999999999999999999");
    prints("-999999999999999999", "-999999999999999999");
    prints("12345678901.2345", "12345678901.2345");
}

/* The slices of a text, each ended by "|"; then "." at a proper end, "!" where it is broken. */
static void slices(const char *text, const char *want)
{
    struct json_slices s = {.text = text, .len = strlen(text)};
    char got[512] = "";
    size_t n = 0;
    enum json_slice result;

    while ((result = json_slice(&s)) == JSON_SLICE_ONE && n < sizeof got - 100)
        n += (size_t)snprintf(got + n, sizeof got - n, "%.*s|", (int)s.element_len, s.element);
    snprintf(got + n, sizeof got - n, "%s", result == JSON_SLICE_END ? "." : "!");
    is_str(got, want, "%.60s", text);
}

static void test_slices(void)
{
    slices("[]", ".");
    slices(" [ \n ] \r\n", ".");
    slices("\xEF\xBB\xBF[1]", "1|.");
    slices("[{\"id\":1,\"total\":19.989999999999998},{\"id\":2}]",
           "{\"id\":1,\"total\":19.989999999999998}|{\"id\":2}|.");
    slices("[ {\"a\" : [1, 2, {}] } ,\n null,-1.50e+3 , \"x\" ]",
           "{\"a\" : [1, 2, {}] }|null|-1.50e+3|\"x\"|.");
    slices("[{\"a\":\"],[{\"},\"\\\"],\",\"\\\\\"]", "{\"a\":\"],[{\"}|\"\\\"],\"|\"\\\\\"|.");
    slices("[[1],[[2]]]", "[1]|[[2]]|.");
    static const char *const broken[] = {"",       " ",     "[",      "{}",         "1",
                                         "<html>", "[]x",   "[,]",    "notice [1]", "[}",
                                         "]",      "[\"a]", "[\"a\\", "[{\"a\":1",  "[[1]"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        slices(broken[i], "!");
    slices("[1],", "1|!");
    slices("[1,]", "1|!");
    slices("[1 2]", "1 2|."); /* not its business */
    slices("[1]]", "1|!");
    slices("[1}", "!");
    struct json_slices cut = {.text = "[1,22]", .len = 4};
    is_int(json_slice(&cut), JSON_SLICE_ONE, "of a text that is cut, one");
    is_int(json_slice(&cut), JSON_SLICE_BROKEN, "and no other");
}

/* A reason that an earlier version cut inside a character must not make a whole report fail. */
static void from_text(const char *text, const char *want)
{
    json_t *string = json_from_text(text), *report = json_pack("{sO}", "reason", string);
    char *dumped = report ? json_dumps(report, JSON_COMPACT) : NULL;

    is_str(json_string_value(string), want, "any bytes are a JSON string");
    ok(dumped != NULL, "that can be written");
    free(dumped);
    json_decref(report);
    json_decref(string);
}

static void test_from_text(void)
{
    from_text("", "");
    from_text("M\xC3\xBCller \xE2\x82\xAC", "M\xC3\xBCller \xE2\x82\xAC");
    from_text("status 422 M\xC3", "status 422 M?");
    from_text("M\xC3\xBCller \xE2\x82", "M??ller ??");
    from_text("\xED\xA0\x80 \xC0\x80", "??? ??");
}

/* An array of n pieces with a comma between.. */
static bool reads(const char *piece, size_t n, struct error *e)
{
    const size_t len = strlen(piece);
    char *text = malloc(n * (len + 1) + 2), *at = text;

    if (!text)
        return false;
    *at++ = '[';
    for (size_t i = 0; i < n; i++) {
        memcpy(at, piece, len);
        at += len;
        *at++ = i + 1 < n ? ',' : ']';
    }
    json_t *value = json_decode_exact(text, (size_t)(at - text), e);
    bool good = json_array_size(value) == n;
    json_decref(value);
    free(text);
    return good;
}

static void test_too_many(void)
{
    static const struct {
        const char *piece;
        size_t weight;
    } cases[] = {{"1", 1},    {"\"\"", 1}, {"true", 1}, {"false", 1},
                 {"null", 1}, {"[]", 2},   {"{}", 4},   {"{\"a\":1}", 6}};
    struct error e = ERROR_NONE;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t most = 0, each = strlen(cases[i].piece) + 1;
        /* 2 is the array around them */
        while (2 + (most + 1) * cases[i].weight <= json_values_max((most + 1) * each + 1))
            most++;
        ok(reads(cases[i].piece, most, &e), "%zu of %s are read: %s", most, cases[i].piece, e.text);
        ok(!reads(cases[i].piece, most + 1, &e) && strstr(e.text, JSON_TOO_MANY), "one more is refused: %s",
           e.text);
    }
}

/* -- when memory runs out -- */

static long left; /* allocations until one fails; all of them do from then on if it is below 0 */

static void *one_fails(size_t n)
{
    return --left == 0 ? NULL : malloc(n);
}

static void written_whole_or_not_at_all(void)
{
    json_t *value = json_pack("{s:s, s:{s:i, s:s}, s:s}", "a key of some length", "a value of some length",
                              "inner", "one", 1, "two", "2", "the last key of all", "x");
    char *whole = json_dumps(value, JSON_COMPACT);
    bool same = value && whole;

    json_set_alloc_funcs(one_fails, free);
    for (long at = 1; at < 20; at++) {
        left = at;
        char *text = json_written(value, JSON_COMPACT);
        same = same && (!text || !strcmp(text, whole));
        free(text);
    }
    left = 0;
    json_set_alloc_funcs(malloc, free);
    ok(same, "if memory runs out nothing is written, or all");
    free(whole);
    json_decref(value);
}

/* Values of one text stay what they are while others are decoded, and in whatever order all of them go (json_memory.h). */
static void values_live_as_long_as_they_are_held(void)
{
    static const char one[] = "{\"name\":\"Jane\",\"list\":[\"a\",{\"b\":\"c\"}]}",
                      other[] = "{\"x\":[\"y\",\"z\"]}";
    struct buf large;
    bool same = true;

    buf_init(&large, 4000000);
    buf_addc(&large, '[');
    for (int i = 0; i < 20000; i++)
        buf_addf(&large, "%s\"%d\"", i ? "," : "", i);
    buf_addc(&large, ']');
    for (int round = 0; round < 3; round++) {
        json_t *first = json_decode_exact(one, strlen(one), NULL);
        json_t *held = json_incref(json_object_get(first, "list"));
        json_t *second = round == 1 ? json_decode_exact(large.data, large.len, NULL)
                                    : json_decode_exact(other, strlen(other), NULL);
        json_decref(first);
        json_t *third =
            json_decode_exact(round == 2 ? large.data : other, round == 2 ? large.len : strlen(other), NULL);
        json_t *const values[] = {held, second, third};
        const char *const texts[] = {"[\"a\",{\"b\":\"c\"}]", round == 1 ? large.data : other,
                                     round == 2 ? large.data : other};
        for (int i = 0; i < 3; i++) {
            char *text = json_canonical(values[(round + i) % 3]);
            same = same && text && !strcmp(text, texts[(round + i) % 3]);
            free(text);
            json_decref(values[(round + i) % 3]);
        }
    }
    ok(same, "values stay what they are, whatever is decoded meanwhile");
    buf_free(&large);
}

int main(void)
{
    test_too_many();
    test_numbers();
    test_escapes();
    test_bytes();
    test_every_prefix();
    test_depth();
    test_position();
    test_text();
    test_walk();
    test_decimal();
    test_slices();
    test_from_text();
    written_whole_or_not_at_all();
    values_live_as_long_as_they_are_held();
    return tap_done();
}
