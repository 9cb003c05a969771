#!/usr/bin/env perl
# A host without cron, and with little of everything: what is due is worked on after an answer, never before it, by one
# process at a time; and within the host's limits each order is kept, or answered 503.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use Test::More;
use WooGHL::Process;
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;
my $SECRET = $WooGHL::Server::SECRET;

sub has { my ($program) = @_; return grep { -x "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin' }

sub order {
    my ($id, $padding) = @_;
    return qq({"id":$id,"status":"processing","total":"10.00","note":") . 'x' x ($padding || 0)
        . qq(","billing":{"first_name":"Ann","last_name":"Lee","email":"c$id\@example.com"}});
}
sub headers { return { 'Content-Type' => 'application/json', 'X-WC-Webhook-Topic' => 'order.updated', 'X-WC-Webhook-Signature' => hmac_sha256_base64($_[0], $SECRET) . '=' } }
sub deliver {
    my ($server, $body, %more) = @_;
    my $answer = $server->request(POST => '/woo-order', headers($body), $body, %more);
    return "$answer->{status} $answer->{body}";
}
sub until_true { return WooGHL::Process::until_true(@_) }
sub deals { return [sort { $a <=> $b } map { $_->{name} =~ /#(\d+)/ } $ghl->opportunities] }

# As the processes that outlive their request show: those of the program.
sub running { my ($server) = @_; my $program = $server->program; return grep { (readlink("/proc/$_/exe") // '') eq $program } map { m{/proc/(\d+)} } glob '/proc/[0-9]*' }

for my $mode (qw(cgi apache_cgi)) {
    subtest "after the answer: $mode" => sub {
        plan skip_all => 'there is no Apache' if $mode ne 'cgi' && !has('apache2');
        $ghl->reset;
        my $server = WooGHL::Server->for_ghl($ghl, mode => $mode, settings => { DRAIN_AFTER => 'on', SYNC_BUDGET => '0' })->start;
        $ghl->fault({ times => 0, do => { waits => 1 } });
        for my $id (1 .. 6) {
            is deliver($server, order($id)), '202 {"status":"queued","reason":"later"}', "order $id is kept" if $id <= 3;
            is $server->request(GET => '/woo-order/health')->{status}, 200, 'a monitor looks' if $id > 3;
            # One that is answered may not have left yet; those that work on wait for GHL.
            ok until_true(sub { running($server) <= 1 }), 'one process at a time works on';
        }
        pass 'no answer waited for GHL, which has not answered yet';
        $ghl->wait_calls(1);
        ok $ghl->answer, 'it hears them';
        $ghl->clear_faults;
        ok until_true(sub { $ghl->answer; !running($server) }), 'it ends by itself';
        deliver($server, order(4));
        ok until_true(sub { @{ deals() } == 4 || (!running($server) && ($server->request(GET => '/woo-order/health'), 0)[1]) }), 'looks by a monitor and deliveries bring all of them';
        is_deeply deals(), [1 .. 4], 'each once';
        ok until_true(sub { !running($server) }), 'nobody is left behind';
    };
}

subtest 'the spool, too' => sub {
    $ghl->reset;
    my $server = WooGHL::Server->for_ghl($ghl, settings => { DRAIN_AFTER => 'on', SYNC_BUDGET => '0' });
    my $url = $server->{settings};
    $server->set(REDIS_URL => 'redis://127.0.0.1:1');
    is deliver($server, order(1)), '202 {"status":"queued","reason":"store_unavailable"}', 'given one that no store took';
    $server->set(REDIS_URL => undef);
    is deliver($server, order(2)), '202 {"status":"queued","reason":"later"}', 'and a delivery';
    ok until_true(sub { @{ deals() } == 2 }), 'both are in GHL';
    ok until_true(sub { !running($server) }), 'and nobody is left behind';
};

subtest "the host's limits" => sub {
    plan skip_all => 'a sanitizer needs more of everything' if ($ENV{BUILD} // '') =~ /asan/;
    $ghl->reset;
    my $server = WooGHL::Server->for_ghl($ghl, settings => { DRAIN_AFTER => 'on' });
    like deliver($server, order(1), ulimit => '-n 12'), qr/^200 \{"status":"synced"/, '12 descriptors';
    like deliver($server, order(2, 7_000_000), ulimit => '-v 524288'), qr/^200 \{"status":"synced"/, '512 MB of address space, an order of 7 MB';
    like deliver($server, order(3), env => { TMPDIR => '/nonexistent', SQLITE_TMPDIR => '/nonexistent' }), qr/^200 \{"status":"synced"/, 'no directory for temporary files';
    $server->set(SYNC_BUDGET => '0');
    is deliver($server, order(4), $< ? () : (ulimit => '-p 1')), '202 {"status":"queued","reason":"later"}', 'no process more';
    ok until_true(sub { !running($server) }), '... nobody works on' if !$<;
    is deliver($server, order(5), ulimit => '-f 0'), '503 {"error":"Unavailable"}', 'a quota that is full: the shop is told that it was not taken';
    $server->set(LOG => '/dev/full');
    is deliver($server, order(6)), '202 {"status":"queued","reason":"later"}', 'a log that cannot be written';
    like $server->errors, qr/event=queued order=shop:6 /, "... goes to the web server's";
    $server->set(SYNC_BUDGET => '8s');
    like deliver($server, order(5)), qr/^200 \{"status":"synced"/, 'with room again it is taken';
    ok until_true(sub { @{ deals() } == 6 || (!running($server) && ($server->request(GET => '/woo-order/health'), 0)[1]) }), 'nothing was lost';
    is_deeply deals(), [1 .. 6], '... and each is there once';
};

subtest '/tmp where nothing may be executed' => sub {
    plan skip_all => 'only root can mount' if $>;
    plan skip_all => 'a sanitizer looks for its files there' if ($ENV{BUILD} // '') =~ /asan/;
    $ghl->reset;
    local $ENV{TMPDIR} = '/var/tmp';    # what the server itself has is not hidden
    my $server = WooGHL::Server->for_ghl($ghl, settings => { DRAIN_AFTER => 'on' })->start;
    pipe my $from, my $to or die "pipe: $!";
    my $process = WooGHL::Process->start(sub {
        # A place of its own for mounts: CLONE_NEWNS.
        my $mounted = syscall(272, 0x20000) == 0 && system('mount --make-rprivate / && mount -t tmpfs -o noexec,mode=1777 none /tmp') == 0;
        syswrite $to, $mounted ? join "\n", deliver($server, order(1)), deliver($server, order(2, 3_000_000)), $server->command('drain')->{code} : 'no mount';
        return 0;
    });
    close $to;
    my $said = do { local $/; <$from> };
    $process->wait(60);
    plan skip_all => 'nothing can be mounted here' if $said eq 'no mount';
    like $said, qr/^200 \{"status":"synced".*\n200 \{"status":"synced".*\n0$/, 'orders are taken, and a drain runs';
    is_deeply deals(), [1, 2], 'GHL holds them';
};

done_testing;
