/*
 * secrecy: nobody reads this process's memory, and what it is done with does not stay there.
 */
#pragma once

#include <stdbool.h>

/* At the start: no core dumps, and no other process of the same user looks into this one (prctl(2), PR_SET_DUMPABLE).
 * Not under a sanitizer, which does just that. Large blocks of memory go back to the system as soon as they are freed.
 * From then on, and from before, free(3) and realloc(3) overwrite what they give back, whichever library calls them (with
 * glibc, without a sanitizer; elsewhere each module wipes its own buffers alone). */
void secrecy_begin(void);

/* After a request: overwrites what functions that have returned left on the stack; 48 KB of it, or 128 KB if it is told that
 * they went deep. If the request was large, memory that is free goes back to the system, so that the next one does not add
 * to it. */
void secrecy_end(bool deep, bool large);
