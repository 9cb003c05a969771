#!/usr/bin/env perl
# `make browser`: the owner's page in a real browser, on a shop with orders of every kind. Not part of `make check`.
#
#   perl t/browser/browser.pl DIRECTORY     where node_modules is, and where the screenshots go
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use WooGHL::Shop;

my $dir = shift // die "usage: $0 DIRECTORY\n";
my $shop = WooGHL::Shop->new(mode => 'nginx', workers => 2, settings => { WOO_URL => 'https://shop.example.com',
    WOO_CONSUMER_KEY => 'ck_' . '0' x 40, WOO_CONSUMER_SECRET => 'cs_' . '0' x 40 });
$shop->ghl->clear_faults;
my ($chromium) = grep { -x } map { my $dir = $_; map {"$dir/$_"} qw(chromium chromium-browser) } split /:/, $ENV{PATH};
die "browser: there is no chromium\n" if !$chromium;
local $ENV{NODE_PATH} = "$dir/node_modules";
my $failed = system 'node', "$FindBin::Bin/browser.js", $chromium, $shop->server->url . '/woo-order/admin', $WooGHL::Shop::PASSWORD, $dir;
exit($failed ? 1 : 0);
