#include "order/delivery.h"
#include <stdlib.h>
#include <string.h>

static const char form[] = "woo_ghl delivery 1";

static bool add_line(struct buf *out, const char *text)
{
    for (const char *p = text ? text : ""; *p; p++)
        if (!buf_addc(out, *p == '\n' || *p == '\r' ? ' ' : *p))
            return false;
    return buf_addc(out, '\n');
}

bool delivery_pack(const struct order_headers *headers, const void *body, size_t len, struct buf *out)
{
    return add_line(out, form) && add_line(out, headers->topic) && add_line(out, headers->resource) &&
           add_line(out, headers->source) && buf_add(out, body, len);
}

bool delivery_unpack(const char *packed, size_t len, struct delivery *out)
{
    *out = (struct delivery){0};
    const char *end = packed + len, *p = packed;
    const char *line[4];
    size_t offset[4];

    for (int i = 0; i < 4; i++) {
        line[i] = p;
        p = memchr(p, '\n', (size_t)(end - p));
        if (!p)
            return false;
        offset[i] = (size_t)(line[i] - packed);
        p++;
    }
    out->text = malloc((size_t)(p - packed) + 1);
    out->no_memory = !out->text;
    if (out->no_memory)
        return false;
    memcpy(out->text, packed, (size_t)(p - packed));
    for (char *q = out->text; q < out->text + (p - packed); q++)
        if (*q == '\n')
            *q = '\0';
    out->text[p - packed] = '\0';
    if (strcmp(out->text, form) != 0)
        return false;
    out->headers = (struct order_headers){
        .topic = out->text + offset[1], .resource = out->text + offset[2], .source = out->text + offset[3]};
    out->body = p;
    out->body_len = (size_t)(end - p);
    return true;
}

void delivery_free(struct delivery *delivery)
{
    free(delivery->text);
    *delivery = (struct delivery){0};
}
