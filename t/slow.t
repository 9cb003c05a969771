#!/usr/bin/env perl
# Clients that are slow with their bodies, where the web server hands a body over as it comes (mod_proxy_fcgi):
# each holds a worker for a while, none for as long as it likes. The test speaks FastCGI itself.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Server;

my $PING = 'webhook_id=1';
my $LENGTH = 4000;
my $server = WooGHL::Server->new(mode => 'nginx', workers => 4)->start;
local $SIG{PIPE} = 'IGNORE';

sub record { my ($type, $content) = @_; return pack('CCnnCC', 1, $type, 1, length $content, 0, 0) . $content }
sub param { my ($name, $value) = @_; return pack('CC', length $name, length $value) . $name . $value }

# A request with so much of its body; it is a client that may drip more.
sub begin {
    my (%with) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $server->dir . '/socket') or die "no connection: $!";
    my %param = (REQUEST_METHOD => 'POST', SCRIPT_NAME => '/woo-order', REMOTE_ADDR => '127.0.0.1',
        GATEWAY_INTERFACE => 'CGI/1.1', CONTENT_TYPE => 'application/x-www-form-urlencoded',
        CONTENT_LENGTH => $LENGTH, %{ $with{param} || {} });
    my $body = $with{body} // '';
    syswrite $socket, record(1, pack 'nCx5', 1, 0) . record(4, join '', map { param($_, $param{$_}) } sort keys %param)
        . record(4, '') . (length $body ? record(5, $body) : '');
    return { socket => $socket, drips => $with{drips}, bytes => '' };
}

# How many connections the workers have, that is: how many sockets are connected (03) under the name that they listen at.
sub connections {
    my $name = $server->dir . '/socket';
    open my $in, '<', '/proc/net/unix' or die "/proc/net/unix: $!";
    return scalar grep { my @field = split; ($field[7] // '') eq $name && $field[5] eq '03' } <$in>;
}

# Lets them drip, and reads their answers, until the workers have let go of all. The time of that.
sub wait_until_free {
    my (@clients) = @_;
    my $deadline = time + $WooGHL::Process::PATIENCE;
    while (time < $deadline) {
        my @reading = grep { !$_->{ended} } @clients;
        for my $client (IO::Select->new(map { $_->{socket} } @reading)->can_read(0.1)) {
            my ($who) = grep { $_->{socket} == $client } @reading;
            $who->{ended} = 1 if !sysread $client, $who->{bytes}, 65536, length $who->{bytes};
            $who->{answered} //= time if length $who->{bytes};
        }
        sleep 0.1 if !@reading;
        for my $who (grep { $_->{drips} } @clients) { syswrite $who->{socket}, record(5, 'w') }
        next if IO::Select->new(map { $_->{socket} } grep { !$_->{ended} } @clients)->can_read(0);    # an answer, or its end
        return time if @reading < @clients && connections() == 0;
    }
    return $deadline;
}

# The text of all output records.
sub answer {
    my ($who) = @_;
    my ($bytes, $answer) = ($who->{bytes}, '');
    while (length $bytes >= 8) {
        my ($type, $length, $padding) = (unpack 'CCnnCC', $bytes)[1, 3, 4];
        $answer .= substr $bytes, 8, $length if $type == 6;
        substr $bytes, 0, 8 + $length + $padding, '';
    }
    return $answer;
}

my @pids = $server->worker_pids;
my $began = time;
my $stalls = begin(body => 'webhook_id=');
my $drips = begin(drips => 1);
my $lost = begin(drips => 1, param => { SCRIPT_NAME => '/woo-order/none' });
# Without a length the body ends where the stream ends; this one never ends.
my $endless = begin(drips => 1, param => { CONTENT_LENGTH => '', HTTP_TRANSFER_ENCODING => 'chunked' });
my $free = wait_until_free($stalls, $drips, $lost, $endless);
cmp_ok $free - $began, '<', $WooGHL::Process::PATIENCE, 'all workers are free again, whatever still drips';

my $short = qr/\AStatus: 400 Bad Request\r\n.*\r\n\r\n\{"error":"Incomplete Body"\}\z/s;
for my $case (['who sends nothing more', $stalls], ['who sends a byte now and then', $drips],
    ['who never comes to an end', $endless]) {
    my ($name, $who) = @$case;
    like answer($who), $short, "$name gets an answer";
    cmp_ok +($who->{answered} // 0) - $began, '>', 3, '... after a while';
}
like answer($lost), qr/\AStatus: 404 Not Found\r\n/, 'a body that nobody wants changes nothing about the answer';
cmp_ok $lost->{answered}, '<', $_->{answered}, '... which is there at once, before the others' for $stalls, $drips, $endless;

is_deeply [sort $server->worker_pids], [sort @pids], 'the workers are the same';
for my $n (1 .. 4) {
    my $pong = $server->request(POST => '/woo-order', { 'Content-Type' => 'application/x-www-form-urlencoded' }, $PING);
    is $pong->{body}, '{"status":"pong"}', "and answer ($n)";
}

$server->stop;
done_testing;
