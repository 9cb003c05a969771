#!/usr/bin/env perl
# The units: little may be done by what they start, and the drain says when it is ready.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;
use WooGHL::Server;

my @units = glob "$FindBin::Bin/../deploy/*.service";
SKIP: {
    my $analyze = grep { -x "$_/systemd-analyze" } split /:/, $ENV{PATH};
    skip 'there is no systemd-analyze', scalar @units if !$analyze;
    for my $unit (@units) {
        my $said = `systemd-analyze security --offline=true \Q$unit\E 2>&1`;
        my ($level) = $said =~ /Overall exposure level for \S+: ([0-9.]+)/;
        SKIP: {
            skip 'this systemd-analyze looks at no files', 1 if !defined $level;
            cmp_ok $level, '<=', 1.5, ($unit =~ s{.*/}{}r) . ': its exposure';
        }
    }
}

subtest 'the drain tells systemd that it is ready' => sub {
    my $server = WooGHL::Server->new(mode => 'cgi');
    my $path = $server->dir . '/notify';
    my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "$path: $!";
    chmod 0777, $path;
    my $drain = $server->_spawn([$server->program, 'drain', '--watch'], env => { NOTIFY_SOCKET => $path });
    my $heard = '';
    $socket->recv($heard, 4096) if IO::Select->new($socket)->can_read($WooGHL::Process::PATIENCE);
    like $heard, qr/\AREADY=1\nSTATUS=Brings waiting orders/, 'when it reads the queue';
    $drain->signal('USR1');
    is $drain->wait, 0, 'a reload ends it well, for systemd to start it anew';
};

done_testing;
