#!/usr/bin/env perl
# The corpus of deliveries, behind Apache, as CGI, on the embedded store.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use WooGHL::Corpus;

WooGHL::Corpus->play(mode => 'apache_cgi', redis => 0);
