#!/usr/bin/env perl
# `woo_ghl check` finds what is broken, says what it means for orders, and what mends it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use JSON::PP qw(decode_json);
use Test::More;
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;

sub new_server { my (%settings) = @_; return WooGHL::Server->for_ghl($ghl, mode => 'cgi', settings => \%settings) }

# { "area.id" => [finding, ...], ok => ..., code => ... } of `check --json`.
sub examine {
    my ($server) = @_;
    my $run = $server->command('check', '--json');
    my $all = decode_json($run->{out});
    my %found = (ok => $all->{ok}, code => $run->{code});
    push @{ $found{"$_->{area}.$_->{id}"} }, $_ for @{ $all->{findings} };
    return \%found;
}

# The finding is there with this level; each that is not ok says what it means and what mends it.
sub found {
    my ($found, $name, $level, $what) = @_;
    my $finding = $found->{$name} && $found->{$name}[0];
    ok $finding, "$name is found" or return diag explain $found;
    is $finding->{level}, $level, "... with level $level";
    like $finding->{what}, $what, '... and says what';
    ok length $finding->{means} && length $finding->{mend}, '... what it means for orders, and what mends it' if $level ne 'ok';
    return;
}

subtest 'the contract' => sub {
    my $server = new_server();
    my $run = $server->command('check', '--json');
    my $all = decode_json($run->{out});
    is_deeply [sort keys %$all], [qw(failures findings ok warnings)], 'its members';
    is_deeply [sort keys %{ $all->{findings}[0] }], [qw(area id level means mend what)], 'those of a finding';
    is $run->{code}, 0, 'nothing failed';
    ok $all->{ok}, '... says the JSON, too';
    my %seen;
    is_deeply [grep { !$seen{$_}++ } map { $_->{area} } @{ $all->{findings} }],
        [qw(settings store statuses GHL mapping duplicates shop)], 'the areas, in their order';
    $server->set(GHL_API_KEY => 'pit-wrong');
    my $found = examine($server);
    is $found->{code}, 1, 'a failure';
    ok !$found->{ok}, '... is said by the JSON, too';
    found($found, 'GHL.token', 'FAIL', qr/401/);
    like $server->command('check')->{out}, qr/^FAIL GHL: .*^warn shop: .*^1 failure, 1 warning$/ms, 'the summary begins with failures';
};

subtest 'repeat buyers' => sub {
    $ghl->settings({ allow_duplicate_opportunity => \0 });
    my $found = examine(new_server());
    found($found, 'duplicates.one_per_contact', 'warn', qr/one opportunity per contact/);
    like $found->{'duplicates.one_per_contact'}[0]{mend}, qr/Settings > Objects > Opportunities > "Allow Multiple Opportunities per Contact"/,
        'the setting has the name that GHL shows';
    $ghl->reset;
};

$ghl->stop;
done_testing;
