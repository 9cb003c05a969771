#include "web/client.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <string.h>

bool client_hash(const struct app *app, const char *address, const char *label, char out[RECORD_SHORT_SIZE])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    unsigned char bytes[16];
    const void *what = address;
    size_t len = strlen(address);
    char hex[DIGEST_HEX_SIZE];

    if (inet_pton(AF_INET, address, bytes) == 1) {
        what = bytes;
        len = 4;
    } else if (inet_pton(AF_INET6, address, bytes) == 1) {
        bool is_mapped = !memcmp(bytes, mapped, sizeof mapped);
        what = is_mapped ? bytes + 12 : bytes;
        len = is_mapped ? 4 : 8;
    }
    if (!digest_label_hex(app->hash_key, DIGEST_LEN, label, what, len, hex))
        return false;
    text_copy(out, RECORD_SHORT_SIZE, hex);
    return true;
}

bool client_is_local(const struct request *request)
{
    const char *address = request->remote_addr;

    return !request->is_forwarded &&
           (!strncmp(address, "127.", 4) || !strncmp(address, "::ffff:127.", 11) || !strcmp(address, "::1"));
}
