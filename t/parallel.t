#!/usr/bin/perl
# Many deliveries at once: one order makes one card, one customer is one contact.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use POSIX ();
use Test::More;
use WooGHL::Server;

my $SECRET = 'my_super_secret_woo_key';

sub order {
    my ($id, $total) = @_;
    return qq({"id":$id,"status":"processing","total":"$total","currency":"USD","billing":{"first_name":"John",)
        . q("last_name":"Doe","email":"john@example.com","phone":"+12025550123"}});
}

# Sends all bodies at once, each from a process of its own: [status, body] of each, in no order.
sub send_all {
    my ($server, @bodies) = @_;
    pipe my $answers, my $say or die "pipe: $!";
    my @children;
    for my $body (@bodies) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            close $answers;
            my $got = eval {
                $server->request('POST', '/woo-order',
                    { 'Content-Type' => 'application/json', 'X-WC-Webhook-Topic' => 'order.created',
                        'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' }, $body);
            };
            syswrite $say, ($got ? "$got->{status} $got->{body}" : '0 none') . "\n";
            POSIX::_exit(0);
        }
        push @children, $pid;
    }
    close $say;
    my @got = map { chomp; [split / /, $_, 2] } <$answers>;
    waitpid $_, 0 for @children;
    return @got;
}

for my $store ('sqlite', 'redis') {
    subtest $store => sub {
        my $redis = $store eq 'redis' ? WooGHL::Server->redis : undef;
        my $ghl = FakeGHL::Client->start;
        my $server = WooGHL::Server->new(mode => 'nginx', workers => 4, settings => {
            WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token,
            GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', DRAIN_AFTER => 'off',
            $redis ? (REDIS_URL => $redis->url) : (),
        })->start;

        my @got = send_all($server, (order(1001, '150.00')) x 100);
        is scalar(grep { $_->[0] =~ /^20[02]$/ } @got), 100, 'one order a hundred times: each is taken';
        is scalar(grep { $_->[1] =~ /"duplicate"/ } @got), 99, 'all but one are duplicates';
        # While other deliveries wait for a worker, it leaves what it has in hand to the queue.
        is $server->command('drain', '--now')->{code}, 0, 'what waits is drained';
        is $ghl->count(method => 'POST', path => '/opportunities/'), 1, 'one create';
        is scalar(() = $ghl->opportunities), 1, 'one opportunity';
        is scalar(() = $ghl->contacts), 1, 'one contact';

        $ghl->reset;
        @got = send_all($server, map { order(2000 + $_, '10.00') } 1 .. 8);
        is scalar(grep { $_->[0] =~ /^20[02]$/ } @got), 8, 'eight orders of one new customer: each is taken';
        my $drained = $server->command('drain', '--now');
        is $drained->{code}, 0, 'what waits is drained' or diag $drained->{err};
        is scalar(() = $ghl->contacts), 1, 'one contact';
        is_deeply [sort map { $_->{name} } $ghl->opportunities], [map {"Order #$_"} 2001 .. 2008], 'an opportunity each';

        $server->stop;
        $ghl->stop;
    };
}

done_testing;
