#include "app/place.h"
#include "base/digest.h"
#include "base/files.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

bool place_name(const struct config *config, const char *stem, char out[PLACE_NAME_SIZE])
{
    char hash[DIGEST_HEX_SIZE];
    struct buf name;

    buf_init(&name, 1024);
    bool good = config_namespace(config, &name) && digest_label_hex("", 0, stem, name.data, name.len, hash);
    buf_free(&name);
    if (good)
        snprintf(out, PLACE_NAME_SIZE, "%.40s.%.12s", stem, hash);
    return good;
}

int place_open(const struct config *config, const char *stem, int flags, struct error *e)
{
    char name[PLACE_NAME_SIZE];
    int fd = -1, dir = files_open_dir(config->data_dir, e);

    if (dir < 0)
        return -1;
    if (place_name(config, stem, name))
        fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        error_set(e, "%s: its file %s.* cannot be opened", config->data_dir, stem);
    close(dir);
    return fd;
}
