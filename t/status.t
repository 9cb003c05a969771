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
