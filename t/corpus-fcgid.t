#!/usr/bin/env perl
# The corpus of deliveries, behind Apache, by mod_fcgid's workers, on the embedded store.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use WooGHL::Corpus;

WooGHL::Corpus->play(mode => 'fcgid', redis => 0);
