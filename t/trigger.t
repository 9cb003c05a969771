#!/usr/bin/env perl
# `woo_ghl trigger`: what it sends is what the program takes, and its exit code tells.
use strict;
use warnings;
use File::Copy qw(copy);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use IO::Socket::INET;
use Test::More;
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;
my $server = WooGHL::Server->new(mode => 'nginx', settings => {
    WOO_WEBHOOK_SECRET => 'my_super_secret_woo_key',
    GHL_API_BASE       => $ghl->url,
    GHL_API_KEY        => $ghl->token,
    GHL_LOCATION_ID    => $ghl->location_id,
    GHL_PIPELINE_ID    => 'fakePipelineAAAAAAAA',
})->start;
$server->set(PORT => $server->port);    # trigger's default address

subtest 'the four scenarios' => sub {
    my $run = $server->command('trigger', '--live', '--scenarios');
    is $run->{code}, 0, 'all as expected' or diag $run->{out}, $run->{err};
    is scalar(() = $run->{out} =~ /^as expected$/mg), 4, 'four of them';
    like $run->{out}, qr/^< 200 in \d+ ms\n< \{"status":"synced","ghl_id":"\w+"\}$/m, 'a new order is synced';
    like $run->{out}, qr/^< \{"status":"skipped","reason":"duplicate"\}$/m, 'then a duplicate';
    like $run->{out}, qr/^< \{"status":"ignored","reason":"never_sold"\}$/m, 'a cancelled one is ignored';
    like $run->{out}, qr/^< 401 in \d+ ms\n< \{"error":"Invalid Signature"\}$/m, 'a wrong signature is refused';
    is scalar(() = $ghl->opportunities), 1, 'one card';
    my $again = $server->command('trigger', '--live', '--scenarios');
    is $again->{code}, 0, 'a second run has an order of its own' or diag $again->{out};
    is scalar(() = $ghl->opportunities), 2, 'two cards';
};

subtest 'one delivery, by its options' => sub {
    $ghl->reset;
    my $run = $server->command(qw(trigger --live --id 77 --total 12.5 --status completed --topic order.updated));
    is $run->{code}, 0, 'taken' or diag $run->{err};
    like $run->{out}, qr/^> X-WC-Webhook-Topic: order\.updated$/m, 'the topic';
    like $run->{out}, qr/^> X-WC-Webhook-Event: updated$/m, 'the event';
    like $run->{out}, qr/^> \{"id":77,"status":"completed","total":"12\.5",/m, 'the body';
    unlike $run->{out}, qr/my_super_secret/, 'the secret is not shown';
    my @cards = $ghl->opportunities;
    is_deeply [map { @$_{qw(name status monetaryValue)} } @cards], ['Order #77', 'won', 12.5], 'in GHL';
};

subtest 'a file, byte for byte' => sub {
    $ghl->reset;
    # The program may run as a user who cannot read this checkout.
    my $file = $server->dir . '/order.json';
    copy("$FindBin::Bin/fixtures/order.created-simple.json", $file) or die "copy: $!";
    chmod 0644, $file or die "chmod: $!";
    my $run = $server->command('trigger', '--live', '--order', $file);
    is $run->{code}, 0, 'taken' or diag $run->{err};
    # The captured signature of these bytes under this secret.
    like $run->{out}, qr{^> X-WC-Webhook-Signature: RxH9gKXTMzGPTWwrVIOOw\+WCBMvE3lgbT6m9tXUim5Y=$}m, 'signed like WooCommerce';
    is(($ghl->opportunities)[0]{name}, 'Order #21', 'in GHL');
};

subtest 'an answer that is not as expected' => sub {
    $server->set(GHL_STATUS_MAP => 'completed:won');
    $server->restart_workers;
    my $run = $server->command('trigger', '--live', '--scenarios');
    is $run->{code}, 76, 'EX_PROTOCOL';
    like $run->{out}, qr/^NOT as expected$/m, 'and which one';
    $server->set(GHL_STATUS_MAP => undef);
    $server->restart_workers;
};

subtest 'nobody there, and a wrong path' => sub {
    my $free = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
    my $port = $free->sockport;
    close $free;
    my $run = $server->command('trigger', '--live', '--url', "http://127.0.0.1:$port/woo-order");
    is $run->{code}, 69, 'EX_UNAVAILABLE';
    like $run->{err}, qr/does the web server run there/, 'it says what to look at';
    is $server->command('trigger', '--live', '--url', $server->url . '/woo-order/none')->{code}, 76, 'a 404 is not as expected';
};

subtest 'a live GHL gets nothing without --live' => sub {
    $ghl->reset;
    my $run = $server->command('trigger');
    is $run->{code}, 0, 'a probe' or diag $run->{out}, $run->{err};
    like $run->{out}, qr/^trigger    ok .*^No order was sent: GHL is live\./ms, 'it says what it did not do';
    $run = $server->command('trigger', '--total', '9.99');
    is $run->{code}, 64, 'an order';
    like $run->{err}, qr/GHL is live.*--live/, '... is refused';
    is scalar(() = $ghl->opportunities) + (() = $ghl->contacts), 0, 'nothing was made';
};

subtest 'usage' => sub {
    my @cases = (
        [['--nonsense'],                      64, qr/unknown argument '--nonsense'/],
        [['--id'],                            64, qr/--id takes a whole number from 1 to 9{18}$/],
        [['--id', '0'],                       64, qr/--id takes a whole number from 1 to 9{18}$/],
        [['--id', '1e3'],                     64, qr/--id takes a whole number from 1 to 9{18}$/],
        [['--total', 'much'],                 64, qr/--total: an amount is a decimal number/],
        [['--topic', 'order'],                64, qr/--topic: a topic is a resource and an event/],
        [['--scenarios', '--status', 'x'],    64, qr/--scenarios: /],
        [['--live', '--order', '/none/such.json'], 66, qr{--order /none/such\.json: }],
    );
    for my $case (@cases) {
        my ($arguments, $code, $message) = @$case;
        my $run = $server->command('trigger', @$arguments);
        is $run->{code}, $code, "@$arguments: $code";
        like $run->{err}, $message, "@$arguments: says why";
    }
};

$server->stop;
$ghl->stop;
done_testing;
