#!/usr/bin/env perl
# What anybody on the internet may send, and what a customer may type: it fills neither log nor store, holds no process,
# costs no time, and brings no markup into GHL.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use IO::Socket::UNIX;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use WooGHL::Process;
use WooGHL::Server;

my $SANITIZED = ($ENV{WOO_GHL_PROGRAM} // '') =~ /asan/;
my %FORM = ('Content-Type' => 'application/json');

subtest 'a flood of unsigned requests' => sub {
    for my $limit (0, 5) {
        my $server = WooGHL::Server->new(mode => 'nginx', workers => 2, settings => { RATE_LIMIT_PER_DAY => $limit })->start;
        my $hour = int(time / 3600);
        $server->request(POST => '/woo-order', { %FORM, 'X-WC-Webhook-Signature' => 'x' }, '{"id":1}') for 1 .. 120;
        SKIP: {
            skip 'the hour ended meanwhile', 2 if int(time / 3600) != $hour;
            my @refused = $server->log =~ /event=refused (.*)/g;
            my @limited = $server->log =~ /event=limited (.*)/g;
            is scalar @refused, $limit ? 1 : 3, "limit $limit: the 1st, the 10th and the 100th refused one are told";
            is scalar @limited, $limit ? 3 : 0, 'and so are those over the limit';
            like $refused[0], qr/client=127\.0\.0\.1 status=401 reason=wrong_signature msg="The signature/, 'the first says why';
            like +($limit ? $limited[2] : $refused[2]), qr/msg="100 unsigned requests from this address in this hour"/, 'the others count';
        }
        $server->stop;
    }
};

subtest 'settings that are refused' => sub {
    my $server = WooGHL::Server->new(mode => 'nginx', workers => 1, settings => { MAX_BODY => 'huge' })->start;
    my $lines = () = $server->log =~ /event=config/g;
    $server->request(POST => '/woo-order', \%FORM, '{}') for 1 .. 30;
    my $more = () = $server->log =~ /event=config/g;
    is $more, $lines, 'are told when a worker starts, not with each request';
    cmp_ok $lines, '>', 0, 'but then they are';
    $server->stop;
};

subtest 'a body that comes slowly, as CGI' => sub {
    my $server = WooGHL::Server->new(mode => 'cgi')->start;
    my $began = time;
    my $res = $server->request(POST => '/woo-order', { %FORM, 'Content-Length' => 200_000 }, '{"id":', hold => 1);
    is "$res->{status} $res->{body}", '400 {"error":"Incomplete Body"}', 'it is given up';
    cmp_ok time - $began, '<', 60, 'soon';
    $res = $server->request(POST => '/woo-order', \%FORM, '{"id":1}', hold => 1);
    is $res->{status}, 401, 'one that is whole needs no end';
    $server->stop;
};

# Each text of the delivery: what decodes to markup in one way or another.
my @MARKUP = ('&lt;img src=x onerror=alert(1)&gt;', '&#60;script&#62;alert(2)&#60;/script&#62;', '&#x3c;b&#x3E;x', '&#0060;u&#062;',
    '&amp;lt;i&amp;gt;y', '&LT;s&GT;', '&lt&gt', "\x{2039}ok\x{203a}");

# What those have used that were waited for.
sub children_s { my @t = times; return $t[2] + $t[3] }

sub ascii { return $_[0] =~ s{([^ -~])}{sprintf "U+%04X", ord $1}egr }

sub order {
    my ($id, $text) = @_;
    my %person = (first_name => "A $text", last_name => "B $text", company => "C $text", address_1 => "D $text", address_2 => "E $text",
        city => "F $text", state => "G $text", postcode => "1 $text", country => 'US');
    return JSON::PP->new->ascii->encode({ id => $id, number => "N$id $text", status => 'processing', total => '10.00', currency => 'USD',
        billing => { %person, email => "p$id\@example.com", phone => '+15555550123' }, shipping => \%person,
        customer_note => "Note\n$text", payment_method_title => "Card $text", coupon_lines => [{ code => "code $text" }],
        line_items => [{ name => "Mug $text", quantity => 1, total => '10.00', sku => "s $text", meta_data => [{ key => 'k', value => "m $text",
            display_key => "K $text", display_value => "V $text" }] }], meta_data => [{ key => '_wc_order_attribution_utm_source', value => "u $text" },
            { key => 'gift', value => "gift $text" }], shipping_lines => [{ method_title => "Post $text", total => '0.00' }] });
}

subtest 'markup in what customers type' => sub {
    my $ghl = FakeGHL::Client->start;
    my $server = WooGHL::Server->for_ghl($ghl, settings => {
        GHL_OPPORTUNITY_NAME => '{number} {items} {billing.company} {meta.gift} {payment_method_title}',
        GHL_NOTE => '{number} {items} {customer_note} {billing.first_name} {meta.gift} {coupon_lines.code} {shipping_lines.0.method_title} {line_items.meta.k} {shipping.city}',
        GHL_TAGS => 'shop,{coupon_lines.code},{meta.gift}' })->start;
    my $id = 7000;
    for my $text (@MARKUP) {
        $ghl->reset;
        my $res = $server->deliver(order(++$id, $text));
        is $res->{status}, 200, "an order with " . ascii($text) or diag $res->{body}, $server->log;
        my @with = grep { /[<>]/ || /\\u003[ce]/i } map { ref $_->{body} ? JSON::PP->new->canonical->encode($_->{body}) : $_->{body} // '' } $ghl->calls;
        is_deeply \@with, [], 'GHL gets neither < nor > of it';
    }
    $server->stop;
    $ghl->stop;
};

subtest 'texts that are long' => sub {
    my $server = WooGHL::Server->new(mode => 'cgi')->start;
    for my $long ('"\\' x 130_000, '(' x 260_000, '9' x 260_000, '+1 ' x 86_000, 'a@' x 130_000) {
        my $began = children_s();
        my $order = JSON::PP->new->encode({ id => 9001, number => $long, order_key => $long, status => 'processing', total => '1.00', currency => $long,
            billing => { email => $long, phone => $long, first_name => $long }, links => $long });
        my $res = $server->deliver($order);
        isnt $res->{status}, 500, 'an order whose values are long: ' . substr $long, 0, 4;
        cmp_ok children_s() - $began, '<', 10, 'takes no long time of a processor';
    }
    $server->stop;
};

subtest 'what a terminal would obey' => sub {
    my $ghl = FakeGHL::Client->start;
    my $redis = WooGHL::Server->redis;
    my $server = WooGHL::Server->for_ghl($ghl, redis => $redis, settings => { SYNC_BUDGET => 0 });
    my $escape = "\e]0;owned\a\e[2J\x9b31m";
    $ghl->settings({ pipelines => [{ id => "fakePipelineAAAAAAAA$escape", name => "Sales $escape", stages => [{ id => 's', name => $escape }] }],
        custom_fields => [{ id => 'f', name => "Size $escape", fieldKey => "opportunity.size$escape", dataType => 'TEXT', model => 'opportunity' }] });
    $server->deliver(qq({"id":$escape));
    $server->deliver('{"id":77,"status":"processing","total":"1.00","billing":{"email":"' . "x\e[1m" . 'y@example.com"}}');
    my ($key) = grep { /order:bad:/ } split /\n/, $redis->cli('KEYS', '*');
    my ($location) = grep { /:location$/ } split /\n/, $redis->cli('KEYS', '*');
    ok $key && $location, 'the store has a dead letter';
    $redis->change($key, reason => "no order $escape");
    $redis->change($location, paused => 1, pause_reason => "why $escape");
    my $counter = $location =~ s/location$/val:count\//r;
    $redis->cli('SET', "$counter$escape", 1);
    for my $command (['failed'], ['failed', 'show', $key =~ s/.*order://r], ['fields'], ['pipelines'], ['status'], ['check']) {
        my $run = $server->command(@$command);
        ok length $run->{out}, "$command->[0] says something";
        my ($said) = "$run->{out}$run->{err}" =~ /([^\n]*[\x00-\x08\x0b-\x1f\x7f][^\n]*)/;
        next if "@$command" =~ /show/;    # what is no terminal gets the very bytes
        is $said, undef, 'and nothing that a terminal obeys';
    }
    SKIP: {
        skip 'no script(1)', 1 if !grep { -x "$_/script" } split /:/, $ENV{PATH};
        my $typed = qx(script -qec 'env -i PATH=$ENV{PATH} WOO_GHL_ENV=@{[$server->dir]}/env @{[$server->program]} failed show @{[$key =~ s/.*order://r]}' /dev/null </dev/null);
        unlike $typed =~ s/\r\n/\n/gr, qr/[\x00-\x08\x0b-\x1f\x7f]/, 'a terminal gets a body without them' or diag $typed;
        like $typed, qr/^\{"id":/m, 'but the body';
    }
    $server->stop;
    $ghl->stop;
    $redis->stop;
};

subtest 'a DATA_DIR that others may write to' => sub {
    my $server = WooGHL::Server->new(mode => 'cgi');
    my $dir = $server->dir . '/data';
    mkdir $dir or die "$dir: $!";
    my ($uid, $gid) = WooGHL::Process->user;
    my $becomes = sub { my ($mode, $owner) = @_; chown $owner, $gid // -1, $dir if $> == 0; chmod $mode, $dir; return $server->deliver('{"id":1,"status":"processing","total":"1.00"}') };
    is $becomes->(0777, $uid // $>)->{status}, 503, 'is refused';
    like $server->command('check')->{out}, qr/DATA_DIR: every user of this machine can write to \Q$dir\E, and so change .* run chmod 0700 on it/, 'and named';
    SKIP: {
        skip 'only root can give it away', 2 if $>;
        is $becomes->(0700, $uid + 1)->{status}, 503, 'one of another user is refused';
        like $server->command('check')->{out}, qr/DATA_DIR: \Q$dir\E belongs to the user \d+, this program runs as $uid/, 'and named';
    }
    is $becomes->(0700, $uid // $>)->{status}, 200, 'one of its own is good';
    $server->stop;
};

subtest 'a body that lies in no file of the web server\'s' => sub {
    my $server = WooGHL::Server->new(mode => 'nginx', workers => 1)->start;
    chmod 0, $server->dir . '/body' or die 'nginx has no directory of bodies';
    my $order = '{"id":1,"status":"processing","total":"1.00","billing":{"email":"jo@example.com"},"x":"' . ('x' x 900_000) . '"}';
    like $server->deliver($order)->{body}, qr/"synced"/, 'is one of 900 KB';
    $server->stop;
};

# A record of FastCGI's.
sub record { my ($type, $content) = @_; return pack('CCnnCC', 1, $type, 1, length $content, 0, 0) . $content }

subtest 'a peer of the socket that announces a parameter of absurd length' => sub {
    my ($multiwatch) = grep { -x } map { "$_/multiwatch" } split /:/, '/usr/bin:/usr/local/bin';
    plan skip_all => 'no multiwatch, or a sanitizer, which needs more memory than there is' if !$multiwatch || $SANITIZED;
    my $server = WooGHL::Server->new(mode => 'cgi');
    my $path = $server->dir . '/pool';
    my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 16) or die "$path: $!";
    my $pool = WooGHL::Process->start(['/bin/sh', '-c', 'ulimit -v 1000000; exec "$@"', 'sh', $multiwatch, qw(-f 1 -r 1000000 -t 1 --), $server->program], in => $listener, user => [WooGHL::Process->user],
        env => { PATH => '/usr/bin:/bin', WOO_GHL_ENV => $server->dir . '/env' }, dir => $server->dir, out => $server->dir . '/pool.out', err => $server->dir . '/pool.err');
    my $say = sub {
        my ($parameters) = @_;
        my $socket = IO::Socket::UNIX->new(Peer => $path) or die "$path: $!";
        syswrite $socket, record(1, pack 'nCx5', 1, 0) . record(4, $parameters) . record(4, '') . record(5, '');
        my $answer = '';
        local $SIG{ALRM} = sub { die "no answer in time\n" };
        alarm $WooGHL::Process::PATIENCE;
        1 while sysread $socket, $answer, 65536, length $answer;
        alarm 0;
        return $answer;
    };
    my $health = join '', map { pack('CC', map { length } @$_) . join '', @$_ } ['REQUEST_METHOD', 'GET'], ['SCRIPT_NAME', '/woo-order/health'];
    like $say->($health), qr/Status: 200 OK/, 'a worker serves';
    my $worker = sub { my $pid = $pool->pid; open my $file, '<', "/proc/$pid/task/$pid/children" or return ''; return (split ' ', <$file> // '')[0] // '' };
    my $before = $worker->();
    is $say->(pack('NN', 0xff00_0000, 0x8000_0001) . 'x'), '', 'it gets no answer';
    like $say->($health), qr/Status: 200 OK/, 'the next request is served';
    isnt $worker->(), $before, 'by another worker: libfcgi has ended the first';
    $pool->stop;
    $server->stop;
};

# The most memory that the worker ever had, in MB.
sub peak_mb {
    my ($server) = @_;
    my ($pid) = $server->worker_pids;
    open my $file, '<', "/proc/$pid/status" or die "/proc/$pid/status: $!";
    my ($kb) = map { /^VmHWM:\s+(\d+)/ } <$file>;
    return $kb / 1024;
}

subtest 'bodies that are made to need memory' => sub {
    plan skip_all => 'a sanitizer needs memory of its own' if $SANITIZED;
    my $most = 8 * 1024 * 1024;
    my $order = '{"id":%d,"status":"processing","total":"1.00","billing":{"email":"jo.doe@example.com"},';
    my $full = sub { my ($head, $piece, $tail) = @_; my $n = int(($most - length("$head$tail") - 1) / (1 + length $piece)); return $head . join(',', ($piece) x $n) . $tail };
    my $line = join ',', map { qq("name$_":"value $_ of a line that has texts") } 1 .. 15;
    $line = qq({"id":1,"taxes":[{"id":1,"total":"1.00"}],$line});
    my $just = sprintf($order, 3) . '"x":[' . join(',', ('{}') x 65_500) . '],"y":"';
    my %body = (
        'objects'            => [$full->(sprintf($order, 1) . '"x":[', '{}', ']}'), 'dead_letter'],
        'numbers'            => [$full->(sprintf($order, 1) . '"x":[', '1', ']}'), 'dead_letter'],
        'arrays in arrays'   => ['[' x $most, 'dead_letter'],
        'one text'           => [sprintf($order, 2) . '"x":"' . ('a' x ($most - 200)) . '"}', 'ghl_id'],
        'as much as is read' => [$just . ('a' x ($most - 10 - length $just)) . '"}', 'ghl_id'],
        'numbers, as many as are read' => [sprintf($order, 4) . '"x":[' . join(',', (1) x 499_900) . ']}', 'ghl_id'],
        'lines of a real order' => [sprintf($order, 5) . '"line_items":[' . join(',', ($line) x 5_600) . ']}', 'ghl_id'],
    );
    my $redis = WooGHL::Server->redis;
    for my $store ({}, { REDIS_URL => $redis->url }) {
        my $server = WooGHL::Server->new(mode => 'nginx', workers => 1, settings => $store)->start;
        for my $what (sort keys %body) {
            my ($bytes, $answer) = @{ $body{$what} };
            like $server->deliver($bytes)->{body}, qr/"$answer"/, sprintf '%.1f MB of %s are answered', length($bytes) / 1024 / 1024, $what;
        }
        cmp_ok peak_mb($server), '<', 64, sprintf 'the worker never had 64 MB: %.0f', peak_mb($server);
        my $failed = $server->command('failed')->{out};
        like $failed, qr/^3 dead letters$/m, 'what was not read is kept';
        like $failed, qr/ bad:\w{16} .* too many names and values \(an object counts four, an array two\); \d{6} are read of so many bytes$/m, 'with the limit as its reason';
        my ($key) = $failed =~ /(bad:\w{16})/;
        my $retry = $server->command('failed', 'retry', $key);
        like $retry->{err}, qr/it still holds too many values to be read: drop it/, 'a retry says so';
        like $server->command('failed')->{out}, qr/^3 dead letters$/m, '... and loses nothing';
        $server->stop;
    }
    $redis->stop;
};

# What a process may write to, as { name of the mapping => bytes }; undef if it may not be looked at.
sub memory_of {
    my ($pid) = @_;
    no warnings 'portable';
    my %memory;
    open my $maps, '<', "/proc/$pid/maps" or return;
    open my $bytes, '<:raw', "/proc/$pid/mem" or return;
    while (my $line = <$maps>) {
        my ($from, $to, $name) = $line =~ /^([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ \S+\s*(.*)/ or next;
        my ($left, $text) = (hex($to) - hex $from, '');
        sysseek $bytes, hex $from, 0 or next;
        while ($left > length $text) { sysread $bytes, $text, $left - length $text, length $text or last }
        $memory{"$from $name"} = $text;
    }
    return \%memory;
}

sub count_in { my ($memory, $word) = @_; my $n = 0; $n += () = $_ =~ /\Q$word\E/g for values %$memory; return $n }

subtest 'what an idle worker remembers' => sub {
    my $ghl = FakeGHL::Client->start;
    my $server = WooGHL::Server->for_ghl($ghl, mode => 'nginx', workers => 1, settings => { GHL_NOTE => '{items}: {customer_note}' })->start;
    my ($pid) = $server->worker_pids;
    my %limits = do { open my $file, '<', "/proc/$pid/limits" or die $!; map { /^Max core file size\s+(\d+)\s+(\d+)/ ? (soft => $1, hard => $2) : () } <$file> };
    my ($user) = WooGHL::Process->user;
    SKIP: {
        skip 'a sanitizer looks into the process itself', 3 if $SANITIZED;
        is_deeply \%limits, { soft => 0, hard => 0 }, 'a worker that dies leaves no core';
        is +(stat "/proc/$pid/mem")[4], 0, 'its memory is not its own user\'s to look into';
        skip 'only root may look into it', 1 if $>;
        my %person = (first_name => 'Xanthippe', last_name => 'Quasimodo', company => 'Zyzzyva Works', address_1 => '77 Wobblegate', city => 'Frobnitz',
            state => 'CA', postcode => '90210', country => 'US', email => 'xanthippe@example.com', phone => '+14155550199');
        my $order = sub { return JSON::PP->new->encode({ id => 801, status => 'processing', total => shift, billing => \%person, shipping => \%person,
            customer_note => 'Kalamazoo', line_items => [{ name => 'Blorptron', quantity => 1, total => '1.00' }], number => '801', order_key => 'wc_order_Mumpsimus' }) };
        like $server->deliver($order->("1$_.00"))->{body}, qr/"synced"/, 'an order is in GHL' for 1 .. 3;
        my $signature = hmac_sha256_base64($order->('13.00'), $WooGHL::Server::SECRET);
        my $memory = memory_of($pid);
        ok $memory && count_in($memory, $WooGHL::Server::SECRET), 'its memory is read: the secret that the next order needs is there';
        is_deeply [grep { count_in($memory, $_) } qw(Xanthippe xanthippe Quasimodo Zyzzyva Wobblegate Frobnitz 4155550199 Kalamazoo Blorptron
            Mumpsimus), $signature], [], 'but nothing of a customer, an order or a signature';
        my $secrets = count_in($memory, $ghl->token);
        $server->deliver($order->("2$_.00")) for 1 .. 5;
        is count_in(memory_of($pid), $ghl->token), $secrets, 'and no more copies of the token than before';
    }
    $server->stop;
    $ghl->stop;
};

done_testing;
