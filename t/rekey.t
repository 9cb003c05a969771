#!/usr/bin/env perl
# A secret is changed: what is stored under the old one goes on as long as the PREVIOUS setting names it; after
# `woo_ghl rekey` the old one opens nothing, and nothing needs it.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use Test::More;
use WooGHL::Server;

my $NEW = 'another secret, which is long enough';

sub order { my ($id, $status) = (@_, 'processing'); return qq({"id":$id,"order_key":"wc_order_KEY$id","status":"$status","total":"10.00","billing":{"first_name":"Ann","email":"ann$id\@example.com"}}) }

for my $on (qw(sqlite redis)) {
    subtest $on => sub {
        my $ghl = FakeGHL::Client->start;
        my $redis = $on eq 'redis' ? WooGHL::Server->redis : undef;
        my $server = WooGHL::Server->for_ghl($ghl, redis => $redis, settings => { SYNC_BUDGET => 0 });
        my $old = $WooGHL::Server::SECRET;

        # Given two orders that wait, one with an unanswered create, a dead letter, and two spooled deliveries.
        $server->deliver(order($_)) for 1 .. 2;
        $server->deliver('{"id":');
        $ghl->fault({ match => { method => 'POST', path => '^/opportunities/$' }, times => 1, do => { reset => 'after' } });
        $server->command('drain');
        $server->deliver(order($_)) for 3 .. 4;
        if ($redis) {
            $redis->signal('STOP');
            $server->set(REDIS_TIMEOUT => '500ms');
            is $server->deliver(order(5))->{body}, '{"status":"queued","reason":"store_unavailable"}', 'the spool has one';
            $redis->signal('CONT');
            $server->set(REDIS_TIMEOUT => '10s');
        }
        my ($waiting) = $server->command('status')->{out} =~ /^waiting (\d+)/m;
        cmp_ok $waiting, '>=', 2, "$waiting orders wait";

        # When the secret is changed.
        $server->set(WOO_WEBHOOK_SECRET => $NEW, WOO_WEBHOOK_SECRET_PREVIOUS => undef);
        my $blind = $server->command('rekey');
        isnt $blind->{code}, 0, 'without the old secret nothing can be sealed anew';
        like $blind->{err}, qr/could not be opened; .*set WOO_WEBHOOK_SECRET_PREVIOUS to the value of that time/s, 'and it is told what is missing';
        $server->set(WOO_WEBHOOK_SECRET_PREVIOUS => $old);
        my $run = $server->command('rekey');
        is $run->{code}, 0, 'with it' or diag $run->{err};
        like $run->{out}, $redis ? qr/^sealed anew: \d+ bodies and notes, 1 files of the spool\nNothing here needs/ : qr/^sealed anew: \d+ bodies and notes, 0 files/, 'it is sealed anew';
        my ($sealed) = $run->{out} =~ /(\d+) bodies/;
        cmp_ok $sealed, '>', $waiting, "each body, the dead letter's too: $sealed";
        is $server->command('rekey')->{out}, "sealed anew: 0 bodies and notes, 0 files of the spool\n"
            . "Nothing here needs DATA_KEY_PREVIOUS or WOO_WEBHOOK_SECRET_PREVIOUS any more.\n", 'once';

        # Then the old secret opens nothing.
        $server->set(WOO_WEBHOOK_SECRET => $old, WOO_WEBHOOK_SECRET_PREVIOUS => undef);
        my ($key) = $server->command('failed')->{out} =~ /(bad:\w+)/;
        like $server->command('failed', 'show', $key)->{out}, qr/no configured key opens it/, 'the old one opens nothing any more';

        # And the new one alone brings everything to GHL.
        $server->set(WOO_WEBHOOK_SECRET => $NEW);
        like $server->command('failed', 'show', $key)->{out}, qr/^\{"id":$/m, 'the new one does';
        # An order is known by its order_key, whatever the secret.
        $server->deliver(order(2, 'completed'));
        $server->drain_as_of($_) for 0, 600, 4000;
        like $server->command('status')->{out}, qr/^waiting 0, /m, 'and all orders go on' or diag $server->log;
        my %made;
        $made{ $_->{name} }++ for @{ $ghl->state->{opportunities} || [] };
        is_deeply [sort grep { $made{$_} != 1 } keys %made], [], 'each has one opportunity';
        is scalar keys %made, $redis ? 5 : 4, 'all of them';
        $server->stop;
        $ghl->stop;
        $redis->stop if $redis;
    };
}

done_testing;
