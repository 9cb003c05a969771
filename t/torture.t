#!/usr/bin/env perl
# What the program asks the machine for fails: the n-th allocation, or the n-th call of a file, a socket, SQLite, Redis or
# HTTP, by turns alone and with all that come after it (t/torture/faults.h). No crash, no leak, no lost order, no 2xx
# for what is not kept; in the end GHL holds one contact and one opportunity, and a last version changes it.
#
# The scenarios are those of t/crash-points.t that are marked so. TORTURE=N: N faults of each kind in each (default: 1;
# 20 in `make coverage`); all: all of them, alone and not. TORTURE='call#7': this one. SEED=N: another choice of them
# (default: 1). CASE=PATTERN: the scenarios whose name matches.
use strict;
use warnings;
use FindBin;

$ENV{TORTURE} ||= $ENV{COVERAGE} ? 20 : 1;
$ENV{LSAN_OPTIONS} //= "suppressions=$FindBin::Bin/torture/leaks.supp:print_suppressions=0";
exec $^X, "$FindBin::Bin/crash-points.t" or die "crash-points.t: $!";
