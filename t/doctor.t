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
        [qw(settings store statuses GHL mapping duplicates shop), 'public URL'], 'the areas, in their order';
    $server->set(GHL_API_KEY => 'pit-wrong');
    my $found = examine($server);
    is $found->{code}, 1, 'a failure';
    ok !$found->{ok}, '... is said by the JSON, too';
    found($found, 'GHL.token', 'FAIL', qr/401/);
    like $server->command('check')->{out}, qr/^FAIL GHL: .*^warn shop: .*^1 failure, \d+ warnings$/ms, 'the summary begins with failures';
};

subtest 'repeat buyers' => sub {
    $ghl->settings({ allow_duplicate_opportunity => \0 });
    my $found = examine(new_server());
    found($found, 'duplicates.one_per_contact', 'warn', qr/one opportunity per contact/);
    like $found->{'duplicates.one_per_contact'}[0]{mend}, qr/Settings > Objects > Opportunities > "Allow Multiple Opportunities per Contact"/,
        'the setting has the name that GHL shows';
    $ghl->reset;
};

subtest 'settings that are doubtful' => sub {
    my $server = new_server(WOO_WEBHOOK_SECRET => 'short', GHL_STATUS_MAP => 'procesing:won,ready-to-ship:won,completed:won');
    $server->set(GHL_TAG => 'x');
    my $found = examine($server);
    found($found, 'settings.short_secret', 'warn', qr/5 characters/);
    found($found, 'settings.mistyped_status', 'warn', qr/"procesing"; did you mean processing/);
    is scalar @{ $found->{'settings.mistyped_status'} }, 1, 'a status of a plugin is not';
    found($found, 'settings.doubtful', 'warn', qr/unknown setting GHL_TAG, did you mean GHL_TAGS/);
    is $found->{code}, 0, 'nothing failed';
};

subtest 'scopes' => sub {
    my @all = qw(contacts.write contacts.readonly opportunities.write opportunities.readonly locations.readonly locations/customFields.readonly);
    my $server = new_server(GHL_CONTACT_FIELDS => 'utm_source={total}');
    $ghl->settings({ scopes => \@all });
    my $found = examine($server);
    found($found, 'GHL.scopes', 'ok', qr/may read and write/);
    is $found->{code}, 0, 'all are there';
    is scalar(() = $ghl->contacts) + (() = $ghl->opportunities), 0, 'nothing was made';
    for my $scope (grep { /^contacts|opportunities.write/ } @all) {
        $ghl->settings({ scopes => [grep { $_ ne $scope } @all] });
        $found = examine($server);
        found($found, 'GHL.scope', 'FAIL', qr/lacks the scope \Q$scope\E: .*401/);
    }
    $ghl->settings({ scopes => [grep { $_ ne 'opportunities.readonly' } @all] });
    found(examine($server), 'GHL.token', 'FAIL', qr/lacks a scope \(401/);
    $ghl->settings({ scopes => [grep { $_ ne 'locations.readonly' } @all] });
    found(examine($server), 'duplicates.unknown', 'warn', qr/lacks a scope/);
    $ghl->settings({ scopes => [grep { !/customFields/ } @all] });
    found(examine($server), 'mapping.refused', 'FAIL', qr/custom fields: .*lacks a scope/);
    $ghl->reset;
};

subtest 'the token' => sub {
    my $day = sub { my @t = gmtime(time - $_[0] * 86400); sprintf '%d-%02d-%02d', $t[5] + 1900, $t[4] + 1, $t[3] };
    my $server = new_server();
    found(examine($server), 'GHL.token_age', 'ok', qr/set GHL_API_KEY_SINCE/);
    $server->set(GHL_API_KEY_SINCE => $day->(79));
    found(examine($server), 'GHL.token_age', 'ok', qr/79 days old/);
    $server->set(GHL_API_KEY_SINCE => $day->(82));
    found(examine($server), 'GHL.token_age', 'warn', qr/82 days old/);
    $server->set(GHL_API_KEY_NEXT => 'pit-wrong');
    found(examine($server), 'GHL.token_next', 'warn', qr/GHL_API_KEY_NEXT does not work: GHL refuses .*Invalid JWT/);
    $server->set(GHL_API_KEY_NEXT => $ghl->token);
    found(examine($server), 'GHL.token_next', 'ok', qr/is ready/);
    $server->set(GHL_API_KEY => 'pit-expired', GHL_LOCATION_ID => $ghl->location_id);
    my $found = examine($server);
    found($found, 'GHL.token_next', 'warn', qr/GHL_API_KEY_NEXT is used/);
    is $found->{code}, 0, 'nothing waits for it';
    my $body = '{"id":7,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"ann@example.com"}}';
    like $server->deliver($body)->{body}, qr/synced/, 'an order goes to GHL with the next token';
    is scalar(() = $ghl->opportunities), 1, 'once';
    like $server->log, qr/level=warn event=token msg="GHL refuses GHL_API_KEY \(Invalid JWT\): GHL_API_KEY_NEXT is used from now on"/, 'the log says so';
    $ghl->reset;
};

subtest 'clocks and versions' => sub {
    my $server = new_server();
    $ghl->fault({ match => { path => 'pipelines' }, do => { headers => { Date => 'Sun, 01 Nov 2026 10:00:00 GMT', Sunset => 'Wed, 01 Sep 2027 00:00:00 GMT' } } });
    my $found = examine($server);
    found($found, 'GHL.clock', 'warn', qr/clock is \d+ s ahead of GHL's/);
    found($found, 'GHL.sunset', 'warn', qr/ends API version 2021-07-28: Wed, 01 Sep 2027/);
    ok !examine($server)->{'GHL.clock'}, 'a clock that is right is not mentioned';
};

$ghl->stop;
done_testing;
