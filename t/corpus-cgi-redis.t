#!/usr/bin/env perl
# The corpus of deliveries, by environment alone, one process a delivery, on Redis.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use WooGHL::Corpus;

WooGHL::Corpus->play(mode => 'cgi', redis => 1);
