#include "order/contact.h"
#include "base/text.h"
#include "order/phone.h"
#include <stdlib.h>
#include <string.h>

#define EMAIL_MAX 254 /* RFC 5321, 4.5.3.1 */
#define LOCAL_MAX 64
#define LABEL_MAX 63

static bool set(json_t *contact, const char *key, const char *value)
{
    return !*value || !json_object_set_new(contact, key, json_string(value));
}

static bool set_clean(json_t *contact, const char *key, const char *typed)
{
    char *value = text_clean(typed, CONTACT_FIELD_MAX);
    bool good = value && set(contact, key, value);
    free(value);
    return good;
}

/* GHL has one line where WooCommerce has two. A second line that does not fit is left out whole. */
static bool set_address(json_t *contact, const struct order *order)
{
    char *one = text_clean(order_billing(order, "address_1"), CONTACT_FIELD_MAX);
    char *two = text_clean(order_billing(order, "address_2"), CONTACT_FIELD_MAX);
    struct buf both;
    buf_init(&both, 2 * CONTACT_FIELD_MAX + 2);
    bool good = one && two && buf_addf(&both, "%s%s%s", one, *one && *two ? ", " : "", two) &&
                set(contact, "address1", both.len <= CONTACT_FIELD_MAX ? both.data : one);
    buf_wipe(&both);
    free(one);
    free(two);
    return good;
}

/* -- email -- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

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

static bool set_email(json_t *contact, const struct order *order)
{
    char *email = text_clean(order_billing(order, "email"), EMAIL_MAX + 1);
    if (!email)
        return false;
    text_lower(email);
    bool good = !contact_is_email(email) || set(contact, "email", email);
    free(email);
    return good;
}

/* -- country and phone -- */

/* ISO 3166-1 alpha-2, upper-case; "" for anything else, and for those that the vendor's list of countries
 * lacks. */
static void read_country(const char *typed, char out[3])
{
    static const char *const lacking[] = {"BL", "BQ", "CW", "SS"};
    out[0] = '\0';
    typed += strspn(typed, " ");
    if (!is_letter(typed[0]) || !is_letter(typed[1]) || typed[2 + strspn(typed + 2, " ")])
        return;
    out[0] = (char)(typed[0] & ~0x20);
    out[1] = (char)(typed[1] & ~0x20);
    out[2] = '\0';
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++)
        if (!strcmp(out, lacking[i]))
            out[0] = '\0';
}

/* The phone's numbering plan is that of the country as typed, also of one that GHL does not know. */
static bool set_country_and_phone(json_t *contact, const struct order *order)
{
    char *typed_country = text_clean(order_billing(order, "country"), CONTACT_FIELD_MAX);
    char *typed_phone = text_clean(order_billing(order, "phone"), CONTACT_FIELD_MAX);
    bool good = typed_country && typed_phone;
    if (good) {
        char country[3], phone[PHONE_SIZE];
        read_country(typed_country, country);
        good = set(contact, "country", country) &&
               (!phone_e164(typed_phone, typed_country, phone) || set(contact, "phone", phone));
    }
    free(typed_country);
    free(typed_phone);
    return good;
}

/* -- name -- */

static bool has(const json_t *contact, const char *key)
{
    return json_object_get(contact, key) != NULL;
}

/* Where email or phone find the contact, a missing name stays missing: the one that GHL has is not
 * overwritten. */
bool contact_give_name(json_t *contact, const struct order *order, const char *shop)
{
    if (has(contact, "email") || has(contact, "phone") || has(contact, "firstName") ||
        has(contact, "lastName"))
        return true;
    if (has(contact, "companyName"))
        return set(contact, "firstName", json_text(contact, "companyName"));
    char *name = NULL;
    bool good =
        asprintf(&name, "%s order %.100s", shop, order->number) >= 0 && set_clean(contact, "firstName", name);
    free(name);
    return good;
}

json_t *contact_of(const struct order *order, const char *shop)
{
    static const struct {
        const char *key, *field;
    } plain[] = {
        {"firstName", "first_name"}, {"lastName", "last_name"},  {"companyName", "company"}, {"city", "city"},
        {"state", "state"},          {"postalCode", "postcode"},
    };
    json_t *contact = json_object();
    bool good = contact != NULL;
    for (size_t i = 0; good && i < sizeof plain / sizeof *plain; i++)
        good = set_clean(contact, plain[i].key, order_billing(order, plain[i].field));
    if (good && set_address(contact, order) && set_email(contact, order) &&
        set_country_and_phone(contact, order) && contact_give_name(contact, order, shop))
        return contact;
    json_decref(contact);
    return NULL;
}
