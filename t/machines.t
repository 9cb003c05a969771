#!/usr/bin/perl
# Two pools with directories of their own on one Redis, as on two web servers: they take deliveries and drain together.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use File::Temp ();
use POSIX ();
use Test::More;
use WooGHL::Server;

my $SECRET = 'my_super_secret_woo_key';
my $LATER = '202 {"status":"queued","reason":"later"}';

sub order {
    my ($id, $status, $created, $first) = @_;
    $first ||= 'Ann';
    $created = $created ? qq("date_created_gmt":"$created",) : '';
    return qq({"id":$id,"status":"$status","total":"10.00",$created"billing":{"first_name":"$first","last_name":"Lee",)
        . qq("email":"c$id\@example.com"}});
}

sub deliver {
    my ($server, $body) = @_;
    my $got = $server->request('POST', '/woo-order',
        { 'Content-Type' => 'application/json', 'X-WC-Webhook-Topic' => 'order.updated',
            'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' }, $body);
    return "$got->{status} $got->{body}";
}

# Each of [server, body] from a process of its own, all at once.
sub deliver_all {
    my @what = @_;
    pipe my $in, my $out or die "pipe: $!";
    my @pids;
    for my $what (@what) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            my $got = eval { deliver(@$what) } // '0 none';
            syswrite $out, "$got\n";
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }
    close $out;
    my @got = map { chomp; $_ } <$in>;
    waitpid $_, 0 for @pids;
    return @got;
}

# Nothing waits.
sub until_empty {
    my ($server) = @_;
    return WooGHL::Process::until_true(sub { $server->command('status')->{out} =~ /^waiting 0,/m });
}

my $redis = WooGHL::Server->redis;
my $ghl = FakeGHL::Client->start;
my %settings = (
    WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token, REDIS_URL => $redis->url,
    GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', DRAIN_AFTER => 'off',
);
my $dir = File::Temp->newdir;
chmod 0755, "$dir";
my $way = "$dir/redis";    # the first machine's; cut by taking it away
symlink $redis->socket, $way or die "$way: $!";
my @machine = map { WooGHL::Server->new(mode => 'nginx', workers => 2, settings => {%settings, REDIS_URL => $_})->start }
    "unix://$way", $redis->url;

sub cards { return [sort { $a->[0] cmp $b->[0] } map { [$_->{name}, $_->{status}] } $ghl->opportunities] }

# Given one order that arrives at both at once, again and again.
my @got = deliver_all(map { [$machine[$_ % 2], order(1, 'processing')] } 1 .. 20);
my ($news) = grep { !/"duplicate"/ } @got;
is scalar(grep { /"duplicate"/ } @got), 19, 'one order, two machines: it is a duplicate, but once';
like $news, qr/^200 .*synced|^202 /, 'it is written, or comes after the deliveries that wait for a worker';
is $machine[0]->command('drain', '--now')->{code}, 0, 'a drain';
is $ghl->count(method => 'POST', path => '/opportunities/'), 1, 'then it was written once';

# Given a sale at one machine and its refund at the other.
like deliver($machine[0], order(2, 'processing')), qr/synced/, 'a sale at one machine';
like deliver($machine[1], order(2, 'refunded')), qr/synced/, 'its refund at the other';

# Given a sale that lies in one machine's spool, while the other takes its end.
sub dated { my ($id, $status, $minute) = @_; return order($id, $status) =~ s/\}$/,"date_modified_gmt":"2026-01-01T10:0$minute:00"}/r }
unlink $way;
$machine[0]->restart_workers;
like deliver($machine[0], dated(3, 'processing', 1)), qr/^202 .*store_unavailable/, 'a sale that one machine can only spool';
like deliver($machine[1], dated(3, 'refunded', 2)), qr/^200 .*never_sold/, 'its refund at the other, which never heard of it';
symlink $redis->socket, $way or die "$way: $!";
$machine[0]->restart_workers;    # those that were refused would wait a second
like deliver($machine[0], dated(5, 'refunded', 2)), qr/^200 .*never_sold/, 'the end of another order does not wait for that spool';
is $machine[0]->command('drain', '--now')->{code}, 0, 'the spool is moved';
is_deeply [map { $_->{status} } grep { $_->{name} eq 'Order #3' } $ghl->opportunities], ['lost'], 'the sale is there, and lost'
    or diag $machine[0]->log;

# Given that GHL is away while both take orders: one machine goes down, the other drains all of them.
$ghl->down;
@got = deliver_all(map { [$machine[$_ % 2], order(10 + $_, 'processing')] } 1 .. 4);
is scalar(grep { /^202 / } @got), 4, 'both store what GHL cannot take now';
$ghl->up;
$machine[0]->stop;
my $drained = $machine[1]->command('drain', '--now');
is $drained->{code}, 0, 'the other drains' or diag $drained->{err};
for (1 .. 20) {
    last if $machine[1]->command('status')->{out} =~ /^waiting 0,/m;
    $machine[1]->command('drain', '--now');
}
my %cards;
push @{ $cards{ $_->{name} } }, $_->{status} for $ghl->opportunities;
is_deeply \%cards,
    { 'Order #1' => ['won'], 'Order #2' => ['lost'], 'Order #3' => ['lost'], map { ("Order #$_" => ['won']) } 11 .. 14 },
    'each order has its one card, in its newest state';

$machine[1]->stop;

# Given workers and a drain that know the data key of a Redis which then comes back empty, and another machine that
# never knew it, nor has a copy. Whoever comes first, all of them agree on one key.
for my $first ('the other machine', 'the workers that run on') {
    subtest "Redis is emptied, then come $first" => sub {
        $ghl->reset;
        my $emptied = WooGHL::Server->redis;
        # Those of before, and of a day after (a shop's clock may be ahead), wait until whatever may have been under way is over.
        my ($before, $created) = map { POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime(time + $_)) } -3600, 25 * 3600;
        my $new = sub {
            return WooGHL::Server->new(mode => 'nginx', workers => 1,
                settings => { %settings, REDIS_URL => $emptied->url, SYNC_BUDGET => '0' })->start;
        };
        my $old = $new->();
        my $watch = $old->background('drain', '--watch');
        is deliver($old, order(1, 'processing', $before)), $LATER, 'given an order';
        $ghl->wait_calls(1, path => '/opportunities/', status => 201);
        until_empty($old);

        $emptied->cli('FLUSHALL');
        my $other = $first =~ /other/ ? $new->() : undef;
        $watch->signal('STOP');
        is deliver($old, order(2, 'processing', $created)), $LATER, 'a worker that runs on takes another';
        $other ||= $new->();
        is deliver($other, order(2, 'processing', $created)), '200 {"status":"skipped","reason":"duplicate"}',
            'the other machine knows it';
        is deliver($other, order(3, 'processing', $created)), $LATER, 'and takes a third';
        $watch->signal('CONT');
        until_empty($other);
        is_deeply cards(), [['Order #1', 'won'], ['Order #2', 'won'], ['Order #3', 'won']], 'the drain that runs on brings them';

        $ghl->clear_calls;
        is deliver($other, order(3, 'processing', $created, 'Anna')), $LATER, 'a state with another name of the customer';
        until_empty($other);
        like "@{[$ghl->sent]}", qr{^PUT /contacts/\w+$}, 'is known to change nothing else: their hashes agree';

        $watch->stop;
        is deliver($old, order(4, 'processing', $created)), $LATER, 'an order that the first machine takes';
        $old->stop;
        undef $old;    # with its directory
        is $other->command('drain', '--now')->{code}, 0, 'is drained when that machine is gone for good';
        is_deeply [map { $_->[0] } @{ cards() }], [map {"Order #$_"} 1 .. 4], 'and each has its one card';
        $other->stop;
    };
}
$ghl->stop;
done_testing;
