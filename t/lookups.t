#!/usr/bin/env perl
# What names stand for is asked of GHL once, kept in the store for every process, and asked again after an hour.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use Test::More;
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;
my %path = (pipelines => '/opportunities/pipelines', 'custom fields' => '/locations/' . $ghl->location_id . '/customFields');

sub asked { return { map { $_ => $ghl->count(method => 'GET', path => $path{$_}) } keys %path } }

for my $store (qw(sqlite redis)) {
    my $redis = $store eq 'redis' ? WooGHL::Server->redis : undef;
    $ghl->reset;
    my $server = WooGHL::Server->for_ghl($ghl, redis => $redis, settings => { SYNC_BUDGET => '0',
        GHL_PIPELINE_ID => 'service', GHL_STAGE_MAP => 'processing:Paid', GHL_CONTACT_FIELDS => 'utm_source={total}' })->start;
    my $id = 0;
    my $waits = sub {
        my $body = sprintf '{"id":%d,"status":"processing","total":"%d.00","billing":{"email":"ann@example.com"}}', ++$id, $id;
        is $server->deliver($body)->{body}, '{"status":"queued","reason":"later"}', "$store: order $id waits";
    };
    subtest "$store: once an hour" => sub {
        for my $try ([0, 1, 'a first drain asks'], [60, 1, 'one a minute later knows'], [3000, 1, 'one before the hour is over, too'],
            [3700, 2, 'one after the hour asks again'])
        {
            my ($seconds, $times, $what) = @$try;
            $waits->();
            ok $server->drain_as_of($seconds), $what or diag $server->log;
            is_deeply asked(), { map { $_ => $times } keys %path }, "asked $times times" or diag $server->log;
        }
        is_deeply [map { $_->{pipelineStageId} } $ghl->opportunities], [('fake-stage-b-1') x 4], 'all got their stage';
    };
    $server->stop;
}
$ghl->stop;
done_testing;
