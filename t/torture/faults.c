#include "faults.h"
#include "base/buf.h"
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HANG_S 60

static const char *const names[FAULT_KINDS] = {"memory", "call", "lost"};
static long count[FAULT_KINDS], fails_at[FAULT_KINDS];
static bool counts, goes_on;

/* Is it this one's turn? */
static bool fails(enum fault_kind kind)
{
    if (!counts)
        return false;
    long n = ++count[kind];
    return fails_at[kind] > 0 && (n == fails_at[kind] || (goes_on && n > fails_at[kind]));
}

/* -- memory -- */

#define FAILING(type, name, params, args)                                                                    \
    type __real_##name params;                                                                               \
    type __wrap_##name params;                                                                               \
    type __wrap_##name params                                                                                \
    {                                                                                                        \
        if (fails(FAULT_MEMORY)) {                                                                           \
            errno = ENOMEM;                                                                                  \
            return NULL;                                                                                     \
        }                                                                                                    \
        return __real_##name args;                                                                           \
    }

FAILING(void *, malloc, (size_t n), (n))
FAILING(void *, calloc, (size_t n, size_t size), (n, size))
FAILING(void *, realloc, (void *old, size_t n), (old, n))
FAILING(char *, strdup, (const char *text), (text))
FAILING(char *, strndup, (const char *text, size_t n), (text, n))

int __real_vasprintf(char **out, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **out, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **out, const char *format, va_list args)
{
    *out = NULL;
    return fails(FAULT_MEMORY) ? -1 : __real_vasprintf(out, format, args);
}

int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = __wrap_vasprintf(out, format, args);
    va_end(args);
    return n;
}

/* A buffer whose maximum is passed, or that gets no more memory. */
#define FULL(name, params, args)                                                                             \
    bool __real_##name params;                                                                               \
    bool __wrap_##name params;                                                                               \
    bool __wrap_##name params                                                                                \
    {                                                                                                        \
        b->failed = b->failed || fails(FAULT_MEMORY);                                                        \
        return __real_##name args;                                                                           \
    }

FULL(buf_add, (struct buf * b, const void *bytes, size_t n), (b, bytes, n))
FULL(buf_adds, (struct buf * b, const char *text), (b, text))
FULL(buf_addc, (struct buf * b, char c), (b, c))

bool __wrap_buf_addf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
bool __wrap_buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    int n = __real_vasprintf(&text, format, args);
    va_end(args);
    b->failed = b->failed || n < 0 || fails(FAULT_MEMORY);
    if (!b->failed)
        (void)__real_buf_add(b, text, (size_t)n);
    free(n < 0 ? NULL : text);
    return !b->failed;
}

static void *crypto_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return __wrap_malloc(n);
}

static void *crypto_realloc(void *old, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return __wrap_realloc(old, n);
}

static void crypto_free(void *old, const char *file, int line)
{
    (void)file, (void)line;
    free(old);
}

static sqlite3_mem_methods sqlite_own;

static void *sqlite_malloc(int n)
{
    return fails(FAULT_MEMORY) ? NULL : sqlite_own.xMalloc(n);
}

static void *sqlite_realloc(void *old, int n)
{
    return fails(FAULT_MEMORY) ? NULL : sqlite_own.xRealloc(old, n);
}

/* -- calls -- */

/* One whose effect can be there, or not, when it is reported as failed. */
#define UNSURE(type, name, wrong, params, args) CALLED(type, name, wrong, params, args, fails(FAULT_LOST))
/* One that has none, or whose result would be lost with it. */
#define SURE(type, name, wrong, params, args) CALLED(type, name, wrong, params, args, false)
#define CALLED(type, name, wrong, params, args, is_lost)                                                     \
    type __real_##name params;                                                                               \
    type __wrap_##name params;                                                                               \
    type __wrap_##name params                                                                                \
    {                                                                                                        \
        if (fails(FAULT_CALL)) {                                                                             \
            errno = (wrong);                                                                                 \
            return -1;                                                                                       \
        }                                                                                                    \
        bool lost = (is_lost);                                                                               \
        type result = __real_##name args;                                                                    \
        if (lost) {                                                                                          \
            errno = EIO;                                                                                     \
            return -1;                                                                                       \
        }                                                                                                    \
        return result;                                                                                       \
    }

UNSURE(int, fsync, EIO, (int fd), (fd))
UNSURE(ssize_t, write, ENOSPC, (int fd, const void *bytes, size_t n), (fd, bytes, n))
UNSURE(int, renameat, EIO, (int dir, const char *from, int to_dir, const char *to), (dir, from, to_dir, to))
UNSURE(int, linkat, EIO, (int dir, const char *from, int to_dir, const char *to, int flags),
       (dir, from, to_dir, to, flags))
UNSURE(int, unlinkat, EIO, (int dir, const char *path, int flags), (dir, path, flags))
UNSURE(int, mkdir, ENOSPC, (const char *path, mode_t mode), (path, mode))
UNSURE(int, flock, ENOLCK, (int fd, int how), (fd, how))
SURE(ssize_t, read, EIO, (int fd, void *into, size_t n), (fd, into, n))
SURE(ssize_t, pread64, EIO, (int fd, void *into, size_t n, off_t at), (fd, into, n, at))
UNSURE(ssize_t, pwrite64, ENOSPC, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at))
SURE(int, fstat64, EIO, (int fd, struct stat *st), (fd, st))
SURE(int, socket, EMFILE, (int domain, int type, int protocol), (domain, type, protocol))
UNSURE(int, connect, ECONNREFUSED, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len))

#define OPENS(name, real, ...)                                                                               \
    int __real_##name(__VA_ARGS__, ...);                                                                     \
    int __wrap_##name(__VA_ARGS__, ...);                                                                     \
    int __wrap_##name(__VA_ARGS__, ...)                                                                      \
    {                                                                                                        \
        va_list args;                                                                                        \
        va_start(args, flags);                                                                               \
        mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                                            \
        va_end(args);                                                                                        \
        if (fails(FAULT_CALL)) {                                                                             \
            errno = EMFILE;                                                                                  \
            return -1;                                                                                       \
        }                                                                                                    \
        return __real_##name real;                                                                           \
    }

OPENS(open64, (path, flags, mode), const char *path, int flags)
OPENS(openat64, (dir, path, flags, mode), int dir, const char *path, int flags)

void *__real_mmap64(void *at, size_t n, int access, int flags, int fd, off_t from);
void *__wrap_mmap64(void *at, size_t n, int access, int flags, int fd, off_t from);
void *__wrap_mmap64(void *at, size_t n, int access, int flags, int fd, off_t from)
{
    if (fails(FAULT_CALL)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return __real_mmap64(at, n, access, flags, fd, from);
}

int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    if (fails(FAULT_CALL)) {
        errno = ENOLCK;
        return -1;
    }
    return __real_fcntl64(fd, command, argument);
}

/* The answer of a call that failed, or whose answer was lost. */
#define ANSWERED(type, name, before, after, params, args)                                                    \
    type __real_##name params;                                                                               \
    type __wrap_##name params;                                                                               \
    type __wrap_##name params                                                                                \
    {                                                                                                        \
        if (fails(FAULT_CALL))                                                                               \
            return (before);                                                                                 \
        bool lost = fails(FAULT_LOST);                                                                       \
        type result = __real_##name args;                                                                    \
        return lost ? (after) : result;                                                                      \
    }

static int redis_breaks(redisContext *c)
{
    c->err = REDIS_ERR_IO;
    snprintf(c->errstr, sizeof c->errstr, "torture");
    return REDIS_ERR;
}

ANSWERED(CURLcode, curl_easy_perform, CURLE_COULDNT_CONNECT, CURLE_RECV_ERROR, (CURL * curl), (curl))
ANSWERED(int, redisBufferWrite, redis_breaks(c), redis_breaks(c), (redisContext * c, int *done), (c, done))
ANSWERED(int, redisBufferRead, redis_breaks(c), redis_breaks(c), (redisContext * c), (c))

/* SQLite's own calls of the system: it knows what to do with each. */
static sqlite3_syscall_ptr sqlite_pread, sqlite_pwrite, sqlite_open;

static ssize_t sqlite_reads(int fd, void *into, size_t n, off_t at)
{
    typedef ssize_t call(int, void *, size_t, off_t);
    if (fails(FAULT_CALL)) {
        errno = EIO;
        return -1;
    }
    return ((call *)sqlite_pread)(fd, into, n, at);
}

static ssize_t sqlite_writes(int fd, const void *bytes, size_t n, off_t at)
{
    typedef ssize_t call(int, const void *, size_t, off_t);
    if (fails(FAULT_CALL)) {
        errno = ENOSPC;
        return -1;
    }
    bool lost = fails(FAULT_LOST);
    ssize_t wrote = ((call *)sqlite_pwrite)(fd, bytes, n, at);
    if (lost)
        errno = EIO;
    return lost ? -1 : wrote;
}

static int sqlite_opens(const char *path, int flags, int mode)
{
    typedef int call(const char *, int, int);
    if (fails(FAULT_CALL)) {
        errno = EACCES;
        return -1;
    }
    return ((call *)sqlite_open)(path, flags, mode);
}

/* Instead of the C library's: this one SQLite calls by its name. */
int fdatasync(int fd)
{
    if (fails(FAULT_CALL)) {
        errno = EIO;
        return -1;
    }
    bool lost = fails(FAULT_LOST);
    int result = (int)syscall(SYS_fdatasync, fd);
    if (lost)
        errno = EIO;
    return lost ? -1 : result;
}

static bool take(sqlite3_vfs *vfs, const char *name, sqlite3_syscall_ptr *own, sqlite3_syscall_ptr ours)
{
    *own = vfs->xGetSystemCall(vfs, name);
    return *own && vfs->xSetSystemCall(vfs, name, ours) == SQLITE_OK;
}

/* -- from where to where -- */

void faults_install(void)
{
    json_set_alloc_funcs(__wrap_malloc, free);
    bool good = CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) == 1 &&
                sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_own) == SQLITE_OK &&
                curl_global_init_mem(CURL_GLOBAL_DEFAULT, __wrap_malloc, free, __wrap_realloc, __wrap_strdup,
                                     __wrap_calloc) == CURLE_OK;
    sqlite3_mem_methods methods = sqlite_own;
    methods.xMalloc = sqlite_malloc;
    methods.xRealloc = sqlite_realloc;
    good = good && sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK &&
           sqlite3_initialize() == SQLITE_OK;
    sqlite3_vfs *vfs = good ? sqlite3_vfs_find(NULL) : NULL;
    if (!vfs || !take(vfs, "pread64", &sqlite_pread, (sqlite3_syscall_ptr)sqlite_reads) ||
        !take(vfs, "pwrite64", &sqlite_pwrite, (sqlite3_syscall_ptr)sqlite_writes) ||
        !take(vfs, "open", &sqlite_open, (sqlite3_syscall_ptr)sqlite_opens))
        abort();
}

void faults_at(enum fault_kind kind, long n, bool on)
{
    memset(count, 0, sizeof count);
    memset(fails_at, 0, sizeof fails_at);
    fails_at[kind] = n;
    goes_on = on;
    counts = true;
}

long faults_stop(enum fault_kind kind)
{
    counts = false;
    return count[kind];
}

void faults_begin(void)
{
    const char *at = getenv("WOO_GHL_FAIL_AT");

    for (int kind = 0; at && kind < FAULT_KINDS; kind++) {
        size_t n = strlen(names[kind]);
        char *end;
        if (strncmp(at, names[kind], n) != 0 || at[n] != '#')
            continue;
        fails_at[kind] = strtol(at + n + 1, &end, 10);
        goes_on = *end == '+';
    }
    (void)alarm(HANG_S); /* what waits for ever ends by a signal */
    counts = at || getenv("WOO_GHL_FAIL_COUNT");
}

#if defined(__SANITIZE_ADDRESS__)
int __lsan_do_recoverable_leak_check(void);
#endif

void faults_end(void)
{
    const char *path = getenv("WOO_GHL_FAIL_COUNT");
#if defined(__SANITIZE_ADDRESS__)
    bool tortured = counts;
#endif

    counts = false;
    if (path) {
        FILE *file = fopen(path, "w");
        for (int kind = 0; file && kind < FAULT_KINDS; kind++)
            fprintf(file, "%s %ld\n", names[kind], count[kind]);
        if (!file || fclose(file) != 0)
            abort();
    }
#if defined(__SANITIZE_ADDRESS__)
    if (tortured && __lsan_do_recoverable_leak_check())
        _exit(FAULTS_LEAK);
#endif
}
