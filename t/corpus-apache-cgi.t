#!/usr/bin/env perl
# The cases of the corpus that are played everywhere, behind Apache, as CGI, on the embedded store.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use WooGHL::Corpus;

WooGHL::Corpus->play(mode => 'apache_cgi', redis => 0);
