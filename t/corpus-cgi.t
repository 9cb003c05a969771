#!/usr/bin/env perl
# The corpus of deliveries, by environment alone, one process a delivery, on the embedded store. MARKED=1: only those that all ways play.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use WooGHL::Corpus;

WooGHL::Corpus->play(mode => 'cgi', redis => 0, all => !$ENV{MARKED});
