/* What config_write leaves of a settings file, and what it puts into it. */
#include "config/write.h"
#include "base/buf.h"
#include "base/files.h"
#include "sandbox.h"
#include "tap.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    ok(file && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, mode) == 0, "given a file");
}

static void holds(const char *path, const char *want, mode_t mode, const char *what)
{
    struct buf text;
    struct error e = ERROR_NONE;
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    buf_init(&text, 4096);
    ok(fd >= 0 && fstat(fd, &st) == 0 && files_read_fd(fd, &text, &e), "%s: it can be read", what);
    is_str(text.data, want, "%s", what);
    is_int(st.st_mode & 0777, mode, "%s: its rights", what);
    buf_free(&text);
    if (fd >= 0)
        close(fd);
}

int main(void)
{
    const struct config_value values[] = {{"SHOP", "it's $new"}, {"LOG", "/var/log/x"}};
    struct sandbox sandbox;
    struct error e = ERROR_NONE;
    char path[128];

    if (!ok(sandbox_begin(&sandbox), "a directory"))
        return tap_done();
    sandbox_path(&sandbox, "settings", path);
    ok(config_write(path, values, 2, &e), "a file that is made %s", e.text);
    holds(path, "SHOP='it'\\''s $new'\nLOG='/var/log/x'\n", 0600, "made");

    put(path, "# SHOP=a comment\nexport SHOP=old\nSHOPS=x\nSHOP='again'\nDATA_DIR=/d", 0640);
    ok(config_write(path, values, 1, &e), "one that is there %s", e.text);
    holds(path, "# SHOP=a comment\nSHOPS=x\nDATA_DIR=/d\nSHOP='it'\\''s $new'\n", 0640, "changed");

    put(path, "SHOP='two\nlines'\n", 0600);
    ok(!config_write(path, values, 1, &e) && strstr(e.text, "several lines"), "a value of two lines: %s",
       e.text);
    holds(path, "SHOP='two\nlines'\n", 0600, "left alone");

    e = (struct error)ERROR_NONE;
    sandbox_path(&sandbox, "none/settings", path);
    ok(!config_write(path, values, 1, &e) && strstr(e.text, "directory"), "no directory: %s", e.text);

    e = (struct error)ERROR_NONE;
    sandbox_path(&sandbox, "pipe", path);
    ok(mkfifo(path, 0600) == 0 && !config_write(path, values, 1, &e) && strstr(e.text, "no plain file"),
       "what is no file is not replaced: %s", e.text);
    sandbox_end(&sandbox);
    return tap_done();
}
