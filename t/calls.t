#!/usr/bin/env perl
# How many calls to GHL each kind of order makes: as many as the table in doc/mapping.md ("What it costs") says.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use JSON::PP ();
use POSIX qw(strftime);
use Test::More;
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;
my ($server, $id) = (undef, 0);

sub gmt { return strftime('%Y-%m-%dT%H:%M:%S', gmtime $_[0]) }

# Of a customer of its own, created now, unless `new` says otherwise.
sub order {
    my (%new) = @_;
    $id++ unless $new{id};
    my $of = $new{id} // $id;
    my %billing = (first_name => 'Ann', last_name => 'Lee', email => "c$of\@example.com",
        phone => sprintf('+1 212 555 01%02d', $of), country => 'US', %{ delete $new{billing} || {} });
    return { id => $of, number => "$of", order_key => "wc_order_$of", status => 'processing', total => '50.00', currency => 'USD',
        began => int time, created => 0, modified => 0, refunds => [], line_items => [], meta_data => [], %new, billing => \%billing };
}

sub deliver {
    my ($order, $topic) = @_;
    my %body = %$order;
    my $began = delete $body{began};
    $body{date_created_gmt} = gmt($began + delete $body{created});
    $body{date_modified_gmt} = gmt($began + delete $body{modified});
    return $server->deliver(JSON::PP->new->canonical->encode(\%body), $topic // 'order.updated');
}

# The calls that this makes, after what was before.
sub calls_of {
    my ($code) = @_;
    $ghl->clear_calls;
    $code->();
    return scalar @{ $ghl->calls };
}

# A kind: [what was there before], what comes then.
my %kind = (
    'a new order, of a new or a known customer, with email and phone' => sub {
        my $new = calls_of(sub { deliver(order()) });
        my %known = %{ order()->{billing} };
        deliver(order(billing => \%known));
        is calls_of(sub { deliver(order(billing => \%known)) }), $new, '... a known customer makes as many';
        return $new;
    },
    'the same with an email alone, or with a phone alone of nobody' => sub {
        my $email = calls_of(sub { deliver(order(billing => { phone => '' })) });
        is calls_of(sub { deliver(order(billing => { email => '' })) }) - 1, $email, '... a phone alone is looked for first';
        return $email;
    },
    "the phone is another customer's: it stays there, and a note says so" => sub {
        my $first = order();
        deliver($first);
        return calls_of(sub { deliver(order(billing => { phone => $first->{billing}{phone} })) });
    },
    'the contact with that phone has no email yet: it gets this one' => sub {
        my $first = order(billing => { email => '' });
        deliver($first);
        return calls_of(sub { deliver(order(billing => { phone => $first->{billing}{phone} })) });
    },
    'a redelivery; a save that changes nothing; an older version' => sub {
        my $order = order(modified => -9);
        deliver($order);
        return calls_of(sub { deliver($order); deliver({ %$order, modified => -5 }); deliver({ %$order, modified => -20, total => '1.00' }) });
    },
    'a change of status, value or stage; a refund; an order put into the bin' => sub {
        my $order = order(modified => -9);
        deliver($order);
        my $n = calls_of(sub { deliver({ %$order, modified => -8, refunds => [{ id => 1, reason => '', total => '-5.00' }] }) });
        is calls_of(sub { deliver({ %$order, modified => -7, status => 'refunded', refunds => [{ id => 1, reason => '', total => '-50.00' }] }) }), $n, '... a full refund';
        is calls_of(sub { deliver({ %$order, modified => -6, status => 'trash' }) }), $n, '... the bin';
        is calls_of(sub { deliver({ %$order, modified => -5, total => '60.00' }) }), $n, '... both at once, back';
        return $n;
    },
    "a change of the customer's name, phone or address" => sub {
        my $order = order(modified => -9);
        deliver($order);
        return calls_of(sub { deliver({ %$order, modified => -8, billing => { %{ $order->{billing} }, city => 'Springfield' } }) });
    },
    'a corrected email' => sub {
        my $order = order(modified => -9);
        deliver($order);
        return calls_of(sub { deliver({ %$order, modified => -8, billing => { %{ $order->{billing} }, email => 'corrected@example.com' } }) });
    },
    'an order that the store does not know, created more than two minutes ago: it is looked for, too' => sub {
        return calls_of(sub { deliver(order(created => -600)) });
    },
    'the end of such an order, or a sale of before the start, if GHL has none of it' => sub {
        my $n = calls_of(sub { deliver(order(created => -600, status => 'refunded')) });
        is calls_of(sub { deliver(order(created => -86400 * 90)) }), $n, '... a sale of before the start';
        return $n;
    },
    'an end of a new order that was never sold; a status that is not mapped; a draft' => sub {
        return calls_of(sub { deliver(order(status => 'cancelled')); deliver(order(status => 'pending'));
            deliver(order(status => 'checkout-draft')) });
    },
    'an order whose person the shop erased' => sub {
        my $order = order(modified => -9);
        deliver($order);
        return calls_of(sub { deliver({ %$order, modified => -8, meta_data => [{ id => 1, key => '_anonymized', value => 'yes' }],
            billing => { first_name => '[deleted]', last_name => '[deleted]', email => 'deleted@site.invalid', phone => '' } }) });
    },
);

sub content { my ($path) = @_; open my $file, '<', "$FindBin::Bin/../$path" or die "$path: $!"; local $/; return <$file> }
my ($table) = content('doc/mapping.md') =~ /^## What it costs\n.*?^\|---.*?\n(.*?)\n\n/ms or die 'doc/mapping.md has no table of calls';
my %says = map { /^\| (.*?) \| (\d+) \|/ ? ($1 => $2) : () } split /\n/, $table;
is_deeply [sort keys %says], [sort keys %kind], 'the table has these kinds';

$server = WooGHL::Server->for_ghl($ghl, mode => 'cgi', real_start => 1)->start;
for my $name (sort keys %kind) {
    is $kind{$name}->(), $says{$name}, $name
        or diag map { "$_->{method} $_->{path}\n" } @{ $ghl->calls };
}

subtest 'what costs more' => sub {
    my $bare = $says{'a new order, of a new or a known customer, with email and phone'};
    for my $case (['tags that the contact lacks', { GHL_TAGS => 'shop' }, {}], ['a note', { GHL_NOTE => 'yes' }, {}],
        ["a new contact's source", {}, { meta_data => [{ id => 1, key => '_wc_order_attribution_utm_source', value => 'newsletter' }] }]) {
        my ($name, $settings, $new) = @$case;
        $ghl->reset;
        my $other = WooGHL::Server->for_ghl($ghl, mode => 'cgi', settings => $settings)->start;
        (my $was, $server) = ($server, $other);
        is calls_of(sub { deliver(order(%$new)) }), $bare + 1, "one more for $name";
        $server = $was;
        $other->stop;
    }
};
$ghl->stop;
done_testing;
