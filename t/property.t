#!/usr/bin/env perl
# Random orders on random walks, while GHL answers one call in six to twenty wrongly and the program dies at random
# steps: in the end GHL holds each order's newest version, once, and nothing waits.
#
# GHL's wrong answers: nothing (the call was carried out, or not), 5xx, 422 although it was carried out, a timeout, and
# writes that are carried out up to 45 seconds later. Its search shows what was written as late as that.
# Orders come back to what they were (A, B, A). Time passes by shifting the program's clocks (t/driver/crash-points.c).
#
#   SEED=N             this one walk; SEEDS=N: so many, from PROPERTY_FIRST (1) on; without both always the same one
#   PROPERTY_STORE=NAME  one of sqlite, redis
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use File::Copy qw(copy);
use FindBin;
use IO::Handle;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use JSON::PP ();
use POSIX qw(strftime);
use Test::More;
use WooGHL::Driver;
use WooGHL::Server;

my $SECRET = 'my_super_secret_woo_key';
my $CRASH  = 70;    # lib/base/crash.h
my $ORDERS = 12;
my $LANES  = 3;     # so many programs at once
my $LATE_S = 45;    # so late may a write be carried out, and so late be shown then: the program waits for 95 s
my $BEGAN  = int time;
my $FIRST  = $ENV{PROPERTY_FIRST} || 1;
my @SEEDS  = $ENV{SEED} ? ($ENV{SEED}) : $ENV{SEEDS} ? ($FIRST .. $FIRST + $ENV{SEEDS} - 1) : (1);
my @STORES = $ENV{PROPERTY_STORE} || qw(sqlite redis);
my $JSON   = JSON::PP->new->canonical;
my %OUTCOME = (processing => 'won', completed => 'won', refunded => 'lost', map { $_ => 'abandoned' } qw(cancelled failed trash));
$| = 1;

my $PROGRAM = $ENV{WOO_GHL_PROGRAM} || "$FindBin::Bin/../woo_ghl";
$ENV{WOO_GHL_PROGRAM} = WooGHL::Driver->program('crash-points', CRASH => 1);
srand 0;    # each seed sets it

sub one_of { return $_[rand @_] }
sub chance { return rand() < $_[0] }

# -- the orders --

my @WALKS = map { [split] } (
    'processing completed', 'processing completed refunded', 'processing cancelled', 'processing failed processing',
    'processing cancelled processing', 'completed refunded completed', 'processing refunded processing refunded',
    'pending processing', 'processing on-hold processing', 'pending failed processing completed', 'pending cancelled',
    'processing completed trash', 'processing', 'refunded', 'failed processing failed processing',
);

# What comes back is what it was, but for its date.
sub make_order {
    my ($id) = @_;
    my $customer = $id <= $ORDERS / 2 ? "Single$id" : chance(0.2) ? "Nobody$id" : 'Shared' . int rand 3;
    my ($t, %content, @states) = ($BEGAN - 3600 * 5);
    my $created = $BEGAN + (chance(0.7) ? 3600 : -3600 * (1 + int rand 5));
    my $reach = $customer =~ /^Nobody/ ? '' : sprintf ',"email":"%s@example.com"', lc $customer;
    for my $status (@{ one_of(@WALKS) }) {
        my $same = @states && $status ne 'trash' && !$content{$status} && chance(0.15);    # bytes never are news twice in a second
        $t += 10 unless $same;
        my $content = $content{$status} //= { total => sprintf('%d.%02d', 10 + rand 200, rand 100), refund => chance(0.3) ? 5 : 0 };
        push @states, { n => scalar @states, t => $t, status => $status, outcome => $OUTCOME{$status}, %$content, value => $content->{total} - $content->{refund} };
    }
    return { id => $id, customer => $customer, reach => $reach, created => $created, states => \@states, taken => [] };
}

sub body_of {
    my ($order, $state) = @_;
    return qq({"id":$order->{id}}) if $state->{status} eq 'trash';
    my $when = sub { strftime '%Y-%m-%dT%H:%M:%S', gmtime $_[0] };
    return sprintf '{"id":%d,"number":"%d","order_key":"wc_order_%d","status":"%s","total":"%s","currency":"USD","date_created_gmt":"%s",'
        . '"date_modified_gmt":"%s","billing":{"first_name":"%s","last_name":"Lee"%s},"refunds":[%s]}',
        @$order{qw(id id id)}, @$state{qw(status total)}, $when->($order->{created}), $when->($state->{t}), $order->{customer}, $order->{reach},
        $state->{refund} ? '{"id":1,"total":"-5.00"}' : '';
}

# All deliveries: each order's in turn, but some sales after the state that follows them, and some twice.
sub make_deliveries {
    my (@orders) = @_;
    my @rows;
    for my $order (@orders) {
        my @says = @{ $order->{states} };
        for my $i (0 .. $#says - 1) {
            my ($s, $next) = @says[$i, $i + 1];
            @says[$i, $i + 1] = ($next, $s)
                if chance(0.1) && $s->{outcome} && $next->{outcome} && $next->{status} ne 'trash' && $s->{t} < $next->{t};
        }
        my @row;
        for my $i (0 .. $#says) {
            push @row, [$order, $says[$i]];
            push @row, [$order, $says[rand $i + 1]] if chance(0.3);
        }
        @row = grep { $_->[1]{status} ne 'trash' || !$_->[2] } @row;
        push @rows, \@row;
    }
    return @rows;
}

# -- what GHL should hold: (status, values that may be), or nothing --

sub should_hold {
    my ($order) = @_;
    my ($newest, $mapped, @late);
    my $sold = 0;
    for my $state (@{ $order->{taken} }) {    # as they were accepted, each once
        if ($state->{status} eq 'trash') { $mapped = $state; next }
        my $news = !$newest || $state->{t} >= $newest->{t};
        # A sale that comes after its end makes the opportunity, of its content or of the end's.
        push @late, $state->{value} if !$news && !$sold && ($state->{outcome} // '') eq 'won';
        $sold ||= ($state->{outcome} // '') eq 'won';
        $newest = $state if $news;
        $mapped = $state if $state->{outcome} && ($news || !$mapped);
    }
    return unless $sold;
    return ($mapped->{outcome}, $newest->{value}, @late);
}

# -- one world --

sub world {
    my ($rig, $store, $seed) = @_;
    srand $seed;
    my $ghl = $rig->{ghl};
    my $share = 0.05 + rand 0.12;
    $ghl->settings({ seed => $seed, search_lag_ms => 1e12, rate_count => 100_000 });
    my $set = one_of({}, { GHL_TAGS => 'woo,{status}', GHL_TAGS_REMOVE => 'refunded:woo' },
        { GHL_NOTE => 'yes', GHL_TAGS => 'woo', GHL_TAGS_REMOVE => 'refunded:woo', GHL_CONTACT_FIELDS => 'last_order_total={value}' },
        { GHL_ORDER_FIELD => 'order_mark' });
    my $world = { rig => $rig, ghl => $ghl, seed => $seed, at => 0, since => 0, told => [], set => $set, share => $share, env => {
        %$set, DATA_DIR => $rig->{server}->dir . "/data.$store.$seed",
        $store eq 'redis' ? (REDIS_URL => $rig->{redis}->url, REDIS_PREFIX => "w$seed") : () } };
    go_wrong($world);
    return $world;
}

# Each call is answered wrongly with the world's share.
sub go_wrong {
    my ($world) = @_;
    my @ways = (
        [1, {}, { reset => 'before' }], [1, {}, { reset => 'after' }], [1, {}, { close => 'after' }],
        [1, {}, { status => 500 }], [1, {}, { status => 502, html => 1 }], [2, {}, { status => 503, effect => 1 }],
        [1, {}, { status => 504, html => 1, effect => 1 }], [0.3, {}, { hang => 1, effect => 1 }],
        [0.5, {}, { status => 429, headers => { 'Retry-After' => 1 } }],
        [2, { method => 'POST|PUT' }, { status => 504, held => 1 }], [2, { method => 'POST|PUT' }, { reset => 'before', held => 1 }],
        [0.3, { method => 'POST|PUT' }, { hang => 1, held => 1 }],
        [1, { method => 'PUT', path => '^/opportunities/' }, { status => 200, body => '{"succeded":false}' }],
        [1, { method => 'POST|PUT' }, { status => 200, body => '' }],
        [3, { method => 'POST', path => '^/opportunities/$' }, { status => 422, effect => 1, body => { statusCode => 422, message => ['something went wrong'] } }],
    );
    my $sum = 0;
    $sum += $_->[0] for @ways;
    $world->{ghl}->fault(map { my ($weight, $match, $do) = @$_; map { { times => 0, chance => $world->{share} * $weight / $sum * 1.3,
        match => { %$match, $match->{method} ? (method => $_) : () }, do => $do } } split /\|/, $match->{method} || 'any' } @ways);
    return;
}

# Runs the program in several lanes at once, as of the world's time: [exit status, output] of each.
sub run_all {
    my ($world, @runs) = @_;
    my @lanes = @{ $world->{rig}{lanes} };
    for my $i (0 .. $#runs) {
        my ($env, $body) = @{ $runs[$i] };
        my %all = (%{ $world->{env} }, %$env);
        my $in = defined $body ? $world->{rig}{server}->_write("body.$i", $body) : '/dev/null';
        print { $lanes[$i]{to} } map({"$_\t"} $world->{at}, $in, $lanes[$i]{out}, map {"$_=$all{$_}"} sort keys %all), "\n";
    }
    return map {
        my $status = readline $lanes[$_]{from};
        die 'the driver ended: ' . $world->{rig}{server}->errors unless defined $status;
        [$status + 0, WooGHL::Server::_slurp($lanes[$_]{out})];
    } 0 .. $#runs;
}

sub a_death {
    return unless chance(0.08);
    my $step = one_of(qw(POST PUT GET store_commit store_commit store_commit store_read store_get store_put));
    return (WOO_GHL_CRASH_AT => sprintf '%s:%s#%d', $step, one_of(qw(before after)), 1 + rand 4);
}

sub request_of {
    my ($delivery, @more) = @_;
    my $body = body_of(@$delivery);
    my $topic = $delivery->[1]{status} eq 'trash' ? 'order.deleted' : 'order.updated';
    return [{ GATEWAY_INTERFACE => 'CGI/1.1', REQUEST_METHOD => 'POST', SCRIPT_NAME => '/woo-order', REQUEST_URI => '/woo-order',
        REMOTE_ADDR => '127.0.0.1', CONTENT_TYPE => 'application/json', CONTENT_LENGTH => length $body, HTTP_X_WC_WEBHOOK_TOPIC => $topic,
        HTTP_X_WC_WEBHOOK_SIGNATURE => hmac_sha256_base64($body, $SECRET) . '=', @more }, $body];
}

sub told { my ($world, $what) = @_; push @{ $world->{told} }, "\@$world->{at} $what"; return }

# At once, each of another order; again until it is taken.
sub deliver {
    my ($world, @deliveries) = @_;
    for my $try (1 .. 10) {
        my @got = run_all($world, map { request_of($_, $try < 4 ? a_death() : ()) } @deliveries);
        my @again;
        for my $i (0 .. $#deliveries) {
            my ($order, $state) = @{ $deliveries[$i] };
            my ($code, $text) = @{ $got[$i] };
            my ($status, $said) = $text =~ /^Status: (\d+).*\r\n\r\n(.*)/s;
            told($world, "order $order->{id}: $state->{n} $state->{status} t=" . ($state->{t} - $BEGAN) . ' -> ' . ($code ? "died $code" : "$status $said"));
            if ($code == 0 && $status =~ /^20[02]$/) { push @{ $order->{taken} }, $state unless grep { $_ == $state } @{ $order->{taken} } }
            else { push @again, $deliveries[$i] }
        }
        return unless @deliveries = @again;
    }
    die "order $deliveries[0][0]{id} is not taken\n";
}

sub drain {
    my ($world, %option) = @_;
    my ($got) = run_all($world, [$option{calm} ? {} : {a_death()}]);
    my ($code, $out) = @$got;
    told($world, $code ? "a drain died, $code" : 'a drain ' . ($out =~ s/\s+$//r));
    die "a drain ended with $code\n" if $code && $code != $CRASH;
    return $out =~ /left (\d+)/ && !$code ? $1 : -1;
}

# What is under way in GHL comes true in the meantime, and no later than it may.
sub time_passes {
    my ($world, $seconds) = @_;
    my $all = $world->{since} + $seconds > $LATE_S;
    my $done = $world->{ghl}->land($all ? 1 : 0.5);
    told($world, "$done->{landed} late writes were carried out") if $done->{landed};
    $world->{ghl}->land if $seconds > $LATE_S;    # shows it
    $world->{since} = $seconds > $LATE_S ? 0 : $seconds + ($all ? 0 : $world->{since});
    $world->{at} += $seconds;
    # Redis's own clock is not shifted: its locks end with it.
    my $locks = q{for _, k in ipairs(redis.call('KEYS', ARGV[1])) do local ms = redis.call('PTTL', k) - ARGV[2] }
        . q{if ms > 0 then redis.call('PEXPIRE', k, ms) else redis.call('DEL', k) end end};
    $world->{rig}{redis}->cli('EVAL', $locks, 0, "*$world->{env}{REDIS_PREFIX}*lock*", 1000 * $seconds) if $world->{env}{REDIS_PREFIX};
    return;
}

sub play {
    my ($world, @orders) = @_;
    my @rows = make_deliveries(@orders);
    while (my @open = grep {@$_} @rows) {
        my @now;
        for (1 .. 1 + rand $LANES) {
            last unless @open;
            push @now, shift @{ splice @open, rand @open, 1 };
        }
        deliver($world, @now);
        drain($world) if chance(0.25);
        time_passes($world, chance(0.85) ? 1 + int rand 40 : 100 + int rand 2000) if chance(0.5);
    }
    for (1 .. 4) {
        time_passes($world, 150 + int rand 3600);
        drain($world);
    }
    # Calm now; and a person looks at what GHL refused.
    $world->{ghl}->clear_faults;
    $world->{env}{GHL_TIMEOUT} = '15s';
    my $left = -1;
    for my $round (1 .. 8) {
        time_passes($world, 5 * 3600);
        $left = drain($world, calm => 1);
        my $retried = retry_dead($world);
        last if $left == 0 && !$retried;
    }
    return $left == 0 ? () : "something waits in the end: $left";
}

# How many there were.
sub retry_dead {
    my ($world) = @_;
    my $server = $world->{rig}{server};
    my %all = %{ $world->{env} };
    my ($dir, $out) = ($server->dir, $server->dir . '/retry.out');
    -e "$dir/program" or copy($PROGRAM, "$dir/program") && chmod 0755, "$dir/program" or die "$PROGRAM: $!";
    my $process = WooGHL::Process->start(["$dir/program", 'failed', 'retry', '--all'], user => $server->{user}, dir => $dir,
        out => $out, err => $out, env => $server->_environment(%all));
    $process->wait;
    my $text = WooGHL::Server::_slurp($out);
    unlink $out;
    my ($n) = $text =~ /(\d+)/;
    told($world, "failed retry --all: $text") if $n;
    return $n || 0;
}

sub wrongs {
    my ($world, @orders) = @_;
    my $state = $world->{ghl}->state;
    my (%named, %contact, %people, @wrong);
    push @{ $named{ $_->{name} } }, $_ for @{ $state->{opportunities} };
    $contact{ $_->{id} } = $_ for @{ $state->{contacts} };
    push @{ $people{ $_->{firstName} // '' } }, $_ for @{ $state->{contacts} };
    for my $order (@orders) {
        my ($id, $customer) = @$order{qw(id customer)};
        my ($status, @values) = should_hold($order);
        my @has = @{ delete $named{"Order #$id"} || [] };
        my $wrong = @has > 1 ? @has . ' opportunities'
            : !$status ? (@has ? 'an opportunity, though it was never sold' : '')
            : !@has ? 'no opportunity'
            : $has[0]{status} ne $status || !grep({ abs($has[0]{monetaryValue} - $_) < 0.001 } @values)
            ? "$has[0]{status} $has[0]{monetaryValue}, not $status " . join ' or ', @values
            : ($contact{ $has[0]{contactId} }{firstName} // '') ne $customer ? "its opportunity is not $customer\'s"
            : $customer =~ /^Single/ ? contact_wrong($world, $contact{ $has[0]{contactId} }, $order, $status, @values) : '';
        push @wrong, "order $id: $wrong" if $wrong;
    }
    push @wrong, map {"another opportunity: $_"} sort keys %named;
    push @wrong, map { @{ $people{$_} } > 1 ? "$_ is " . @{ $people{$_} } . ' contacts' : () } sort keys %people;
    my %notes;
    $notes{"$_->{contactId} $_->{body}"}++ for @{ $state->{notes} };
    push @wrong, map { my ($note) = /\[(shop:\d+ [^\]]*)\]/; $notes{$_} > 1 ? "the note $_ is there $notes{$_} times" : () } sort keys %notes;
    return @wrong;
}

# Tags and fields that the order's last version has alone to say.
sub contact_wrong {
    my ($world, $contact, $order, $status, @values) = @_;
    my %tag = map { $_ => 1 } @{ $contact->{tags} };
    if ($world->{set}{GHL_TAGS_REMOVE} && $status ne 'abandoned') {
        return "tagged @{ $contact->{tags} } though it is $status" if !!$tag{woo} != ($status eq 'won');
    }
    if ($world->{set}{GHL_CONTACT_FIELDS}) {
        my ($total) = map { $_->{value} } grep { $_->{id} =~ /^fieldLastTotal/ } @{ $contact->{customFields} };
        return 'its contact\'s field is ' . ($total // 'empty') . ", not @values" unless grep { defined $total && abs($total - $_) < 0.001 } @values;
    }
    return '';
}

# -- all --

my $rig = { ghl => FakeGHL::Client->start, redis => WooGHL::Server->redis };
my ($ghl, $server) = ($rig->{ghl}, $rig->{server} = WooGHL::Server->new(settings => {
    WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $rig->{ghl}->url, GHL_API_KEY => $rig->{ghl}->token, GHL_LOCATION_ID => $rig->{ghl}->location_id,
    GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', GHL_TIMEOUT => '1s', SYNC_BUDGET => '8s', GHL_RATE => '100000/10s', DRAIN_AFTER => 'off' }));
for my $n (1 .. $LANES) {
    pipe my $in, my $to or die "pipe: $!";
    pipe my $from, my $out or die "pipe: $!";
    $to->autoflush;
    my $driver = $server->_spawn([$server->program], in => $in, out => $out);
    push @{ $rig->{lanes} }, { to => $to, from => $from, out => $server->dir . "/lane.$n", driver => $driver };
}

for my $store (@STORES) {
    for my $seed (@SEEDS) {
        $ghl->reset;
        my $world = world($rig, $store, $seed);
        my @orders = map { make_order($_) } 1 .. $ORDERS;
        my @wrong = eval { play($world, @orders) };
        push @wrong, $@ =~ s/\n//r if $@;
        push @wrong, wrongs($world, @orders);
        my $name = sprintf '%s, SEED=%d: %d calls, %.0f %% wrong, after %.1f h', $store, $seed, scalar @{ $ghl->calls }, 100 * $world->{share}, $world->{at} / 3600;
        is_deeply \@wrong, [], $name and next;
        my ($id) = map {/^order (\d+)/} @wrong;
        diag join "\n", 'set: ' . $JSON->encode($world->{set}), grep { !/order \d/ || !$id || /order $id:/ } @{ $world->{told} };
        diag join "\n", map {"$_->{method} $_->{path} " . ($_->{raw} // '') . ' -> ' . ($_->{status} // 'nothing') . ($_->{fault} ? " fault $_->{fault}" : '')}
            grep { defined $id && "$_->{raw} $_->{path} " . ($_->{query}{q} // '') =~ /Order #$id\b|opportunities/ } $ghl->calls if $ENV{PROPERTY_CALLS};
        if ($ENV{PROPERTY_KEEP}) { diag $_ for grep { !$id || /order=shop:$id\b/ } split /\n/, $server->log }
    }
}
$ghl->stop;
done_testing;
