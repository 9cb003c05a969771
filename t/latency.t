#!/usr/bin/env perl
# GHL hangs, Redis hangs, both hang: every signed delivery is answered in time, and once it is known that GHL does not
# answer nobody waits for it.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Server;

my $SECRET = 'my_super_secret_woo_key';
my $LONGEST = 50;    # s, for any delivery; WooCommerce waits for 60 s
my $SHORT = 7;       # s, if nobody is waited for: a slow machine needs less, and who waits for GHL waits for SYNC_BUDGET, 8 s
my $WORKERS = 4;

sub order {
    my ($id) = @_;
    return qq({"id":$id,"status":"processing","total":"10.00",)
        . qq("billing":{"first_name":"Ann","last_name":"Lee","email":"c$id\@example.com"}});
}

# All at once, each from a process of its own: a list of [seconds, "status body"].
sub deliver_all {
    my ($server, @ids) = @_;
    pipe my $in, my $out or die "pipe: $!";
    my @pids;
    for my $id (@ids) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            my ($began, $body) = (time, order($id));
            my $answer = eval {
                $server->request(POST => '/woo-order', { 'Content-Type' => 'application/json', 'X-WC-Webhook-Topic' =>
                    'order.created', 'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' }, $body);
            };
            syswrite $out, sprintf "%.3f %s %s\n", time - $began, $answer ? @$answer{qw(status body)} : (0, 'none');
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }
    close $out;
    my @got = map { chomp; [split / /, $_, 2] } <$in>;
    waitpid $_, 0 for @pids;
    return @got;
}

sub lines_of { my ($path) = @_; open my $in, '<', $path or return; chomp(my @lines = <$in>); return @lines }

sub slowest { my ($slowest) = sort { $b <=> $a } map { $_->[0] } @_; return $slowest }
sub p99 { my @took = sort { $a <=> $b } map { $_->[0] } @_; return $took[POSIX::ceil(0.99 * @took) - 1] }
sub is_taken { my ($what, @got) = @_; return is_deeply [grep { $_->[1] !~ /^202 / } @got], [], $what }

my $redis = WooGHL::Server->redis;
my $ghl = FakeGHL::Client->start;
my $server = WooGHL::Server->new(mode => 'nginx', workers => $WORKERS, settings => {
    WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token, REDIS_URL => $redis->url,
    SYNC_BUDGET => '8s', GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', RATE_LIMIT_PER_DAY => 0,
});
# One that hangs, with a child, and does not heed what can be ignored.
my $hung = $server->dir . '/hung';
$server->set(ALERT_COMMAND => "trap '' TERM HUP INT; sleep 1000 & echo \$! >>$hung; echo \$\$ >>$hung; wait")->start;
$ghl->fault({ match => {}, times => 0, do => { hang => 1 } });
my $id = 0;

# Redis is given up quickly only while it hangs: on a busy machine it may need longer. Workers look at their settings, and ask a
# Redis that has failed, once a second.
sub redis_hangs {
    my ($hangs) = @_;
    $server->set(REDIS_TIMEOUT => $hangs ? '500ms' : '10s');
    $redis->signal('CONT') if !$hangs;
    sleep 1.2;
    $redis->signal('STOP') if $hangs;
    return;
}

subtest 'GHL and Redis hang' => sub {
    redis_hangs(1);
    my $hanging = 0;
    my @got = map {
        my @answers = deliver_all($server, map { ++$id } 1 .. $WORKERS * 2);
        my $hang = grep { kill 0 => $_ } lines_of($hung);
        $hanging = $hang if $hang > $hanging;
        @answers;
    } 1 .. 5;
    is_taken('each is taken', @got) or diag $server->log;
    cmp_ok slowest(@got), '<', $LONGEST, 'each in time';
    is $ghl->count, 0, 'GHL is not called for what the store does not know';
    is scalar(() = glob $server->dir . '/data/spool/*.delivery'), $id, 'the spool has them all';
    is $hanging, 2, 'while ALERT_COMMAND and its child hang';
    redis_hangs(0);
};

# Five in a row that get no answer open the breaker. The pool works on as many at once as it has workers.
subtest 'GHL hangs' => sub {
    # Twice as many as there are workers: those that wait for one are not waited for again.
    my @got = deliver_all($server, map { ++$id } 1 .. $WORKERS * 2);
    push @got, deliver_all($server, map { ++$id } 1 .. $WORKERS);
    is_taken('each is taken', @got) or diag $server->log;
    cmp_ok slowest(@got), '<', $LONGEST, 'each in time';
    like $server->log, qr/event=breaker/, 'the breaker is open';
};

subtest 'the breaker is open' => sub {
    my $calls = $ghl->count;
    my @got = map { deliver_all($server, map { ++$id } 1 .. $WORKERS * 2) } 1 .. 15;
    is_deeply [grep { $_->[1] ne '202 {"status":"queued","reason":"ghl_unavailable"}' } @got], [], 'each is queued'
        or diag $server->log;
    cmp_ok p99(@got), '<', $SHORT, 'at once';
    is $ghl->count, $calls, 'no call is made';
};

subtest 'the breaker is open, and Redis hangs' => sub {
    my $calls = $ghl->count;
    redis_hangs(1);
    my @got = map { deliver_all($server, map { ++$id } 1 .. $WORKERS * 2) } 1 .. 5;
    is_taken('each is taken', @got);
    cmp_ok slowest(@got), '<', $LONGEST, 'each in time';
    is $ghl->count, $calls, 'no call is made';
    redis_hangs(0);
};

subtest 'GHL is back' => sub {
    $ghl->clear_faults;
    $ghl->settings({ rate_count => 1000, rate_window_ms => 10_000 });
    is scalar(() = $server->worker_pids), $WORKERS, 'no worker was lost';
    $server->set(GHL_RATE => '1000/10s');
    my $drained = $server->command('drain', '--now');
    is $drained->{code}, 0, 'a drain' or diag $drained->{err};
    my %card;
    $card{ $_->{name} }++ for $ghl->opportunities;
    is_deeply \%card, { map { ("Order #$_" => 1) } 1 .. $id }, 'each order has its one card' or diag $server->log;
};

# 30 s after it was told.
subtest 'ALERT_COMMAND is ended' => sub {
    my @pids = lines_of($hung);
    is scalar @pids, 2, 'it was told once';
    ok WooGHL::Process::until_true(sub { !grep { kill 0 => $_ } @pids }), 'and is gone, with its child';
};

$server->stop;
$ghl->stop;
done_testing;
