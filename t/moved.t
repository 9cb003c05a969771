#!/usr/bin/env perl
# The settings name another location, another prefix or another store while orders wait in the old one: they are named, with
# the command that brings them to GHL. A drain brings those of the same location to the new store.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use POSIX qw(strftime);
use Test::More;
use WooGHL::Lanes;
use WooGHL::Server;

my ($ghl, @tests);

my $began = time;

# It changed so many seconds after the test's first order.
sub deliver {
    my ($server, $id, $total, $status, $after) = @_;
    $total //= '10.00';
    $status //= 'processing';
    return $server->deliver(qq({"id":$id}), 'order.deleted')->{body} if $status eq 'trash';
    my $modified = strftime('%Y-%m-%dT%H:%M:%S', gmtime($began - 100 + ($after // $total)));
    my $body = qq({"id":$id,"status":"$status","total":"$total","date_modified_gmt":"$modified","billing":{"first_name":"Ann","email":"c$id\@example.com"}});
    return $server->deliver($body)->{body};
}
sub names { return join ' ', sort map { $_->{name} =~ /#(\d+)/ } $ghl->opportunities }
sub file_of { my ($path) = @_; open my $in, '<', $path or return ''; local $/; return scalar(<$in>) // '' }

# Runs the command that the line names, as a person would.
sub run_named {
    my ($server, $line) = @_;
    my ($settings) = $line =~ /run `(.*)woo_ghl drain --now`/ or return fail("a command in '$line'");
    my %set = map { split /=/, $_, 2 } split ' ', $settings;
    $set{GHL_API_KEY} = $ghl->token if $set{GHL_API_KEY};
    my %before = map { $_ => $server->{settings}{$_} } keys %set;
    $server->set(%set);
    is $server->command('drain', '--now')->{code}, 0, 'the command that is named';
    $server->set(%before);
    return;
}

sub given_orders {
    my ($old) = @_;
    $ghl->reset;
    my $server = WooGHL::Server->for_ghl($ghl, mode => 'cgi', settings => { SYNC_BUDGET => '0', %$old });
    $server->set(ALERT_COMMAND => 'cat >>' . $server->dir . '/told')->start;
    is deliver($server, $_), '{"status":"queued","reason":"later"}', 'given an order that waits' for 1, 2;
    is $server->command('status')->{out} =~ /left behind/, '', 'nothing is left behind';
    return $server;
}

sub are_named {
    my ($server, $says) = @_;
    for my $command ('status', 'check') {
        my ($line) = $server->command($command)->{out} =~ /^(.*left behind.*)$/m;
        like $line, qr/^(?:store +warn )?2 orders and 0 dead letters are left behind .*$says/, "$command names them";
    }
    return;
}

for my $case (
    ['another location', {}, { GHL_LOCATION_ID => 'anotherLocation00001' }, qr/in the embedded store, REDIS_PREFIX=\S+, location fakeLocation00000000\./],
    ['a dry run', {}, { GHL_DRY_RUN => 'yes' }, qr/run `GHL_DRY_RUN=no woo_ghl drain --now`/],
) {
    my ($name, $old, $new, $says) = @$case;
    push @tests, [$name => sub {
        my $server = given_orders($old);
        $server->set(%$new);
        is $server->command('drain')->{code}, 0, 'given other settings, a drain';
        is names(), '', 'does not bring them';
        are_named($server, $says);
        like $server->log, qr/event=left_behind msg="2 orders/, 'so does the log';
        my $told = $server->dir . '/told';
        WooGHL::Process::until_true(sub { -s $told });
        like file_of($told), qr/^woo_ghl left_behind: 2 orders and 0 dead letters .*$says/m, 'and an alert';
        my ($line) = $server->command('status')->{out} =~ /^(.*left behind.*)$/m;
        run_named($server, $line // '');
        is names(), '1 2', 'brings them to GHL';
        unlike $server->command('status')->{out}, qr/left behind/, 'then nothing is left';
        $server->stop;
    }];
}

for my $case (
    ['another prefix', { REDIS_PREFIX => 'old' }, { REDIS_PREFIX => 'new' }, qr/REDIS_PREFIX=old, .* run `woo_ghl drain`/],
    ['a Redis', {}, { REDIS_URL => 1 }, qr/in the embedded store.* run `woo_ghl drain`/],
) {
    my ($name, $old, $new, $says) = @$case;
    push @tests, [$name => sub {
        my $server = given_orders($old);
        my $redis = $new->{REDIS_URL} ? WooGHL::Server->redis : undef;
        $server->set(%$new, $redis ? (REDIS_URL => $redis->url) : ());
        are_named($server, $says);
        like deliver($server, 1, '20.00'), qr/queued/, 'given a newer version of one, in the new store';
        is $server->command('drain')->{code}, 0, 'a drain';
        like $server->log, qr/event=brought .*msg="2 orders and dead letters/, 'brings them to the new store';
        unlike $server->command('status')->{out}, qr/left behind/, 'nothing is left behind';
        ok $server->drain_as_of($_), 'and to GHL, later if the store is one that may have forgotten orders' for 300, 600;
        is names(), '1 2', 'each has one opportunity';
        is join(' ', sort map { $_->{monetaryValue} } $ghl->opportunities), '10 20', 'of its newest version';
        is +() = $server->command('status')->{out} =~ /^waiting 0,/m, 1, 'nothing waits';
        $server->stop;
        $redis->stop if $redis;
    }];
}

push @tests, ['there and back' => sub {
    my $server = given_orders({ REDIS_PREFIX => 'old' });
    $server->deliver('no json at all');
    $ghl->down;
    for my $prefix ('new', 'old') {
        $server->set(REDIS_PREFIX => $prefix);
        $server->command('drain');
        unlike $server->command('status')->{out}, qr/left behind/, "a drain brings all to REDIS_PREFIX=$prefix";
    }
    $ghl->up;
    like $server->command('failed')->{out}, qr/^1 dead letters$/m, 'the dead letter came back';
    $ghl->settings({ search_lag_ms => 3_600_000 });
    $server->drain_as_of($_) for 300, 600, 900;
    is names(), '1 2', 'and the orders, which are in GHL';
    # What is made under one prefix is not known under the other, and a search does not see it for a while.
    $server->set(REDIS_PREFIX => 'new');
    deliver($server, 2, '30.00');
    deliver($server, $_) for 3;
    $server->command('drain', '--now');
    is names(), '1 2', 'under another prefix, where they are not known, an order waits until GHL\'s search shows what there is';
    $ghl->land;
    $server->drain_as_of($_) for 300, 600;
    is names(), '1 2 3', 'each has one opportunity';
    $server->stop;
}];

push @tests, ['dead letters and ids' => sub {
    my $server = given_orders({ REDIS_PREFIX => 'old' });
    $server->command('drain');
    is names(), '1 2', 'given orders that are in GHL';
    deliver($server, 2, '30.00');
    my ($bad, $secret) = ('no json at all', $WooGHL::Server::SECRET);
    like $server->deliver($bad)->{body}, qr/bad_json|parked|dead|queued|Bad/i, 'and a dead letter';
    $server->set(REDIS_PREFIX => 'new');
    $server->command('drain');
    is names(), '1 2', 'the drain brings the new version of one, with its ids';
    is join(' ', sort map { $_->{monetaryValue} } $ghl->opportunities), '10 30', 'it is in GHL';
    is scalar @{ $ghl->calls(path => '/opportunities/search') }, 0, 'nothing was looked for';
    like $server->command('failed')->{out}, qr/^1 dead letters$/m, 'and the dead letter';
    unlike $server->command('status')->{out}, qr/left behind/, 'nothing is left behind';
    $server->stop;
}];
# What is delivered to the old store, then to the new one, and what GHL has in the end.
my @WAITED = (
    ['a dead letter whose status is not mapped', 'processing packing', '',          'won'],
    ['a status that is not mapped',              'processing packing', '',          'won'],
    ['a sale that came after its end',           'refunded processing', '',         'lost'],
    ['a deletion',                               'processing trash',   '',          'abandoned'],
    ['a deletion, and what came after it',       'processing trash',   'completed', 'won'],
    ['an end that the new store has, too',       'processing refunded', 'refunded', 'lost'],
);
my %AFTER = (processing => 1, packing => 2, refunded => 3, trash => 4, completed => 5);    # s

push @tests, ['as it waited' => sub {
    my $server = given_orders({ REDIS_PREFIX => 'old' });
    my %say = map { my $n = $_; $n => sub {
        my ($id) = @_;
        deliver($server, $id, undef, $_, $AFTER{$_}) for split ' ', $WAITED[$id - 11][$n];
    } } 1, 2;
    $ghl->fault({ times => 0, match => { method => 'POST', path => '^/opportunities/$' },
        do => { status => 422, body => { message => ['status must be good'] } } });
    $say{1}->(11);
    $server->command('drain', '--now');
    like $server->command('failed')->{out}, qr/shop:11 /, 'given a dead letter';
    $ghl->clear_faults->down;
    $say{1}->($_) for 12 .. 10 + @WAITED;
    $server->set(REDIS_PREFIX => 'new');
    $say{2}->($_) for 11 .. 10 + @WAITED;
    $server->command('drain');
    unlike $server->command('status')->{out}, qr/left behind/, 'nothing is left behind';
    $ghl->up;
    $server->drain_as_of($_) for 600, 3000;
    my %has = map { $_->{name} =~ /#(\d+)/ ? ($1 => $_->{status}) : () } $ghl->opportunities;
    is $has{ $_ + 11 }, $WAITED[$_][3], $WAITED[$_][0] for 0 .. $#WAITED;
    $server->stop;
}];

push @tests, ['an end before its sale' => sub {
    my $server = given_orders({ REDIS_PREFIX => 'old' });
    deliver($server, 21, undef, $_, $AFTER{$_}) for 'refunded', 'processing';
    $ghl->down;
    for my $prefix ('new', 'old') {
        $server->set(REDIS_PREFIX => $prefix);
        $server->command('drain');
    }
    $ghl->up;
    $server->drain_as_of($_) for 600, 3000;
    is join(' ', map { $_->{name} eq 'Order #21' ? $_->{status} : () } $ghl->opportunities), 'lost', 'goes there and back with it';
    $server->stop;
}];

push @tests, ['a deletion where the order does not wait' => sub {
    my $server = given_orders({ REDIS_PREFIX => 'old' });
    $ghl->down;
    deliver($server, 23, undef, 'processing', $AFTER{processing});
    $server->set(REDIS_PREFIX => 'new');
    $server->command('drain');
    deliver($server, 23, undef, 'completed', $AFTER{completed});
    $server->set(REDIS_PREFIX => 'old');
    deliver($server, 23, undef, 'trash');
    $server->set(REDIS_PREFIX => 'new');
    $server->command('drain');
    $ghl->up;
    $server->drain_as_of($_) for 600, 3000;
    is join(' ', map { $_->{name} eq 'Order #23' ? $_->{status} : () } $ghl->opportunities), 'abandoned', 'is said of what waits elsewhere';
    $server->stop;
}];

push @tests, ['what one store does not know of the other' => sub {
    my $server = given_orders({ REDIS_PREFIX => 'old' });
    $server->command('drain');
    $server->set(REDIS_PREFIX => 'new');
    deliver($server, 1, undef, 'cancelled', 20);
    $server->drain_as_of(300);
    is join(' ', sort map { $_->{status} } $ghl->opportunities), 'abandoned won', 'given an end under another prefix';
    $server->set(REDIS_PREFIX => 'old');
    deliver($server, 1, undef, 'processing', 30);
    $server->drain_as_of($_) for 600;
    is join(' ', sort map { $_->{status} } $ghl->opportunities), 'won won', 'a version that is as the last one here is news';
    $server->stop;
}];

push @tests, ['there and back while a worker slept' => sub {
    $ghl->reset;
    my $server = WooGHL::Server->for_ghl($ghl, mode => 'nginx', workers => 1, settings => { REDIS_PREFIX => 'old' })->start;
    $ghl->settings({ search_lag_ms => 3_600_000 });
    my $now = strftime('%Y-%m-%dT%H:%M:%S', gmtime);
    my $say = sub {
        my ($id, $total) = @_;
        return $server->deliver(qq({"id":$id,"status":"processing","total":"$total","date_created_gmt":"$now","billing":{"first_name":"Ann"}}))->{body};
    };
    like $say->(1, '10.00'), qr/synced/, 'given a worker of the old prefix';
    $server->set(REDIS_PREFIX => 'new');
    {
        local $server->{mode} = 'cgi';
        like $say->(2, '10.00'), qr/in_flight/, 'and an order that came to a process of the new one';
    }
    ok $server->drain_as_of(300), 'which a drain of that brought to GHL';
    is names(), '1 2', '... now';
    $server->set(REDIS_PREFIX => 'old');
    select undef, undef, undef, 1.1;    # the worker looks for new settings once a second
    like $say->(2, '20.00'), qr/in_flight/, 'the worker does not take it for a fresh one';
    $ghl->land;
    ok $server->drain_as_of($_), 'a drain' for 600, 900;
    is names(), '1 2', 'it has one opportunity';
    $server->stop;
}];
# Most of the time a drain waits for a GHL that is down.
WooGHL::Lanes->run(4, \@tests, sub {
    my ($next) = @_;
    $ghl = FakeGHL::Client->start;
    while (my $test = $next->()) { subtest $test->[0] => $test->[1] }
    $ghl->stop;
    return;
});
done_testing;
