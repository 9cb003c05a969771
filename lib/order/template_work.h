/*
 * template_work: what the template language and its helpers share. Only template*.c include this.
 */
#pragma once

#include "order/template.h"

/* Adds a value, cleaned and cut to TEMPLATE_VALUE_MAX, unless nothing is left of it or the list is full.
 * False when out of memory. */
bool template_add_text(json_t *values, const char *text) MUST_CHECK;

/* What a path finds from `at` on is added to `values`, cleaned, none empty. Where the path goes through a
 * list and `each` is not NULL, `each` gets an array of values instead for each element of the outermost one,
 * in order, empty ones too. False when out of memory. */
bool template_find(json_t *values, json_t *each, const json_t *at, const char *path) MUST_CHECK;

/* A computed name: adds its values. */
typedef bool template_helper(json_t *values, const struct template_scope *scope);
template_helper *template_find_helper(const char *name); /* NULL = there is none */
