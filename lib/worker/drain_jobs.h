/*
 * drain_jobs: several drains at once, each a process of its own with its own connections. GHL's answers take
 * most of the time; its limits hold for all of them together.
 */
#pragma once

#include "worker/drain.h"

#define DRAIN_JOBS_MAX 16

/* Runs `jobs` drains and adds up their counts. A set *stop is passed on; a job that dies by itself is told
 * and makes it false. False if a store could not be used, or a process not be made. */
bool drain_jobs(int jobs, const struct drain_options *options, volatile int *stop,
                struct drain_counts *counts);
