#!/usr/bin/env perl
# What GHL's answers say of its limits: when it slows the calls down, and when it does not.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use Test::More;
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;

# A drain of one order, whose contact's answer has these headers; how long the card's call came after it, in s.
sub gap {
    my ($what, $rate, $status, %header) = @_;
    $ghl->reset->fault({ match => { path => '^/contacts/upsert$' }, do => { headers => \%header, $status ? (status => $status) : () } });
    my $server = WooGHL::Server->new(settings => { WOO_WEBHOOK_SECRET => $WooGHL::Server::SECRET, SYNC_BUDGET => 0, GHL_API_BASE => $ghl->url,
        GHL_API_KEY => $ghl->token, GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', GHL_RATE => $rate });
    my $body = '{"id":1,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"ann@example.com"}}';
    my $answer = $server->request(POST => '/woo-order', { 'Content-Type' => 'application/json',
        'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $WooGHL::Server::SECRET) . '=' }, $body);
    is $answer->{body}, '{"status":"queued","reason":"later"}', "$what: an order waits";
    is $server->command('drain')->{out}, "drained: 1 synced, 0 needed nothing, 0 wait on, 0 dead letters; 0 in the queue\n", 'a drain brings it';
    my @calls = $ghl->calls;
    is_deeply [map { $_->{path} } @calls], [('/contacts/upsert') x ($status ? 2 : 1), '/opportunities/'], 'by these calls';
    return $calls[1]{time} - $calls[0]{time};
}

cmp_ok gap('nothing is left', '100/10s', undef, 'X-RateLimit-Remaining' => 0), '>=', 0.99, 'the next call waits for a tenth of the window';

# If it were heeded, the card would wait for five minutes.
cmp_ok gap('one is left, which our own calls explain', '100/10s', undef, 'X-RateLimit-Remaining' => 1, 'X-RateLimit-Interval-Milliseconds' => 6_000_000),
    '<', $WooGHL::Process::PATIENCE, 'the next call does not wait';

# 50 in 10 s are 250 in 50 s: of 500, others had the rest.
cmp_ok gap('four are left, which others must have used', '50/10s', undef, 'X-RateLimit-Remaining' => 4, 'X-RateLimit-Max' => 500,
    'X-RateLimit-Interval-Milliseconds' => 50_000), '>=', 0.99, 'the next call waits for a fifth of a tenth of the window';

cmp_ok gap('a refused call without a word of the limit', '100/20s', 429, map { $_ => '-' } qw(X-RateLimit-Remaining X-RateLimit-Interval-Milliseconds)),
    '>=', 1.99, 'is tried again after a tenth of the window that the settings name';

$ghl->stop;
done_testing;
