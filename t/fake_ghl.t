#!/usr/bin/env perl
# The fake GoHighLevel API itself: what the other tests lean on.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use HTTP::Tiny;
use JSON::PP;
use POSIX qw(fmod);
use Test::More;
use Time::HiRes qw(time);

my $ghl = FakeGHL::Client->start(page_limit => 2);
my $json = JSON::PP->new->utf8->canonical;
my %header = (Authorization => 'Bearer ' . $ghl->token, Version => '2021-07-28', 'Content-Type' => 'application/json',
    'User-Agent' => 'woo_ghl test');

# One call: status, decoded body (or undef), raw answer.
sub ask {
    my ($method, $path, $body, %more) = @_;
    my $http = $more{http} || HTTP::Tiny->new(proxy => undef, http_proxy => undef, timeout => $more{timeout} || $WooGHL::Process::PATIENCE);
    my %headers = (%header, %{ $more{headers} || {} });
    delete $headers{$_} for grep { !defined $headers{$_} } keys %headers;
    $http->agent(delete $headers{'User-Agent'});
    my $res = $http->request($method, $ghl->url . $path,
        { headers => \%headers, defined $body ? (content => ref $body ? $json->encode($body) : $body) : () });
    return ($res->{status}, scalar eval { $json->decode($res->{content}) }, $res);
}

sub opportunity {
    my ($contact, %more) = @_;
    return { locationId => $ghl->location_id, pipelineId => 'fakePipelineAAAAAAAA', name => 'Order #1',
        status => 'won', contactId => $contact, monetaryValue => 21.76, %more };
}
my $loc = $ghl->location_id;

subtest 'who may ask' => sub {
    my @case = (
        ['no Version'       => { Version => undef },            401, qr/version header was not found/],
        ['unknown Version'  => { Version => '2020-01-01' },     401, qr/version header is invalid/],
        ['no token'         => { Authorization => undef },      401, qr/Invalid JWT/],
        ['a default agent'  => { 'User-Agent' => 'curl/7.88' }, 403, undef],
        ['no Content-Type'  => { 'Content-Type' => 'text/plain' }, 415, qr/Unsupported/],
    );
    for my $case (@case) {
        my ($name, $headers, $want, $message) = @$case;
        my ($status, $body, $res) = ask(POST => '/contacts/upsert', { locationId => $loc, email => 'a@example.com' },
            headers => $headers);
        is $status, $want, "$name: $want";
        $message ? like $body->{message}, $message, "$name: message" : like $res->{content}, qr/1010/, "$name: HTML";
    }
    is_deeply scalar $ghl->contacts, [], 'nothing was written';
};

subtest 'what is refused' => sub {
    my @case = (
        [POST => '/contacts',        { locationId => $loc, email => 'a@example.com' }, 404, qr{^Cannot POST /contacts$}],
        [POST => '/opportunities',   opportunity('x'), 404, qr/^Cannot POST/],
        [POST => '/contacts/upsert', { email => 'a@example.com' }, 422, qr/^locationId should not be empty$/],
        [POST => '/contacts/upsert', { locationId => 'other', email => 'a@example.com' }, 403, qr/access/],
        [POST => '/contacts/upsert', { locationId => $loc, firstName => 'A' }, 400, qr/^Pass at least one of number, email/],
        [POST => '/contacts/upsert', { locationId => $loc, email => '' }, 422, qr/^email must be an email$/],
        [POST => '/contacts/upsert', { locationId => $loc, email => 'a@b' }, 422, qr/^email must be an email$/],
        [POST => '/contacts/upsert', { locationId => $loc, email => 'a@example.com', country => 'USA' }, 422, qr/^country must be valid$/],
        [POST => '/contacts/upsert', { locationId => $loc, email => 'a@example.com', city => '' }, 422, qr/^city should not be empty$/],
        [POST => '/contacts/upsert', { locationId => $loc, email => 'a@example.com', foo => 1 }, 422, qr/^property foo should not exist$/],
        [POST => '/contacts/upsert', { locationId => $loc, email => 'a@example.com', phone => '555 1' }, 422, qr/^phone must be/],
        [POST => '/contacts/',       { locationId => $loc, city => 'X' }, 400, qr/^Pass at least one of email/],
        [POST => '/contacts/upsert', '{"locationId":', 400, qr/JSON/],
        [POST => '/opportunities/',  opportunity('fakeCont999'), 400, qr/^Contact with id fakeCont999 not found$/],
        [POST => '/opportunities/',  opportunity('x', monetaryValue => '21.76'), 422, qr/^monetaryValue must be a number$/],
        [POST => '/opportunities/',  opportunity('x', pipelineId => 'nope'), 400, qr/pipeline id is invalid/],
        [POST => '/opportunities/',  opportunity('x', status => 'sold'), 422, qr/^status must be/],
        [GET  => '/opportunities/search?locationId=x', undef, 422, qr/^property locationId should not exist$/],
        [GET  => '/opportunities/fakeOppo1', undef, 404, qr/not found/],
    );
    for my $case (@case) {
        my ($method, $path, $body, $want, $message) = @$case;
        my ($status, $answer) = ask($method, $path, $body);
        my $text = ref $answer->{message} ? $answer->{message}[0] : $answer->{message};
        is $status, $want, "$method $path: $want";
        like $text, $message, "  $text";
    }
};

subtest 'contacts' => sub {
    $ghl->reset;
    my ($status, $first) = ask(POST => '/contacts/upsert',
        { locationId => $loc, email => 'A@example.com', tags => ['one'], customFields => [{ id => 'contact.utm_source', field_value => 'x' }] });
    is $status, 201, 'a new one';
    my $id = $first->{contact}{id};
    (undef, my $other) = ask(POST => '/contacts/upsert', { locationId => $loc, phone => '+15555550101' });
    ($status, my $again) = ask(POST => '/contacts/upsert',
        { locationId => $loc, email => 'a@example.com', phone => '+15555550101', firstName => 'Ann' });
    is $status, 200, 'known by its email, whatever its case';
    is $again->{contact}{id}, $id, 'the same';
    ok !$again->{new}, 'not new';
    is $again->{contact}{phone}, undef, "another contact's phone is silently ignored";
    is_deeply $again->{contact}{tags}, ['one'], 'tags stay when none are sent';
    ($status, my $tags) = ask(POST => "/contacts/$id/tags", { tags => ['two', 'one'] });
    is_deeply [$status, $tags->{tags}], [201, ['one', 'two']], 'tags are added';
    ($status, $tags) = ask(DELETE => "/contacts/$id/tags", { tags => ['one'] });
    is_deeply [$status, $tags->{tags}], [200, ['two']], 'and taken off';
    ($status, my $refused) = ask(POST => '/contacts/', { locationId => $loc, email => 'a@example.com' });
    is_deeply [$status, $refused->{meta}{contactId}], [400, $id], 'a duplicate is refused with its id';
    ($status) = ask(POST => "/contacts/$id/notes", { body => 'A note', contactId => $id });
    is $status, 422, 'a note takes no contactId';
    ($status) = ask(POST => "/contacts/$id/notes", { body => 'A note' });
    is $status, 201, 'a note';
    (undef, my $notes) = ask(GET => "/contacts/$id/notes");
    is $notes->{notes}[0]{body}, 'A note', 'is listed';
    is_deeply [map { $_->{id} } $ghl->contacts], [$id, $other->{contact}{id}], 'two are held';
};

subtest 'opportunities and their search' => sub {
    $ghl->reset;
    my ($contact) = $ghl->add(contacts => { email => 'b@example.com' });
    my @id = map { my ($s, $b) = ask(POST => '/opportunities/', opportunity($contact, name => "Order #$_")); $b->{opportunity}{id} } 1 .. 3;
    my ($status, $page) = ask(GET => "/opportunities/search?location_id=$loc&contact_id=$contact&limit=100");
    is_deeply [map { $_->{id} } @{ $page->{opportunities} }], [@id[2, 1]], 'newest first, two a page';
    my $meta = $page->{meta};
    (undef, $page) = ask(GET => "/opportunities/search?location_id=$loc&limit=100&startAfter=$meta->{startAfter}&startAfterId=$meta->{startAfterId}");
    is_deeply [map { $_->{id} } @{ $page->{opportunities} }], [$id[0]], 'the next page';
    is $page->{meta}{nextPage}, undef, 'is the last';
    for my $q ('order%20%232', 'B@example', 'nobody') {
        (undef, $page) = ask(GET => "/opportunities/search?location_id=$loc&q=$q");
        is scalar @{ $page->{opportunities} }, { 'order%20%232' => 1, 'B@example' => 2, nobody => 0 }->{$q}, "found by the text $q";
    }
    $ghl->settings({ search_lag_ms => 3_600_000, allow_duplicate_opportunity => JSON::PP::false });
    my ($late) = $ghl->add(contacts => { email => 'c@example.com' });
    ($status, my $made) = ask(POST => '/opportunities/', opportunity($late));
    is $status, 201, 'an opportunity';
    (undef, $page) = ask(GET => "/opportunities/search?location_id=$loc&contact_id=$late");
    is_deeply $page->{opportunities}, [], 'is not found yet';
    (undef, $page) = ask(GET => "/opportunities/search?location_id=$loc&q=c\@example.com");
    is_deeply $page->{opportunities}, [], 'nor by a text';
    ($status) = ask(GET => "/opportunities/$made->{opportunity}{id}");
    is $status, 200, 'but is there';
    ($status, my $refused) = ask(POST => '/opportunities/', opportunity($late));
    is_deeply [$status, @$refused{qw(code meta)}],
        [400, 'OPPORTUNITY_NO_DUPLICATE', { existingId => $made->{opportunity}{id} }], 'one a contact and pipeline';
    ($status, my $put) = ask(PUT => "/opportunities/$id[0]", { status => 'lost', monetaryValue => 5 });
    is_deeply [$status, $put->{opportunity}{status}], [200, 'lost'], 'changed';
    ($status) = ask(PUT => "/opportunities/$id[0]", { contactId => $contact });
    is $status, 422, 'not its contact';
};

subtest 'faults' => sub {
    $ghl->reset;
    my ($contact) = $ghl->add(contacts => { email => 'd@example.com' });
    my $create = { method => 'POST', path => '^/opportunities/$' };
    my $held = sub { scalar @{ $ghl->opportunities } };
    for my $case (
        # name, do, status seen (599: none), opportunities made
        ['an answer of its own', { status => 503, body => { message => 'x' } }, 503, 0],
        ['HTML',                 { html => \1 },                                502, 0],
        ['422 after the effect', { status => 422, effect => \1 },               422, 1],
        ['reset before',         { reset => 'before' },                         599, 0],
        ['reset after',          { reset => 'after' },                          599, 1],
        ['closed after',         { close => 'after' },                          599, 1],
        ['cut short',            { truncate => 5 },                             599, 1],
        ['slow',                 { delay_ms => 200 },                           201, 1],
    ) {
        my ($name, $do, $want, $made) = @$case;
        my $before = $held->();
        $ghl->fault({ match => $create, do => $do });
        my $start = time;
        my ($status) = ask(POST => '/opportunities/', opportunity($contact));
        is $status, $want, "$name: $want";
        is $held->() - $before, $made, "$name: $made made";
        cmp_ok time - $start, '>=', 0.2, 'slow indeed' if $do->{delay_ms};
    }
    is_deeply $ghl->faults, [], 'each was used up';
    $ghl->fault({ match => $create, do => { hang => \1 } }, { match => $create, skip => 1, times => 0, do => { status => 500 } });
    is((ask(POST => '/opportunities/', opportunity($contact), timeout => 0.3))[0], 599, 'no answer');
    is_deeply [map { (ask(POST => '/opportunities/', opportunity($contact)))[0] } 1 .. 3], [201, 500, 500], 'skip 1, then always';
    my ($hung) = grep { $_->{gone} } $ghl->calls(path => '/opportunities/');
    ok $hung, 'a call whose client left is marked';
};

subtest 'late effect' => sub {
    $ghl->reset;
    my ($contact) = $ghl->add(contacts => { email => 'e@example.com' });
    $ghl->fault({ do => { effect_delay_ms => 300 } });
    is((ask(POST => '/opportunities/', opportunity($contact), timeout => 0.1))[0], 599, 'the client gives up');
    ok WooGHL::Process::until_true(sub { @{ $ghl->opportunities } == 1 }), 'it comes all the same';
    my ($call) = $ghl->calls;
    my ($s, $ms) = ($ghl->opportunities)[0]{createdAt} =~ /:(\d\d)\.(\d{3})Z$/;
    cmp_ok fmod(60 + $s + $ms / 1000 - fmod($call->{time}, 60), 60), '>=', 0.298, 'later';

    $ghl->settings({ search_lag_ms => 3_600_000 });
    $ghl->fault({ do => { status => 504, held => 1 } }, { times => 0, chance => 0, do => { status => 500 } });
    is((ask(POST => '/opportunities/', opportunity($contact)))[0], 504, 'a call that is held is answered as told');
    is scalar(() = $ghl->opportunities), 1, 'and not carried out';
    is_deeply $ghl->land, { landed => 1, held => 0 }, 'until it lands';
    is scalar(() = $ghl->opportunities), 2, 'then it is';
    my $seen = sub { scalar @{ (ask(GET => "/opportunities/search?location_id=$loc"))[1]{opportunities} } };
    is $seen->(), 1, 'the search does not see it';
    $ghl->land;
    is $seen->(), 2, 'until things land again';
};

subtest 'limits, connections, record' => sub {
    $ghl->reset;
    $ghl->settings({ rate_count => 2, rate_window_ms => 600_000, rate_enforce => JSON::PP::true, retry_after_s => 3 });
    my $http = HTTP::Tiny->new(proxy => undef, http_proxy => undef, keep_alive => 1);
    my @status = map { (ask(GET => "/locations/$loc", undef, http => $http))[0] } 1 .. 3;
    is_deeply \@status, [200, 200, 429], 'the third is too many';
    my ($status, undef, $res) = ask(GET => "/locations/$loc");
    is_deeply [@{ $res->{headers} }{qw(retry-after x-ratelimit-max x-ratelimit-remaining)}], [3, 2, 0], 'headers';
    is_deeply $ghl->limits, { violations => 2, peak => 2, answered_429 => 2, total => 4 }, 'counted';
    my @calls = $ghl->calls;
    is scalar(@calls), 4, 'all are recorded';
    is $calls[0]{connection}, $calls[1]{connection}, 'a kept connection';
    isnt $calls[0]{connection}, $calls[3]{connection}, 'a fresh one';
    is_deeply [map { $_->{nth} } @calls], [1, 2, 3, 1], 'counted on each';
    is $calls[0]{headers}{version}, '2021-07-28', 'headers are kept';
};

subtest 'down and up' => sub {
    $ghl->reset->down;
    is((ask(GET => "/locations/$loc"))[0], 599, 'nobody listens');
    $ghl->up;
    is((ask(GET => "/locations/$loc"))[0], 200, 'back on the same port');
};

$ghl->stop;
done_testing;
