#!/usr/bin/env perl
# The fake GoHighLevel API as a program; what it does is told at the top of t/lib/FakeGHL.pm.
#
#   perl t/fake_ghl.pl --port-file FILE [--settings JSON] [--port N] [--with-parent]
#
# It listens on 127.0.0.1 on a free port (or N) and writes the port to FILE in one step, when it answers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Getopt::Long;
use Mojo::JSON qw(decode_json);
use FakeGHL;

my %option = (port => 0, settings => '{}');
GetOptions(\%option, 'port-file=s', 'settings=s', 'port=i', 'with-parent') or exit 64;

FakeGHL->new(decode_json($option{settings}))->run(
    port        => $option{port},
    port_file   => $option{'port-file'},
    with_parent => $option{'with-parent'},
);
