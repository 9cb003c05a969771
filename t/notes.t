#!/usr/bin/env perl
# One note for each state, also when its answer is lost: it is known by its mark, and two states of one second have
# two marks. A contact has its own.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use Test::More;
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;
my $server = WooGHL::Server->for_ghl($ghl, settings => { GHL_NOTE => '{number} is {status}' })->start;

sub order {
    my ($status) = @_;
    return qq({"id":1001,"status":"$status","total":"10.00","date_modified_gmt":"2026-11-25T00:00:10","billing":{"email":"ann\@example.com"}});
}
sub notes { return [map { $_->{body} =~ s/\[shop:1001 [0-9a-f]{12}\]\z/MARK/r } grep { $_->{body} =~ /shop:1001 / } @{ $ghl->state->{notes} }] }

# The order's email is corrected within a second: the contact that the order made is corrected, and has one note.
for my $email (qw(ann@example.com bob@example.com)) {
    like $server->deliver(order('processing') =~ s/1001/7/r =~ s/ann\@example\.com/$email/r)->{body}, qr/"synced"/, "given $email";
}
is_deeply [map { $_->{email} } $ghl->contacts], ['bob@example.com'], 'one contact';
is scalar(grep { $_->{body} =~ /^7 is processing\n/ } @{ $ghl->state->{notes} }), 1, 'one note';

like $server->deliver(order('processing'))->{body}, qr/"synced"/, 'given an order with its note';
my $NOTE = { method => 'POST', path => '/notes$' };
$ghl->fault({ match => $NOTE, do => { reset => 'after' } });
is $server->deliver(order('refunded'))->{status}, 202, 'when GHL took the next one, and its answer is lost';
is $server->command('drain', '--now')->{code}, 0, 'a drain';
is_deeply notes(), ["1001 is processing\nMARK", "1001 is refunded\nMARK"], 'finds it' or diag $server->log;

$ghl->fault({ match => $NOTE, times => 0, do => { status => 503 } });
is $server->deliver(order('completed'))->{status}, 202, 'when GHL did not take the next one';
$ghl->clear_faults;
ok $server->drain_as_of(600), 'a drain that cannot know, later' or diag $server->log;
is_deeply notes(), [map {"1001 is $_\nMARK"} qw(processing refunded completed)], 'writes it' or diag $server->log;

# GHL carries it out when the drain has looked in vain.
$ghl->fault({ match => $NOTE, times => 0, do => { status => 504, held => 1 } });
is $server->deliver(order('cancelled'))->{status}, 202, 'when GHL carries out the next one late';
$ghl->clear_faults;
$server->drain_as_of(630);
$ghl->land;
ok $server->drain_as_of(2500), 'a drain after that';
is_deeply notes(), [map {"1001 is $_\nMARK"} qw(processing refunded completed cancelled)], 'finds it' or diag $server->log;

my %mark = map { $_ => 1 } map { $_->{body} =~ /\n(.*shop:1001 .*)\z/ } @{ $ghl->state->{notes} };
is scalar(keys %mark), 4, 'each state of that second has a mark of its own';
$server->stop;
$ghl->stop;
done_testing;
