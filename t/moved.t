#!/usr/bin/env perl
# The settings name another location, another prefix or another store while orders wait in the old one: they are named, with
# the command that brings them to GHL.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use Test::More;
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;

sub deliver {
    my ($server, $id) = @_;
    my $body = qq({"id":$id,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"c$id\@example.com"}});
    return $server->deliver($body)->{body};
}
sub names { return join ' ', sort map { $_->{name} =~ /#(\d+)/ } $ghl->opportunities }
sub file_of { my ($path) = @_; open my $in, '<', $path or return ''; local $/; return scalar(<$in>) // '' }

# Runs the command that the line names, as a person would.
sub run_named {
    my ($server, $line) = @_;
    my ($settings) = $line =~ /run `(.*)woo_ghl drain --now`/ or return fail("a command in '$line'");
    my %set = map { split /=/, $_, 2 } split ' ', $settings;
    $set{GHL_API_KEY} = $ghl->token if $set{GHL_API_KEY};
    my %before = map { $_ => $server->{settings}{$_} } keys %set;
    $server->set(%set);
    is $server->command('drain', '--now')->{code}, 0, 'the command that is named';
    $server->set(%before);
    return;
}

for my $case (
    ['another location', {}, { GHL_LOCATION_ID => 'anotherLocation00001' }, qr/in the embedded store, location \Q@{[$ghl->location_id]}\E\./],
    ['another prefix', { REDIS_PREFIX => 'old' }, { REDIS_PREFIX => 'new' }, qr/REDIS_PREFIX=old /],
    ['a Redis', {}, { REDIS_URL => 1 }, qr/in the embedded store.* run `REDIS_URL= woo_ghl drain --now`/],
    ['a dry run', {}, { GHL_DRY_RUN => 'yes' }, qr/run `GHL_DRY_RUN=no woo_ghl drain --now`/],
) {
    my ($name, $old, $new, $says) = @$case;
    subtest $name => sub {
        $ghl->reset;
        my $server = WooGHL::Server->for_ghl($ghl, mode => 'cgi', settings => { SYNC_BUDGET => '0', %$old });
        my $told = $server->dir . '/told';
        $server->set(ALERT_COMMAND => "cat >>$told")->start;
        is deliver($server, $_), '{"status":"queued","reason":"later"}', 'given an order that waits' for 1, 2;
        is $server->command('status')->{out} =~ /left behind/, '', 'nothing is left behind';
        my $redis = $new->{REDIS_URL} ? WooGHL::Server->redis : undef;
        $server->set(%$new, $redis ? (REDIS_URL => $redis->url) : ());
        is $server->command('drain')->{code}, 0, 'given other settings, a drain';
        is names(), '', 'does not bring them';
        for my $command ('status', 'check') {
            my ($line) = $server->command($command)->{out} =~ /^(.*left behind.*)$/m;
            like $line, qr/^2 orders and 0 dead letters are left behind .*$says/, "$command names them";
        }
        like $server->log, qr/event=left_behind msg="2 orders/, 'so does the log';
        for (1 .. 200) { last if -s $told; select undef, undef, undef, 0.05 }
        like file_of($told), qr/^woo_ghl left_behind: 2 orders and 0 dead letters .*$says/m, 'and an alert';
        my ($line) = $server->command('status')->{out} =~ /^(.*left behind.*)$/m;
        run_named($server, $line // '');
        is names(), '1 2', 'brings them to GHL';
        unlike $server->command('status')->{out}, qr/left behind/, 'then nothing is left';
        $server->stop;
    };
}
$ghl->stop;
done_testing;
