#!/usr/bin/env perl
# The GHL client (lib/ghl, lib/base/http_client.c) against the fake GHL: what goes out, and what each answer means.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use File::Temp ();
use IO::Socket::INET;
use IPC::Open2;
use POSIX ();
use Errno ();
use JSON::PP;
use Test::More;
use WooGHL::Driver;

alarm 900;    # rather fail than hang

my ($version) = do { open my $file, '<', "$FindBin::Bin/../lib/base/version.h" or die $!; map { /WOO_GHL_VERSION "(.*)"/ } <$file> };
my $driver = WooGHL::Driver->program('ghl');

my $json = JSON::PP->new->utf8->canonical;
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my $dir = File::Temp->newdir;
my $ghl = FakeGHL::Client->start;
my ($P, $S) = ('fakePipelineAAAAAAAA', 'fake-stage-a-1');
my %driver;

# HTTP_PROXY is what a CGI client's "Proxy:" header becomes; a dead proxy would make every call fail.
$ENV{$_} = 'http://127.0.0.1:9' for qw(HTTP_PROXY http_proxy HTTPS_PROXY https_proxy ALL_PROXY all_proxy);
delete $ENV{no_proxy};

sub driver {
    my (%config) = @_;
    my %all = (base => $ghl->url, token => $ghl->token, location => $ghl->location_id, version => '2021-07-28',
        pipeline => 'Shop', timeout_ms => 15_000, %config);
    my $pid = open2(my $out, my $in, $driver, $json->encode(\%all), "$dir/log");
    return { pid => $pid, in => $in, out => $out };
}

sub ask {
    my ($driver, $call, %asked) = @_;
    my $in = $driver->{in};
    print $in $json->encode({ call => $call, %asked }), "\n";
    $in->flush;
    my $line = readline $driver->{out};
    defined $line or die "the driver ended at $call";
    return $json->decode($line);
}

sub quit {
    my $driver = shift;
    close $driver->{in};
    close $driver->{out};
    waitpid $driver->{pid}, 0;
    return $?;
}

# The client with the settings that nearly all cases have.
my $client = driver();
sub call { return ask($client, @_) }

sub contact { my ($id) = $ghl->add(contacts => { email => 'ann@example.com' }); return $id }
sub opportunity { my ($contact, %more) = @_; return { pipelineId => $P, name => 'Order #1001', status => 'won', contactId => $contact, %more } }
sub picked { my ($answer, @keys) = @_; return { map { $_ => $answer->{$_} } @keys } }

subtest 'what goes out' => sub {
    $ghl->reset;
    my $answer = call(contact_upsert => body => {
        email => 'ann@example.com', phone => '+15555550101', city => '', state => undef, tags => [],
        customFields => [{ id => 'fieldUtmSource000000', field_value => 'ads' }] });
    is_deeply picked($answer, qw(result status tries created)), { result => 'ok', status => 201, tries => 1, created => $yes }, 'upsert: a new contact';
    my ($sent) = $ghl->calls;
    is_deeply [@$sent{qw(method path)}], [POST => '/contacts/upsert'], 'the call';
    is_deeply $sent->{headers}, {
        authorization => 'Bearer ' . $ghl->token, version => '2021-07-28', accept => 'application/json',
        'content-type' => 'application/json', host => '127.0.0.1:' . $ghl->port,
        'user-agent' => "woo_ghl/$version (+webhook receiver)" }, 'the headers';
    is_deeply $sent->{body}, { email => 'ann@example.com', phone => '+15555550101', locationId => $ghl->location_id,
        customFields => [{ id => 'fieldUtmSource000000', field_value => 'ads' }] }, 'no empty field, and the location';
    my $id = $answer->{id};
    is $id, ($ghl->contacts)[0]{id}, 'its id';
    is call(contact_upsert => body => { email => 'ANN@example.com' })->{created}, $no, 'upsert: a known contact';

    is_deeply picked(call(contact_update => id => $id, body => { city => 'Lyon', companyName => 'X', gender => 'f' }), qw(result id)),
        { result => 'ok', id => $id }, 'update';
    is_deeply(($ghl->calls)[-1]{body}, { city => 'Lyon' }, 'without what an update does not take');
    is call(contact_get => id => $id)->{json}{contact}{city}, 'Lyon', 'get';
    is call(contact_find => text => 'ann@example.com')->{id}, $id, 'find by email';
    is call(contact_find => phone => '+15555550101')->{id}, $id, 'find by phone';
    is_deeply picked(call(contact_find => text => 'no+one@example.com'), qw(result id)), { result => 'ok', id => '' }, 'find nobody';
    is call(contact_add_tags => id => $id, body => ['woo', 'vip'])->{result}, 'ok', 'tags are added';
    is call(contact_remove_tags => id => $id, body => ['vip'])->{result}, 'ok', 'and removed';
    is_deeply(($ghl->contacts)[0]{tags}, ['woo'], 'as GHL holds them');
    my $note = call(note_create => id => $id, text => "Order #1001\nPaid");
    is $note->{id}, ($ghl->notes)[0]{id}, 'a note';
    is call(note_list => id => $id)->{json}{notes}[0]{body}, "Order #1001\nPaid", 'is listed';
    my $nameless = call(contact_create => body => { firstName => 'Ann', lastName => 'Example' });
    is_deeply picked($nameless, qw(result status created)), { result => 'ok', status => 201, created => $yes }, 'create';
    is call(contact_search => text => 'Ann Example')->{json}{contacts}[0]{id}, $nameless->{id}, 'search by name';

    my $made = call(opportunity_create => body => opportunity($id, pipelineStageId => $S, monetaryValue => 21.76));
    is_deeply picked($made, qw(result status)), { result => 'ok', status => 201 }, 'an opportunity';
    like(($ghl->calls)[-1]{raw}, qr/"monetaryValue":21\.76[,}]/, 'the amount as it was written');
    is call(opportunity_update => id => $made->{id}, body => { status => 'lost', contactId => $id })->{result}, 'ok', 'its update';
    is_deeply(($ghl->calls)[-1]{body}, { status => 'lost' }, 'without what an update does not take');
    is call(opportunity_get => id => $made->{id})->{json}{opportunity}{status}, 'lost', 'get';
    is_deeply [map { $_->{id} } @{ call('pipelines')->{json} }], [$P, 'fakePipelineBBBBBBBB'], 'pipelines';
    is call('location')->{json}{settings}{allowDuplicateOpportunity}, $yes, 'the location';
    is scalar(@{ call('custom_fields')->{json} }), 5, 'custom fields of both models';
};

subtest 'connections' => sub {
    $ghl->reset;
    my $id = contact();
    call(contact_get => id => $id) for 1 .. 2;
    call(opportunity_create => body => opportunity($id));
    call(note_create => id => $id, text => 'x');
    call(contact_get => id => $id);
    my @c = map { $_->{connection} } $ghl->calls;
    is $c[0], $c[1], 'reads share a connection';
    is $c[4], $c[0], 'which is kept';
    isnt $c[2], $c[0], 'a create has its own';
    isnt $c[3], $c[2], 'each create';
};

subtest 'every way of saying no' => sub {
    my $long = 'x' x 3000;
    my @case = (
        # name, status, body, of an upsert: result, field, message
        [401, { message => 'Invalid JWT' },                    'auth', '', 'Invalid JWT'],
        [403, '<html>error code: 1010</html>',                 'auth', '', '(29 bytes)'],
        [404, { message => 'Cannot POST /contacts/upsert' },   'config', '', 'Cannot POST ...'],
        [404, '<html>Not Found</html>',                        'config', '', '(22 bytes)'],
        [302, '',                                              'config', '', '(0 bytes)'],
        [400, { message => 'Contact with id abc not found' },  'gone', '', 'Contact with id ... not found'],
        [404, { message => 'Contact not found' },              'gone', '', 'Contact not found'],
        [400, { message => 'Pass at least one of number, email query parameter' }, 'refused', '', 'Pass at least one of number, email query parameter'],
        [422, { message => ['email must be an email'] },       'refused', 'email', 'email must be an email'],
        [422, { message => ['country must be valid'] },        'refused', 'country', 'country must be valid'],
        [422, { message => ['country must be valid', 'email must be an email'] }, 'refused', 'country', 'country must be valid; email must be an email'],
        [422, { message => 'phone must be a valid phone number' }, 'refused', 'phone', 'phone must be a valid phone number'],
        [400, { message => 'Invalid country calling code' },   'refused', 'phone', 'Invalid country calling code'],
        [422, { message => ['property city should not exist'] }, 'refused', 'city', 'property city should not exist'],
        [422, { message => ['property Ann should not exist'] }, 'refused', '', 'property ... should not exist'],
        [422, { message => ['gender must be a string'] },      'refused', '', 'gender must be a string'],
        [422, { message => ['assignedTo must be valid'] },     'config', '', 'assignedTo must be valid'],
        [422, { message => ['customFields.0.field_value must be a string'] }, 'config', '', 'customFields.0.field_value must be a string'],
        [400, { message => 'Custom field with id abc not found' }, 'config', '', 'Custom field with id ... not found'],
        [400, { message => 'user@example.com is blocked' },    'refused', '', qr/^\(\d+ bytes\)$/],
        [400, { message => "Ann Example, +1 555 555 0101 $long" }, 'refused', '', qr/^\(\d+ bytes\)$/],
        [400, { status => 400, name => 'Bad Request' },        'refused', '', 'Bad Request'],
        [400, { message => { a => 1 } },                       'refused', '', qr/bytes/],
        [400, [1],                                             'refused', '', '(3 bytes)'],
        [413, '',                                              'refused', '', '(0 bytes)'],
    );
    my %body = (email => 'ann@example.com', phone => '+15555550101', country => 'US', city => 'Lyon');
    for my $case (@case) {
        my ($status, $body, $result, $field, $message) = @$case;
        $ghl->reset->fault({ do => { status => $status, body => $body, $status == 302 ? (headers => { Location => '/x' }) : () } });
        my $answer = call(contact_upsert => body => \%body);
        my $name = "status $status " . (ref $body ? $json->encode($body) : $body);
        is_deeply picked($answer, qw(result status field tries)),
            { result => $result, status => $status, field => $field, tries => 1 }, substr $name, 0, 90;
        ref $message ? like $answer->{message}, $message, '  its words' : is $answer->{message}, $message, '  its words';
        ok !$answer->{transport_failed}, '  not a fault of the transport';
        is $ghl->count, 1, '  not repeated';
    }
    $ghl->reset->fault({ do => { status => 422, body => { message => ['property x should not exist'], traceId => 'ab-12.c:d_e', code => 'A_CODE' } } },
        { do => { status => 422, body => { message => 'x', traceId => 'ann@example.com', code => 'Ann Example' } } });
    is_deeply picked(call(contact_upsert => body => \%body), qw(trace_id code)), { trace_id => 'ab-12.c:d_e', code => 'A_CODE' }, 'traceId and code';
    is_deeply picked(call(contact_upsert => body => \%body), qw(trace_id code)), { trace_id => '', code => '' }, 'unless they are none';
};

subtest 'what is gone' => sub {
    $ghl->reset;
    is call(opportunity_get => id => 'fakeOppo1')->{result}, 'gone', 'an opportunity';
    is call(opportunity_update => id => 'fakeOppo1', body => { status => 'lost' })->{result}, 'gone', 'an opportunity, at its update';
    is call(contact_update => id => 'fakeCont1', body => { city => 'X' })->{result}, 'gone', 'a contact';
    is call(contact_add_tags => id => 'fakeCont1', body => ['x'])->{result}, 'gone', 'a contact, at its tags';
    is call(note_create => id => 'fakeCont1', text => 'x')->{result}, 'gone', 'a contact, at its note';
    is call(opportunity_create => body => opportunity('fakeCont1'))->{result}, 'gone', 'the contact of a new opportunity';
    $ghl->fault({ do => { status => 404, html => 1 } });
    is call(opportunity_get => id => 'fakeOppo1')->{result}, 'config', "but not by a proxy's page";
    $ghl->fault({ do => { status => 404, body => { message => 'Cannot GET /opportunities/fakeOppo1' } } });
    is call(opportunity_get => id => 'fakeOppo1')->{result}, 'config', 'nor by a wrong path';
    my $before = $ghl->count;
    is call(opportunity_get => id => '../contacts')->{result}, 'config', 'what is no id';
    is call(opportunity_get => id => '')->{result}, 'config', 'or none';
    is $ghl->count, $before, 'is never asked for';
    is call(opportunity_create => body => opportunity(contact(), pipelineId => 'nope'))->{result}, 'config', 'an unknown pipeline is configuration';
};

subtest 'duplicates' => sub {
    $ghl->reset;
    my $id = contact();
    is_deeply picked(call(contact_create => body => { email => 'ann@example.com' }), qw(result id created status)),
        { result => 'ok', id => $id, created => $no, status => 400 }, 'a contact is adopted';
    $ghl->fault({ do => { status => 400, body => { message => 'This location does not allow duplicated contacts.', meta => { contactId => $id } } } });
    my $answer = call(contact_upsert => body => { email => 'ann@example.com' });
    is_deeply picked($answer, qw(result id)), { result => 'ok', id => $id }, 'at an upsert, too';
    is $answer->{json}{contact}{id}, $id, 'with a body';
    $ghl->settings({ allow_duplicate_opportunity => $no });
    my $first = call(opportunity_create => body => opportunity($id));
    is_deeply picked(call(opportunity_create => body => opportunity($id, name => 'Order #1002')), qw(result existing_id code id)),
        { result => 'duplicate', existing_id => $first->{id}, code => 'OPPORTUNITY_NO_DUPLICATE', id => '' }, 'an opportunity is told of';
    is $ghl->count(path => '/opportunities/'), 2, 'and not tried again';
};

subtest 'tries' => sub {
    for my $do ({ status => 500 }, { status => 502, html => 1 }, { status => 408 }, { status => 425 }, { reset => 'before' },
        { reset => 'after' }, { close => 'after' }, { truncate => 10 }, { status => 200, body => '<html>' }, { status => 200, body => {} },
        { status => 200, body => '' }, { status => 200, body => { succeded => $no, contact => { id => 'fakeCont1' } } }) {
        my $name = $json->encode($do);
        $ghl->reset->fault({ times => 2, do => $do });
        my $answer = call(contact_upsert => body => { email => 'ann@example.com' });
        # A kept connection that dies is libcurl's to replace, once, at no cost.
        my @waits = $do->{reset} || $do->{close} ? (1000) : (1000, 2000);
        # What nobody answered may be carried out yet; so may what a server between here and GHL gave up.
        my $later = $do->{reset} || $do->{close} || $do->{truncate} || ($do->{status} || 0) =~ m{^(?:408|502)$} ? $yes : $no;
        is_deeply picked($answer, qw(result tries waits maybe_done maybe_later)),
            { result => 'ok', tries => 1 + @waits, waits => \@waits, maybe_done => $no, maybe_later => $later }, "$name: tried until it works";
        is $ghl->count, 3, '  three calls';
        is scalar(() = $ghl->contacts), 1, '  one contact';
    }
    $ghl->reset->fault({ times => 0, do => { status => 503 } });
    my $answer = call(contact_get => id => 'fakeCont1');
    is_deeply picked($answer, qw(result status tries waits transport_failed)),
        { result => 'retry', status => 503, tries => 4, waits => [1000, 2000, 4000], transport_failed => $yes }, 'four times, no more';
    is_deeply [map { $_->{ok} } @{ $answer->{heard} }], [($no) x 4], 'each is told';
    $answer = call(contact_get => id => 'fakeCont1', within_ms => 1500);
    is_deeply picked($answer, qw(result tries waits)), { result => 'retry', tries => 2, waits => [1000] }, 'inside the deadline only';
    $answer = call(contact_get => id => 'fakeCont1', stopped => $yes);
    is_deeply picked($answer, qw(result tries)), { result => 'retry', tries => 1 }, 'not when told to stop';
    $answer = call(contact_get => id => 'fakeCont1', within_ms => 0);
    is_deeply picked($answer, qw(result tries)), { result => 'too_late', tries => 0 }, 'not at all without time';

    $ghl->reset->fault({ do => { status => 429, headers => { 'Retry-After' => 3 } } });
    $answer = call(contact_upsert => body => { email => 'ann@example.com' });
    is_deeply picked($answer, qw(result tries waits)), { result => 'ok', tries => 2, waits => [3000] }, 'Retry-After is honoured';
    $ghl->reset->fault({ do => { status => 429, headers => { 'Retry-After' => 60 } } });
    $answer = call(contact_upsert => body => { email => 'ann@example.com' });
    is_deeply picked($answer, qw(result tries waits retry_after_ms transport_failed)),
        { result => 'limited', tries => 1, waits => [], retry_after_ms => 60_000, transport_failed => $no }, 'or told, when it does not fit';
    $ghl->reset->fault({ do => { status => 429, headers => { 'Retry-After' => 86_400, 'X-RateLimit-Daily-Remaining' => 0, 'X-RateLimit-Daily-Reset' => undef } } });
    $answer = call(contact_upsert => body => { email => 'ann@example.com' });
    is_deeply picked($answer, qw(result retry_after_ms)), { result => 'limited', retry_after_ms => 86_400_000 }, 'a whole day is told as it is';
    is_deeply picked($answer->{heard}[0], qw(rate_daily_remaining rate_daily_reset_ms)),
        { rate_daily_remaining => 0, rate_daily_reset_ms => -1 }, 'and so is a day without calls and without an end';
    $ghl->reset->fault({ do => { status => 504 } }, { times => 0, do => { status => 403 } });
    is_deeply picked(call(contact_upsert => body => { email => 'ann@example.com' }), qw(result tries maybe_done maybe_later)),
        { result => 'auth', tries => 2, maybe_done => $yes, maybe_later => $yes }, 'what an earlier try may have done is not forgotten';
    $ghl->reset->fault({ times => 0, do => { status => 500 } });
    is_deeply picked(call(opportunity_update => id => 'fakeOppo1', body => { status => 'won' }), qw(result status tries maybe_done maybe_later)),
        { result => 'unknown', status => 500, tries => 4, maybe_done => $yes, maybe_later => $no }, 'a write that is never answered well';
    $ghl->reset->down;
    $answer = call(contact_upsert => body => { email => 'ann@example.com' });
    is_deeply picked($answer, qw(result status tries transport_failed)), { result => 'retry', status => 0, tries => 4, transport_failed => $yes }, 'nobody listens';
    like $answer->{message}, qr/Connection refused, before anything was sent$/, 'said so';
    $ghl->up;
};

subtest 'a create is never repeated blindly' => sub {
    for my $case (
        [{ status => 500 }, 0], [{ status => 502, effect => $yes }, 1], [{ status => 408 }, 0], [{ status => 425 }, 0],
        [{ reset => 'before' }, 0], [{ reset => 'after' }, 1], [{ close => 'after' }, 1], [{ truncate => 10 }, 1],
        [{ status => 201, body => '<html>', effect => $yes }, 1], [{ status => 201, body => { opportunity => {} }, effect => $yes }, 1],
        [{ status => 201, body => { opportunity => { id => 'a b' } } }, 0],
    ) {
        my ($do, $made) = @$case;
        $ghl->reset->fault({ match => { path => '^/opportunities/$' }, do => $do });
        my $answer = call(opportunity_create => body => opportunity(contact()));
        is_deeply picked($answer, qw(result tries id waits)), { result => 'unknown', tries => 1, id => '', waits => [] }, $json->encode($do);
        is scalar(() = $ghl->opportunities), $made, "  $made made";
        is $ghl->count, 1, '  one call';
    }
    for my $call ([contact_create => body => { firstName => 'Ann' }], [note_create => id => contact(), text => 'x']) {
        $ghl->reset->fault({ do => { reset => 'after' } });
        $ghl->add(contacts => { id => $call->[2] }) unless ref $call->[2];
        is call(@$call)->{result}, 'unknown', "$call->[0], too";
        is $ghl->count, 1, '  one call';
    }
    my $impatient = driver(timeout_ms => 1500);
    $ghl->reset->fault({ match => { path => '^/opportunities/$' }, do => { hang => $yes } });
    my $answer = ask($impatient, opportunity_create => body => opportunity(contact()));
    is_deeply picked($answer, qw(result tries transport_failed)), { result => 'unknown', tries => 1, transport_failed => $yes }, 'a hang';
    cmp_ok $answer->{ms}, '<', 12_000, 'costs GHL_TIMEOUT, not the 15 s of the others';
    like $answer->{message}, qr/^Timeout was reached.*after the request went out$/, 'said so';
    is quit($impatient), 0, 'the driver ends well';

    $ghl->reset->fault({ match => { path => '^/opportunities/$' }, times => 2, do => { status => 429 } });
    $answer = call(opportunity_create => body => opportunity(contact()));
    is_deeply picked($answer, qw(result tries waits)), { result => 'ok', tries => 3, waits => [1000, 2000] }, '429 says that nothing happened';
    $ghl->reset->fault({ match => { path => '^/opportunities/$' }, times => 0, do => { status => 429 } });
    $answer = call(opportunity_create => body => opportunity(contact()), send_within_ms => 1500);
    is_deeply picked($answer, qw(result tries waits)), { result => 'limited', tries => 2, waits => [1000] }, 'within the send deadline';
    $ghl->reset;
    my $id = contact();
    is call(opportunity_create => body => opportunity($id), within_ms => 3900)->{result}, 'too_late', 'not begun with less than 4 s';
    is call(opportunity_create => body => opportunity($id), send_within_ms => 0)->{result}, 'too_late', 'nor after the send deadline';
    is $ghl->count, 0, 'no call';
    $ghl->down;
    $answer = call(opportunity_create => body => opportunity($id));
    is_deeply picked($answer, qw(result tries waits)), { result => 'retry', tries => 4, waits => [1000, 2000, 4000] }, 'nothing was sent: tried again';
    $ghl->up;
};

subtest 'no write is delivered late by our own kernel' => sub {
    my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die $!;
    my $hasty = driver(base => 'http://127.0.0.1:' . $server->sockport, timeout_ms => 1500);
    for my $call ([opportunity_update => id => 'fakeOppo1', body => { status => 'won' }], [contact_upsert => body => { email => 'ann@example.com' }],
        [contact_add_tags => id => 'fakeCont1', body => ['woo']], [note_create => id => 'fakeCont1', text => 'x']) {
        my $pid = open(my $seen, '-|') // die $!;
        if (!$pid) {    # reads the request, never answers, and says how the connection ends
            my $client = $server->accept or die $!;
            1 while sysread $client, my $bytes, 4096;
            print $!{ECONNRESET} ? 'reset' : 'closed';
            close STDOUT;
            POSIX::_exit(0);
        }
        is_deeply picked(ask($hasty, @$call, stopped => $yes), qw(result tries maybe_done maybe_later)),
            { result => 'unknown', tries => 1, maybe_done => $yes, maybe_later => $yes }, "$call->[0]: GHL hangs";
        is readline $seen, 'reset', '  the connection is torn down, with what is unsent';
        close $seen;
    }
    is quit($hasty), 0, 'the driver ends well';
};

subtest 'limits and lease' => sub {
    $ghl->reset;
    my $id = contact();
    my $answer = call(contact_get => id => $id, limit_ms => [700]);
    is_deeply picked($answer, qw(result waits)), { result => 'ok', waits => [700] }, 'the limiter is waited for';
    is_deeply $answer->{heard}, [{ status => 200, ok => $yes, retry_after_ms => -1, rate_max => 100, rate_remaining => 99,
        rate_interval_ms => 10_000, rate_daily_limit => 200_000, rate_daily_remaining => 199_999,
        rate_daily_reset_ms => $answer->{heard}[0]{rate_daily_reset_ms} }], 'what GHL says of its limits is told';
    cmp_ok $answer->{heard}[0]{rate_daily_reset_ms}, '>', 0, 'and when the day ends';
    $answer = call(contact_get => id => $id, limit_ms => [-1]);
    is_deeply picked($answer, qw(result waits)), { result => 'ok', waits => [] }, 'no limit known: no wait';
    my $before = $ghl->count;
    $answer = call(contact_get => id => $id, limit_ms => [25_000]);
    is_deeply picked($answer, qw(result tries retry_after_ms message)), { result => 'limited', tries => 0, retry_after_ms => 25_000,
        message => 'no call to GHL is free for 25 s' }, 'no room before the deadline';
    is $answer->{rooms}[0], 20_000 - 250, 'which the limiter is told';
    $answer = call(opportunity_create => body => opportunity($id), limit_ms => [4000], send_within_ms => 3000);
    is $answer->{result}, 'limited', 'nor before the send deadline';
    $answer = call(opportunity_create => body => opportunity($id), within_ms => 5000, limit_ms => [2000]);
    is $answer->{result}, 'limited', 'nor with the 4 s that a create needs';
    is call(contact_upsert => body => { email => 'ann@example.com' }, may_write => [$no])->{result}, 'lost', 'no write without the lease';
    is $ghl->count, $before, 'no call of all these';
    is call(contact_get => id => $id, may_write => [$no])->{result}, 'ok', 'a read needs none';
    is call(contact_search => text => 'x', may_write => [$no])->{result}, 'ok', 'nor does a search';
    $ghl->fault({ do => { status => 500 } });
    $answer = call(contact_upsert => body => { email => 'ann@example.com' }, may_write => [$yes, $no]);
    is_deeply picked($answer, qw(result tries)), { result => 'lost', tries => 1 }, 'it is asked for before every try';
};

subtest 'search' => sub {
    $ghl->reset;
    my $id = contact();
    my @of_ann = $ghl->add(opportunities => map { { contactId => $id, pipelineId => $_ % 2 ? $P : 'other', name => "Order #$_" } } 1 .. 7);
    my @others = $ghl->add(opportunities => map { { contactId => 'other', pipelineId => $P, name => $_ } } 'Order #7', 'x');
    $ghl->settings({ page_limit => 3 });
    my $answer = call(opportunity_search => id => $id);
    is_deeply [map { $_->{id} } @{ $answer->{json} }], [reverse @of_ann], 'of a contact: all pages, newest first';
    is_deeply(($ghl->calls)[0]{query}, { location_id => $ghl->location_id, contact_id => $id, limit => 100 }, 'what is asked');
    is $ghl->count, 3, 'in three calls';
    is_deeply call(opportunity_search => id => 'nobody')->{json}, [], 'none';
    $answer = call(opportunity_search => text => 'Order #7');
    is_deeply [map { $_->{id} } @{ $answer->{json} }], [$others[0], $of_ann[-1]], 'of the location, by name';
    is_deeply(($ghl->calls)[-1]{query}, { location_id => $ghl->location_id, q => 'Order #7', limit => 100 }, 'what is asked then');
    is scalar @{ call(opportunity_search => text => 'order')->{json} }, 8, 'all pages, too';
    is scalar @{ call(opportunity_search => id => $id, text => '#7')->{json} }, 1, 'of a contact, by name';
    $ghl->fault({ skip => 1, times => 0, do => { status => 403 } });
    $answer = call(opportunity_search => id => $id);
    is_deeply picked($answer, qw(result json)), { result => 'auth', json => undef }, 'half of it is nothing';
    $ghl->clear_faults;
    my $v3 = driver(version => 'v3');
    is scalar @{ ask($v3, opportunity_search => id => $id)->{json} }, 7, 'Version v3: other parameters';
    is_deeply(($ghl->calls)[-3]{query}, { locationId => $ghl->location_id, contactId => $id, limit => 100 }, 'which are these');
    is scalar @{ ask($v3, opportunity_search => text => 'Order #7')->{json} }, 2, 'by name, too';
    is ask($v3, opportunity_create => body => opportunity($id, customFields => [{ id => 'fieldOrderMark000000', field_value => '1001' }]))->{result}, 'ok', 'and values';
    is_deeply(($ghl->calls)[-1]{body}{customFields}, [{ id => 'fieldOrderMark000000', fieldValue => '1001' }], 'under their name there');
    is quit($v3), 0, 'the driver ends well';
};

subtest 'dry run' => sub {
    $ghl->reset;
    my $dry = driver(dry_run => $yes);
    my $upsert = ask($dry, contact_upsert => body => { email => 'ann@example.com', firstName => 'Ann' });
    like $upsert->{id}, qr/^dry-[0-9a-f]{12}$/, 'a contact';
    is ask($dry, contact_upsert => body => { email => 'ann@example.com' })->{id}, $upsert->{id}, 'the same each time';
    my $made = ask($dry, opportunity_create => body => opportunity($upsert->{id}, monetaryValue => 21.76));
    like $made->{id}, qr/^dry-[0-9a-f]{12}$/, 'an opportunity';
    isnt $made->{id}, $upsert->{id}, 'with another id';
    is_deeply picked(ask($dry, opportunity_update => id => $made->{id}, body => { status => 'lost' }), qw(result id)),
        { result => 'ok', id => $made->{id} }, 'its update';
    is_deeply ask($dry, opportunity_search => id => $upsert->{id})->{json}, [], 'search finds nothing';
    my $pipelines = ask($dry, 'pipelines')->{json};
    is_deeply [$pipelines->[0]{name}, $pipelines->[0]{stages}[0]{name}], ['Shop', 'Paid'], 'the pipeline that is configured';
    is_deeply ask($dry, contact_find => text => 'ann@example.com')->{id}, '', 'nobody is found';
    is ask($dry, 'location')->{json}{id}, $ghl->location_id, 'the location';
    is quit($dry), 0, 'the driver ends well';
    is $ghl->count, 0, 'no call leaves';
    open my $log, '<', "$dir/log" or die;
    my @lines = grep {/event=dry_run/} <$log>;
    like $lines[0], qr{Would send POST /contacts/upsert with .*email.*firstName}, 'what would be sent is logged';
    like $lines[2], qr{status .*won.*monetaryValue 21\.76}, 'with what is nobody\'s';
};

subtest 'TLS' => sub {
    plan skip_all => 'no openssl program' unless `openssl version 2>/dev/null`;
    my $quiet = '2>/dev/null >/dev/null';
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout $dir/key -out $dir/cert $quiet") == 0
        or return fail('a certificate');
    my $free = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die $!;
    my $port = $free->sockport;
    close $free;
    my $pid = fork // die;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec 'openssl', 's_server', '-accept', "127.0.0.1:$port", '-key', "$dir/key", '-cert', "$dir/cert", '-www', '-naccept', 50;
    }
    WooGHL::Process::until_true(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) });

    my $wary = driver(base => "https://localhost:$port");
    my $answer = ask($wary, opportunity_create => body => opportunity('fakeCont1'), stopped => $yes);
    is_deeply picked($answer, qw(result status)), { result => 'retry', status => 0 }, 'an unknown certificate: nothing is sent';
    like $answer->{message}, qr/libcurl 60\b.*before anything was sent/, 'said so';
    quit($wary);
    local $ENV{SSL_CERT_FILE} = "$dir/cert";
    my $trusting = driver(base => "https://localhost:$port");
    $answer = ask($trusting, contact_get => id => 'fakeCont1', stopped => $yes);
    is $answer->{status}, 200, 'SSL_CERT_FILE is believed';
    quit($trusting);
    my $misled = driver(base => "https://127.0.0.1:$port");
    $answer = ask($misled, contact_get => id => 'fakeCont1', stopped => $yes);
    is $answer->{status}, 0, 'but not for another name';
    quit($misled);
    kill TERM => $pid;
    waitpid $pid, 0;
};

subtest 'plain http' => sub {
    for my $base ('http://192.0.2.1', 'http://localhost.example.com', 'ftp://127.0.0.1', 'file:///etc/passwd') {
        my $plain = driver(base => $base);
        my $answer = ask($plain, contact_get => id => 'fakeCont1');
        is_deeply picked($answer, qw(result tries)), { result => 'config', tries => 1 }, "$base is not spoken to";
        quit($plain);
    }
    my $split = driver(token => "pit-x\r\nX-Other: 1");
    is ask($split, contact_get => id => 'fakeCont1')->{result}, 'config', 'a token with a line break';
    quit($split);
};

is quit($client), 0, 'the driver ends well';
open my $log, '<', "$dir/log" or die;
my $words = join '', <$log>;
unlike $words, qr/ann\@example|Ann|5550101|Lyon|\Q@{[$ghl->token]}\E/, 'nothing personal and no token is in the log';
like $words, qr{event=ghl .*msg="POST /contacts/upsert"}, 'but the calls are';
$ghl->stop;
done_testing;
