#!/usr/bin/env perl
# `woo_ghl failed`: by number, with filters, page by page, as JSON; a plan first, and nothing is deleted by a slip.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use JSON::PP qw(decode_json);
use Test::More;
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;
my $server = WooGHL::Server->for_ghl($ghl, mode => 'cgi');

sub dead {
    my ($id, $number, $field) = @_;
    $ghl->fault({ match => { path => '^/opportunities/$' }, do => { status => 422, body => { message => ["$field must be a string"] } } });
    my $body = qq({"id":$id,"number":"$number","status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"ann\@example.com"}});
    is $server->deliver($body)->{body}, '{"status":"queued","reason":"dead_letter"}', "given the dead letter $id";
    return;
}
sub keys_of { return [map { $_->{key} } @{ decode_json($server->command('failed', '--json', @_)->{out})->{dead_letters} }] }

dead(1, '1001', 'name');
dead(2, '1002', 'contactId');
dead(3, 'A-77', 'contactId');

subtest 'the list' => sub {
    my $json = decode_json($server->command('failed', 'list', '--json')->{out});
    is $json->{count}, 3, 'as JSON';
    my %first = %{ $json->{dead_letters}[0] };
    is_deeply [sort keys %first], [qw(attempts email key number reason since)], 'its members';
    is_deeply [@first{qw(key number email)}], ['shop:1', '1001', 'an***@example.com'], 'masked, with the number';
    is_deeply keys_of('--reason', 'CONTACTID must'), ['shop:2', 'shop:3'], 'by reason';
    is_deeply keys_of('--since', '1h'), ['shop:1', 'shop:2', 'shop:3'], 'since';
    is_deeply keys_of('--until', '1h'), [], 'until';
    is_deeply keys_of('--skip', 1, '--limit', 1), ['shop:2'], 'page by page';
    like $server->command('failed', '--limit', 2)->{out}, qr/^3 dead letters\nThese are 1 to 2\. The next: woo_ghl failed --skip 2$/m, 'it says what comes next';
};

subtest 'by number' => sub {
    like $server->command('failed', 'show', '1002')->{out}, qr/^key       shop:2$/m, 'shown';
    like $server->command('failed', 'show', '#A-77')->{out}, qr/^key       shop:3$/m, 'as people write it';
    my $run = $server->command('failed', 'show', '4711');
    is $run->{code}, 65, 'one that is not there';
    like $run->{err}, qr/no dead letter has the number 4711/, '... is named';
    is $server->command('failed', 'retry', '1001')->{out}, "shop:1 is due again\n", 'retried';
};

subtest 'several at once' => sub {
    my $plan = qr/\A2 dead letters, to be due again:\n    2: opportunity create: GHL refuses this order's data \(422 contactId must be a string\)\n/;
    my $run = $server->command('failed', 'retry', '--reason', 'contactId', '--dry-run');
    like $run->{out}, qr/${plan}Nothing was changed\.\n\z/, 'a plan alone';
    is_deeply keys_of(), ['shop:2', 'shop:3'], 'changes nothing';
    $run = $server->command('failed', 'drop', '--all');
    is $run->{code}, 64, 'drop without --yes';
    like $run->{err}, qr/say --yes/, '... says what it needs';
    is_deeply keys_of(), ['shop:2', 'shop:3'], '... and drops nothing';
    like $server->command('failed', 'retry', '--all')->{out}, qr/${plan}2 are due again\n\z/, 'a retry shows its plan first';
    is $server->command('drain', '--now')->{code}, 0, 'a drain';
    is scalar(() = $ghl->opportunities), 3, 'brings them to GHL';
    dead(4, '1004', 'name');
    like $server->command('failed', 'drop', '--all', '--yes')->{out}, qr/^1 are dropped$/m, 'drop with --yes';
    is_deeply keys_of(), [], 'nothing is left';
};

subtest 'of a clock that was set back since' => sub {
    $ghl->down;
    like $server->deliver('{"id":5,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"ann@example.com"}}')->{body}, qr/queued/, 'given an order that waits';
    $ghl->up;
    $ghl->fault({ times => 0, match => { path => '^/opportunities/$' }, do => { status => 422, body => { message => ['name must be good'] } } });
    ok $server->drain_as_of(3600), 'and a drain whose clock is an hour ahead';
    $ghl->clear_faults;
    is_deeply keys_of(), ['shop:5'], 'the dead letter is listed';
    like $server->command('failed', 'retry', '--all')->{out}, qr/^1 are due again$/m, 'and retried';
    like $server->command('failed')->{out}, qr/^0 dead letters$/m, 'and is none any more';
};

subtest 'arguments come before settings' => sub {
    my $other = WooGHL::Server->new(mode => 'cgi', settings => { GHL_TIMEOUT => 'soon' });
    for my $arguments (['--nonsense'], ['show'], ['list', '--yes'], ['retry'], ['retry', '1', '--all'], ['drop', '--reason'], ['--skip', 'x']) {
        is $other->command('failed', @$arguments)->{code}, 64, "failed @$arguments";
    }
    is $other->command('failed')->{code}, 78, 'then the settings';
};

$server->stop;
$ghl->stop;
done_testing;
