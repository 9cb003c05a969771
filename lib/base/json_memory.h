/*
 * json_memory: the values of a decoded text lie in one block.
 *
 * An order of 3 KB is some 700 small allocations; to make and to free them was a fifth of all work on it. From begin to end Jansson
 * gets them from one block of the process, each behind the one before; malloc gives what does not fit. When the last of
 * them is freed, whenever that is, the block is overwritten, and the next text may have it. Until then other texts get
 * their memory from malloc.
 *
 * Jansson has one allocator for the whole process and hands it no context: so the block is a static of json_memory.c. It is
 * not used under a sanitizer, which looks at each allocation, nor while a test has set another allocator.
 */
#pragma once

void json_memory_begin(void);
void json_memory_end(void);
