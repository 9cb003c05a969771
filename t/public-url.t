#!/usr/bin/env perl
# `woo_ghl check` asks through the public URL: only this program with our secret can give the right answer, and whatever
# else answers there is told as what it is.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeWoo::Client;
use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use WooGHL::Process;
use WooGHL::Server;

sub has { my ($program) = @_; return grep { -x "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin' }

# Its line of `check`.
sub told {
    my ($server) = @_;
    my $run = $server->command('check');
    my ($line) = $run->{out} =~ /^(public URL (?:ok|warn|FAIL) .*)$/m;
    return ($line // $run->{out}) . ($run->{code} ? " [$run->{code}]" : '');
}

my $woo = FakeWoo::Client->start;

for my $mode (qw(nginx apache_cgi)) {
    subtest "it answers: $mode" => sub {
        plan skip_all => "there is no $mode" unless has($mode eq "nginx" ? "nginx" : "apache2");
        my $server = WooGHL::Server->new(mode => $mode, settings => { DRAIN_AFTER => 'on' })->start;
        my $url = $server->url . '/woo-order';
        $server->set(PUBLIC_URL => "$url/");
        is told($server), "public URL ok   $url", 'with and without the slash, small and large';
        is JSON::PP::decode_json($server->command('status', '--json')->{out})->{waiting}, 0, 'no order came of it';
        unlike $server->command('failed')->{out}, qr/proof/, 'nor a dead letter';
        my $other = WooGHL::Server->new(mode => 'cgi', settings => { WOO_WEBHOOK_SECRET => 'another one', PUBLIC_URL => $url });
        is told($other), "public URL FAIL $url answers 401 to a signed question: the program there has another WOO_WEBHOOK_SECRET than this command [1]", 'a check with other settings';
        return if $mode ne "nginx";
        $other->set(WOO_WEBHOOK_SECRET => 'another one', $woo->wiring, PUBLIC_URL => undef);
        $woo->settings({ webhooks => [{ id => 1, name => 'a', topic => 'order.updated', status => 'active', delivery_url => "$url/" }] });
        like told($other), qr/^public URL FAIL \Q$url\E answers 401/, "without PUBLIC_URL the webhook's address is asked";
        $woo->reset;
        like told($other), qr{^public URL FAIL \Q@{[$woo->url]}\E/woo-order answers 404}, "and without one the shop's";
        $server->set(GHL_RATE => 'nonsense');
        $server->kill_workers->restart_workers;
        $other->set(PUBLIC_URL => $url);
        like told($other), qr/^public URL FAIL \Q$url\E answers 503 to a ping: the program there refuses its settings/, 'refused settings there';
    };
}

subtest 'what else may answer' => sub {
    my $url = $woo->url . '/woo-order';
    my $server = WooGHL::Server->new(mode => 'cgi', settings => { PUBLIC_URL => $url });
    for my $case (
        ['the binary itself', { status => 200, body => "\x7fELF" }, qr/answers 200 to a ping: your web server does not run the program, something else/],
        ['a page', { status => 200, html => 1 }, qr/answers 200 to a ping: your web server does not run the program, something else/],
        ['a redirect', { status => 301, headers => { Location => "$url/" } }, qr{answers 301 to a ping, to \Q$url\E/: the web server redirects, and the shop follows no redirect}],
        ['a password', { status => 401, html => 1 }, qr/answers 401 to a ping: the web server asks for a password/],
        ['a firewall', { status => 403, html => 1 }, qr/answers 403 to a ping: the web server, a firewall or a security plugin refuses it/],
        ['static files', { status => 405, html => 1 }, qr/answers 405 to a ping: your web server does not run the program, it takes no POST/],
        ['no worker', { status => 502, html => 1 }, qr/answers 502 to a ping: no worker/],
        ['a teapot', { status => 418, html => 1 }, qr/answers 418 to a ping: this is no answer of the program's/],
    ) {
        my ($name, $do, $says) = @$case;
        $woo->reset->fault({ times => 0, path => 'woo-order', do => $do });
        my $line = told($server);
        like $line, qr/^public URL FAIL \Q$url\E .* \[1\]$/, $name;
        like $line, $says, '... is named';
    }
    $woo->reset->fault({ path => 'woo-order', do => { status => 200, body => '{"status":"pong"}' } },
        { times => 0, path => 'woo-order', do => { status => 413, html => 1 } });
    like told($server), qr/answers 413 to a signed question: the web server takes no large bodies/, 'one that takes small bodies alone';
    $woo->reset->fault({ path => 'woo-order', do => { status => 200, body => '{"status":"pong"}' } },
        { times => 0, path => 'woo-order', do => { status => 200, body => '{"status":"proof","proof":"' . '0' x 64 . '"}' } });
    like told($server), qr/answers 200 to a signed question: your web server does not run the program, something else/, 'an answer of somebody without the secret';
    $server->set(PUBLIC_URL => 'http://127.0.0.1:1/woo-order');
    like told($server), qr{^public URL FAIL http://127.0.0.1:1/woo-order does not answer a ping: }, 'nobody';
    $server->set(PUBLIC_URL => 'http://shop.example.com/woo-order');
    like $server->command('check')->{out}, qr/FAIL PUBLIC_URL: plain http goes to this machine only/, 'plain http';
    $server->set(PUBLIC_URL => 'no');
    like told($server), qr/^public URL ok   not asked/, 'PUBLIC_URL=no';
};

subtest 'a private CA' => sub {
    plan skip_all => 'no openssl program' unless has('openssl');
    my $server = WooGHL::Server->new(mode => 'cgi');
    my $dir = $server->dir;
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout $dir/key -out $dir/ca.pem >/dev/null 2>&1") == 0
        or return fail('a certificate');
    chmod 0644, "$dir/ca.pem";
    my $free = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die $!;
    my $port = $free->sockport;
    close $free;
    my $tls = WooGHL::Process->start(['openssl', 's_server', '-accept', "127.0.0.1:$port", '-key', "$dir/key", '-cert', "$dir/ca.pem", '-www'],
        env => { PATH => $ENV{PATH} }, out => '/dev/null', err => '/dev/null');
    WooGHL::Process::until_true(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) });
    $server->set($woo->wiring, WOO_URL => "https://localhost:$port", PUBLIC_URL => "https://localhost:$port/woo-order");
    my $out = $server->command('check')->{out};
    like $out, qr{^shop       FAIL https://localhost:$port/wp-json/wc/v3: its certificate is not trusted \(.*\): .*CA_FILE$}m, 'is not trusted';
    like $out, qr{^public URL FAIL https://localhost:$port/woo-order: its certificate is not trusted: }m, 'neither is the public URL';
    $server->set(CA_FILE => "$dir/ca.pem", PUBLIC_URL => 'no');
    like $server->command('check')->{out}, qr{^shop       FAIL https://localhost:$port/wp-json/wc/v3 answers a web page}m, 'with CA_FILE it is';
    $tls->stop;
};

done_testing;
