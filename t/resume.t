#!/usr/bin/env perl
# Settings that are mended while processes run, and processes that are told to stop while they wait.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use WooGHL::Server;


sub deliver {
    my ($server, $id) = @_;
    my $body = qq({"id":$id,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"ann\@example.com"}});
    return $server->deliver($body)->{body};
}

sub file_of { my ($path) = @_; open my $in, '<', $path or return ''; local $/; return scalar(<$in>) // '' }

# A drain that has read its settings already; the function that is returned lets it begin, 61 s later.
sub drain_with_old_settings {
    my ($server) = @_;
    my $out = $server->dir . '/later.out';
    pipe my $in, my $go or die "pipe: $!";
    my $process = $server->later(61, ['asked'], in => $in, out => $out);
    close $in;
    WooGHL::Process::until_true(sub { file_of($out) =~ /open/ });
    return sub { close $go; return $process->wait };
}

my $ghl = FakeGHL::Client->start;
for my $store (qw(sqlite redis)) {
    my $redis = $store eq 'redis' ? WooGHL::Server->redis : undef;
    my $new = sub {
        my (%more) = @_;
        $ghl->reset;
        return WooGHL::Server->for_ghl($ghl, redis => $redis, mode => 'nginx', workers => 1, settings => \%more)->start;
    };

    for my $case (
        ['token', 'GHL_API_KEY', 'pit-wrong-token', $ghl->token],
        ['pipeline', 'GHL_PIPELINE_ID', 'No such pipeline', 'fakePipelineAAAAAAAA'],
    ) {
        my ($what, $name, $wrong, $right) = @$case;
        subtest "$store: a mended $what needs no new start" => sub {
            my $server = $new->($name => $wrong);
            is deliver($server, 1), '{"status":"queued","reason":"paused"}', "given a wrong $what";
            my $drain = drain_with_old_settings($server);
            $server->set($name => $right);
            is $drain->(), 0, 'when the settings are mended, a drain that has read the old ones goes on';
            is_deeply [map { $_->{name} } $ghl->opportunities], ['Order #1'], 'and the order is in GHL' or diag $server->log;
            unlike $server->log, qr/\Q$wrong\E/, 'the log holds no token' if $what eq 'token';
            $server->stop;
        };

        subtest "$store: a worker with an old $what reads the settings anew" => sub {
            my $server = $new->($name => $wrong);
            my $began = time;
            is deliver($server, 1), '{"status":"queued","reason":"paused"}', "given a wrong $what";
            $server->set($name => $right);
            is $server->command('drain', '--now')->{code}, 0, 'when it is mended and a new drain has lifted the pause';
            my $got = deliver($server, 2);
            # After a second a worker has looked at its settings again by itself.
            my $says = time - $began < 1 ? qr/^\{"status":"queued","reason":"settings_changed"\}$/ : qr/"settings_changed"|"synced"/;
            like $got, $says, 'the worker does not pause again';
            like deliver($server, 3), qr/"synced"/, 'and goes on by the new ones';
            is $server->command('drain', '--now')->{code}, 0, 'a drain';
            is_deeply [sort map { $_->{name} } $ghl->opportunities], ['Order #1', 'Order #2', 'Order #3'], 'every order is there once';
            $server->stop;
        };
    }

    subtest "$store: another location is another queue" => sub {
        my $server = $new->(GHL_API_KEY => 'pit-wrong-token');
        is deliver($server, 1), '{"status":"queued","reason":"paused"}', 'given a wrong token';
        my $drain = drain_with_old_settings($server);
        $server->set(GHL_API_KEY => $ghl->token, GHL_LOCATION_ID => 'anotherLocation00000');
        is $drain->(), 0, 'a drain that runs on';
        is_deeply [$ghl->opportunities], [], 'writes nothing with the token of another location';
        like $server->log, qr/The settings were changed and count from now on: GHL_API_KEY, GHL_LOCATION_ID/, 'and says why';
        $server->stop;
    };

    subtest "$store: a worker that is told to stop begins no further try" => sub {
        my $server = $new->();
        $ghl->fault({ times => 0, do => { status => 503, waits => 1 } });
        pipe my $in, my $out or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if (!$pid) { syswrite $out, eval { deliver($server, 1) } // "$@"; POSIX::_exit(0) }
        close $out;
        $ghl->wait_calls(1);
        kill TERM => $server->worker_pids;
        $ghl->answer;
        is do { local $/; <$in> }, '{"status":"queued","reason":"ghl_unavailable"}', 'the request in hand is answered';
        waitpid $pid, 0;
        is $ghl->count(path => '/contacts/upsert'), 1, 'after the one try';
        $ghl->clear_faults;
        $server->restart_workers;
        is $server->command('drain', '--now')->{code}, 0, 'a drain';
        is_deeply [map { $_->{name} } $ghl->opportunities], ['Order #1'], 'brings it';
        $server->stop;
    };
}
$ghl->stop;
done_testing;
