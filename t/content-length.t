#!/usr/bin/env perl
# Attacks on the body's length, against the program by environment alone: whatever CONTENT_LENGTH says, the
# program answers at once, never reads past what was announced, and never takes a body for what it is not.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use WooGHL::Server;

my $server = WooGHL::Server->new(mode => 'cgi', settings => { MAX_BODY => '64k', RATE_LIMIT_PER_DAY => 0 })->start;
my $order = '{"id":1001,"status":"processing","total":"150.00","currency":"USD","billing":{"first_name":"John"}}';
my $length = length $order;
my $id = 1000;

sub sign { my ($bytes) = @_; return hmac_sha256_base64($bytes, $WooGHL::Server::SECRET) . '=' }

# What is answered to $body, signed over $signed, under that length ('' = an empty variable, undef = none).
sub send_as {
    my ($content_length, $body, $signed) = @_;
    my %headers = ('Content-Type' => 'application/json', 'X-WC-Webhook-Topic' => 'order.created',
        'X-WC-Webhook-Signature' => sign($signed // $body));
    # Server->request adds a length where none is given and there is a body.
    my $res = defined $content_length
        ? $server->request(POST => '/woo-order', { %headers, 'Content-Length' => $content_length }, $body)
        : $server->request(POST => '/woo-order', { %headers, 'X-No' => 1 }, undef);
    return "$res->{status} $res->{body}";
}

sub fresh { my $bytes = $order; $id++; $bytes =~ s/1001/$id/; return $bytes }

my $bad = '400 {"error":"Bad Content-Length"}';
my $short = '400 {"error":"Incomplete Body"}';
my $unsigned = '401 {"error":"Invalid Signature"}';
my $large = '413 {"error":"Payload Too Large"}';
my $empty = '200 {"status":"ignored","reason":"empty_body"}';

my @cases = (
    # name, length, answer
    ['a minus sign',                       "-$length",              $bad],
    ['minus one',                          '-1',                    $bad],
    ['a plus sign',                        "+$length",              $bad],
    ['white space before',                 " $length",              $bad],
    ['white space behind',                 "$length ",              $bad],
    ['a line break behind',                "$length\n",             $bad],
    ['hexadecimal',                        sprintf('0x%x', $length), $bad],
    ['an exponent',                        '1e2',                   $bad],
    ['a fraction',                         "$length.0",             $bad],
    ['a list: the header sent twice',      "$length, $length",      $bad],
    ['a word',                             'chunked',               $bad],
    ['digits of another script',           "\xd9\xa9\xd9\xa9",      $bad],
    ['five more than there is',            $length + 5,             $short],
    ['five times as much',                 $length * 5,             $short],
    ['one more',                           $length + 1,             $short],
    ['the most that is allowed',           65536,                   $short],
    ['one over what is allowed',           65537,                   $large],
    ['2^31',                               '2147483648',            $large],
    ['2^32 and the true length',           4294967296 + $length,    $large],
    ['2^63 - 1',                           '9223372036854775807',   undef],
    ['2^63',                               '9223372036854775808',   $bad],
    ['2^64 and the true length',           '18446744073709551' . (616 + $length), $bad],
    ['a hundred digits',                   '9' x 100,               $bad],
    ['a hundred zeros before',             ('0' x 100) . $length,   undef],
    ['less than there is: a cut body',     $length - 1,             $unsigned],
    ['zero, with a body',                  '0',                     $unsigned],
    ['an empty value, with a body',        '',                      $unsigned],
);
for my $case (@cases) {
    my ($name, $content_length, $want) = @$case;
    subtest $name => sub {
        my $body = fresh();
        my $got = send_as($content_length, $body);
        if (defined $want) { is $got, $want, "CONTENT_LENGTH '$content_length'" }
        else { like $got, qr/^(?:\Q$bad\E|\Q$large\E|200 \{"status":"synced")/, "CONTENT_LENGTH '$content_length'" }
    };
}

subtest 'the announced part is the body: what follows is never read' => sub {
    my $body = fresh();
    like send_as(length $body, $body . ',"trailing":"bytes"', $body), qr/^200 \{"status":"synced","ghl_id":"dry-/,
        'the signed part alone counts';
};

subtest 'no body' => sub {
    is send_as('0', undef, ''), $empty, 'length zero, signed';
    is send_as('', undef, ''), $empty, 'an empty length, signed';
    is send_as(undef, undef, ''), $empty, 'no length at all, signed';
    is send_as('0', undef, 'x'), $unsigned, 'length zero, signed over something else';
    is send_as('5', undef, ''), $short, 'a length and nothing behind it';
};

subtest 'none of it left anything behind' => sub {
    like $server->command('status')->{out}, qr/^waiting 0, due 0, .* dead letters 0$/m, 'nothing waits, nothing is a dead letter';
    is $server->errors, '', 'nothing on standard error';
};

$server->stop;
done_testing;
