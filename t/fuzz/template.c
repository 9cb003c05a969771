/* Fuzzes templates: a line for the template, then the order's body. */
#include "order/template.h"
#include "rig.h"
#include <stdlib.h>
#include <string.h>

static const char usual[] =
    "{\"id\":7,\"number\":\"A7\",\"status\":\"processing\",\"total\":\"10.00\",\"billing\":{\"first_name\":"
    "\"Ann &amp; Bo\"},\"line_items\":[{\"name\":\"Tee\",\"quantity\":2,\"sku\":\"t-1\"},{\"name\":\"Cap\"}],"
    "\"meta_data\":[{\"key\":\"a b\",\"value\":[\"x\",\"y\"]}]}";

static void render(const char *text, const struct template_scope *scope, size_t max)
{
    struct buf out;

    buf_init(&out, max);
    check(template_render(text, scope, max, &out) && out.len <= max && strlen(out.data) == out.len);
    check(fuzz_is_utf8(out.data) || !fuzz_is_utf8(text));
    buf_free(&out);
}

static void list(json_t *values, size_t longest)
{
    check(json_is_array(values) && json_array_size(values) <= TEMPLATE_LIST_MAX);
    for (size_t i = 0; i < json_array_size(values); i++)
        check(json_string_length(json_array_get(values, i)) <= longest);
    json_decref(values);
}

void fuzz_template(const uint8_t *bytes, size_t len)
{
    static const struct order_headers headers = {"order.updated", "order", "https://shop.example.com/"};
    static const char *const names[] = {"number", "id", NULL};
    char *text = fuzz_take(&bytes, &len, '\n');
    const char *body = len ? (const char *)bytes : usual;
    struct error e = ERROR_NONE;
    struct order order;
    struct order_verdict verdict = order_parse(body, len ? len : strlen(usual), &headers, &order);
    const struct template_scope scope = {&order, "shop"};
    struct buf out;

    buf_init(&out, TEMPLATE_VALUE_MAX);
    bool legal = template_check(text, &e);
    check(legal || *e.text);
    if (verdict.kind == ORDER_FULL && legal && fuzz_is_utf8(text)) {
        check(template_literal_len(text) <= strlen(text));
        (void)template_uses(text, "number");
        (void)template_uses_only(text, names);
        check(template_check_paths(text, &e) || *e.text);
        render(text, &scope, TEMPLATE_VALUE_MAX);
        render(text, &scope, 255);
        list(template_list(text, &scope), TEMPLATE_TAG_MAX);
        list(template_values(text, &scope), TEMPLATE_VALUE_MAX);
    } else if (verdict.kind == ORDER_FULL && !legal) {
        check(!template_render(text, &scope, TEMPLATE_VALUE_MAX, &out) && !template_list(text, &scope));
    }
    buf_free(&out);
    order_free(&order);
    free(text);
}
