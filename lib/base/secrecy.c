#include "base/secrecy.h"
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define LARGE (256 * 1024)

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)
/*
 * The parser's values, libcurl's buffers, the replies of the store: who holds a customer's data is not for this program
 * to say, but all of them give it back here. glibc calls a program's own free instead of its own, also for its libraries.
 */
void __libc_free(void *block);
void *__libc_realloc(void *block, size_t size);

void free(void *block)
{
    int saved_errno = errno;

    if (block)
        explicit_bzero(block, malloc_usable_size(block));
    __libc_free(block);
    errno = saved_errno;
}

void *realloc(void *block, size_t size)
{
    const size_t had = block ? malloc_usable_size(block) : 0;

    if (had >= LARGE && size >= LARGE) /* its pages move: nothing is left behind */
        return __libc_realloc(block, size);
    if (block && size == 0) {
        free(block);
        return NULL;
    }
    if (size > 0 && size <= had && size >= had / 2)
        return block;
    void *other = malloc(size ? size : 1);
    if (other && block) {
        memcpy(other, block, had < size ? had : size);
        free(block);
    }
    return other;
}
#endif

void secrecy_begin(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, LARGE);
#endif
#ifndef SANITIZED
    (void)setrlimit(RLIMIT_CORE, &(const struct rlimit){0});
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* Not inlined, so that the arrays lie where theirs did. The larger one takes 3 µs, and what the first cache held. */
__attribute__((noinline)) static void wipe_stack(void)
{
    char left[(size_t)48 * 1024];

    explicit_bzero(left, sizeof left);
}

__attribute__((noinline)) static void wipe_deep_stack(void)
{
    char left[(size_t)128 * 1024];

    explicit_bzero(left, sizeof left);
}

void secrecy_end(bool deep, bool large)
{
    if (deep)
        wipe_deep_stack();
    else
        wipe_stack();
#ifdef __GLIBC__
    if (large)
        (void)malloc_trim(0);
#else
    (void)large; /* musl gives a large piece back by itself */
#endif
}
