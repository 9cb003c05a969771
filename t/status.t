#!/usr/bin/env perl
# `woo_ghl status`: one sentence first, why orders wait, today's counts, and an exit code.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use JSON::PP qw(decode_json);
use Test::More;
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;

sub deliver {
    my ($server, $id) = @_;
    return $server->deliver(qq({"id":$id,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"ann\@example.com"}}))->{body};
}

my $server = WooGHL::Server->for_ghl($ghl, mode => 'cgi');
subtest 'all is well' => sub {
    WooGHL::Process::within_an_hour();    # the day must not change
    my $run = $server->command('status');
    is $run->{code}, 0, 'exit code';
    like $run->{out}, qr/\AAll is well: nothing waits\.\n\nwaiting 0, /, 'one sentence first';
    like deliver($server, 1), qr/synced/, 'given an order';
    $run = $server->command('status');
    like $run->{out}, qr/^today \(UTC\): 1 deliveries; 1 orders brought to GHL, /m, "today's counts";
    like $run->{out}, qr/^last brought to GHL \d+ s ago$/m, 'when the last one went to GHL';
    my $json = decode_json($server->command('status', '--json')->{out});
    is_deeply [@$json{qw(state says)}], ['well', 'All is well: nothing waits.'], 'the same as JSON';
    is $json->{today}{'done/synced'}, 1, '... with the counts';
};

subtest 'somebody should look' => sub {
    $server->set(GHL_API_KEY => 'pit-wrong');
    like deliver($server, 2), qr/paused/, 'given a token that is refused';
    my $run = $server->command('status');
    is $run->{code}, 1, 'exit code';
    like $run->{out}, qr/\AAll orders wait until this is mended; none is lost: .*GHL refuses GHL_API_KEY \(401 Invalid JWT\)\n/, 'one sentence first';
    like $run->{out}, qr/^waiting 1, .*\n    1: .+; next try (?:now|in \d+ (?:s|min))$/m, 'why it waits, and until when';
    is decode_json($server->command('status', '--json')->{out})->{reasons}[0]{orders}, 1, '... as JSON';
    $server->set(GHL_API_KEY => $ghl->token);
    ok $server->drain_as_of(61), 'mended';
};

subtest 'orders are at risk' => sub {
    my $lost = WooGHL::Server->for_ghl($ghl, mode => 'cgi', settings => { REDIS_URL => 'redis://127.0.0.1:1' });
    like deliver($lost, 1), qr/store_unavailable/, 'given a store that is away';
    my $run = $lost->command('status');
    is $run->{code}, 2, 'exit code';
    like $run->{out}, qr/\AThe store is away: .*Connection refused/, 'one sentence first';
    like $run->{out}, qr/^spool: 1 deliveries /m, 'the spool is told all the same';
    is decode_json($lost->command('status', '--json')->{out})->{state}, 'risk', 'as JSON';
};

subtest 'two machines' => sub {
    plan skip_all => 'only root can play another machine' if !WooGHL::Process::on_machine('web1');
    my $redis = WooGHL::Server->redis(appendonly => 'yes', appendfsync => 'always');
    my %settings = (REDIS_URL => $redis->url, REDIS_PREFIX => 'two');
    my ($one, $two) = map { WooGHL::Server->for_ghl($ghl, mode => 'cgi', settings => {%settings}) } 1 .. 2;
    my $on = sub { my ($name, $code) = @_; ok WooGHL::Process::on_machine($name), $name; return $code->() };
    my $told = sub { my ($server) = @_; my $run = $server->command('status'); return ($run->{out}, decode_json($server->command('status', '--json')->{out})->{machines}, $run->{code}) };
    my $spool = sub {
        my ($server, $id) = @_;
        $server->set(REDIS_URL => 'redis://127.0.0.1:1');
        like deliver($server, $id), qr/store_unavailable/, 'a delivery that only the spool takes';
        return $server->set(REDIS_URL => $redis->url);
    };
    $on->(web1 => sub { is $one->command('drain')->{code}, 0, 'given a drain' });
    $on->(web2 => sub { $spool->($two, 21); like deliver($two, 22), qr/synced/, 'without a drain; then the store is back' });
    my ($out, $machines) = $on->(web1 => sub { $told->($one) });
    like $out, qr/^web1: a drain ran \d+ s ago; its spool is empty$/m, 'this machine';
    like $out, qr/^web2: no drain has run; its spool holds 1 file, the oldest of \d+ s ago$/m, "the other's spool, which it told without a drain";
    is_deeply [map { [@{ $machines->{$_} }{qw(spool drained_s)}] } 'web2'], [[1, undef]], '... as JSON';
    is $machines->{web1}{spool}, 0, '... and this one';
    my ($key) = grep {m{drain/web2$}} split /\n/, $redis->cli('KEYS', '*');
    my @value = split ' ', $redis->cli('GET', $key);
    $redis->cli('SET', $key, join ' ', @value[0 .. 2], $value[3] - 1200_000);
    ($out, undef, my $code) = $on->(web1 => sub { $told->($one) });
    like $out, qr/\ADeliveries wait in the spool of web2: run `woo_ghl drain` there\.\n/, 'what is old is the first sentence';
    is $code, 1, '... and somebody should look';
    my ($found) = grep { $_->{id} eq 'spool' } @{ decode_json($on->(web1 => sub { $one->command('check', '--json') })->{out})->{findings} };
    like "$found->{level} $found->{what}", qr/^warn web2: its spool holds 1 file, the oldest of 20 minutes ago$/, 'check finds it, too';
    my $metrics = $one->request(GET => '/woo-order/metrics')->{body};
    like $metrics, qr/^woo_ghl_spool_files\{machine="web2"\} 1$/m, 'the metrics tell it';
    like $metrics, qr/^woo_ghl_spool_oldest_seconds\{machine="web2"\} 12\d\d$/m, '... and its age';
    $on->(web2 => sub { is $two->command('drain')->{code}, 0, 'given a drain there, which moves it' });
    ($out) = $on->(web1 => sub { $told->($one) });
    like $out, qr/^web2: a drain ran \d+ s ago; its spool is empty$/m, 'it says so at once';
    $on->(web2 => sub { $two->set(REDIS_URL => 'redis://127.0.0.1:1'); $two->command('drain') });
    @value = split ' ', $redis->cli('GET', $key);
    $redis->cli('SET', $key, join ' ', map { $_ ? $_ - 1200_000 : 0 } @value);
    ($out) = $on->(web1 => sub { $told->($one) });
    like $out, qr/^web2: silent for 20 min; its spool was empty$/m, 'a machine that cannot reach the store is silent';
    $redis->stop;
};

subtest '--watch' => sub {
    my $process = $server->background('status', '--watch', '--json');
    my $lines = sub { open my $in, '<', $server->dir . '/stdout' or return 0; my @l = <$in>; return scalar grep { /"state"/ } @l };
    ok WooGHL::Process::until_true(sub { $lines->() >= 2 }), 'it looks again and again';
    $process->signal('INT');
    ok defined $process->wait, 'until it is stopped';
};

$server->stop;
$ghl->stop;
done_testing;
