#include "order/contact.h"
#include "base/ascii.h"
#include "base/redact.h"
#include "base/text.h"
#include "base/utf8.h"
#include "order/phone.h"
#include "order/region.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EMAIL_MAX 254 /* RFC 5321, 4.5.3.1 */
#define LOCAL_MAX 64
#define LABEL_MAX 63

static bool set(json_t *contact, const char *key, const char *value)
{
    return !*value || !json_object_set_new(contact, key, json_string(value));
}

/* -- what is typed for nothing -- */

static const char *const no_names[] = {"guest", "none",    "null",         "unknown",       "noname",
                                       "na",    "no name", "not provided", "not available", NULL};

static bool is_one_in_any_case(const char *text, const char *const *list)
{
    while (*list && strcasecmp(text, *list) != 0)
        list++;
    return *list != NULL;
}

/* Marks, and what looks like a blank: those of ASCII, of all scripts in common, of Chinese and Japanese, full-width
 * ones, and the letters of Korean and Braille that show nothing. */
static bool is_mark(uint32_t code)
{
    static const struct {
        uint16_t first, last;
    } marks[] = {{0xA1, 0xA9},     {0xAB, 0xB4},     {0xB6, 0xB9},     {0xBB, 0xBF},     {0x115F, 0x1160},
                 {0x2000, 0x206F}, {0x2190, 0x25FF}, {0x2800, 0x2800}, {0x2E00, 0x2E7F}, {0x3000, 0x3004},
                 {0x3008, 0x3020}, {0x3164, 0x3164}, {0x30FB, 0x30FC}, {0xFE00, 0xFE6F}, {0xFF00, 0xFF0F},
                 {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40}, {0xFF5B, 0xFF65}, {0xFFA0, 0xFFA0}, {0xFFE0, 0xFFFF}};
    bool found = code < 0x80 && !is_letter((char)code) && !is_digit((char)code);
    for (size_t i = 0; !found && i < sizeof marks / sizeof *marks; i++)
        found = code >= marks[i].first && code <= marks[i].last;
    return found;
}

/* Marks alone, "N/A", and words for nothing in small letters: "Null" and "Guest" are names of people. */
static bool is_nothing(const char *text)
{
    static const char *const marks[] = {"n/a", "n.a.", "n.a", "n\\a", "undefined", NULL};
    bool says_nothing = true;
    size_t len;
    for (const char *s = text; *s; s += len)
        says_nothing = is_mark(utf8_read(s, &len)) && says_nothing;
    return says_nothing || is_one_in_any_case(text, marks) || text_is_one_of(text, no_names);
}

/* The same words as the only name there is. */
static bool is_no_name(const char *text)
{
    return !*text || is_one_in_any_case(text, no_names);
}

/* -- an address: billing's or shipping's -- */

enum { FIRST, LAST, COMPANY, LINE_1, LINE_2, CITY, POSTCODE, STATE, COUNTRY, PHONE, FIELDS };

struct address {
    char *field[FIELDS]; /* owned; cleaned, "" = nothing */
};

static void address_free(struct address *address)
{
    for (size_t i = 0; i < FIELDS; i++)
        free(address->field[i]);
}

static void forget(struct address *address, int field)
{
    address->field[field][0] = '\0';
}

static bool address_read(const struct order *order, const char *group, struct address *out)
{
    static const char *const names[FIELDS] = {"first_name", "last_name", "company", "address_1", "address_2",
                                              "city",       "postcode",  "state",   "country",   "phone"};
    const json_t *sent = json_object_get(order->json, group);
    *out = (struct address){{NULL}};
    for (int i = 0; i < FIELDS; i++) {
        out->field[i] = text_clean(json_text(sent, names[i]), CONTACT_FIELD_MAX);
        if (!out->field[i]) {
            address_free(out);
            return false;
        }
        /* "NA" is a place, too: Namibia, Naples */
        if (is_nothing(out->field[i]) || (i <= COMPANY && !strcmp(out->field[i], "NA")))
            forget(out, i);
    }
    if (is_no_name(out->field[FIRST]) && is_no_name(out->field[LAST])) {
        forget(out, FIRST);
        forget(out, LAST);
    }
    if (is_no_name(out->field[COMPANY]))
        forget(out, COMPANY);
    return true;
}

/* Both addresses, and which of them has the name and the place. */
struct person {
    struct address billing, shipping;
    const struct address *name, *place;
};

static bool has_any(const struct address *address, int from, int to)
{
    for (int i = from; i <= to; i++)
        if (*address->field[i])
            return true;
    return false;
}

static bool person_read(const struct order *order, struct person *out)
{
    if (!address_read(order, "billing", &out->billing))
        return false;
    if (!address_read(order, "shipping", &out->shipping)) {
        address_free(&out->billing);
        return false;
    }
    out->name = has_any(&out->billing, FIRST, COMPANY) ? &out->billing : &out->shipping;
    /* shops fill in country and state by themselves: alone they are no place of the customer's */
    out->place = has_any(&out->billing, LINE_1, POSTCODE) || !has_any(&out->shipping, LINE_1, POSTCODE)
                     ? &out->billing
                     : &out->shipping;
    return true;
}

static void person_free(struct person *person)
{
    address_free(&person->billing);
    address_free(&person->shipping);
}

/* "Ann Lee" */
static char *full_name(const struct address *name)
{
    const char *first = name->field[FIRST], *last = name->field[LAST];
    char *full = NULL;
    if (!*first && !*last)
        return strdup(name->field[COMPANY]);
    return asprintf(&full, "%s%s%s", first, *first && *last ? " " : "", last) < 0 ? NULL : full;
}

char *contact_name(const struct order *order)
{
    struct person person;
    if (!person_read(order, &person))
        return NULL;
    char *name = full_name(person.name);
    person_free(&person);
    return name;
}

/* -- email -- */

/* A byte of a character of two or three bytes, as international addresses have. */
static bool is_beyond_ascii(char c)
{
    return (unsigned char)c >= 0x80 && (unsigned char)c < 0xF0;
}

static bool is_atom_byte(char c)
{
    return is_letter(c) || is_digit(c) || is_beyond_ascii(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_local_part(const char *s, size_t n)
{
    if (n == 0 || n > LOCAL_MAX || s[0] == '.' || s[n - 1] == '.')
        return false;
    for (size_t i = 0; i < n; i++)
        if (s[i] == '.' ? s[i + 1] == '.' : !is_atom_byte(s[i]))
            return false;
    return true;
}

static bool is_label(const char *s, size_t n)
{
    if (n == 0 || n > LABEL_MAX || s[0] == '-' || s[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_letter(s[i]) && !is_digit(s[i]) && !is_beyond_ascii(s[i]) && s[i] != '-')
            return false;
    return true;
}

static bool is_top_level(const char *s, size_t n)
{
    if (n > 4 && !strncmp(s, "xn--", 4))
        return true;
    for (size_t i = 0; i < n; i++)
        if (!is_letter(s[i]) && !is_beyond_ascii(s[i]))
            return false;
    return n >= 2;
}

bool contact_is_email(const char *text)
{
    const char *at = strchr(text, '@');
    if (!at || strlen(text) > EMAIL_MAX || !is_local_part(text, (size_t)(at - text)))
        return false;
    const char *label = at + 1;
    for (;;) {
        size_t n = strcspn(label, ".");
        if (!is_label(label, n))
            return false;
        if (!label[n])
            return label != at + 1 && is_top_level(label, n);
        label += n + 1;
    }
}

/* In place: what cannot be seen and comes along with a copied address. */
static void drop_invisible(char *text)
{
    char *out = text;
    size_t len;
    for (const char *s = text; *s; s += len) {
        uint32_t code = utf8_read(s, &len);
        if ((code >= 0x200B && code <= 0x200F) || code == 0x2060 || code == 0xFEFF || code == 0xAD)
            continue;
        memmove(out, s, len);
        out += len;
    }
    *out = '\0';
}

static bool set_email(json_t *contact, const struct order *order, struct contact_notes *notes)
{
    char *email = text_clean(order_billing(order, "email"), EMAIL_MAX + 1);
    if (!email)
        return false;
    drop_invisible(email);
    text_lower(email);
    bool good = true;
    if (contact_is_email(email))
        good = set(contact, "email", email);
    else if (!is_nothing(email))
        mask_email(email, notes->email_left_out, sizeof notes->email_left_out);
    free(email);
    return good;
}

/* -- phone -- */

static const char *first_of(const char *a, const char *b, const char *c)
{
    return *a ? a : *b ? b : c;
}

/* One of the two phones. Its numbering plan is that of the country as typed beside it, also of one that GHL
 * does not know. */
static bool read_phone(const struct address *own, const struct address *other, const char *default_country,
                       char out[PHONE_SIZE])
{
    const char *country = first_of(own->field[COUNTRY], other->field[COUNTRY], default_country);
    return !phone_is_placeholder(own->field[PHONE]) && phone_e164(own->field[PHONE], country, out);
}

static bool set_phone(json_t *contact, const struct person *person, const char *default_country,
                      struct contact_notes *notes)
{
    const struct address *of[] = {&person->billing, &person->shipping};
    char phone[PHONE_SIZE];
    for (int i = 0; i < 2; i++) {
        const char *typed = of[i]->field[PHONE];
        if (*typed && read_phone(of[i], of[1 - i], default_country, phone)) {
            notes->phone_left_out[0] = '\0';
            notes->phone_shared = phone_has_extension(typed);
            return set(contact, "phone", phone);
        }
        if (*typed && !notes->phone_left_out[0])
            mask_phone(typed, notes->phone_left_out, sizeof notes->phone_left_out);
    }
    return true;
}

/* -- place -- */

/* ISO 3166-1 alpha-2, upper-case; "" for anything else, and for those that the vendor's list of countries
 * lacks. */
static void read_country(const char *typed, char out[3])
{
    static const char *const lacking[] = {"BL", "BQ", "CW", "SS", NULL};
    out[0] = '\0';
    if (!is_letter(typed[0]) || !is_letter(typed[1]) || typed[2])
        return;
    out[0] = (char)(typed[0] & ~0x20);
    out[1] = (char)(typed[1] & ~0x20);
    out[2] = '\0';
    if (text_is_one_of(out, lacking))
        out[0] = '\0';
}

/* GHL has one line where WooCommerce has two. A second line that does not fit is left out whole. */
static bool set_lines(json_t *contact, const char *one, const char *two)
{
    struct buf both;
    buf_init(&both, 2 * CONTACT_FIELD_MAX + 2);
    bool good = buf_addf(&both, "%s%s%s", one, *one && *two ? ", " : "", two) &&
                set(contact, "address1", both.len <= CONTACT_FIELD_MAX ? both.data : one);
    buf_wipe(&both);
    return good;
}

static bool set_place(json_t *contact, char *const *place, const char *country)
{
    return set(contact, "city", place[CITY]) && set(contact, "state", region_name(country, place[STATE])) &&
           set(contact, "postalCode", place[POSTCODE]) && set_lines(contact, place[LINE_1], place[LINE_2]);
}

/* -- the contact -- */

static bool set_name(json_t *contact, const struct address *name)
{
    return set(contact, "firstName", name->field[FIRST]) && set(contact, "lastName", name->field[LAST]) &&
           set(contact, "companyName", name->field[COMPANY]);
}

static bool set_all(json_t *contact, const struct order *order, const struct person *person,
                    const char *default_country, struct contact_notes *notes)
{
    char country[3];
    read_country(first_of(person->place->field[COUNTRY], person->billing.field[COUNTRY],
                          person->shipping.field[COUNTRY]),
                 country);
    return set_name(contact, person->name) && set_place(contact, person->place->field, country) &&
           set_email(contact, order, notes) && set(contact, "country", country) &&
           set_phone(contact, person, default_country, notes);
}

json_t *contact_of(const struct order *order, const char *default_country, struct contact_notes *notes)
{
    struct person person;
    *notes = (struct contact_notes){.phone_shared = false};
    if (!person_read(order, &person))
        return NULL;
    json_t *contact = json_object();
    if (contact && !set_all(contact, order, &person, default_country, notes)) {
        json_decref(contact);
        contact = NULL;
    }
    person_free(&person);
    return contact;
}

char *contact_standin_name(const json_t *contact, const struct order *order, const char *shop)
{
    const char *company = json_text(contact, "companyName");
    char *name = NULL;
    if (*company)
        return strdup(company);
    return asprintf(&name, "%s order %s", shop, order->number) < 0 ? NULL : name;
}
