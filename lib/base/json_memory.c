#include "base/json_memory.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define BLOCK 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCK 0
#endif
#endif
#ifndef BLOCK
#define BLOCK ((size_t)256 * 1024) /* a text of 15 KB; only what is used of it takes memory */
#endif

#define ALIGN ((size_t) _Alignof(max_align_t))

static struct {
    _Alignas(max_align_t) char bytes[BLOCK + 1];
    size_t used;
    size_t pieces; /* that live */
    bool open;     /* between begin and end */
} block;

static void *take(size_t n)
{
    size_t size = n <= BLOCK ? (n + ALIGN - 1) / ALIGN * ALIGN : SIZE_MAX;

    if (!block.open || size > BLOCK - block.used)
        return malloc(n);
    block.used += size;
    block.pieces++;
    return block.bytes + block.used - size;
}

static void give(void *piece)
{
    uintptr_t at = (uintptr_t)piece, from = (uintptr_t)block.bytes;

    if (at < from || at >= from + BLOCK) {
        free(piece);
        return;
    }
    if (--block.pieces > 0)
        return;
    explicit_bzero(block.bytes, block.used);
    block.used = 0;
}

void json_memory_begin(void)
{
    json_malloc_t now;
    json_free_t now_free;

    json_get_alloc_funcs(&now, &now_free);
    block.open = BLOCK > 0 && !block.pieces && (now == malloc || now == take);
    if (block.open)
        json_set_alloc_funcs(take, give);
}

void json_memory_end(void)
{
    block.open = false;
}
