#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/redact.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define FIELD_MAX_BYTES 256 /* of one value; seven of them leave room for the message */
#define SECRET_MIN 6        /* bytes; a shorter one would hide words */
#define HIDDEN "[secret]"
#define LOOK_MAX 16384 /* bytes of a text that are looked at: more than any line shows */
#define TAIL 512       /* at the end of a longer one: more than an address has */

struct log {
    enum log_level level;
    bool to_syslog;
    dev_t device; /* of the file, with its number */
    ino_t file;
    bool blind; /* a secret could not be taken in: no value may be printed any more */
    int fd;
    char *path;    /* NULL = not a file of our own */
    int64_t max;   /* bytes */
    char **secret; /* longest first: one may be part of another */
    size_t secret_count;
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* O_NONBLOCK: a pipe that nobody reads loses lines, it never stops the caller. */
static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
}

struct log *log_open(const char *to, enum log_level level, int64_t max, struct error *e)
{
    struct log *log = calloc(1, sizeof *log);
    if (!log)
        goto no_memory;
    log->level = level;
    log->max = max;
    log->fd = STDERR_FILENO;
    if (to && strcmp(to, "syslog") == 0) {
        log->to_syslog = true;
        openlog("woo_ghl", LOG_PID, LOG_DAEMON);
    } else if (to && strcmp(to, "stderr") != 0) {
        log->path = strdup(to);
        if (!log->path)
            goto no_memory;
        log->fd = open_file(to);
        if (log->fd < 0) {
            error_set(e,
                      "LOG: %s cannot be opened for writing (%s); name a file in a directory that this "
                      "user may write to, or stderr or syslog",
                      to, strerror(errno));
            free(log->path);
            free(log);
            return NULL;
        }
    }
    return log;

no_memory:
    error_set(e, "LOG: out of memory");
    free(log);
    return NULL;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    if (log->to_syslog)
        closelog();
    if (log->path && log->fd >= 0)
        close(log->fd);
    for (size_t i = 0; i < log->secret_count; i++)
        text_free_secret(log->secret[i]);
    free(log->secret);
    free(log->path);
    free(log);
}

void log_secret(struct log *log, const char *value)
{
    if (!log || !value || strlen(value) < SECRET_MIN)
        return;
    for (size_t i = 0; i < log->secret_count; i++)
        if (strcmp(log->secret[i], value) == 0)
            return;

    char **more = realloc(log->secret, (log->secret_count + 1) * sizeof *more);
    if (more)
        log->secret = more;
    char *copy = more ? strdup(value) : NULL;
    if (!copy) {
        log->blind = true;
        return;
    }
    size_t at = log->secret_count++;
    for (; at > 0 && strlen(more[at - 1]) < strlen(copy); at--)
        more[at] = more[at - 1];
    more[at] = copy;
}

/* The first secret in the text, and its length; NULL = there is none. */
static const char *find_secret(const struct log *log, const char *text, size_t *len)
{
    for (; *text; text++)
        for (size_t i = 0; i < log->secret_count; i++) {
            *len = strlen(log->secret[i]);
            if (*text == *log->secret[i] && strncmp(text, log->secret[i], *len) == 0)
                return text;
        }
    return NULL;
}

/* The text itself if there is nothing to hide; else what is in `out` then. NULL if memory is short. */
static const char *hide_secrets(const struct log *log, const char *text, struct buf *out)
{
    size_t len;
    const char *secret = find_secret(log, text, &len);

    if (!secret)
        return text;
    for (; secret; secret = find_secret(log, text, &len)) {
        if (!buf_add(out, text, (size_t)(secret - text)) || !buf_adds(out, HIDDEN))
            return NULL;
        text = secret + len;
    }
    return buf_adds(out, text) ? out->data : NULL;
}

/* The one masking place: secrets, then emails, phones and control characters. Only so much of a long text is looked at;
 * what it ends with then may be half of an address or a number, and is left out. */
static bool make_printable(const struct log *log, const char *text, struct buf *out)
{
    struct buf seen, hidden;
    size_t len = strnlen(text, LOOK_MAX + 1);
    bool whole = len <= LOOK_MAX;

    buf_init(&seen, LOOK_MAX);
    buf_init(&hidden, len * 2 + sizeof HIDDEN);
    if (!log || log->blind)
        text = NULL;
    else if (!whole)
        text = buf_add(&seen, text, LOOK_MAX) ? seen.data : NULL;
    if (text)
        text = hide_secrets(log, text, &hidden);
    bool good = text && mask_text(text, out);
    if (good && !whole) {
        out->len = text_cut(out->data, out->len, out->len > TAIL ? out->len - TAIL : 0);
        good = buf_adds(out, "...");
    }
    buf_wipe(&seen);
    buf_wipe(&hidden);
    return good;
}

const char *log_printable(const struct log *log, const char *text, char *out, size_t size)
{
    struct buf printable;

    buf_init(&printable, 3L * LOOK_MAX);
    (void)text_copy(out, size, make_printable(log, text, &printable) ? printable.data : "...");
    buf_wipe(&printable);
    return out;
}

static bool needs_quotes(const char *value)
{
    return !*value || strpbrk(value, " \"=\\") != NULL;
}

/* The value as logfmt wants it, in at most `max` bytes; a longer one ends in "...". */
static void put_value(struct buf *line, const char *value, size_t max)
{
    bool quoted = needs_quotes(value);
    size_t used = quoted ? 2 : 0, cut = 0, len = strlen(value), i = 0;
    /* `cut` follows the last place where "..." would still fit, at a character's end. */
    for (; i < len; i++) {
        size_t cost = quoted && (value[i] == '"' || value[i] == '\\') ? 2 : 1;
        if (((unsigned char)value[i] & 0xc0) != 0x80 && used + 3 <= max)
            cut = i;
        if (used + cost > max)
            break;
        used += cost;
    }
    bool whole = i == len;
    if (!whole)
        len = cut;
    bool good = !quoted || buf_addc(line, '"');
    size_t from = 0; /* what is not in the line yet */
    for (i = 0; i < len && quoted && good; i++)
        if (value[i] == '"' || value[i] == '\\') {
            good = buf_add(line, value + from, i - from) && buf_addc(line, '\\');
            from = i;
        }
    good = good && buf_add(line, value + from, len - from) && (whole || buf_adds(line, "..."));
    if (good && quoted)
        good = buf_addc(line, '"');
    if (!good)
        line->failed = true;
}

static void put_field(const struct log *log, struct buf *line, const char *name, const char *value,
                      size_t max)
{
    struct buf printable;
    if (!value || !*value)
        return;
    /* An email of 3 bytes grows to 6, a secret of 6 to 8; nothing grows more. */
    buf_init(&printable, strnlen(value, LOOK_MAX) * 3 + 64);
    if (make_printable(log, value, &printable) && buf_addc(line, ' ') && buf_adds(line, name) &&
        buf_addc(line, '='))
        put_value(line, printable.data, max);
    buf_wipe(&printable);
}

/* An address of the shop's server is no person's; but only a real address passes unmasked. */
static void put_client(const struct log *log, struct buf *line, const char *client)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (client && (inet_pton(AF_INET, client, address) == 1 || inet_pton(AF_INET6, client, address) == 1)) {
        if (!buf_addf(line, " client=%s", client))
            return;
    } else {
        put_field(log, line, "client", client, FIELD_MAX_BYTES);
    }
}

static void put_about(const struct log *log, struct buf *line, const struct log_about *about)
{
    char masked[FIELD_MAX_BYTES];
    bool good = true;

    put_field(log, line, "order", about->order, FIELD_MAX_BYTES);
    put_client(log, line, about->client);
    if (about->has_ms && about->ms >= 0)
        good = buf_addf(line, " ms=%lld", (long long)about->ms);
    if (about->status)
        good = good && buf_addf(line, " status=%d", about->status);
    put_field(log, line, "reason", about->reason, FIELD_MAX_BYTES);
    if (about->email && *about->email) {
        mask_email(about->email, masked, sizeof masked);
        put_field(log, line, "email", masked, FIELD_MAX_BYTES);
    }
    if (about->phone && *about->phone) {
        mask_phone(about->phone, masked, sizeof masked);
        put_field(log, line, "phone", masked, FIELD_MAX_BYTES);
    }
    put_field(log, line, "ghl_id", about->ghl_id, FIELD_MAX_BYTES);
    put_field(log, line, "trace_id", about->trace_id, FIELD_MAX_BYTES);
    if (!good)
        line->failed = true;
}

static void note_file(struct log *log)
{
    struct stat held;

    log->file = fstat(log->fd, &held) == 0 ? held.st_ino : 0;
    log->device = log->file ? held.st_dev : 0;
}

static bool is_named(const struct log *log, struct stat *named)
{
    return stat(log->path, named) == 0 && named->st_ino == log->file && named->st_dev == log->device;
}

/* Only who has the lock of the file that the name leads to renames it: so one of several processes does. */
static void put_aside(const struct log *log)
{
    struct stat named;
    char *old = NULL;

    if (flock(log->fd, LOCK_EX | LOCK_NB) != 0)
        return;
    if (is_named(log, &named) && asprintf(&old, "%s" LOG_OLD, log->path) > 0) {
        (void)rename(log->path, old); /* better a file that is too large than no line */
        free(old);
    }
    (void)flock(log->fd, LOCK_UN);
}

/* Rotation renames the file and creates none: the name then leads nowhere, or elsewhere. */
static void follow_name(struct log *log)
{
    struct stat named;
    if (!log->path)
        return;
    if (!log->file)
        note_file(log);
    bool same = is_named(log, &named);
    if (same && log->max > 0 && S_ISREG(named.st_mode) && named.st_size >= log->max) {
        put_aside(log);
        same = is_named(log, &named);
    }
    if (same)
        return;
    int fd = open_file(log->path);
    if (fd < 0)
        return; /* better in the old file than nowhere */
    close(log->fd);
    log->fd = fd;
    note_file(log);
}

static ssize_t write_to(int fd, const struct buf *line)
{
    ssize_t written;

    do
        written = write(fd, line->data, line->len);
    while (written < 0 && errno == EINTR);
    return written;
}

static void write_line(struct log *log, enum log_level level, const struct buf *line)
{
    static const int priority[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
    if (log->to_syslog) {
        syslog(priority[level], "%.*s", (int)line->len - 1, line->data);
        return;
    }
    follow_name(log);
    /* What a file cannot take, on a full disk or quota, goes to the web server's log. A line that cannot be written there
     * either is lost: there is nowhere to say so, and the order matters more. */
    ssize_t written = write_to(log->fd, line);
    if (written != (ssize_t)line->len && log->fd != STDERR_FILENO)
        written = write_to(STDERR_FILENO, line);
    (void)written;
}

void log_event(struct log *log, enum log_level level, const char *event, const struct log_about *about,
               const char *fmt, ...)
{
    char now[32];
    char *message = NULL;
    struct buf line;
    va_list args;

    if (!log || level > log->level)
        return;
    int saved_errno = errno;
    buf_init(&line, LINE_MAX_BYTES);
    clock_format_iso(clock_wall_ms(), now);
    if (!buf_adds(&line, "time=") || !buf_adds(&line, now) || !buf_adds(&line, " level=") ||
        !buf_adds(&line, level_names[level]))
        goto out;
    put_field(log, &line, "event", event, FIELD_MAX_BYTES);
    if (about)
        put_about(log, &line, about);
    va_start(args, fmt);
    int n = vasprintf(&message, fmt, args);
    va_end(args);
    if (n < 0) {
        message = NULL;
        goto out;
    }
    if (!line.failed)
        put_field(log, &line, "msg", message, LINE_MAX_BYTES - line.len - sizeof " msg=\n");
    if (buf_addc(&line, '\n'))
        write_line(log, level, &line);
out:
    text_free_secret(message);
    buf_wipe(&line);
    errno = saved_errno;
}
