/*
 * utf8: one character of UTF-8 at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The code point at s, which ends with NUL, and its length in bytes; a byte that begins none, or one that is
 * written longer than it is, is 0 of length 1. Surrogates and what lies above U+10FFFF are read as they are written. */
uint32_t utf8_read(const char *s, size_t *len);

/* Writes the code point's 1 to 4 bytes, without NUL; the place behind them. It is at most 0x10FFFF. */
char *utf8_write(char *at, uint32_t code);
