#!/usr/bin/perl
# Plays one case of t/cases by hand: play.pl NAME cgi|nginx. Prints what is not as it must be; nothing, and exit code 0,
# if all is right.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use WooGHL::Play;

my ($name, $setup) = @ARGV;
die "play.pl NAME cgi|nginx\n" if @ARGV != 2 || $setup !~ /^(?:cgi|nginx)$/;
my ($path) = grep { -e } $name, map {"$FindBin::Bin/$_/$name.json"} qw(cases cases/variants);
die "there is no case $name\n" if !defined $path;
binmode STDOUT, ':encoding(UTF-8)';
my @wrong = WooGHL::Play->play($path, $setup);
print "- $_\n" for @wrong;
exit(@wrong ? 1 : 0);
