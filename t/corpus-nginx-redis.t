#!/usr/bin/env perl
# The corpus of deliveries, behind nginx, by a pool of FastCGI workers, on Redis.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use WooGHL::Corpus;

WooGHL::Corpus->play(mode => 'nginx', redis => 1, all => 1);
