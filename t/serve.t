#!/usr/bin/env perl
# The process behind the web server: signals, descriptors, clients that go away. It speaks FastCGI itself, so
# that a request can be held half sent while something happens.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Server;

my $PING = 'webhook_id=1';
my $server = WooGHL::Server->new(mode => 'nginx', workers => 1)->start;

sub record { my ($type, $content) = @_; return pack('CCnnCC', 1, $type, 1, length $content, 0, 0) . $content }
sub param { my ($name, $value) = @_; return pack('CC', length $name, length $value) . $name . $value }

# The start of a ping, with so much of its body.
sub begin {
    my ($body) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $server->dir . '/socket') or die "no connection: $!";
    my %param = (REQUEST_METHOD => 'POST', SCRIPT_NAME => '/woo-order', REMOTE_ADDR => '127.0.0.1',
        GATEWAY_INTERFACE => 'CGI/1.1', CONTENT_TYPE => 'application/x-www-form-urlencoded',
        CONTENT_LENGTH => length $PING);
    syswrite $socket, record(1, pack 'nCx5', 1, 0) . record(4, join '', map { param($_, $param{$_}) } sort keys %param)
        . record(4, '') . (length $body ? record(5, $body) : '');
    return $socket;
}

# The rest of the body, and the answer: the text of all output records, '' when there is none.
sub finish {
    my ($socket, $body) = @_;
    syswrite $socket, record(5, $body) . record(5, '');
    my ($bytes, $answer) = ('', '');
    local $SIG{ALRM} = sub { die "no answer in time\n" };
    alarm $WooGHL::Process::PATIENCE;
    1 while sysread $socket, $bytes, 65536, length $bytes;
    alarm 0;
    while (length $bytes >= 8) {
        my ($type, $length, $padding) = (unpack 'CCnnCC', $bytes)[1, 3, 4];
        $answer .= substr $bytes, 8, $length if $type == 6;
        substr $bytes, 0, 8 + $length + $padding, '';
    }
    return $answer;
}

# How many descriptors a process has open: a worker with a connection holds one more.
sub descriptors { my ($pid) = @_; my @all = glob "/proc/$pid/fd/*"; return scalar @all }

sub wait_for {
    my ($what, $test) = @_;
    return WooGHL::Process::until_true($test) || fail $what;
}

# A worker that has set up its signals and waits.
sub worker {
    my (%option) = @_;
    my $worker = $server->add_worker(%option);
    wait_for('the worker waits for a connection', sub {
        return 0 if (readlink('/proc/' . $worker->pid . '/exe') // '') ne $server->program;
        open my $file, '<', '/proc/' . $worker->pid . '/status' or return 0;
        my $status = join '', <$file>;
        return $status =~ /^State:\s+S/m && $status =~ /^SigCgt:\s+([0-9a-f]+)$/m && hex($1) & 1 << 14;
    });
    return $worker;
}

# The limit is changed by the worker's own user, which needs no capability.
sub limit {
    my ($worker, $files) = @_;
    my $run = WooGHL::Process->start(['prlimit', '--pid', $worker->pid, "--nofile=$files:"],
        user => [WooGHL::Process->user]);
    is $run->wait, 0, "its limit of open files is $files";
    return;
}

my $pong = qr/\AStatus: 200 OK\r\n.*\r\n\r\n\{"status":"pong"\}\z/s;

for my $signal (qw(TERM USR1)) {
    subtest "SIG$signal" => sub {
        my $worker = worker();
        my ($other) = grep { $_ != $worker->pid } $server->worker_pids;
        kill STOP => $other;    # so that the one under test gets what comes

        my $idle = descriptors($worker->pid);
        my $socket = begin('webhook_');
        wait_for('the request is in hand', sub { descriptors($worker->pid) > $idle });
        $worker->signal($signal);
        ok !defined $worker->wait(0.2), 'a worker with a request in hand stays';
        like finish($socket, 'id=1'), $pong, 'it is answered in full';
        is $worker->wait, 0, 'then the worker has left, with 0';
        kill CONT => $other;

        my $second = worker();
        my $began = time;
        $second->signal($signal);
        is $second->wait, 0, 'an idle worker leaves with 0';
        cmp_ok time - $began, '<', 20, 'promptly';
    };
}

subtest 'a client that goes away' => sub {
    my ($pid) = $server->worker_pids;
    my $idle = descriptors($pid);
    for my $sent ('', 'webhook_', $PING) {
        my $socket = begin($sent);
        wait_for('the request is in hand', sub { descriptors($pid) > $idle }) if $sent ne $PING;
        close $socket;
        wait_for("the connection is let go after '$sent'", sub { descriptors($pid) <= $idle });
    }
    like finish(begin(''), $PING), $pong, 'the next one is answered';
    is_deeply [$server->worker_pids], [$pid], 'by the same worker';
};

subtest 'nobody behind the web server' => sub {
    my $socket = $server->dir . '/socket';
    my $ping = sub { $server->request(POST => '/woo-order', { 'Content-Type' => 'application/x-www-form-urlencoded' }, $PING) };
    rename $socket, "$socket.away" or die "rename: $!";
    my $res = $ping->();
    is "$res->{status} $res->{body}", '503 {"error":"Unavailable"}', 'nginx says what the program would say';
    is $res->{headers}{'retry-after'}, 60, '... and when to come again';
    rename "$socket.away", $socket or die "rename: $!";
    is $ping->()->{status}, 200, 'then all is well';
};

subtest 'no descriptors left' => sub {
    my ($other) = $server->worker_pids;
    my $worker = worker(limit => 64);
    kill STOP => $other;
    # The limit sinks below what the worker has open: every accept fails with EMFILE.
    limit($worker, 3);
    my $socket = begin('');
    ok !defined $worker->wait(0.5), 'it stays alive while accept fails';
    my $ticks = sub { open my $stat, '<', '/proc/' . $worker->pid . '/stat' or return 0; (split ' ', <$stat>)[13] + 0 };
    my $before = $ticks->();
    sleep 0.5;
    cmp_ok $ticks->() - $before, '<', 20, 'and does not spin';
    limit($worker, 64);
    like finish($socket, $PING), $pong, 'with descriptors again the waiting request is answered';
    kill CONT => $other;
    is $worker->stop, 0, 'and it leaves with 0';
};

subtest 'many workers' => sub {
    my @more = map { worker() } 1 .. 3;
    my $waits = sub {
        my $sum = 0;
        for my $pid ($server->worker_pids) {
            open my $status, '<', "/proc/$pid/status" or next;
            $sum += (join '', <$status>) =~ /^voluntary_ctxt_switches:\s+(\d+)/m ? $1 : 0;
        }
        return $sum;
    };
    my ($requests, $answered, $began) = (50, 0, time);
    my $before = $waits->();
    for (1 .. $requests) { $answered++ if finish(begin($PING), '') =~ $pong }    # a worker waits up to three times for one
    my $seconds = time - $began;    # each looks for a connection every second, too
    is $answered, $requests, 'all are answered';
    cmp_ok $waits->() - $before - 4 * $seconds, '<', 4 * $requests, 'a connection wakes one of them, not all';
    is $_->stop, 0, 'it leaves with 0' for @more;
};

subtest 'which role' => sub {
    my $cgi = WooGHL::Server->new(mode => 'cgi');
    is $cgi->request(POST => '/woo-order', { 'Content-Type' => 'application/x-www-form-urlencoded' }, $PING)->{body},
        '{"status":"pong"}', 'GATEWAY_INTERFACE and no socket: CGI';
    is $cgi->command('version')->{code}, 0, 'neither: a command';
    like finish(begin(''), $PING), $pong, 'a listening socket: FastCGI';
};

$server->stop;
done_testing;
