#include "base/log.h"

#include "base/buf.h"
#include "tap.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/woo_ghl-log-XXXXXX";
static char path[64], rotated[64];

/* The file's lines since the last call, without "time=...Z " which is checked here. */
static const char *lines(const char *file)
{
    static char text[3 * 4096];
    static char raw[3 * 4096];
    size_t n = 0;
    text[0] = '\0';
    FILE *f = fopen(file, "r");
    if (!f)
        return "(no file)";
    n = fread(raw, 1, sizeof raw - 1, f);
    raw[n] = '\0';
    fclose(f);
    if (truncate(file, 0) != 0)
        return "(cannot truncate)";
    char *out = text;
    for (char *p = raw; *p;) {
        if (strncmp(p, "time=20", 7) != 0 || p[28] != 'Z' || p[29] != ' ')
            return "(no time)";
        char *end = strchr(p, '\n');
        if (!end)
            return "(no newline)";
        size_t len = (size_t)(end - p - 30 + 1);
        memcpy(out, p + 30, len);
        out += len;
        p = end + 1;
    }
    *out = '\0';
    return text;
}

static void fields(struct log *log)
{
    struct log_about about = {.order = "shop:1001",
                              .client = "203.0.113.9",
                              .email = "john@example.com",
                              .phone = "+1 555 555 7890",
                              .reason = "duplicate",
                              .trace_id = "t-1",
                              .ghl_id = "ve9EPM428h8vShlRW1KT",
                              .status = 200,
                              .ms = 0,
                              .has_ms = true};
    log_event(log, LOG_LEVEL_INFO, "skipped", &about, "Skipping Duplicate Order #%d", 1001);
    is_str(lines(path),
           "level=info event=skipped order=shop:1001 client=203.0.113.9 ms=0 status=200 reason=duplicate "
           "email=jo***@example.com phone=***-7890 ghl_id=ve9EPM428h8vShlRW1KT trace_id=t-1 "
           "msg=\"Skipping Duplicate Order #1001\"\n",
           "every field has its place");

    log_event(log, LOG_LEVEL_ERROR, "odd", &(struct log_about){.order = "a b\"c\\d", .client = "2001:db8::1"},
              "one");
    is_str(lines(path), "level=error event=odd order=\"a b\\\"c\\\\d\" client=2001:db8::1 msg=one\n",
           "a value with spaces, quotes or backslashes is quoted");

    log_event(log, LOG_LEVEL_WARN, "injected", NULL, "first\nlevel=error event=%s", "forged\r\n\x1b[0m");
    is_str(lines(path), "level=warn event=injected msg=\"first level=error event=forged   [0m\"\n",
           "no value makes a second line");

    log_event(log, LOG_LEVEL_WARN, "leak", &(struct log_about){.client = "john@example.com"},
              "no contact %s at %s", "jane.doe@example.org", "(555) 555-0123");
    is_str(
        lines(path),
        "level=warn event=leak client=jo***@example.com msg=\"no contact ja***@example.org at ***-0123\"\n",
        "personal data in the wrong place is masked all the same");

    log_event(log, LOG_LEVEL_DEBUG, "quiet", NULL, "nothing");
    is_str(lines(path), "", "a line below the level is not written");
    log_event(NULL, LOG_LEVEL_ERROR, "nowhere", NULL, "nothing");
    errno = EPROTO;
    log_event(log, LOG_LEVEL_INFO, "e", NULL, "%s", "");
    is_int(errno, EPROTO, "errno is left alone");
    is_str(lines(path), "level=info event=e\n", "an empty message is no field");
}

static void secrets(struct log *log)
{
    log_secret(log, "abcde");
    log_secret(log, "pit-12345");
    log_secret(log, "pit-12345-long");
    log_secret(log, "pit-12345");
    log_secret(log, "a b@c \"d\"\n");
    log_secret(log, NULL);
    log_event(log, LOG_LEVEL_INFO, "s", &(struct log_about){.reason = "xpit-12345y"},
              "abcde pit-12345-long pit-12345-lon Bearer pit-12345. <%s>", "a b@c \"d\"\n");
    is_str(lines(path),
           "level=info event=s reason=x[secret]y msg=\"abcde [secret] [secret]-lon Bearer [secret]. "
           "<[secret]>\"\n",
           "a secret is hidden wherever it stands, the longest one first, a short one never");
}

static void lengths(struct log *log)
{
    static char text[20001], want[5000];
    memset(text, '"', sizeof text - 1);
    log_event(log, LOG_LEVEL_INFO, "long",
              &(struct log_about){.order = text, .ghl_id = text, .trace_id = text}, "%s", text);
    const char *got = lines(path);
    ok(strlen(got) + 30 <= 4096 && strlen(got) + 30 >= 4094, "the longest line is 4096 bytes");
    is_str(got + strlen(got) - 7, "\\\"...\"\n", "its message is cut between characters and closed");

    /* 30 bytes of time, "level=info event=utf msg=" and the newline leave the value 4039; quotes 4037. */
    memset(text, 'x', sizeof text);
    for (size_t i = 1; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof text - 1] = '\0';
    log_event(log, LOG_LEVEL_INFO, "utf", NULL, "%s", text);
    got = lines(path);
    size_t len = strlen(got);
    ok(len + 30 <= 4096 && len + 30 >= 4094, "a long text fills the line");
    memcpy(want, got, len + 1);
    ok(!strcmp(want + len - 4, "...\n") && (want[len - 5] & 0xff) == 0xa9, "and ends with a whole character");
}

/* What is half of an address, or of a number, where a text was cut, does not show. */
static void cut_texts(struct log *log)
{
    static char text[20001], shown[20001];

    for (size_t at = 16384 - 40; at < 16384 + 4; at++) {
        memset(text, ' ', sizeof text - 1);
        for (size_t i = 0; i < at; i += 60) /* which are shorter when they are masked */
            memcpy(text + i, "a.long.local.part.of.an.address@example.com ", 44);
        memcpy(text + at, "somebody.else@example.com +1 (555) 555-0123", 43);
        (void)log_printable(log, text, shown, sizeof shown);
        if (strstr(shown, "somebody") || strstr(shown, "555"))
            ok(false, "cut %zu bytes behind its begin", (size_t)16384 - at);
    }
    ok(strlen(shown) < 16384 && !strcmp(shown + strlen(shown) - 3, "..."), "a long text is cut");
    is_str(log_printable(log, "\x1b[31mred\x07 pit-12345 jo.doe@example.com", shown, sizeof shown),
           " [31mred  [secret] jo***@example.com", "a terminal is told nothing, nor is a secret");
    is_str(log_printable(log, "\xc3\xa9\xc3\xa9", shown, 4), "\xc3\xa9",
           "a short place gets whole characters");
}

static void rotation(struct log *log)
{
    struct stat st;
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "the file is its owner's alone");
    ok(rename(path, rotated) == 0, "when it is renamed away");
    log_event(log, LOG_LEVEL_INFO, "after", NULL, "rotation");
    is_str(lines(path), "level=info event=after msg=rotation\n", "the next line goes to a new file");
    is_str(lines(rotated), "", "and not to the old one");
    ok(unlink(path) == 0 && mkdir(path, 0700) == 0, "when the name cannot be opened any more");
    log_event(log, LOG_LEVEL_INFO, "still", NULL, "here");
    ok(rmdir(path) == 0, "(the name is free again)");
    log_event(log, LOG_LEVEL_INFO, "back", NULL, "again");
    is_str(lines(path), "level=info event=back msg=again\n", "the caller goes on, and so do later lines");
}

#define WRITERS 4
#define LINES 500
#define MAX 100000 /* bytes: less than all of their lines have, and more than half */

static int count_lines(const char *file)
{
    int n = 0;
    FILE *f = fopen(file, "r");
    for (int c; f && (c = getc(f)) != EOF;)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static void bound(void)
{
    struct error e = ERROR_NONE;
    struct stat st = {0};
    pid_t child[WRITERS];
    char old[80];

    snprintf(old, sizeof old, "%s" LOG_OLD, path);
    for (int i = 0; i < WRITERS; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            struct log *log = log_open(path, LOG_LEVEL_INFO, MAX, &e);
            for (int n = 0; n < LINES; n++)
                log_event(log, LOG_LEVEL_INFO, "line", NULL, "%d of writer %d, and so on", n, i);
            _exit(log ? 0 : 1);
        }
    }
    for (int i = 0; i < WRITERS; i++)
        ok(child[i] > 0 && waitpid(child[i], NULL, 0) == child[i], "writer %d", i);
    ok(stat(old, &st) == 0 && st.st_size >= MAX && st.st_size < MAX + WRITERS * 4096L,
       "a file that is full is put aside (%ld bytes)", (long)st.st_size);
    ok(count_lines(old) + count_lines(path) == WRITERS * LINES, "once, by one of several: no line is lost");
    unlink(old);
}

int main(void)
{
    struct error e = ERROR_NONE;
    umask(0);
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/log", dir);
    snprintf(rotated, sizeof rotated, "%s/log.1", dir);

    ok(!log_open("/nonexistent/dir/log", LOG_LEVEL_INFO, 0, &e), "a log that cannot be opened is an error");
    ok(strstr(e.text, "/nonexistent/dir/log") && strstr(e.text, "No such file"), "that names it: %s", e.text);

    struct log *log = log_open(path, LOG_LEVEL_INFO, 0, &e);
    ok(log != NULL, "a log in a file");
    if (log) {
        fields(log);
        secrets(log);
        lengths(log);
        cut_texts(log);
        rotation(log);
    }
    log_close(log);
    log_close(NULL);
    bound();
    log = log_open("stderr", LOG_LEVEL_ERROR, 0, &e);
    ok(log != NULL, "stderr is always open");
    log_close(log);
    log = log_open("syslog", LOG_LEVEL_ERROR, 0, &e);
    ok(log != NULL, "so is syslog");
    log_event(log, LOG_LEVEL_ERROR, "test", NULL, "a line for syslog, where there is one");
    log_close(log);
    unlink(path);
    unlink(rotated);
    ok(rmdir(dir) == 0, "nothing else was made");
    return tap_done();
}
