#!/usr/bin/env perl
# SANDBOX: however a worker is served, it reaches nothing outside its directories, and a person is told all the same.
# What the kernel refuses, t/unit/base/confine.c tries one by one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep);
use WooGHL::Server;

my $ORDER = '{"id":7,"status":"processing","total":"10.00","billing":{"email":"ann@example.com"}}';
my $QUEUED = '{"status":"queued","reason":"store_unavailable"}';
my @user = WooGHL::Process->user;

sub status_of { my ($pid, $name) = @_; return WooGHL::Server::_slurp("/proc/$pid/status") =~ /^$name:\s*(\d+)/m ? $1 : '' }

sub told {
    my ($file) = @_;
    WooGHL::Process::until_true(sub { -s $file });
    return WooGHL::Server::_slurp($file);
}

# The store is away, and the spool is a link to somewhere else.
sub given {
    my ($mode, $outside, %settings) = @_;
    my $server = WooGHL::Server->new(mode => $mode, settings => { REDIS_URL => 'redis://127.0.0.1:1',
        ALERT_COMMAND => 'cat >>' . $outside . '/told', SANDBOX => 'on', %settings });
    mkdir $server->dir . '/data' or die "data: $!";
    symlink "$outside/spool", $server->dir . '/data/spool' or die "spool: $!";
    chown @user, $server->dir . '/data' if @user;
    chmod 0700, $server->dir . '/data';
    return $server->start;
}

sub outside {
    my $outside = File::Temp->newdir('woo-ghl-XXXXXX', TMPDIR => 1);
    mkdir "$outside/spool", 0700 or die "spool: $!";
    do { chown @user, "$outside", "$outside/spool" } if @user;
    return $outside;
}

my $server = WooGHL::Server->new;
my $check = $server->command('check', '--json')->{out};
my $whole = $check !~ /"area"\s*:\s*"sandbox"[^}]*"warn/s && $check !~ /The sandbox is not whole/;
diag 'this kernel, or this build, has not all of it' if !$whole;

for my $mode (qw(cgi nginx fcgid proxy_fcgi apache_cgi)) {
    subtest $mode => sub {
        my $outside = outside();
        my $free = given($mode, $outside, SANDBOX => 'off');
        is $free->deliver($ORDER)->{body}, $QUEUED, 'without a sandbox the link leads the order out';
        is scalar(() = glob "$outside/spool/*.delivery"), 1, 'there it is';
        like told("$outside/told"), qr/^woo_ghl store:/, 'a person is told';
        $free->stop;

        $outside = outside();
        my $confined = given($mode, $outside);
        my $answer = $confined->deliver($ORDER);
        SKIP: {
            skip 'no Landlock', 2 if !$whole;
            is $answer->{status}, 503, 'in its sandbox it cannot follow the link' or diag $confined->log;
            is scalar(() = glob "$outside/spool/*"), 0, 'nothing is there';
        }
        like told("$outside/told"), qr/^woo_ghl store:/, 'a person is told all the same';
        for my $pid ($mode =~ /nginx|fcg/ ? $confined->worker_pids : ()) {
            WooGHL::Process::until_true(sub { status_of($pid, 'NoNewPrivs') ne '0' });    # it may just begin
            is status_of($pid, 'NoNewPrivs'), 1, 'no new privileges';
            WooGHL::Process::until_true(sub { !$whole || status_of($pid, 'Seccomp') ne '0' });
            is status_of($pid, 'Seccomp'), 2, 'a filter of system calls' if $whole;
        }
        $confined->stop;
    };
}

subtest 'settings that change' => sub {
    my $server = WooGHL::Server->new(mode => 'nginx', workers => 1, settings => { SANDBOX => 'on' })->start;
    is $server->deliver($ORDER)->{status}, 200, 'given a worker';
    my $elsewhere = outside();
    $server->set(DATA_DIR => "$elsewhere/data");
    sleep 1.1;    # it looks at its settings once a second
    is $server->deliver($ORDER)->{status}, 200, 'another DATA_DIR does not count';
    ok !-e "$elsewhere/data", 'nothing is there';
    like $server->log, qr/level=error event=config .*DATA_DIR: .*start the workers anew/, 'the log says what to do';
    $server->restart_workers;
    is $server->deliver($ORDER)->{status}, 200, 'after a start';
    ok -e "$elsewhere/data/store.db", 'it does';
    $server->stop;
};
done_testing;
