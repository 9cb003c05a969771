#!/usr/bin/env perl
# The cases of the corpus that are played everywhere, by environment alone, one process a delivery, on Redis.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use WooGHL::Corpus;

WooGHL::Corpus->play(mode => 'cgi', redis => 1);
