/*
 * clients: how many requests each client sent in this period (a day, an hour), in a mapped file of fixed size, so that
 * a flood of unsigned requests costs no transaction and no disk.
 *
 * One 64-bit word a client: 28 bits of the client's hash, 12 of the period, 24 of the count. A word is changed by
 * compare-and-swap only, so that no process ever sees half of one. Counts are lost if the machine crashes, and one
 * client may displace another if its neighbourhood of 8 words is full.
 */
#pragma once

#include "base/error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct clients {
    _Atomic uint64_t *words; /* NULL = not mapped; the mapping lives on in a child */
};

void clients_close(struct clients *clients);

/* Counts one request of this client (any text) in this period (its number since 1970). The file, DIR/NAME, is made if it
 * is missing; DIR must exist. False with the error set if it cannot be mapped. */
bool clients_count(struct clients *clients, const char *dir, const char *name, const char *client,
                   int64_t period, int64_t *count, struct error *e) MUST_CHECK;
