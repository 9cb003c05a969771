#!/usr/bin/env perl
# Redis is away, in every way that it can be: each signed delivery is answered 202 in time and lies in the spool;
# when Redis is back everything is moved over, in its order, and no order makes a second deal.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL;
use FakeGHL::Client;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Halfway;
use WooGHL::Lanes;
use WooGHL::Server;

my $SECRET   = 'my_super_secret_woo_key';
my $TIMEOUT  = '3s';    # REDIS_TIMEOUT: so long may a reply take on a busy machine
my $LONGEST  = 20;      # s, that and a busy machine: who waits for a Redis that is away waits longer
my $SPOOLED  = '{"status":"queued","reason":"store_unavailable"}';
my $CREATED  = POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime(time - 120));    # before any Redis here was started

sub order {
    my ($id, $status, $total) = @_;
    $total //= '10.00';
    return qq({"id":$id,"status":"$status","total":"$total","date_created_gmt":"$CREATED",)
        . qq("billing":{"first_name":"Ann","last_name":"Lee","email":"c$id\@example.com"}});
}

sub deliver {
    my ($server, $body) = @_;
    return $server->request(POST => '/woo-order', { 'Content-Type' => 'application/json',
        'X-WC-Webhook-Topic' => 'order.updated', 'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' }, $body);
}

sub spooled { my ($server) = @_; return scalar(() = glob $server->dir . '/data/spool/*.delivery') }
sub cards { my ($ghl) = @_; return { map { $_->{name} => $_->{status} } $ghl->opportunities } }

sub until_true { my ($what, $true) = @_; WooGHL::Process::until_true($true) or die "$what: not in time\n"; return }

# A write is refused with this word: the fault is there.
sub refuses { my ($redis, $word) = @_; until_true("Redis answers $word", sub { $redis->cli(SET => 'x', 1) =~ /^$word/ }); return }

my @AWAY = (
    { name => 'refused', away => sub { $_[0]->stop }, back => sub { $_[0]->restart }, forgets => 1 },
    { name => 'hung', away => sub { $_[0]->signal('STOP') }, back => sub { $_[0]->signal('CONT') } },
    {
        name => 'READONLY',
        away => sub { $_[0]->cli(qw(REPLICAOF 127.0.0.1 1)); refuses($_[0], 'READONLY') },
        back => sub { $_[0]->cli(qw(REPLICAOF NO ONE)) },
    },
    {
        name => 'MISCONF',
        away => sub {
            my ($redis) = @_;
            mkdir $redis->dir . '/dump.rdb' or die "dump.rdb: $!";    # no file can take this name
            $redis->cli('CONFIG', 'SET', 'save', '3600 1');
            $redis->cli('BGSAVE');
            refuses($redis, 'MISCONF');
        },
        back => sub { $_[0]->cli('CONFIG', 'SET', 'save', ''); rmdir $_[0]->dir . '/dump.rdb' },
    },
    {
        name => 'OOM', known => 1,    # what needs no memory goes on: a duplicate is known
        away => sub { $_[0]->cli(qw(CONFIG SET maxmemory 1)); refuses($_[0], 'OOM') },
        back => sub { $_[0]->cli(qw(CONFIG SET maxmemory 0)) },
    },
    {
        name => 'LOADING',
        away => sub {
            my ($redis) = @_;
            $redis->cli('CONFIG', 'SET', 'rdbcompression', 'no');
            $redis->cli('EVAL', 'for i = 1, 300 do redis.call("SET", "filler" .. i, string.rep("x", 1100)) end', 0);
            $redis->cli(qw(CONFIG SET loading-process-events-interval-bytes 1024));
            $redis->cli(qw(CONFIG SET key-load-delay 1000000));    # five minutes in all
            $redis->{loading} = WooGHL::Process->start(['redis-cli', '-s', $redis->socket, 'DEBUG', 'RELOAD'],
                out => '/dev/null');
            refuses($redis, 'LOADING');
        },
        back => sub {
            my ($redis) = @_;
            $redis->cli(qw(CONFIG SET key-load-delay 0));
            until_true('loaded', sub { $redis->cli('PING') =~ /^PONG/ });
            delete $redis->{loading};
        },
    },
    {
        name => 'timing out in the middle of a reply', halfway => 1,
        away => sub { $_[1]->withhold(1) }, back => sub { $_[1]->withhold(0) },
    },
    { name => 'closing in the middle of a reply', halfway => 1,
        away => sub { $_[1]->withhold(2) }, back => sub { $_[1]->withhold(0) } },
);

my @tests;
for my $case (@AWAY) {
    for my $fresh (0, 1) {
        next if $fresh && $case->{name} !~ /^(?:refused|hung|LOADING)$/;
        push @tests, ["$case->{name}, " . ($fresh ? 'new workers' : 'workers that knew it'), sub {
            my $redis = WooGHL::Server->redis('enable-debug-command' => 'yes');
            my $halfway = $case->{halfway} ? WooGHL::Halfway->start($redis->socket) : undef;
            my $ghl = FakeGHL::Client->start;
            my $server = WooGHL::Server->new(mode => 'nginx', workers => 4, settings => {
                WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token,
                GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', REDIS_TIMEOUT => $TIMEOUT,
                REDIS_URL => $halfway ? $halfway->url : $redis->url,
            })->start;
            is deliver($server, order(1, 'processing'))->{status}, 200, 'an order before';
            my $calls = $ghl->count;

            $case->{away}->($redis, $halfway);
            $server->restart_workers if $fresh;
            my ($slowest, @answers) = (0);
            for my $body (order(1, 'processing'), order(2, 'processing'), order(2, 'refunded'), (order(3, 'processing')) x 2,
                (map { order($_, 'completed') } 4 .. 9)) {
                sleep 0.01;    # two states of one ms are not told apart
                my $began = time;
                my $answer = deliver($server, $body);
                my $took = time - $began;
                $slowest = $took if $took > $slowest;
                push @answers, "$answer->{status} $answer->{body}";
            }
            my $known = $case->{known} ? 1 : 0;
            is_deeply \@answers, [('200 {"status":"skipped","reason":"duplicate"}') x $known, ("202 $SPOOLED") x (11 - $known)],
                'each is answered 202, but for what is known' or diag $server->log;
            cmp_ok $slowest, '<', $LONGEST, 'in time';
            is spooled($server), 11 - $known, 'the spool has them all';
            is $ghl->count, $calls, 'GHL was not called';

            $case->{back}->($redis, $halfway);
            $redis->cli('SCRIPT', 'FLUSH');
            is $server->command('drain', '--now')->{code}, 0, 'a drain' or diag $server->log;
            is spooled($server), 0, 'the spool is empty';
            ok $server->drain_as_of(300), 'a drain after the leases';
            my %want = ('Order #2' => 'lost', map { ("Order #$_" => 'won') } 1, 3 .. 9);
            is_deeply cards($ghl), \%want, 'each order is in GHL, in its newest state' or diag $server->log;
            is scalar(() = $ghl->opportunities), 9, 'no order has a second deal';
            is scalar(() = $ghl->contacts), 9, 'no customer is two contacts';

            my ($card2) = grep { $_->{name} eq 'Order #2' } $ghl->opportunities;
            # The later drain took GHL's rate of a time to come.
            my $taken2 = qr/^\{"status":"(?:synced","ghl_id":"$card2->{id}|queued","reason":"ghl_limit)"\}$/;

            # Across the move: what was spooled is known. A worker asks Redis again after a second.
            my $answer;
            until_true('the workers are back', sub { ($answer = deliver($server, order(3, 'processing')))->{status} == 200 });
            is $answer->{body}, '{"status":"skipped","reason":"duplicate"}', 'a duplicate of a spooled one';
            $server->restart_workers;
            like deliver($server, order(2, 'processing'))->{body}, $taken2, 'an order that is sold again';
            like deliver($server, order(2, 'refunded'))->{body}, $taken2, 'and lost again';
            is $server->command('drain', '--now')->{code}, 0, 'a drain';
            ok $server->drain_as_of(300), 'a drain after the leases';
            is_deeply cards($ghl), \%want, 'still so';
            is scalar(() = $ghl->opportunities), 9, 'still no second deal';
            $server->stop;
            $ghl->stop;
        }];
    }
}

# What arrived first counts as first, whatever is moved when.
push @tests, ['a state that was spooled is older than the one that the store took after it', sub {
    my $redis = WooGHL::Server->redis;
    my $ghl = FakeGHL::Client->start;
    my $server = WooGHL::Server->new(mode => 'nginx', workers => 4, settings => {
        WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token,
        GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', REDIS_URL => $redis->url,
        REDIS_TIMEOUT => $TIMEOUT,
    })->start;
    is deliver($server, order(1, 'processing'))->{status}, 200, 'won, with a card';
    $redis->signal('STOP');
    is deliver($server, order(1, 'refunded'))->{body}, $SPOOLED, 'refunded while Redis hangs';
    sleep 1.5;    # two states of one second are not told apart
    $redis->signal('CONT');
    $server->restart_workers;
    is deliver($server, order(1, 'completed'))->{status}, 200, 'a sale again when it is back';
    is $server->command('drain', '--now')->{code}, 0, 'the older one is moved';
    is spooled($server), 0, 'out of the spool';
    is_deeply cards($ghl), { 'Order #1' => 'won' }, 'and is stale';

    $redis->signal('STOP');
    is deliver($server, order(1, 'completed', '12.00'))->{body}, $SPOOLED, 'changed while Redis hangs';
    $redis->signal('CONT');
    $server->restart_workers;
    is deliver($server, order(1, 'refunded'))->{body}, $SPOOLED, 'a refund does not overtake what may be the sale';
    is $server->command('drain', '--now')->{code}, 0, 'both are moved';
    is spooled($server), 0, 'out of the spool';
    ok $server->drain_as_of(300), 'a drain after the leases';
    is_deeply cards($ghl), { 'Order #1' => 'lost' }, 'in their order';
    is scalar(() = $ghl->opportunities), 1, 'on one card';
    $server->stop;
    $ghl->stop;
}];

# The search does not show the card in all that time: only its id tells of it.
push @tests, ['Redis hangs while a card is made', sub {
    my $redis = WooGHL::Server->redis;
    my $ghl = FakeGHL::Client->start;
    my $server = WooGHL::Server->new(mode => 'cgi', settings => {
        WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token,
        GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', REDIS_URL => $redis->url,
        REDIS_TIMEOUT => $TIMEOUT, SYNC_BUDGET => 0, DRAIN_AFTER => 'off',
    })->start;
    $ghl->settings({ search_lag_ms => 3_600_000 });
    $ghl->fault({ match => { method => 'POST', path => '^/opportunities/$' }, do => { waits => 1 } });
    is deliver($server, order(1, 'processing'))->{status}, 202, 'given an order that waits';
    my $drain = $server->background('drain');
    $ghl->wait_calls(1, method => 'POST', path => '/opportunities/');
    $redis->signal('STOP');
    $ghl->answer;
    until_true('its id is in the spool', sub { glob $server->dir . '/data/spool/*.ids' });
    $redis->signal('CONT');
    defined $drain->wait or fail 'the drain ends';
    ok $server->drain_as_of($_), 'a drain' for 300, 600;
    is_deeply cards($ghl), { 'Order #1' => 'won' }, 'it is in GHL';
    is scalar(() = $ghl->opportunities), 1, 'once' or diag $server->log;
    is_deeply [glob $server->dir . '/data/spool/*'], [], 'and the spool is empty';
    $server->stop;
    $ghl->stop;
}];

WooGHL::Lanes->subtests(4, @tests);
done_testing;
