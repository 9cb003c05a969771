/*
 * Fuzzes what lies at rest: packed deliveries, sealed blobs, the spool's files and their names.
 *
 * The first byte chooses: the rest is a packed delivery, a blob, a name, or what a spool's file holds once it is opened.
 */
#include "order/delivery.h"
#include "rig.h"
#include "spool/spool_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOB_MAX (1024L * 1024)

static char none[] = "", secret[] = "a data key of some length", prefix[] = "woo", location[] = "location1";
static char data[64];
static const struct config config = {.webhook_secret = none,
                                     .webhook_secret_previous = none,
                                     .data_key = secret,
                                     .data_key_previous = none,
                                     .redis_prefix = prefix,
                                     .ghl_location_id = location,
                                     .data_dir = data};

static const struct crypt *keys(void)
{
    static struct crypt *crypt;
    struct error e = ERROR_NONE;

    if (!crypt)
        check((crypt = crypt_new(&config, &e)) != NULL);
    return crypt;
}

static void delivery(const char *bytes, size_t len)
{
    struct delivery delivery = {0};
    struct buf packed;

    buf_init(&packed, BLOB_MAX);
    if (delivery_unpack(bytes, len, &delivery)) {
        check(delivery_pack(&delivery.headers, delivery.body, delivery.body_len, &packed));
        check(packed.len <= len && delivery.body + delivery.body_len == bytes + len);
    }
    delivery_free(&delivery);
    buf_free(&packed);
}

/* Nobody without the key makes a blob that opens: not by chance, and not of one that was sealed. */
static void blob(const char *bytes, size_t len)
{
    struct error e = ERROR_NONE;
    struct buf sealed, opened;

    buf_init(&sealed, BLOB_MAX);
    buf_init(&opened, BLOB_MAX);
    check(crypt_open(keys(), "body", "shop:1", bytes, len, &opened, &e) != CRYPT_OK && *e.text);
    check(crypt_seal(keys(), "body", "shop:1", bytes, len, &sealed) && sealed.len == len + CRYPT_OVERHEAD);
    check(crypt_open(keys(), "body", "shop:1", sealed.data, sealed.len, &opened, &e) == CRYPT_OK);
    check(opened.len == len && !memcmp(opened.data, len ? bytes : "", len));
    check(crypt_open(keys(), "body", "shop:2", sealed.data, sealed.len, &opened, &e) == CRYPT_DAMAGED);
    sealed.data[(len ? (unsigned char)*bytes : 0U) % sealed.len] ^= 1;
    check(crypt_open(keys(), "body", "shop:1", sealed.data, sealed.len, &opened, &e) != CRYPT_OK);
    check(opened.len == len);
    buf_free(&sealed);
    buf_free(&opened);
}

static void name(const char *text)
{
    struct spool_name parsed, again;

    if (!spool_name_parse(text, &parsed))
        return;
    check(spool_name_write(&parsed) && spool_name_parse(parsed.text, &again) &&
          !strcmp(parsed.text, again.text));
    (void)spool_name_is_due(&parsed, 1795000000);
    (void)spool_name_fail(&parsed, 1795000000);
    check(spool_name_write(&parsed));
}

/* A file whose content is sealed under the right key, whatever it says. */
static void write_file(const struct spool *spool, struct spool_name *as, const char *bytes, size_t len)
{
    char path[512], about[SPOOL_NAME_SIZE];
    struct buf sealed;

    memcpy(as->namespace, spool->namespace, sizeof as->namespace);
    check(spool_name_write(as));
    snprintf(path, sizeof path, "%s/spool/%s", data, as->text);
    buf_init(&sealed, BLOB_MAX);
    spool_about(as, about);
    check(crypt_seal(keys(), "spool", about, bytes, len, &sealed));
    FILE *file = fopen(path, "wb");
    check(file && fwrite(sealed.data, 1, sealed.len, file) == sealed.len && fclose(file) == 0);
    buf_free(&sealed);
}

static void file(enum spool_kind kind, const char *bytes, size_t len)
{
    static struct spool *spool;
    struct spool_name as = {
        .wall_ms = 1795000000000, .random = "0123456789ab", .order = SPOOL_ORDER_UNKNOWN, .kind = kind};
    struct spool_item item = {0};
    struct error e = ERROR_NONE;

    if (!spool) {
        snprintf(data, sizeof data, "%s", fuzz_directory());
        check((spool = spool_open(&config, keys(), &e)) != NULL);
    }
    snprintf(as.key_id, sizeof as.key_id, "%s", crypt_key_id(keys()));
    write_file(spool, &as, bytes, len);
    check(spool_begin(spool, false, &e) == SPOOL_OK);
    enum spool_result result = spool_next(spool, &item, &e);
    check(result == SPOOL_OK || (result == SPOOL_UNREADABLE && *item.why.text));
    if (result == SPOOL_OK && kind == SPOOL_DELIVERY)
        delivery(item.delivery.packed, item.delivery.packed_len);
    if (result == SPOOL_OK && kind == SPOOL_IDS)
        check(item.ids.key && item.ids.contact_id && item.ids.opportunity_id);
    spool_end(spool, &item, SPOOL_TAKEN, &e);
    spool_end_pass(spool);
}

void fuzz_sealed(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return;
    const char *rest = (const char *)bytes + 1;
    char *text = fuzz_text(rest, len - 1);

    switch (*bytes % 5) {
    case 0: delivery(rest, len - 1); break;
    case 1: blob(rest, len - 1); break;
    case 2: name(text); break;
    default: file(*bytes % 5 == 3 ? SPOOL_IDS : SPOOL_DELIVERY, rest, len - 1);
    }
    free(text);
}
