#!/usr/bin/env perl
# The store loses what it knew while orders are in hand, or just after: a Redis that comes back empty, a file that is
# deleted. No order that was answered with 2xx is lost while a process still has it, and none makes a second deal.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use POSIX ();
use Test::More;
use WooGHL::Server;

my $CREATED = POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime(time - 120));    # before any store here was made
my $AHEAD   = POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime(time + 7200));   # by the clock of a shop that is ahead
my $SINCE   = POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime(time + 25 * 3600));   # no such clock
my $UPSERT  = { path => '^/contacts/upsert$' };

sub order {
    my ($id, $status, $total) = @_;
    $status ||= 'processing';
    $total  ||= '10.00';
    return qq({"id":$id,"status":"$status","total":"$total","date_created_gmt":"$CREATED",)
        . qq("billing":{"first_name":"Ann","last_name":"Lee","email":"c$id\@example.com"}});
}
sub nobody { return order(@_) =~ s/,"email":"[^"]+"//r }
sub ahead { return order(@_) =~ s/$CREATED/$AHEAD/r }
sub undated { return order(@_) =~ s/"date_created_gmt":"[^"]+",//r }

sub deliver {
    my ($server, $body) = @_;
    return $server->deliver($body);
}

# The answer comes from the function that is returned.
sub deliver_in_background {
    my ($server, $body) = @_;
    pipe my $in, my $out or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my $answer = eval { deliver($server, $body) };
        syswrite $out, $answer ? "$answer->{status} $answer->{body}" : '0';
        POSIX::_exit(0);
    }
    close $out;
    return sub { local $/; my $answer = <$in>; waitpid $pid, 0; return $answer };
}

sub names { my ($ghl) = @_; return [sort map { $_->{name} } $ghl->opportunities] }

my $ghl = FakeGHL::Client->start;
for my $store (qw(sqlite redis)) {
    my $redis = $store eq 'redis' ? WooGHL::Server->redis : undef;
    my $new = sub {
        my (%more) = @_;
        $ghl->reset;
        return WooGHL::Server->for_ghl($ghl, redis => $redis, mode => 'nginx', workers => 1, settings => \%more)->start;
    };
    my $forgets = sub {
        my ($server) = @_;
        return $redis->cli('FLUSHALL') if $redis;
        return unlink glob $server->dir . '/data/store.db*';
    };

    subtest "$store: while a worker has an order in hand" => sub {
        my $server = $new->(DRAIN_AFTER => 'off');
        $ghl->fault({ match => $UPSERT, do => { waits => 1 } });
        my $answer = deliver_in_background($server, order(1));
        $ghl->wait_calls(1, path => '/contacts/upsert');
        $forgets->($server);
        $ghl->answer;
        like $answer->(), qr/^202 /, 'it is answered as stored';
        is $server->command('drain', '--now')->{code}, 0, 'a drain' or diag $server->log;
        ok $server->drain_as_of(300), 'and one later';
        is_deeply names($ghl), ['Order #1'], 'it is in GHL' or diag $server->log;
        $server->stop;
    };

    subtest "$store: while a drain has it in hand" => sub {
        my $server = $new->(DRAIN_AFTER => 'off', SYNC_BUDGET => '0');
        is deliver($server, order(2))->{status}, 202, 'given an order that waits';
        $ghl->fault({ match => $UPSERT, do => { waits => 1 } });
        my $drain = $server->background('drain');
        $ghl->wait_calls(1, path => '/contacts/upsert');
        $forgets->($server);
        $ghl->answer;
        defined $drain->wait or fail 'the drain ends';
        ok $server->drain_as_of(300), 'one later';
        is_deeply names($ghl), ['Order #2'], 'it is in GHL' or diag $server->log;
        $server->stop;
    };

    # GHL's search shows a card only some time after it was made.
    subtest "$store: just after an order was done" => sub {
        my $server = $new->(DRAIN_AFTER => 'off');
        $ghl->settings({ search_lag_ms => 3_600_000 });
        like deliver($server, order(3))->{body}, qr/"synced"/, 'given an order in GHL';
        $forgets->($server);
        is deliver($server, order(3))->{body}, '{"status":"queued","reason":"in_flight"}', 'the next delivery of it waits';
        is $server->command('drain', '--now')->{code}, 0, 'a drain';
        is_deeply names($ghl), ['Order #3'], 'no second card is made';
        like $server->log, qr/level=error event=store msg="The store is not the one that this machine knows/,
            'the log says what happened';
        $ghl->change(opportunities => $_->{id}, { seen_from => 0 }) for $ghl->opportunities;
        ok $server->drain_as_of(300), 'a drain when the search shows it';
        is_deeply names($ghl), ['Order #3'], 'it is found' or diag $server->log;
        my ($look) = grep {/"waiting"/} $server->command('status', '--json')->{out};
        like $look, qr/"waiting":0/, 'and done';
        $server->stop;
    };

    # What an order has in GHL is looked for. If it is not there, the search may not show it yet: only that waits.
    subtest "$store: states of orders of before" => sub {
        my $server = $new->(DRAIN_AFTER => 'off');
        like deliver($server, $_)->{body}, qr/"synced"/, 'given an order in GHL' for order(10), order(11), nobody(12), nobody(13), ahead(16), undated(17), undated(18);
        my %card = map { $_->{name} => $_->{id} } $ghl->opportunities;
        $ghl->change(opportunities => $card{'Order #10'}, { pipelineId => 'fakePipelineBBBBBBBB' });    # by a salesperson
        $forgets->($server);
        $ghl->clear_calls;
        like deliver($server, $_)->{body}, qr/"synced"/, 'a state that comes then finds its opportunity'
            for order(10, 'completed', '12.00'), order(11, 'refunded'), nobody(12, 'completed', '12.00'), nobody(13, 'refunded'),
                ahead(16, 'completed', '12.00'), undated(17, 'completed', '12.00'), undated(18, 'refunded');
        is deliver($server, order(14))->{body}, '{"status":"queued","reason":"in_flight"}', 'one that has none waits';
        $ghl->clear_calls;
        is $server->command('drain', '--now')->{code}, 0, 'a drain';
        is_deeply [grep { !/^GET / } $ghl->sent], [], 'only looks for it, too';
        like deliver($server, order(15) =~ s/$CREATED/$SINCE/r)->{body}, qr/"synced"/, 'an order that is surely of after that need not wait';
        ok $server->drain_as_of(300), 'a drain when all that is over';
        is_deeply { map { $_->{name} => "$_->{status} $_->{monetaryValue}" } $ghl->opportunities },
            { 'Order #10' => 'won 12', 'Order #11' => 'lost 10', 'Order #12' => 'won 12', 'Order #13' => 'lost 10',
                'Order #14' => 'won 10', 'Order #15' => 'won 10', 'Order #16' => 'won 12', 'Order #17' => 'won 12',
                'Order #18' => 'lost 10' }, 'brings the newest states' or diag $server->log;
        is_deeply { map { $_->{name} => $_->{id} } grep { $card{ $_->{name} } } $ghl->opportunities }, \%card, 'on the cards that were there';
        is scalar(() = $ghl->opportunities), 9, 'no order has two';
        is scalar(() = $ghl->contacts), 9, 'and no customer is two contacts';
        $server->stop;
    };

    # All of DATA_DIR, the keys too: what is stored from then on must open for others.
    subtest "$store: with all of its directory" => sub {
        my $server = $new->(DRAIN_AFTER => 'off', SYNC_BUDGET => '0');
        is deliver($server, order(4))->{status}, 202, 'given an order that waits';
        my $data = $server->dir . '/data';
        system 'rm', '-rf', $data and die "rm: $?";
        $forgets->($server);
        is deliver($server, order(5))->{body}, '{"status":"queued","reason":"later"}', 'another is stored';
        $server->kill_workers;
        $server->restart_workers;
        ok $server->drain_as_of(300), 'when its worker is gone, a drain';
        is_deeply names($ghl), ['Order #5'], 'opens it' or diag $server->log;
        $server->stop;
    };
}
# A replica takes over that has not got the last moments yet: here the same server, with its data of then.
# What waits in the backup may have been done since.
for my $put_back ('rm -r "$0" && mv "$0.backup" "$0"', 'cp -a "$0.backup/." "$0"') { subtest "sqlite: a backup that is put back: $put_back" => sub {
    $ghl->reset;
    my $server = WooGHL::Server->for_ghl($ghl, mode => 'cgi', settings => { SYNC_BUDGET => '0' })->start;
    my $data = $server->dir . '/data';
    is deliver($server, undated($_))->{body}, '{"status":"queued","reason":"later"}', 'given an order that waits' for 1, 2;
    is system('cp', '-a', $data, "$data.backup"), 0, 'a copy of the directory';
    is $server->command('drain')->{code}, 0, 'and a drain';
    is_deeply names($ghl), ['Order #1', 'Order #2'], 'that brought them to GHL';
    is system('sh', '-c', $put_back, $data), 0, 'the copy is put back';
    is deliver($server, undated(2, 'completed', '20.00'))->{body}, '{"status":"queued","reason":"later"}', 'and one of them changes';
    ok $server->drain_as_of($_), 'a drain' for 1, 300, 600;
    is_deeply names($ghl), ['Order #1', 'Order #2'], 'makes no second opportunity';
    is_deeply [sort map { $_->{monetaryValue} } $ghl->opportunities], [10, 20], 'and brings the change';
    like $server->command('status')->{out}, qr/^waiting 0,/m, 'nothing waits';
    $server->stop;
} }

subtest 'redis: a failover to a replica that lags' => sub {
    my $redis  = WooGHL::Server->redis(dbfilename => 'dump.rdb');
    my $dump   = $redis->dir . '/dump.rdb';
    $ghl->reset;
    my $server = WooGHL::Server->for_ghl($ghl, redis => $redis, mode => 'nginx', workers => 1)->start;
    my $watch = $server->background('drain', '--watch');
    my $line = qr/level=warn event=store msg="What the store may lose: none: appendonly is no/;
    ok WooGHL::Process::until_true(sub { $server->log =~ $line }), 'the log says what may be lost';
    $watch->stop;
    like deliver($server, order($_))->{body}, qr/"synced"/, 'given an order that it has' for 20, 21;
    $redis->cli('SAVE');
    rename $dump, "$dump.old" or die "$dump: $!";
    like deliver($server, order(20, 'refunded'))->{body}, qr/"synced"/, 'and a state of it,';
    like deliver($server, order(22))->{body}, qr/"synced"/, 'and an order that it has not';
    $ghl->fault({ match => $UPSERT, do => { status => 429, headers => { 'Retry-After' => 60 } } });
    like deliver($server, order(23))->{body}, qr/"queued"/, 'nor one that waits';
    $ghl->settings({ search_lag_ms => 3_600_000 });
    $redis->stop;
    rename "$dump.old", $dump or die "$dump: $!";
    $redis->restart;
    like deliver($server, order(21, 'refunded'))->{body}, qr/"synced"/, 'a state of one that it has goes on';
    like deliver($server, order(22, 'completed', '12.00'))->{body}, qr/"synced"/, 'one of one that it has not is looked for';
    is deliver($server, order(23))->{body}, '{"status":"queued","reason":"in_flight"}', 'the one that it lost, delivered again, waits: the search may not show it yet';
    like deliver($server, order(20, 'refunded'))->{body}, qr/"synced"/, 'and a state that it lost is told again';
    like $server->log, qr/level=warn event=store msg="The store is on another server or in another file than before/,
        'the log says what happened';
    $ghl->change(opportunities => $_->{id}, { seen_from => 0 }) for $ghl->opportunities;
    ok $server->drain_as_of(300), 'a drain when all is over';
    is_deeply { map { $_->{name} => "$_->{status} $_->{monetaryValue}" } $ghl->opportunities },
        { 'Order #20' => 'lost 10', 'Order #21' => 'lost 10', 'Order #22' => 'won 12', 'Order #23' => 'won 10' }, 'all are there';
    is scalar(() = $ghl->opportunities), 4, 'each once' or diag $server->log;
    $server->stop;
};
$ghl->stop;
done_testing;
