#!/usr/bin/env perl
# `drain --now`: each order that waits is looked at once, before its time, by however many jobs.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use Test::More;
use WooGHL::Server;

my $SECRET = 'my_super_secret_woo_key';
my $prefix = 0;

sub deliver {
    my ($server, @names) = @_;
    for my $name (@names) {
        my ($id) = $name =~ /(\d+)/;
        my $body = qq({"id":$id,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"$name\@example.com"}});
        my $answer = $server->request(POST => '/woo-order', { 'Content-Type' => 'application/json',
            'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' }, $body);
        is $answer->{body}, '{"status":"queued","reason":"later"}', "$name waits";
    }
    return;
}

my $ghl = FakeGHL::Client->start;

# How often the contact of each order was sent.
sub looked_at { my %n; $_->{body}{email} =~ /^(\w+)@/ && $n{$1}++ for $ghl->calls(path => '/contacts/upsert'); return \%n }

for my $store (qw(sqlite redis)) {
    my $redis = $store eq 'redis' ? WooGHL::Server->redis : undef;
    my $new = sub {
        $ghl->reset;
        return WooGHL::Server->new(settings => {
            WOO_WEBHOOK_SECRET => $SECRET, SYNC_BUDGET => 0, GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token,
            GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', GHL_RATE => '1000/10s',
            $redis ? (REDIS_URL => $redis->url, REDIS_PREFIX => 'p' . ++$prefix) : () });
    };

    for my $jobs (1, 3) {
        subtest "$store, $jobs jobs: those that are put off and those that wait for long" => sub {
            my $server = $new->();
            deliver($server, 'slow1', 'slow2');
            $ghl->fault({ match => { body => 'slow' }, times => 2, do => { status => 503, headers => { 'Retry-After' => 3600 } } });
            is $server->command('drain')->{out}, "drained: 0 synced, 0 needed nothing, 2 wait on, 0 dead letters; 2 in the queue\n", 'for an hour';
            deliver($server, 'bad3', 'bad4', 'good5');
            $ghl->fault({ match => { path => '^/contacts/upsert$', body => 'bad' }, times => 0, do => { status => 403, html => 1 } });
            $ghl->clear_calls;
            is $server->command('drain', '--now', '--jobs', $jobs)->{out},
                "drained: 3 synced, 0 needed nothing, 2 wait on, 0 dead letters; 2 in the queue\n", 'given two that GHL refuses, a drain';
            is_deeply looked_at(), { map { $_ => 1 } qw(slow1 slow2 bad3 bad4 good5) }, 'looks at each once';
            is_deeply [sort map { $_->{name} } $ghl->opportunities], ['Order #1', 'Order #2', 'Order #5'], 'which brings the others to GHL';
        };

        subtest "$store, $jobs jobs: what holds all orders is tried at once" => sub {
            my $tries = 0;
            for my $case (
                ['a Retry-After of a day', { status => 429, headers => { 'Retry-After' => 86_400 } }, qr/^GHL's limits hold all calls for (?:[1-5] min|\d+ s): GHL asks to wait 86400 s/m],
                ['no call is left of the day', { status => 429, headers => { 'X-RateLimit-Daily-Remaining' => 0 } }, qr/^GHL's limits hold all calls for (?:[1-5] min|\d+ s): GHL says that no call is left of its day/m],
                ['a refused token', { status => 401, body => { message => 'Invalid JWT' } }, qr/^paused for \d+ (?:s|min): /m],
            ) {
                my ($name, $do, $says) = @$case;
                my ($server, $began) = ($new->(), time);
                deliver($server, 'one1', 'two2');
                $ghl->fault({ times => 0, do => $do });
                like $server->command('drain')->{out}, qr/^drained: 0 synced, /, "given $name: a drain brings none";
                like $server->command('status')->{out}, $says, '... status says why' or diag $server->log;
                $ghl->clear_faults;
                my $drained = $server->command('drain')->{out};
                # After a minute of a pause a drain asks GHL: on a machine that was too slow for this, it all begins again.
                redo if time - $began > 55 && $tries++ < 5;
                like $drained, qr/^drained: 0 synced, /, '... nor does a drain when GHL is well again';
                is $server->command('drain', '--now', '--jobs', $jobs)->{out},
                    "drained: 2 synced, 0 needed nothing, 0 wait on, 0 dead letters; 0 in the queue\n", '... but one that tries now';
                unlike $server->command('status')->{out}, qr/^(?:paused|GHL's limits)/m, '... nothing holds any more';
            }
        };

        subtest "$store: calls are left again of a day that was used up" => sub {
            my $server = $new->();
            deliver($server, 'one1', 'two2', 'three3');
            $ghl->fault({ do => { status => 429, headers => { 'X-RateLimit-Daily-Remaining' => 0 } } });
            like $server->command('drain')->{out}, qr/^drained: 0 synced, /, 'given a day without calls';
            $ghl->fault({ times => 0, do => { headers => { 'X-RateLimit-Daily-Remaining' => 1000 } } });
            ok $server->drain_as_of(310), 'a drain that asks again';
            is scalar(() = $ghl->opportunities), 3, 'brings them all' or diag $server->log;
        } if $jobs == 1;

        subtest "$store, $jobs jobs: one that comes meanwhile" => sub {
            my $server = $new->();
            deliver($server, 'slow1', 'bad2');
            $ghl->fault({ match => { path => '^/contacts/upsert$', body => 'bad' }, times => 0, do => { status => 403, html => 1 } },
                { match => { path => '^/contacts/upsert$', body => 'slow1' }, do => { waits => 1 } });
            my $drain = $server->background('drain', '--now', '--jobs', $jobs);
            $ghl->wait_calls(1, raw => qr/slow1/);
            deliver($server, 'late3');
            $ghl->answer;
            is $drain->wait, 0, 'the drain ends well';
            is_deeply looked_at(), { slow1 => 1, bad2 => 1, late3 => 1 }, 'it looked at it, too';
        } if $jobs == ($redis ? 3 : 1);
    }
}
sub file_of { my ($path) = @_; open my $in, '<', $path or return ''; local $/; return scalar(<$in>) // '' }

sub three_that_wait {
    $ghl->reset;
    my $server = WooGHL::Server->new(settings => { WOO_WEBHOOK_SECRET => $SECRET, SYNC_BUDGET => 0, GHL_API_BASE => $ghl->url,
        GHL_API_KEY => $ghl->token, GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA' });
    deliver($server, 'one1', 'two2', 'three3');
    return $server;
}

subtest 'a drain that is told to stop' => sub {
    my $server = three_that_wait();
    my $out = $server->dir . '/drain.out';
    $ghl->fault({ match => { path => '^/contacts/upsert$' }, do => { waits => 1 } });
    my $drain = $server->_spawn([$server->program, 'drain'], out => $out);
    $ghl->wait_calls(1, path => '/contacts/upsert');
    $drain->signal('TERM');
    $ghl->answer;
    is $drain->wait, 0, 'ends well';
    is file_of($out), "drained: 1 synced, 0 needed nothing, 0 wait on, 0 dead letters; 2 in the queue\n", 'with the order that it had in hand';
    is $server->command('drain')->{out}, "drained: 2 synced, 0 needed nothing, 0 wait on, 0 dead letters; 0 in the queue\n", 'the next does the others';
};

subtest 'a drain on a terminal' => sub {
    my $server = three_that_wait();
    my $number = pack 'i', 0;
    open my $terminal, '+<', '/dev/ptmx' or plan skip_all => "/dev/ptmx: $!";
    ioctl $terminal, 0x40045431, $number or plan skip_all => "TIOCSPTLCK: $!";
    ioctl $terminal, 0x80045430, $number or plan skip_all => "TIOCGPTN: $!";
    open my $other_end, '+<', '/dev/pts/' . unpack('i', $number) or plan skip_all => "/dev/pts: $!";
    is $server->_spawn([$server->program, 'drain'], out => $server->dir . '/drain.out', err => $other_end)->wait, 0, 'ends well';
    sysread $terminal, my $shown, 4096;
    like $shown, qr/\r\[#{13} {27}\] 1 of 3\r\[#{26} {14}\] 2 of 3\r\[#{40}\] 3 of 3\r\e\[K\z/, 'shows a bar, and wipes it away';
};
$ghl->stop;
done_testing;
