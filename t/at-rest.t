#!/usr/bin/env perl
# What lies in the store and in the spool holds nothing that is personal: not in Redis' keys and values, its RDB file and
# its append-only file, nor in the embedded store's file.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use File::Find qw(find);
use Test::More;
use WooGHL::Personal;
use WooGHL::Server;

my $SECRET = 'my_super_secret_woo_key';
my $FIXTURES = "$FindBin::Bin/fixtures";
my @TERMS = WooGHL::Personal->terms($FIXTURES);

sub slurp { my ($path) = @_; open my $in, '<:raw', $path or die "$path: $!"; local $/; return scalar(<$in>) // '' }

sub deliver_fixtures {
    my ($server) = @_;
    my %answers;
    for my $file (glob "$FIXTURES/*.json") {
        next if $file =~ /index\.json$/;
        my $body = slurp($file);
        my ($topic) = $file =~ m{/(\w+\.\w+?)-};
        my $answer = $server->request(POST => '/woo-order', { 'Content-Type' => 'application/json', 'X-WC-Webhook-Topic' =>
            $topic, 'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' }, $body);
        $answers{ $answer->{status} }++;
    }
    return \%answers;
}

sub lacks {
    my ($what, $bytes) = @_;
    my @found = WooGHL::Personal->found_in_stored($bytes, @TERMS);
    is scalar @found, 0, "$what holds nothing personal" or diag "found: @found";
    return;
}

# Everything of a Redis as text: names, and values by their type.
sub dump_of {
    my ($redis) = @_;
    my %read = (string => sub { GET => $_[0] }, hash => sub { HGETALL => $_[0] }, zset => sub { ZRANGE => @_, 0, -1 },
        set => sub { SMEMBERS => $_[0] }, list => sub { LRANGE => @_, 0, -1 });
    my $text = '';
    for my $key (split /\n/, $redis->cli('--raw', 'KEYS', '*')) {
        chomp(my $type = $redis->cli('TYPE', $key));
        my $how = $read{$type} or die "$key is of an unknown type: $type";
        $text .= "$key\n" . $redis->cli('--raw', $how->($key)) . "\n";
    }
    return $text;
}

sub files_below {
    my ($directory) = @_;
    my %bytes;
    find({ no_chdir => 1, wanted => sub { $bytes{$File::Find::name} = slurp($_) if -f $_ } }, $directory);
    return \%bytes;
}

cmp_ok scalar @TERMS, '>', 20, 'the fixtures hold personal data';
ok scalar WooGHL::Personal->found_in_stored(slurp("$FIXTURES/order.created-simple.json"), @TERMS), 'and it would be found';

for my $store (qw(redis sqlite)) {
    subtest $store => sub {
        # Uncompressed, so that all is seen.
        my $redis = $store eq 'redis' ? WooGHL::Server->redis(appendonly => 'yes', 'aof-use-rdb-preamble' => 'no',
            rdbcompression => 'no') : undef;
        my $ghl = FakeGHL::Client->start;
        my $server = WooGHL::Server->new(mode => 'nginx', workers => 2, settings => {
            WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token, GHL_RATE => '1000/10s',
            GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA',
            $redis ? (REDIS_URL => $redis->url) : (),
        })->start;

        # Some with an attempt of unknown outcome, some refused for good, some waiting, some done, some spooled.
        $ghl->fault({ match => { method => 'POST', path => '^/opportunities/$' }, times => 2, do => { reset => 'after' } },
            { match => { method => 'POST', path => '^/contacts/upsert$' }, skip => 2, times => 2, do => { status => 400,
                body => { message => 'no' } } });
        my $answers = deliver_fixtures($server);
        cmp_ok $answers->{200} || 0, '>', 5, 'some are in GHL' or diag explain $answers;
        cmp_ok $answers->{202} || 0, '>', 3, 'some wait' or diag explain $answers;
        $server->set(SYNC_BUDGET => '0', REDIS_PREFIX => 'second');
        $server->restart_workers;
        cmp_ok deliver_fixtures($server)->{202} || 0, '>', 10, 'in another namespace all wait';
        if ($redis) {
            my $dump = dump_of($redis);
            like $dump, qr/\{second:.*shop:\d+/, 'keys name orders';
            lacks('Redis', $dump);
            $redis->cli('SAVE');
            $redis->signal('STOP');
            $server->set(REDIS_PREFIX => 'third', REDIS_TIMEOUT => '500ms');
            $server->restart_workers;
            cmp_ok deliver_fixtures($server)->{202} || 0, '>', 10, 'in a third they are spooled';
            $redis->signal('CONT');
        }
        $server->stop;
        $redis->stop if $redis;
        my %file = (%{ files_below($server->dir . '/data') }, $redis ? %{ files_below($redis->dir) } : ());
        my @names = keys %file;
        if ($redis) {
            cmp_ok length($file{ $redis->dir . '/dump.rdb' }), '>', 10_000, 'the RDB file';
            cmp_ok length(join '', map { $file{$_} } grep { /aof$/ } @names), '>', 10_000, 'the append-only file';
            cmp_ok scalar(grep { m{/spool/.*\.delivery$} } @names), '>', 10, 'the spool';
        }
        else {
            ok scalar(grep {/store\.db$/} @names), 'the store\'s file';
        }
        lacks($_ =~ m{([^/]+)$}, $file{$_}) for sort @names;
        lacks('the log', $server->log);
        $ghl->stop;
    };
}

done_testing;
