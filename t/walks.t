#!/usr/bin/perl
# Random orders on random walks, delivered late, twice and out of order: GHL ends in the newest state of each,
# with one card an order, whatever is set. WALKS_SEED=N goes other ways, WALKS_ORDERS=N makes it longer.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use JSON::PP;
use Test::More;
use WooGHL::Server;

my $SECRET = 'my_super_secret_woo_key';
my $SEED = $ENV{WALKS_SEED} // 1;
my $ORDERS = $ENV{WALKS_ORDERS} // 18;
my $JSON = JSON::PP->new->ascii->canonical;

srand $SEED;
diag "WALKS_SEED=$SEED" if $ENV{WALKS_SEED};
note "WALKS_SEED=$SEED";

my %OUTCOME = (processing => 'won', completed => 'won', refunded => 'lost', map { $_ => 'abandoned' } qw(cancelled failed trash));
my @STATUS = (('processing') x 3, qw(completed completed refunded cancelled failed trash pending on-hold checkout-draft));
my @NAME = ('Joan', "J\x{f6}rg", "\x{5dc}\x{5d9}\x{5d0}", "O'Brien", 'A & B', '');

sub one_of { return $_[rand @_] }

# What the owner has set: nothing, much, or names that tell no order from another.
my %STAGE = (processing => 1, completed => 2, refunded => 0);
my $SET = one_of(
    {},
    { GHL_STAGE_MAP => 'processing:Paid,completed:Sent,refunded:New', GHL_TAGS => 'woo,bought-{line_items.sku},{status}',
        GHL_TAGS_REMOVE => 'refunded:woo', GHL_NOTE => 'yes', GHL_CONTACT_FIELDS => 'last_order_total={value},interests={line_items.name}' },
    { GHL_ORDER_FIELD => 'order_mark', GHL_OPPORTUNITY_NAME => '{customer.name|Somebody}', GHL_TAGS => 'woo' },
);
note 'set: ', join ', ', map {"$_=$SET->{$_}"} sort keys %$SET;
sub money { my $cents = shift; return sprintf '%s%d.%02d', $cents < 0 ? '-' : '', abs($cents) / 100, abs($cents) % 100 }

# The states of an order, oldest first; some share a second.
sub walk {
    my ($id) = @_;
    my $total = int rand 50_000;
    my ($modified, $refunded, @refunds) = (3600 * $id, 0);
    my %always = (
        id => $id, number => rand() < .2 ? "W-$id" : "$id", currency => one_of(qw(USD EUR JPY)),
        billing => { first_name => one_of(@NAME), last_name => one_of(@NAME), email => one_of('walker', ' Walker') . int(rand 8) . '@example.com',
            company => one_of('', 'B &amp; B', undef), country => one_of('US', 'de', 'GB', 'CW', 'nowhere', ''), city => one_of('', "K\x{f6}ln"),
            postcode => one_of('10115', 10115, ''), phone => one_of('', undef, '555', '030 55501234', '0044 20 7946 0958') },
        line_items => one_of({}, [map { { sku => one_of("S$_", '', undef), name => "Thing $_", quantity => one_of($_, "$_"), price => $_ / 3 } } 1 .. 1 + rand 3]),
        meta_data => one_of([], {}, [{ id => 1, key => 'gift', value => one_of('yes', 3, ['a'], { b => 1 }, undef) }]),
        customer_note => one_of('', "two\nlines", '<b>&eacute;</b>'), date_paid => one_of(undef, '', '2026-11-24T19:43:19'),
    );
    return map {
        $modified += int rand 3;
        if (rand() < .25) {
            push @refunds, { id => 9000 + @refunds, total => money(-(my $part = int rand 3000)) };
            $refunded += $part;
        }
        my @t = gmtime(1_700_000_000 + $modified);
        +{ modified => $modified, value => $total - $refunded, order => {
            %always, status => one_of(@STATUS), total => one_of(money($total), money($total) . '0', $total / 100, money($total) . '000000000004'),
            refunds => @refunds ? [@refunds] : one_of([], {}, undef),
            date_modified_gmt => sprintf('%04d-%02d-%02dT%02d:%02d:%02d', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0]),
        } };
    } 1 .. 1 + rand 7;
}

# What WooCommerce's queue makes of a walk: in order but for a few, some of them twice, a deletion now and then.
sub deliveries {
    my ($id, @states) = @_;
    my @at = map { [$_ + (rand() < .3 ? rand 3 : 0), $states[$_]] } 0 .. $#states;
    push @at, map { rand() < .3 ? [$_->[0] + rand 2, $_->[1]] : () } @at;
    push @at, [rand @states, { deleted => 1, order => { id => $id } }] if rand() < .2;
    return map { $_->[1] } sort { $a->[0] <=> $b->[0] } @at;
}

# What GHL should hold after this delivery too.
sub expect {
    my ($model, $state) = @_;
    if ($state->{deleted}) {
        $model->{status} = 'abandoned' if $model->{card};
        $model->{ended} = 'trash' if defined $model->{seen} && !$model->{card};
        return;
    }
    my $status = $state->{order}{status};
    return if $status eq 'checkout-draft';    # nobody ordered anything yet
    my $outcome = $OUTCOME{$status};    # none: what GHL holds follows, but for the status
    my $bytes = $JSON->encode($state->{order});
    if (defined $model->{seen} && $state->{modified} < $model->{seen}) {
        # A sale after its end is sold, and ended.
        return if $model->{card} || ($outcome // '') ne 'won';
        $status = $model->{ended} // $status;
        $outcome = $status eq 'trash' ? 'abandoned' : $OUTCOME{$status};
        $model->{card} = 1;
    }
    else {
        $model->{bytes} = {} if !defined $model->{seen} || $state->{modified} > $model->{seen};
        return if $model->{bytes}{$bytes}++;    # bytes of one second are news once
        $model->{seen} = $state->{modified};
        $model->{ended} = $status if $outcome;
        $model->{card} = 1 if ($outcome // '') eq 'won';
    }
    return if !$model->{card};
    @$model{qw(value name)} = ($state->{value}, "Order #$state->{order}{number}");
    return if !$outcome;
    $model->{status} = $outcome;
    my $stage = $SET->{GHL_STAGE_MAP} ? $STAGE{$status} : undef;
    $model->{stage} = "fake-stage-a-$stage" if defined $stage;
    return;
}

my $ghl = FakeGHL::Client->start(rate_count => 100_000);
my $server = WooGHL::Server->new(mode => 'cgi', settings => {
    WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token,
    GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', DRAIN_AFTER => 'off',
    GHL_RATE => '100000/10s', %$SET,
})->start;

sub deliver {
    my ($state) = @_;
    my $body = $JSON->encode($state->{order});
    return $server->request('POST', '/woo-order', { 'Content-Type' => 'application/json',
        'X-WC-Webhook-Topic' => $state->{deleted} ? 'order.deleted' : 'order.updated', 'X-WC-Webhook-Resource' => 'order',
        'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' }, $body);
}

# The orders' deliveries, mixed; each order's own stay in their order.
my %left = map { $_ => [deliveries($_, walk($_))] } 1 .. $ORDERS;
my (%model, %told, %of_second, $count);
while (my @open = sort { $a <=> $b } grep { @{ $left{$_} } } keys %left) {
    my $id = one_of(@open);
    my $state = shift @{ $left{$id} };
    $ghl->fault({ match => { path => one_of('^/contacts/upsert$', '^/opportunities/.') }, do => { status => 502 }, times => 1 })
        if rand() < .01;
    my $answer = deliver($state);
    $count++;
    $of_second{$id}{ $state->{modified} }{ $JSON->encode($state->{order}) } = 1 if !$state->{deleted};
    expect($model{$id} //= {}, $state);
    push @{ $told{$id} }, ($state->{deleted} ? 'deleted' : "$state->{order}{status} \@$state->{modified}") . " -> $answer->{status} $answer->{body}";
    fail("order $id: $answer->{status} $answer->{body}") if $answer->{status} !~ /^20[02]$/;
}
cmp_ok $count, '>=', $ORDERS, "$count deliveries of $ORDERS orders were taken";

$ghl->clear_faults;
my $drained = $server->command('drain', '--now');
is $drained->{code}, 0, 'what waits is drained' or diag $drained->{err};

# By its mark where it has one, by its name otherwise.
sub card_of {
    my ($id) = @_;
    return grep { grep { $_->{value} eq "shop:$id" } @{ $_->{customFields} } } $ghl->opportunities if $SET->{GHL_ORDER_FIELD};
    return grep { $_->{name} =~ /^Order #(?:W-)?$id$/ } $ghl->opportunities;
}
for my $id (1 .. $ORDERS) {
    my $model = $model{$id};
    my @held = map { [$_->{status}, $model->{stage} ? $_->{pipelineStageId} : undef, sprintf('%.0f', $_->{monetaryValue} * 100), $SET->{GHL_ORDER_FIELD} ? () : $_->{name}] } card_of($id);
    my @want = $model->{card} ? [@$model{qw(status stage value)}, $SET->{GHL_ORDER_FIELD} ? () : $model->{name}] : ();
    is_deeply \@held, \@want, "order $id: " . ($model->{card} ? $model->{status} : 'no card')
        or diag join "\n", "WALKS_SEED=$SEED", @{ $told{$id} };
}
is scalar(grep { $_->{card} } values %model), scalar @{ [$ghl->opportunities] }, 'one card an order';
# Two states of one second may come in turn, and each then is the newest once more.
my %note;
my %in_turn = map { $_ => scalar grep { keys %$_ > 1 } values %{ $of_second{$_} } } keys %of_second;
$note{ $_->{body} }++ for @{ $ghl->state->{notes} };
my @twice = grep { $note{$_} > 1 && !(/\[shop:(\d+) / && $in_turn{$1}) } sort keys %note;
is "@twice", '', 'no note is there twice' or diag join "\n", map { @{ $told{$_} } } map {/\[shop:(\d+) /} @twice;
my %email;
$email{ $_->{email} }++ for $ghl->contacts;
is_deeply [grep { $email{$_} > 1 } sort keys %email], [], 'each customer is one contact';

$server->stop;
$ghl->stop;
done_testing;
