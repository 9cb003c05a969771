#include "order/delivery.h"
#include "tap.h"
#include <string.h>

int main(void)
{
    struct buf packed;
    struct delivery delivery;
    static const char body[] = "{\"id\":1}\n\0\xff tail";

    buf_init(&packed, 4096);
    ok(delivery_pack(&(struct order_headers){"order.created", "order", "https://shop.example.com/"}, body,
                     sizeof body, &packed),
       "packed");
    ok(delivery_unpack(packed.data, packed.len, &delivery), "unpacked");
    is_str(delivery.headers.topic, "order.created", "topic");
    is_str(delivery.headers.resource, "order", "resource");
    is_str(delivery.headers.source, "https://shop.example.com/", "source");
    ok(delivery.body_len == sizeof body && !memcmp(delivery.body, body, sizeof body),
       "the body, byte for byte");
    delivery_free(&delivery);

    buf_reset(&packed);
    ok(delivery_pack(&(struct order_headers){"a\nb\r", NULL, ""}, "", 0, &packed),
       "headers with line breaks, or none, and no body");
    ok(delivery_unpack(packed.data, packed.len, &delivery), "unpacked");
    is_str(delivery.headers.topic, "a b ", "a line break is a space");
    is_str(delivery.headers.resource, "", "a missing header is empty");
    is_int(delivery.body_len, 0, "no body");
    delivery_free(&delivery);

    static const char *const none[] = {"", "woo_ghl delivery 1", "woo_ghl delivery 1\n\n\n",
                                       "another form\n\n\n\nbody"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        ok(!delivery_unpack(none[i], strlen(none[i]), &delivery), "no packed delivery: %zu", i);
        delivery_free(&delivery);
    }
    buf_free(&packed);
    buf_init(&packed, 10);
    ok(!delivery_pack(&(struct order_headers){"order.created", "", ""}, "", 0, &packed),
       "what does not fit is said");
    buf_free(&packed);
    return tap_done();
}
