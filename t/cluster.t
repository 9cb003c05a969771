#!/usr/bin/env perl
# A Redis Cluster and a primary with sentinels, under load: the location's slot moves to another node, a primary is killed.
# Whatever was answered with 2xx is in GHL at the end, in its newest state, once. What a failover lost is brought by
# `woo_ghl reconcile`, which asks the shop: that is counted and told.
#
# CLUSTER_ROUNDS=N: the long way, which `make cluster` goes: three primaries and three replicas, three sentinels, so many
# moves and kills. WOO_GHL_REDIS=PROGRAM: another server than redis-server.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use FakeWoo::Client;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use WooGHL::Nodes;
use WooGHL::Server;

my $ROUNDS = $ENV{CLUSTER_ROUNDS} || 0;
my $LONG = $ROUNDS > 0;
my ($ghl, $woo) = (FakeGHL::Client->start(rate_count => 5000, rate_window_ms => 10_000), FakeWoo::Client->start);
my $prefix = 'p0';
my $CREATED = int(time) - 3600;
sub tag { return "{$prefix:" . $ghl->location_id . '}' }

sub order { my ($n, $state) = @_; return $woo->order($n, created => $CREATED, modified => $CREATED + 60 + $state, $state ? (status => 'completed', total => ($n + 1) . '.00') : (total => "$n.00")) }

# Delivers until the handle that comes back is closed: orders, changes of some, redeliveries of some. What was answered goes
# to the file: number, state, status.
sub start_load {
    my ($server, $file, $pause_s) = @_;
    pipe my $in, my $out or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid) { close $in; return { pid => $pid, out => $out, file => $file } }
    close $out;
    open my $said, '>', $file or POSIX::_exit(1);
    $said->autoflush;
    my $go_on = sub { my $bits = ''; vec($bits, fileno $in, 1) = 1; return !select $bits, undef, undef, $pause_s };
    for (my $n = 1; $go_on->(); $n++) {
        for my $state (0, $n % 3 ? () : 1, $n % 4 ? () : 0) {
            my $answer = eval { $server->deliver(order($n, $state)->{raw}) };
            printf {$said} "%d %d %s %s\n", $n, $state, $answer ? ($answer->{status}, $answer->{body}) : (0, $@ =~ s/\n//gr);
        }
    }
    POSIX::_exit(0);
}

sub answers { my ($load) = @_; open my $in, '<', $load->{file} or return; chomp(my @lines = <$in>); return map { [split / /, $_, 4] } @lines }
sub accepted { my %state; for (answers(@_)) { my ($n, $state, $status) = @$_; $state{$n} = $state if $status =~ /^2/ && $state >= ($state{$n} // 0) } return \%state }

# So many more orders are accepted by the store, not the spool.
sub until_stored {
    my ($load, $more) = @_;
    my $count = sub { return scalar grep { $_->[2] =~ /^2/ && $_->[3] !~ /store_unavailable/ } answers($load) };
    my $from = $count->();
    return ok WooGHL::Process::until_true(sub { sleep 0.1; $count->() >= $from + $more }), "the store takes orders ($from before)";
}

sub in_ghl { my %cards; push @{ $cards{ $_->{name} } }, $_->{monetaryValue} + 0 for $ghl->opportunities; return \%cards }

sub status { my ($server) = @_; return JSON::PP::decode_json($server->command('status', '--json')->{out}) }

# While the events happen, orders come.
sub under_load {
    my ($nodes, $events) = @_;
    $ghl->reset;
    $woo->reset;
    my $server = WooGHL::Server->for_ghl($ghl, mode => 'nginx', workers => 3, settings => { REDIS_URL => $nodes->url, $woo->wiring,
        REDIS_PREFIX => $prefix, REDIS_TIMEOUT => '500ms', GHL_RATE => '5000/10s', RATE_LIMIT_PER_DAY => 0 })->start;
    my $watch = $server->background('drain', '--watch');
    my $load = start_load($server, $server->dir . '/answers', $LONG ? 0.01 : 0.05);
    until_stored($load, 10);
    $events->($load);
    close $load->{out};
    waitpid $load->{pid}, 0;
    is $?, 0, 'the load ends';
    $watch->stop;
    my $accepted = accepted($load);
    my %want = map { ("Order #$_" => [$_ + $accepted->{$_}]) } keys %$accepted;
    my $spooled = grep { $_->[3] =~ /store_unavailable/ } answers($load);
    is_deeply [grep { $_->[2] !~ /^2/ } answers($load)], [], 'every delivery is accepted';
    ok $server->drain_as_of($_), "a drain $_ s later" for 0, 300, 600;
    my $got = in_ghl();
    my @lost = grep { join(',', @{ $got->{$_} || [] }) ne $want{$_}[0] } sort keys %want;
    note sprintf '%d orders accepted, %d deliveries by the spool, %d states lost by a failover: %s', scalar keys %want, $spooled, scalar @lost, "@lost";
    ok status($server)->{reconcile_wanted}, 'a reconcile is wanted';
    $woo->put(map { order($_, $accepted->{$_}) } keys %$accepted);
    is $server->command('reconcile', '--since', '2h')->{code}, 0, 'it reads the shop' or diag $server->log;
    ok $server->drain_as_of($_), "a drain $_ s later" for 900, 1300;
    # A contact's lock whose release a failover lost ends by the server's clock, which nobody shifts.
    WooGHL::Process::until_true(sub { $server->drain_as_of(1300) && !status($server)->{waiting} });
    is_deeply in_ghl(), \%want, 'each accepted order is in GHL once, in its newest state' or diag $server->log;
    is scalar(() = $ghl->contacts), scalar(keys %want), 'each customer is one contact';
    is_deeply [@{ status($server) }{qw(waiting dead_letters)}], [0, 0], 'nothing waits';
    $server->stop;
    return;
}

subtest 'a Redis Cluster' => sub {
    # The short way does not wait until somebody is taken for dead: a busy machine would be.
    my $nodes = WooGHL::Nodes->cluster(3, $LONG ? () : 'cluster-node-timeout 60000');
    my $to = ($nodes->owner(tag()) + 1) % 3;
    my ($replica) = map { $nodes->add_replica($_) } $LONG ? 0 .. 2 : $to;
    under_load($nodes, sub {
        my ($load) = @_;
        for my $round (1 .. $ROUNDS || 1) {
            my $from = $nodes->owner(tag());
            $to = (grep { $_ != $from && $nodes->cli($_, 'INFO', 'replication') =~ /role:master.*connected_slaves:[1-9]/s } 0 .. 5)[0] if $LONG;
            $nodes->move(tag(), $to, $LONG ? 0.05 : 0);
            is $nodes->owner(tag()), $to, 'the slot has moved';
            until_stored($load, 10);
            $nodes->kill($to);
            $nodes->take_over($replica) if !$LONG;
            WooGHL::Nodes::_until('a replica takes over', sub { my $now = $nodes->owner(tag()); defined $now && $now != $to });
            until_stored($load, 20);
            next unless $LONG;
            $nodes->start($to);
            $nodes->until_replicated($to);
            until_stored($load, 20);
        }
    });
    $nodes->stop;
};

subtest 'sentinels' => sub {
    my $nodes = WooGHL::Nodes->sentinels($LONG ? (2, 3) : (1, 1, 60_000));
    under_load($nodes, sub {
        my ($load) = @_;
        for my $round (1 .. $ROUNDS || 1) {
            my $was = $nodes->owner;
            $nodes->kill($was);
            $nodes->take_over if !$LONG;
            WooGHL::Nodes::_until('a replica takes over', sub { ($nodes->owner // $was) != $was });
            until_stored($load, 20);
            next unless $LONG;
            $nodes->start($was);
            $nodes->until_replicated($was);
            until_stored($load, 20);
        }
    });
    $nodes->stop;
};

$ghl->stop;
$woo->stop;
done_testing;
