#!/usr/bin/env perl
# A host's limit of memory is no fault of the body's: an order of 4 MB that cannot be read is spooled (202), or refused for
# now (503), and never called bad JSON. When there is memory, the spool's delivery and its redelivery are one opportunity.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use WooGHL::Server;

plan skip_all => 'the sanitizers need more memory than any limit' if ($ENV{BUILD} // '') =~ /asan/;
my $SECRET = 'my_super_secret_woo_key';
my $server = WooGHL::Server->new(settings => { WOO_WEBHOOK_SECRET => $SECRET })->start;
my $text = 'a text as long as a product with options has it, of which one line of an order holds several';
my $lines = join ',', map { qq({"id":$_,"name":"item $_, $text","sku":"s$_","quantity":1,"meta_data":[{"key":"k","value":"$text"}]}) } 1 .. 17_000;
my $body = qq({"id":1,"status":"processing","total":"10.00","billing":{"email":"ann\@example.com"},"line_items":[$lines]});
my $file = $server->dir . '/body';
open my $out, '>:raw', $file or die "$file: $!";
print {$out} $body;
close $out or die "$file: $!";

sub deliver {
    my ($mb) = @_;
    local %ENV = (PATH => $ENV{PATH}, WOO_GHL_ENV => $server->dir . '/env', GATEWAY_INTERFACE => 'CGI/1.1', REQUEST_METHOD => 'POST',
        SCRIPT_NAME => '/woo-order', CONTENT_LENGTH => length $body, CONTENT_TYPE => 'application/json', REMOTE_ADDR => '127.0.0.1',
        HTTP_X_WC_WEBHOOK_TOPIC => 'order.updated', HTTP_X_WC_WEBHOOK_SIGNATURE => hmac_sha256_base64($body, $SECRET) . '=');
    my $limit = $mb ? 'ulimit -v ' . $mb * 1024 . ';' : '';
    my $program = $server->program;
    my ($uid, $gid) = @{ $server->{user} };
    my $as = defined $uid ? "setpriv --reuid=$uid --regid=$gid --clear-groups" : '';
    my $said = `bash -c '$limit exec $as $program' < $file 2>/dev/null`;
    return $said =~ /^Status: (\d+)/ ? $1 : "no answer: $said";
}

my %answers;
for my $mb (30, 40, 50, 60, 80, 100, 120) {
    my $status = deliver($mb);
    $answers{$status}++;
    like $status, qr/^(?:200|202|503)$/, "$mb MB: it is done, kept, or refused for now";
}
ok $answers{202}, 'a limit that leaves room for the spool keeps it';
is deliver(0), 200, 'with memory it is done';
is $server->command('drain')->{code}, 0, 'and a drain moves the spool';
like $server->command('status')->{out}, qr/^waiting 0, due 0/m, 'nothing waits';
unlike $server->log, qr/bad_json/, 'nothing was called bad JSON';
$server->stop;
done_testing;
