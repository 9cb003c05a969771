#!/usr/bin/env perl
# The settings change under running workers and drains: good ones count at once and are named in the log, bad ones leave the
# last good ones in force, and a process that began with bad ones recovers.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use Test::More;
use Time::HiRes qw(sleep);
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;
my $id = 0;

sub new_server {
    my (%more) = @_;
    $ghl->reset;
    return WooGHL::Server->for_ghl($ghl, mode => 'nginx', workers => 1, settings => \%more)->start;
}

sub order { my ($n) = @_; return qq({"id":$n,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"c$n\@example.com"}}) }

sub deliver {
    my ($server) = @_;
    my $answer = $server->deliver(order(++$id));
    return "$answer->{status} $answer->{body}";
}

# The settings' file is looked at once a second.
sub until_true {
    my ($true) = @_;
    return WooGHL::Process::until_true(sub { sleep 0.1; $true->() });
}
sub until_like { my ($server, $like) = @_; return until_true(sub { deliver($server) =~ $like }) }
sub names { return join ' ', sort { $a <=> $b } map { $_->{name} =~ /#(\d+)/ } $ghl->opportunities }

subtest 'a worker that began with refused settings' => sub {
    my $server = new_server(GHL_TIMEOUT => 'soon');
    like deliver($server), qr/^503 /, 'answers 503';
    $server->set(GHL_TIMEOUT => undef);
    ok until_like($server, qr/^200 .*synced/), 'goes on when they are mended' or diag $server->log;
    $server->stop;
};

subtest 'a CGI program with refused settings' => sub {
    $ghl->reset;
    my $server = WooGHL::Server->for_ghl($ghl, settings => { GHL_TIMEOUT => 'soon' })->start;
    WooGHL::Process::within_an_hour();
    my $told = sub { my ($name) = @_; return scalar(() = $server->log =~ /event=config .*$name/g) };
    like deliver($server), qr/^503 /, 'answers 503' for 1 .. 9;
    is $told->('GHL_TIMEOUT'), 1, 'and says why once an hour, not with each request' or diag $server->log;
    deliver($server);
    is $told->('GHL_TIMEOUT'), 2, 'at the tenth again';
    $server->set(GHL_TIMEOUT => undef, GHL_RATE => 'fast');
    deliver($server) for 1 .. 2;
    is $told->('GHL_RATE'), 1, 'another reason is told at once';
    $server->set(GHL_TIMEOUT => 'soon');
    is $server->command('drain')->{code}, 78, 'a command';
    is $told->('GHL_RATE'), 2, '... tells all of it each time' or diag $server->log;
    $server->set(GHL_TIMEOUT => undef, GHL_RATE => undef);
    like deliver($server), qr/^200 .*synced/, 'mended, orders are taken';
    $server->stop;
};

subtest 'a drain that began with refused settings' => sub {
    my $server = new_server(SYNC_BUDGET => '0');
    like deliver($server), qr/^202 .*later/, 'given an order that waits';
    my $order = $id;
    $server->set(GHL_TIMEOUT => 'soon');
    my $drain = $server->background('drain', '--watch');
    ok until_true(sub { $server->log =~ /event=config .*GHL_TIMEOUT/ }), 'says what is wrong';
    is names(), '', 'and does nothing';
    $server->set(GHL_TIMEOUT => undef);
    ok until_true(sub { names() eq $order }), 'goes on when they are mended' or diag $server->log;
    $drain->signal('TERM');
    is $drain->wait, 0, 'and ends well';
    $server->stop;
};

subtest 'settings that change' => sub {
    my $server = new_server();
    like deliver($server), qr/^200 .*synced/, 'given a worker at work';
    $server->set(GHL_OPPORTUNITY_NAME => 'Sale {number}', GHL_SOURCE => 'shop');
    ok until_true(sub { deliver($server); grep { $_->{name} =~ /^Sale/ } $ghl->opportunities }), 'count';
    my @said = $server->log =~ /event=config msg="(The settings were changed.*)"/g;
    is_deeply \@said, ['The settings were changed and count from now on: GHL_OPPORTUNITY_NAME, GHL_SOURCE'], 'and are named once';
    $server->set(GHL_RATE => 'fast');
    ok until_true(sub { deliver($server); $server->log =~ /level=error event=config msg="GHL_RATE: 'fast' / }), 'bad ones are told';
    like deliver($server), qr/^200 .*synced/, 'the last good ones stay';
    ok scalar(grep { $_->{name} eq "Sale $id" } $ghl->opportunities), 'all of them';
    $server->stop;
};

subtest 'a dry run that begins and ends' => sub {
    my $server = new_server();
    like deliver($server), qr/^200 .*fakeOppo/, 'given an order in GHL';
    $server->set(GHL_DRY_RUN => 'yes');
    ok until_like($server, qr/^200 .*"dry-/), 'then orders go nowhere';
    my $there = names();
    like deliver($server), qr/^200 .*"dry-/, 'nor does the next one';
    my $dry = $id;
    is names(), $there, '... GHL has none of them';
    $server->set(GHL_DRY_RUN => undef);
    ok until_like($server, qr/^200 .*fakeOppo/), 'and then they do again';
    like $server->deliver(order($dry))->{body}, qr/"synced","ghl_id":"fakeOppo/, 'also one of the dry run, which GHL never saw';
    $server->stop;
};

subtest 'a secret that is changed without the previous one' => sub {
    my $server = new_server(SYNC_BUDGET => '0');
    like deliver($server), qr/^202 /, 'given an order that waits';
    my $waits = $id;
    my $old = $server->{settings}{WOO_WEBHOOK_SECRET};
    $server->set(WOO_WEBHOOK_SECRET => 'another_secret_of_the_webhook');
    ok until_like($server, qr/^202 /), 'new orders are taken';
    is $server->command('drain')->{code}, 0, 'a drain';
    is names(), $id, 'brings the new one' or diag $server->log;
    like $server->log, qr/level=error event=sealed order=shop:$waits msg=".*WOO_WEBHOOK_SECRET_PREVIOUS/, 'and says what opens the other';
    like $server->command('status')->{out}, qr/^waiting 1,/m, 'which waits on';
    $server->set(WOO_WEBHOOK_SECRET_PREVIOUS => $old);
    ok $server->drain_as_of(700), 'a drain with the previous one';
    is names(), "$waits $id", 'brings it' or diag $server->log;
    $server->stop;
};

$ghl->stop;
done_testing;
