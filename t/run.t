#!/usr/bin/env perl
# `make run` (deploy/run.sh): what it starts, and that nothing of it is left.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

my $TOP = abs_path("$FindBin::Bin/..");
my $dir = abs_path(tempdir(CLEANUP => 1));
mkdir "$dir/deploy" or die "mkdir: $!";
for my $file (qw(run.sh nginx.conf nginx-woo-order.conf)) {
    copy("$TOP/deploy/$file", "$dir/deploy/$file") or die "copy: $!";
}
copy($ENV{WOO_GHL_PROGRAM} || "$TOP/woo_ghl", "$dir/woo_ghl") or die "copy: $!";
chmod 0755, "$dir/woo_ghl", "$dir/deploy/run.sh" or die "chmod: $!";

my $free = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "no free port: $!";
my $port = $free->sockport;
close $free;
my %environment = (PATH => $ENV{PATH}, PORT => $port, map { $_ => $ENV{$_} } grep { /^(?:[ALU]+B?SAN_OPTIONS)$/ } keys %ENV);

sub slurp { my ($path) = @_; open my $file, '<', $path or return ''; local $/; return scalar(<$file>) // '' }

# A command in a process group of its own, as a terminal starts it.
sub begin {
    my ($out, @command) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        setpgrp 0, 0;
        %ENV = %environment;
        $SIG{INT} = 'DEFAULT';
        chdir $dir or die "chdir: $!";
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $out or die "$out: $!";
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    return $pid;
}

# The exit status, or undef when it still runs.
sub ended {
    my ($pid, $seconds) = @_;
    my $deadline = time + $seconds;
    while (time < $deadline) {
        return $? if waitpid($pid, WNOHANG) == $pid;
        sleep 0.02;
    }
    return;
}

sub run { my (@command) = @_; my $status = ended(begin("$dir/said", @command), 120) // die "@command does not end"; return ($status >> 8, slurp("$dir/said")) }

# Whoever works in the directory; all that run.sh starts does.
sub running { return grep { (readlink("/proc/$_/cwd") // '') eq $dir } map { m{/proc/(\d+)} } glob '/proc/[0-9]*' }
sub workers { return grep { slurp("/proc/$_/cmdline") eq "./woo_ghl\0" && slurp("/proc/$_/comm") eq "woo_ghl\n" } running() }

sub wait_until {
    my ($what, $test) = @_;
    my $deadline = time + 120;
    until ($test->()) {
        if (time > $deadline) { fail "$what in time"; return 0 }
        sleep 0.02;
    }
    return pass $what;
}

sub start {
    unlink "$dir/out";
    my $pid = begin("$dir/out", 'deploy/run.sh');
    wait_until('it runs', sub { slurp("$dir/out") =~ /^Ctrl-C ends it\.$/m || waitpid($pid, WNOHANG) == $pid }) or diag slurp("$dir/out");
    return $pid;
}

sub nothing_is_left {
    is_deeply [running()], [], 'no process is left';
    ok !-e "$dir/run", 'nor the run directory';
    ok !IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port), 'nor anybody on the port';
    return;
}

my $main = start();
subtest 'what it starts' => sub {
    my $out = slurp("$dir/out");
    like $out, qr{^settings   ok   \Q$dir\E/\.env\nstore      ok   sqlite\nGHL        ok   }m, 'it looks at settings, store and GHL';
    like $out, qr{^woo_ghl takes orders at  http://127\.0\.0\.1:$port/woo-order$}m, 'it says the URL';
    like $out, qr{^its secret is in         \Q$dir\E/\.env \(made just now, with a fresh secret\)$}m, '... where the secret is';
    like $out, qr{^send a sample order with \./woo_ghl trigger$}m, '... how to send a sample order';
    like $out, qr{^This is a DRY RUN: }m, '... and that it is a dry run';
    my ($told) = slurp("$TOP/README.md") =~ /It ends with:\n\n```\n(.*?)```/s;
    s{/home/you/woo_ghl}{$dir}g, s{:5000/}{:$port/} for $told;
    is $out =~ s/\n\z//r, $told, 'all as README has it';
    my ($secret) = slurp("$dir/.env") =~ /^WOO_WEBHOOK_SECRET='([0-9a-f]{40})'$/m;
    ok defined $secret, 'a secret was made' and unlike $out, qr/$secret/, 'and is not shown';
    is +(stat "$dir/.env")[2] & 0777, 0600, 'its file is for the user alone';
    my ($code, $said) = run('./woo_ghl', 'trigger', '--scenarios');
    is $code, 0, 'the four scenarios' or diag $said;
};

subtest 'a dead worker is replaced, however often it dies' => sub {
    is scalar(() = workers()), 4, 'there are four';
    for my $n (1 .. 4) {
        my @before = workers();
        kill KILL => @before;
        my %dead = map { $_ => 1 } @before;
        wait_until("four others ($n)", sub { 4 == grep { !$dead{$_} } workers() });
    }
    is +(run('./woo_ghl', 'trigger'))[0], 0, 'an order is taken';
};

subtest 'a second one' => sub {
    my ($code, $said) = run('deploy/run.sh');
    is $code, 1, 'does not start';
    is $said, "make run: it runs already in $dir; stop that one first (Ctrl-C there)\n", 'and says why';
    is +(run('./woo_ghl', 'trigger'))[0], 0, 'the first goes on';
};

subtest 'Ctrl-C' => sub {
    kill INT => -$main;
    is ended($main, 120), 0, 'it ends';
    nothing_is_left();
};

subtest 'what a killed one left is ended by the next' => sub {
    my $killed = start();
    my @left = grep { $_ != $killed } running();
    kill KILL => $killed;
    ended($killed, 120);
    cmp_ok scalar(() = running()), '>=', 6, 'the parts go on';
    my $next = start();
    my %left = map { $_ => 1 } @left;
    is_deeply [grep { $left{$_} } running()], [], 'all of the old ones are gone';
    unlike slurp("$dir/out"), qr/made just now/, 'the settings are those of before';
    is +(run('./woo_ghl', 'trigger'))[0], 0, 'an order is taken';
    kill TERM => $next;
    is ended($next, 120), 0, 'TERM ends it, too';
    nothing_is_left();
};

subtest 'what hinders it' => sub {
    my $taken = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1) or die "port: $!";
    my ($code, $said) = run('deploy/run.sh');
    is $code, 1, 'a port in use';
    like $said, qr{^make run: port $port is in use; set another PORT in \Q$dir\E/\.env$}m, '... is said';
    close $taken;
    $environment{GHL_TIMEOUT} = 'soon';
    $environment{MAX_BODY} = 'much';
    ($code, $said) = run('deploy/run.sh');
    is $code, 1, 'refused settings';
    like $said, qr/^settings   FAIL GHL_TIMEOUT: 'soon' is not a duration/m, '... are told';
    like $said, qr/^settings   FAIL MAX_BODY: 'much' is not a size/m, '... each';
    unlike $said, qr/^DATA_DIR/m, '... and not lost among those that are good';
    nothing_is_left();
};

END { local $?; kill KILL => running() if defined $dir }
done_testing;
