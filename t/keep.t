#!/usr/bin/env perl
# A web server that keeps its connections to the workers (deploy/nginx-woo-pool.conf): a worker serves one request after the
# other on one connection, but who comes new never waits for a kept one. The test speaks FastCGI itself.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use WooGHL::Server;

my $PING = 'webhook_id=1';
my $server = WooGHL::Server->new(mode => 'nginx', workers => 1)->start;
local $SIG{PIPE} = 'IGNORE';

sub record { my ($type, $content) = @_; return pack('CCnnCC', 1, $type, 1, length $content, 0, 0) . $content }
sub param { my ($name, $value) = @_; return pack('CC', length $name, length $value) . $name . $value }
sub connection { return IO::Socket::UNIX->new(Peer => $server->dir . '/socket') || die "no connection: $!" }

sub ask {
    my ($socket) = @_;
    my %param = (REQUEST_METHOD => 'POST', SCRIPT_NAME => '/woo-order', REMOTE_ADDR => '127.0.0.1', GATEWAY_INTERFACE => 'CGI/1.1',
        CONTENT_TYPE => 'application/x-www-form-urlencoded', CONTENT_LENGTH => length $PING);
    syswrite $socket, record(1, pack 'nCx5', 1, 1) . record(4, join '', map { param($_, $param{$_}) } sort keys %param)
        . record(4, '') . record(5, $PING) . record(5, '');
    return;
}

# The text of the answer that ends next; undef = the connection ended before.
sub answer {
    my ($socket) = @_;
    my $text = '';
    while (IO::Select->new($socket)->can_read($WooGHL::Process::PATIENCE)) {
        my $head = '';
        sysread($socket, $head, 8) == 8 or return undef;
        my ($type, $length, $padding) = (unpack 'CCnnCC', $head)[1, 3, 4];
        my $content = '';
        while (length $content < $length + $padding) {
            sysread $socket, $content, $length + $padding - length $content, length $content or return undef;
        }
        $text .= substr $content, 0, $length if $type == 6;
        return $text if $type == 3;
    }
    die "no answer in time\n";
}

my $pong = qr/\{"status":"pong"\}\z/;
my $kept = connection();
for my $n (1 .. 3) {
    ask($kept);
    like answer($kept), $pong, "request $n on one connection";
}

# The worker waits on that connection, and there is no other worker.
my $new = connection();
ask($new);
like answer($new), $pong, 'who comes new has an answer while another connection is kept idle';
is sysread($kept, my $byte, 1), 0, 'the idle one was let go for that';

# The new one is kept now. Its next request and a third connection meet.
ask($new);
my $third = connection();
ask($third);
like answer($_), $pong, 'both are served' for $new, $third;
is sysread($new, $byte, 1), 0, 'the kept one leaves its turn to who waits';

kill TERM => $server->worker_pids;
$_->wait for @{ $server->{pool} };
is scalar($server->worker_pids), 0, 'a worker that waits on a kept connection leaves when it is told';

# The same through nginx, with more clients than workers.
$server->stop;
$server = WooGHL::Server->new(mode => 'nginx', workers => 2, keep => 1)->start;
my %ping = ('Content-Type' => 'application/x-www-form-urlencoded');
my @clients;
for (1 .. 6) {
    push @clients, fork // die "fork: $!";
    POSIX::_exit(scalar grep { $server->request(POST => '/woo-order', \%ping, $PING)->{status} != 200 } 1 .. 20) if !$clients[-1];
}
my $failed = 0;
for (@clients) { waitpid $_, 0; $failed += $? != 0 }
is $failed, 0, 'six clients have all their answers from two workers with kept connections';
$server->stop;
done_testing;
