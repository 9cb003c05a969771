#!/usr/bin/env perl
# The cases of the corpus that are played everywhere, behind nginx, by a pool of FastCGI workers, on the embedded store.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use WooGHL::Corpus;

WooGHL::Corpus->play(mode => 'nginx', redis => 0);
