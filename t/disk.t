#!/usr/bin/env perl
# The directory of data is not as it should be: each signed delivery is answered 202 as long as the spool can hold it,
# 503 only when nothing can, the log says what is wrong and where, and when it is mended nothing is lost.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use POSIX ();
use Test::More;
use WooGHL::Server;

my $SECRET  = 'my_super_secret_woo_key';
my $SPOOLED = '202 {"status":"queued","reason":"store_unavailable"}';
my $NOWHERE = '503 {"error":"Unavailable"}';
my $CREATED = POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime(time - 120));    # before any store here began

sub order {
    my ($id, $padding) = @_;
    return qq({"id":$id,"status":"processing","total":"10.00","date_created_gmt":"$CREATED","note":") . 'x' x ($padding || 0)
        . qq(","billing":{"first_name":"Ann","last_name":"Lee","email":"c$id\@example.com"}});
}

sub deliver {
    my ($server, $body) = @_;
    my $answer = $server->request(POST => '/woo-order', { 'Content-Type' => 'application/json',
        'X-WC-Webhook-Topic' => 'order.updated', 'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' }, $body);
    is $answer->{headers}{'retry-after'}, 60, 'WooCommerce, or whoever sends, may come again' if $answer->{status} == 503;
    return "$answer->{status} $answer->{body}";
}

sub names { my ($ghl) = @_; return [sort { $a <=> $b } map { $_->{name} =~ /#(\d+)/ } $ghl->opportunities] }
sub spooled { my ($server) = @_; return scalar(() = glob $server->dir . '/data/spool/*.delivery') }

# What the log says from here on.
sub from_here { my ($server) = @_; my $seen = length $server->log; return sub { substr $server->log, $seen } }

sub with_server {
    my ($name, $case, %setting) = @_;
    subtest $name => sub {
        my $ghl = FakeGHL::Client->start;
        my $server = WooGHL::Server->new(mode => 'nginx', workers => 2, settings => {
            WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token,
            GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', %setting,
        });
        $case->($server, $ghl, $server->dir . '/data');
        $server->stop;
        $ghl->stop;
    };
    return;
}

sub mended {
    my ($server, $ghl, @orders) = @_;
    $server->restart_workers;
    my $drained = $server->command('drain', '--now');
    is $drained->{code}, 0, 'mended: a drain' or diag $drained->{err}, $server->log;
    is spooled($server), 0, 'the spool is empty';
    # A store that lost what it knew waits until GHL's search shows what it may have done.
    ok $server->drain_as_of(300), 'and one later';
    is_deeply names($ghl), \@orders, 'each order that was accepted has its one card' or diag $server->log;
    return;
}

with_server 'a directory that may only be read' => sub {
    my ($server, $ghl, $data) = @_;
    $server->start;
    like deliver($server, order(1)), qr/^200 .*synced/, 'an order before';
    $server->restart_workers;    # so that no worker has the files open
    my $log = from_here($server);
    my @files = glob "$data/store.db*";
    chmod 0400, @files;
    chmod 0500, $data;
    is deliver($server, order(2)), $SPOOLED, 'the spool below may still be written';
    like $log->(), qr/level=\w+ event=spooled .*store\.db/, 'the log names the file';

    $log = from_here($server);
    chmod 0500, "$data/spool";
    is deliver($server, order(3)), $NOWHERE, 'nor may the spool be written';
    like $log->(), qr{level=error event=spool .*store\.db.*/spool.*[Pp]ermission denied}, 'the log names both';
    is $ghl->count(path => '/opportunities/'), 1, 'GHL has heard of neither';

    chmod 0700, $data, "$data/spool";
    chmod 0600, @files;
    mended($server, $ghl, 1, 2);
    like deliver($server, order(3)), qr/^200 .*synced/, 'what was answered 503 comes again';
    is_deeply names($ghl), [1, 2, 3], 'a card each';
};

with_server 'a directory whose parent is missing' => sub {
    my ($server, $ghl) = @_;
    my $above = $server->dir . '/above';
    $server->set(DATA_DIR => "$above/data");
    $server->start;
    my $log = from_here($server);
    is deliver($server, order(1)), $NOWHERE, 'there is no place';
    like $log->(), qr{level=error .*\Q$above\E}, 'the log names it';
    ok !-e $above, 'it was not made';
    my $check = $server->command('check');
    isnt $check->{code}, 0, 'check finds it';
    like $check->{out}, qr{^store +FAIL .*\Q$above\E}m, 'and names it';

    mkdir $above or die "$above: $!";
    chown @{ $server->{user} }, $above if @{ $server->{user} };
    like deliver($server, order(1)), qr/^200 .*synced/, 'mended under running workers: the same order';
    is sprintf('%o', (stat "$above/data")[2] & 07777), '700', 'the directory is made, for its owner alone';
    is_deeply names($ghl), [1], 'one card';
};

SKIP: {
    skip 'only root can give files away', 1 if $> != 0;
    with_server 'a directory that belongs to somebody else' => sub {
        my ($server, $ghl, $data) = @_;
        $server->start;
        like deliver($server, order(1)), qr/^200 .*synced/, 'an order before';
        $server->restart_workers;
        my $log = from_here($server);
        chown 0, 0, $data;
        is deliver($server, order(2)), $NOWHERE, 'there is no place';
        like $log->(), qr{level=error .*\Q$data\E}, 'the log names it';
        my $check = $server->command('check');
        isnt $check->{code}, 0, 'check finds it';
        like $check->{out}, qr{FAIL .*\Q$data\E}, 'and names it';
        chown @{ $server->{user} }, $data;
        mended($server, $ghl, 1);
        like deliver($server, order(2)), qr/^200 .*synced/, 'what was answered 503 comes again';
        is_deeply names($ghl), [1, 2], 'a card each';
    };
}

for my $damage ('its head', 'all of it', 'its end is missing') {
    with_server "store.db is damaged: $damage" => sub {
        my ($server, $ghl, $data) = @_;
        $server->start;
        like deliver($server, order(1)), qr/^200 .*synced/, 'an order before';
        $_->stop for splice @{ $server->{pool} };    # the last one moves everything into the file itself
        my $size = -s "$data/store.db";
        open my $file, '+<:raw', "$data/store.db" or die "store.db: $!";
        print {$file} $damage eq 'its head' ? 'no database ' x 20 : "\xA5" x $size if $damage ne 'its end is missing';
        truncate $file, 5000 if $damage eq 'its end is missing';
        close $file;
        unlink "$data/store.db-wal", "$data/store.db-shm";
        $server->restart_workers;
        my $log = from_here($server);
        is deliver($server, order(1)), $SPOOLED, 'a state that it has known';
        is deliver($server, order(2)), $SPOOLED, 'and one that is new';
        like $log->(), qr/level=\w+ event=spooled .*store\.db/, 'the log names the file';
        isnt $server->command('check')->{code}, 0, 'check finds it';
        is spooled($server), 2, 'the spool has both';

        rename "$data/store.db", "$data/damaged" or die "store.db: $!";
        mended($server, $ghl, 1, 2);
    };
}

# Where the disk of the store is full and the spool's is not: a limit of each file's size, which stands for a quota, too.
with_server 'store.db may not grow' => sub {
    my ($server, $ghl, $data) = @_;
    $server->{workers} = 1;
    $server->start;
    like deliver($server, order(1)), qr/^202 .*"later"/, 'an order before';
    $_->stop for splice @{ $server->{pool} };
    # In 512 bytes: 128 KB, which the write-ahead log has soon reached.
    push @{ $server->{pool} }, $server->_spawn(['/bin/sh', '-c', 'ulimit -f 256 && exec "$0"', $server->program],
        in => $server->{listener});
    $ghl->down;
    my $log = from_here($server);
    my %answer;
    push @{ $answer{ deliver($server, order($_, 20_000)) } }, $_ for 2 .. 15;
    is_deeply [sort map { substr $_, 0, 3 } keys %answer], [('202') x keys %answer], 'each is taken' or diag explain \%answer;
    cmp_ok scalar @{ $answer{$SPOOLED} || [] }, '>', 0, 'some by the spool' or diag explain \%answer;
    like $log->(), qr/level=warn event=spooled .*store\.db: .*make room on its disk/, 'the log says what to do';
    $ghl->up;
    mended($server, $ghl, 1 .. 15);
}, SYNC_BUDGET => '0';

SKIP: {
    skip 'only root can mount', 1 if $> != 0;
    with_server 'a full disk' => sub {
        my ($server, $ghl, $data) = @_;
        mkdir $data or die "$data: $!";
        system("mount -t tmpfs -o size=1m none '$data' 2>/dev/null") == 0 or plan skip_all => 'tmpfs cannot be mounted here';
        my $unmount = eval {
            chown @{ $server->{user} }, $data;
            chmod 0700, $data;
            $server->start;
            like deliver($server, order(1)), qr/^202 .*"later"/, 'an order before';
            my $log = from_here($server);
            open my $filler, '>:raw', "$data/filler" or die "filler: $!";
            1 while syswrite $filler, 'x' x 4096;
            ok $!{ENOSPC}, 'the disk is full';
            my %answer;
            push @{ $answer{ deliver($server, order($_, 20_000)) } }, $_ for 2 .. 12;
            is_deeply [grep { !/^(?:202|503) / } keys %answer], [], '202 or 503';
            my @refused = @{ $answer{$NOWHERE} || [] };
            cmp_ok scalar @refused, '>', 0, 'when neither has room: 503' or diag explain \%answer;
            like $log->(), qr/level=error event=spool .*(?:full|No space left)/, 'the log says why';
            close $filler;
            unlink "$data/filler";
            mended($server, $ghl, 1, sort { $a <=> $b } map { @{ $answer{$_} } } grep { /^202/ } keys %answer);
            like deliver($server, order($_)), qr/^202 .*"later"/, "order $_ comes again" for $refused[0];
            mended($server, $ghl, sort { $a <=> $b } 1, $refused[0], map { @{ $answer{$_} } } grep { /^202/ } keys %answer);
            1;
        };
        my $why = $@;
        $server->stop;
        system('umount', '-l', $data);
        ok $unmount, 'to its end' or diag $why;
    }, SYNC_BUDGET => '0';
}

done_testing;
