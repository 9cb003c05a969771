#!/usr/bin/env perl
# GHL, or something on the way to it, answers what it should not: still one card an order, and none that is lost.
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
my $CARD    = { method => 'POST', path => '^/opportunities/$' };
my $CONTACT = { method => 'POST', path => '^/contacts/$' };
my $SEARCH  = { path => '^/opportunities/search$' };

my $ghl = FakeGHL::Client->start;
my $server;

sub fresh {
    my (%more) = @_;
    $server->stop if $server;
    $ghl->reset;
    $server = WooGHL::Server->new(mode => 'cgi', settings => { WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $ghl->url,
        GHL_API_KEY => $ghl->token, GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA',
        DRAIN_AFTER => 'off', %more })->start;
    return;
}

# Of now, and surely not of before the store was first used; or so many seconds old.
sub order {
    my (%is) = @_;
    my $reach = $is{nobody} ? '' : ',"email":"ann@example.com"';
    return sprintf '{"id":1,"status":"%s","total":"10.00","date_created_gmt":"%s","billing":{"first_name":"Ann","last_name":"Lee"%s}}',
        $is{status} || 'processing', POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime(time + ($is{old} ? -$is{old} : 2))), $reach;
}

sub deliver {
    my ($body) = @_;
    return $server->request(POST => '/woo-order', { 'Content-Type' => 'application/json',
        'X-WC-Webhook-Topic' => 'order.created', 'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' }, $body)->{body};
}

sub queue { my ($status) = grep {/"waiting"/} $server->command('status', '--json')->{out}; return join ' ', $status =~ /"(?:waiting|dead_letters)":(\d+)/g }
sub names { return [map { $_->{name} } $ghl->opportunities] }

# After the effect; the search shows it only later.
for my $odd (
    ['a redirect',     { status => 302, headers => { Location => 'https://example.com/' }, body => '' }],
    ['a page',         { status => 201, html => 1 }],
    ['no id',          { status => 201, body => { opportunity => {}, contact => {} } }],
    ['an id too long', { status => 201, body => { opportunity => { id => 'x' x 64 }, contact => { id => 'x' x 64 } } }],
    ['nothing',        { status => 200, body => '' }],
) {
    my ($what, $do) = @$odd;
    subtest "a card's create is answered with $what" => sub {
        fresh;
        $ghl->settings({ search_lag_ms => 3_600_000 });
        $ghl->fault({ match => $CARD, do => { %$do, effect => 1 } });
        like deliver(order()), qr/"queued"/, 'it is queued';
        is $server->command('drain', '--now')->{code}, 0, 'a drain that does not see it yet' for 1 .. 2;
        is_deeply names(), ['Order #1'], 'makes no other';
        $ghl->change(opportunities => $_->{id}, { seen_from => 0 }) for $ghl->opportunities;
        ok $server->drain_as_of(300), 'one that sees it';
        is_deeply names(), ['Order #1'], 'neither' or diag $server->log;
        is queue(), '0 0', 'and it is done' or diag $server->log;
    };
    subtest "the create of a contact without email and phone is answered with $what" => sub {
        fresh;
        my @ago = gmtime(time - 86_400);
        $ghl->add(contacts => { firstName => 'Ann', lastName => 'Lee', dateAdded => POSIX::strftime('%Y-%m-%dT%H:%M:%S.000Z', @ago) });
        $ghl->settings({ search_lag_ms => 3_600_000 });
        $ghl->fault({ match => $CONTACT, do => { %$do, effect => 1 } });
        like deliver(order(nobody => 1)), qr/"queued"/, 'given one of that name since yesterday, it is queued';
        is $server->command('drain', '--now')->{code}, 0, 'a drain that does not see it yet';
        is scalar(() = $ghl->contacts), 2, 'makes no other';
        $ghl->change(contacts => $_->{id}, { seen_from => 0 }) for $ghl->contacts;
        ok $server->drain_as_of(300), 'a drain';
        is scalar(() = $ghl->contacts), 2, 'neither' or diag $server->log;
        is_deeply [map { $_->{contactId} } $ghl->opportunities], [($ghl->contacts)[1]{id}], 'the new one has the card';
        is queue(), '0 0', 'it is done' or diag $server->log;
    };
}

# GHL says no and does it; it does not say what was wrong. Whatever asks for another try, the search that lags shows it first.
for my $again ('failed retry', 'a newer version') {
    my $next = sub { $again eq 'failed retry' ? $server->command('failed', 'retry', '--all')->{code} == 0 : deliver($_[0]) =~ /"queued"/ };
    my $no = { status => 422, body => { statusCode => 422, message => ['something is amiss'] }, effect => 1 };
    subtest "a card's create is refused and carried out; $again" => sub {
        fresh;
        $ghl->settings({ search_lag_ms => 3_600_000 });
        $ghl->fault({ match => $CARD, do => $no });
        is deliver(order()), '{"status":"queued","reason":"dead_letter"}', 'it is a dead letter';
        ok $next->(order(status => 'completed')), $again;
        is $server->command('drain', '--now')->{code}, 0, 'a drain that does not see it yet' for 1 .. 2;
        is_deeply names(), ['Order #1'], 'makes no other' or diag $server->log;
        is queue(), '1 0', 'it waits';
        $ghl->change(opportunities => $_->{id}, { seen_from => 0 }) for $ghl->opportunities;
        ok $server->drain_as_of(300), 'one that sees it';
        is_deeply names(), ['Order #1'], 'neither' or diag $server->log;
        is queue(), '0 0', 'and it is done' or diag $server->log;
    };
    subtest "the create of a contact without email and phone is refused and carried out; $again" => sub {
        fresh;
        $ghl->settings({ search_lag_ms => 3_600_000 });
        $ghl->fault({ match => $CONTACT, do => $no });
        is deliver(order(nobody => 1)), '{"status":"queued","reason":"dead_letter"}', 'it is a dead letter';
        ok $next->(order(nobody => 1, status => 'completed')), $again;
        is $server->command('drain', '--now')->{code}, 0, 'a drain that does not see it yet';
        is scalar(() = $ghl->contacts), 1, 'makes no other' or diag $server->log;
        $ghl->change(contacts => $_->{id}, { seen_from => 0 }) for $ghl->contacts;
        ok $server->drain_as_of(300), 'a drain';
        is scalar(() = $ghl->contacts), 1, 'neither' or diag $server->log;
        is queue(), '0 0', 'it is done' or diag $server->log;
    };
}

# There is a card, but nothing that can be done with it: a person looks, and no other is made.
for my $odd (['no id', {}], ['an id too long', { id => 'x' x 64 }], ['an id of other letters', { id => '../x' }]) {
    my ($what, $id) = @$odd;
    subtest "the search shows this order's card with $what" => sub {
        fresh;
        $ghl->fault({ match => $CARD, do => { effect => 1, status => 502 } },
            { match => $SEARCH, times => 0, do => { status => 200, body => { opportunities => [{ name => 'Order #1', status => 'won',
                pipelineId => 'fakePipelineAAAAAAAA', %$id }], meta => { total => 1 } } } });
        like deliver(order()), qr/"queued"/, 'given a create whose outcome is unknown';
        ok $server->drain_as_of($_), 'a drain' for 300, 600;
        is_deeply names(), ['Order #1'], 'makes no other' or diag $server->log;
        is queue(), '0 1', 'it is a dead letter';
        like $server->log, qr/reason=bad_id /, 'the log says why';
    };
}

subtest 'the search gives a full page, and neither says how many there are nor where the next begins' => sub {
    fresh;
    my @others = map { { id => "other$_", name => "Order #1$_", pipelineId => 'fakePipelineAAAAAAAA' } } 1 .. 100;
    $ghl->fault({ match => $CARD, do => { effect => 1, status => 502 } },
        { match => $SEARCH, times => 0, do => { status => 200, body => { opportunities => \@others, meta => {} } } });
    like deliver(order()), qr/"queued"/, 'given a create whose outcome is unknown';
    ok $server->drain_as_of(300), 'a drain';
    is_deeply names(), ['Order #1'], 'does not take a part for the whole' or diag $server->log;
    is queue(), '1 0', 'it waits';
    like $server->log, qr/opportunity search: GHL has trouble \(the search's answer is not whole/, 'the log says why';
};

subtest 'the look-up of an old order\'s contact is answered with nothing' => sub {
    fresh;
    my ($contact) = $ghl->add(contacts => { firstName => 'Ann', email => 'ann@example.com' });
    $ghl->add(opportunities => { name => 'Order #1', contactId => $contact, pipelineId => 'fakePipelineAAAAAAAA', status => 'won' });
    $ghl->fault({ match => { path => '^/contacts/search/duplicate$' }, times => 0, do => { status => 200, body => '' } });
    like deliver(order(status => 'refunded', old => 86_400)), qr/"synced"/, 'its opportunity is found by its name';
    is_deeply [map { $_->{status} } $ghl->opportunities], ['lost'], 'and has the state' or diag $server->log;
};

# Whoever takes over reckons with a create for so long after its attempt was recorded.
subtest 'a create is asked to wait for longer than it may be on its way' => sub {
    fresh(SYNC_BUDGET => '30s');
    $ghl->fault({ match => $CARD, do => { status => 429, headers => { 'Retry-After' => 6 } } });
    is deliver(order()), '{"status":"queued","reason":"ghl_limit"}', 'it is not sent later, though there is time';
    is $ghl->count(method => 'POST', path => '/opportunities/'), 1, 'but once';
    ok $server->drain_as_of(60), 'a drain';
    is_deeply names(), ['Order #1'], 'sends it anew';
};

for my $odd ([429, 'ghl_limit'], [503, 'ghl_unavailable']) {
    my ($status, $reason) = @$odd;
    subtest "a Retry-After of $status that is absurd" => sub {
        fresh();
        $ghl->fault({ match => { path => '^/contacts/upsert$' }, do => { status => $status, headers => { 'Retry-After' => '9' x 15 } } });
        is deliver(order()), qq({"status":"queued","reason":"$reason"}), 'the order waits';
        ok $server->drain_as_of(2 * 60), 'a drain before five minutes have passed';
        is_deeply names(), [], 'waits, too';
        ok $server->drain_as_of(6 * 60), 'and then one';
        is_deeply names(), ['Order #1'], 'brings it' or diag $server->log;
    };
}

subtest 'GHL answers nothing good for longer than RETRY_FOR says' => sub {
    fresh(RETRY_FOR => '1h');
    $ghl->fault({ match => { path => '^/contacts/upsert$' }, times => 0, do => { status => 503, headers => { 'Retry-After' => 60 } } });
    is deliver(order()), '{"status":"queued","reason":"ghl_unavailable"}', 'the order waits';
    ok $server->drain_as_of(3600 - 60), 'a drain before that';
    is queue(), '1 0', 'leaves it in the queue';
    ok $server->drain_as_of(3600 + 60), 'and one after it';
    is queue(), '1 0', 'too';
    like $server->log, qr/level=warn event=late msg="Orders wait for longer than RETRY_FOR, .* The oldest are shop:1"/, 'but the log names it';
    my $said = $server->dir . '/said';
    is $server->later(3600 + 60, ['status'], out => $said)->wait, 0, 'status';
    like do { local (@ARGV, $/) = $said; <> }, qr/^1 orders wait for longer than RETRY_FOR; they are tried on. The oldest: shop:1$/m, 'names it, too';
    $ghl->clear_faults;
    ok $server->drain_as_of(2 * 3600), 'a drain';
    is_deeply names(), ['Order #1'], 'brings it';
};

$server->stop;
$ghl->stop;
done_testing;
