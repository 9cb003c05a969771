#!/usr/bin/env perl
# The fake WooCommerce shop as a program; what it does is told at the top of t/lib/FakeWoo.pm. It ends with its
# parent.
#
#   perl t/fake_woo.pl --port-file FILE
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Getopt::Long;
use FakeWoo;

my $port_file;
GetOptions('port-file=s' => \$port_file) && $port_file or exit 64;
FakeWoo->new->run(port_file => $port_file);
