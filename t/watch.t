#!/usr/bin/env perl
# What monitoring reads: health, ready and metrics, from CGI on the embedded store and from a pool on Redis.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use CPAN::Meta::YAML;
use JSON::PP qw(decode_json);
use Test::More;
use WooGHL::Server;

my $TOKEN = 'a-token-of-24-characters';
my $redis = WooGHL::Server->redis;

sub order { my ($id, $status) = @_; return qq({"id":$id,"status":"$status","total":"10.00","billing":{"email":"c$id\@example.com"}}) }

# The samples of a text in Prometheus's format, which must be whole and legal; undef and a failed test if it is not.
sub samples {
    my ($text) = @_;
    my (%sample, %type, $family);
    my @wrong;
    for my $line (split /\n/, $text) {
        if ($line =~ /^# HELP ([a-z_]+) [A-Z].*\.$/) { push @wrong, "twice: $1" if $type{$1}; $family = $1 }
        elsif ($line =~ /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/) {
            my ($name, $type) = ($1, $2);
            push @wrong, "without help: $name" if $name ne $family;
            push @wrong, "no counter's name: $name" if ($type eq 'counter') != ($name =~ /_total$/);
            $type{$name} = $type;
        }
        elsif ($line =~ /^([a-z_]+)(\{[a-z]+="[^"\\]*"\})? (-?[0-9.e+-]+)$/) {
            my ($name, $label, $value) = ($1, $2 // '', $3);
            push @wrong, "outside its family: $line" if $name !~ /^\Q$family\E(?:_bucket|_sum|_count)?$/ || !$type{$family};
            push @wrong, "twice: $line" if exists $sample{"$name$label"};
            $sample{"$name$label"} = $value;
        }
        else { push @wrong, "illegal: $line" }
    }
    is "@wrong", '', 'the text is legal';
    like $text, qr/\n\z/, 'and ends with a line';
    return \%sample;
}

sub promtool {
    my ($text) = @_;
    my ($tool) = grep { -x } map {"$_/promtool"} split /:/, $ENV{PATH};
    SKIP: {
        skip 'promtool is not installed', 1 if !$tool;
        open my $to, '|-', "$tool check metrics >$_[1] 2>&1" or die "promtool: $!";
        print $to $text;
        close $to;
        open my $said, '<', $_[1] or die "$_[1]: $!";
        is join('', <$said>), '', 'promtool finds nothing to say';
    }
    return;
}

# The metrics, as soon as all that was delivered is in them.
sub metrics {
    my ($server, $answers) = @_;
    my $got;
    WooGHL::Process::until_true(sub {
        $got = $server->request(GET => '/woo-order/metrics');
        my $sum = 0;
        $sum += $_ for $got->{body} =~ /^woo_ghl_deliveries_total\{[^}]*\} (\d+)/mg;
        return $sum >= $answers;
    });
    is $got->{status}, 200, 'metrics';
    is $got->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'in their format';
    return $got->{body};
}

sub slurp { my ($name) = @_; open my $file, '<', $name or die "$name: $!"; local $/; return scalar <$file> }

# -- the files in deploy/ speak of metrics that there are --

sub whole {
    my ($known, $where, @expr) = @_;
    my %unknown;
    for my $expr (@expr) {
        $unknown{$_} = 1 for grep { !$known->{$_} } $expr =~ /\b(woo_ghl_\w+)/g;
        (my $left = $expr) =~ s/"[^"]*"//g;
        my %count = map { my $c = $_; ($c => scalar(() = $left =~ /\Q$c/g)) } qw/( ) [ ] { }/;
        $unknown{"brackets of $expr"} = 1 if $count{'('} != $count{')'} || $count{'['} != $count{']'} || $count{'{'} != $count{'}'};
    }
    cmp_ok scalar @expr, '>', 5, "$where asks for something";
    is join(' ', sort keys %unknown), '', "$where: its metrics are there";
    return;
}

sub deployed {
    my ($sample) = @_;
    my %known = map { s/\{.*//r => 1 } keys %$sample;
    my $board = decode_json(slurp("$FindBin::Bin/../deploy/grafana.json"));
    my @panels = @{ $board->{panels} };
    whole(\%known, 'the dashboard', map { $_->{expr} } map { @{ $_->{targets} } } @panels);
    my %id = map { $_->{id} => 1 } @panels;
    is keys %id, @panels, 'each panel has an id of its own';
    my @rules = map { @{ $_->{rules} } } map { @{ $_->{groups} } }
        @{ CPAN::Meta::YAML->read_string(slurp("$FindBin::Bin/../deploy/prometheus-rules.yml")) };
    whole(\%known, 'the alert rules', map { $_->{expr} } grep { $_->{alert} ne 'WooGhlGone' } @rules);
    is_deeply [grep { !$_->{annotations}{summary} || !$_->{annotations}{description} } @rules], [], 'each says what it is, and what to do';
    SKIP: {
        my ($tool) = grep { -x } map {"$_/promtool"} split /:/, $ENV{PATH};
        skip 'promtool is not installed', 1 if !$tool;
        my $said = qx(cd '$FindBin::Bin/../deploy' && $tool check config prometheus.yml 2>&1);
        is $?, 0, 'promtool takes the rules' or diag $said;
    }
    return;
}

# The recipe's lines, with a curl that notes what it is asked and gets this answer from the shop.
sub pings {
    my ($server, $answer) = @_;
    my $dir = $server->dir;
    my @pings;
    for my $line (grep {/^[^#].*woo-ghl/m} split /\n/, slurp("$FindBin::Bin/../deploy/healthchecks")) {
        my $command = $line =~ s{^\S+ \S+ \S+ \S+ \S+\s+woo-ghl\s+}{}r =~ s{/usr/local/lib/woo-ghl/woo_ghl}{$answer ? 'false' : 'true'}er
            =~ s{\$\(cat [^)]*\)}{$TOKEN}r;
        unlike $command, qr/%/, 'cron would take a % for the end of the line';
        open my $file, '>', "$dir/pings" or die "$dir/pings: $!";
        close $file;
        system '/bin/sh', '-c', qq{curl() { echo "\$*" >>'$dir/pings'; case "\$*" in */ready*) return $answer;; esac; }; $command};
        push @pings, slurp("$dir/pings") =~ m{hc-ping\.example\.com/EXAMPLE-(\w+/\d+)$}m;
    }
    return "@pings";
}

for my $mode (qw(cgi nginx)) {
    note $mode;
    my $ghl = FakeGHL::Client->start;
    my $server = WooGHL::Server->for_ghl($ghl, mode => $mode, workers => 2, redis => $mode eq 'nginx' ? $redis : undef,
        settings => { METRICS_TOKEN => $TOKEN })->start;
    my $empty = samples(metrics($server, 0));
    is $empty->{'woo_ghl_deliveries_total{answer="synced"}'}, 0, 'counters begin at 0';

    is $server->deliver(order(1, 'processing'))->{status}, 200, 'an order';
    like $server->deliver(order(1, 'processing'))->{body}, qr/duplicate/, 'the same again' for 1 .. 3;
    is $server->request(POST => '/woo-order', {}, 'x')->{status}, 401, 'an unsigned body';
    $ghl->fault({ match => { method => 'POST', path => '/contacts/upsert' }, do => { status => 429, headers => { 'Retry-After' => 60 } }, times => 0 });
    is $server->deliver(order(2, 'processing'))->{status}, 202, 'an order that GHL does not take';
    my $text = metrics($server, 6);
    my $now = samples($text);
    promtool($text, $server->dir . '/promtool');
    my %want = ('deliveries_total{answer="synced"}' => 1, 'deliveries_total{answer="duplicate"}' => 3,
        'deliveries_total{answer="refused"}' => 1, 'deliveries_total{answer="queued"}' => 1,
        'orders_done_total{outcome="synced"}' => 1, 'orders_done_total{outcome="queued"}' => 1, orders_waiting => 1,
        dead_letters => 0, answer_seconds_count => 6, 'answer_seconds_bucket{le="+Inf"}' => 6, paused => 0,
        breaker_open => 0);
    is_deeply { map { $_ => $now->{"woo_ghl_$_"} } keys %want }, \%want, 'what was counted';
    cmp_ok $now->{'woo_ghl_ghl_calls_total{result="ok"}'}, '>', 1, 'calls that went well';
    cmp_ok $now->{woo_ghl_ghl_limited_total}, '>', 0, 'and that came too early';
    is $now->{'woo_ghl_ghl_calls_total{result="limited"}'}, $now->{woo_ghl_ghl_limited_total}, 'under both names';
    cmp_ok $now->{woo_ghl_ghl_pace}, '>', 9, 'the pace';
    cmp_ok $now->{woo_ghl_answer_seconds_sum}, '>', 0, 'answers took time';
    ok defined $now->{woo_ghl_last_order_age_seconds} && $now->{woo_ghl_last_order_age_seconds} < 600, 'the last order just came';
    is_deeply [grep { $now->{$_} < $empty->{$_} } grep {/_total/} keys %$empty], [], 'no counter ran backwards';

    is pings($server, 0), 'DRAIN/0 READY/0', 'cron pings when all is well';
    is pings($server, 22), 'DRAIN/1 READY/22', 'and says so when it is not';

    # -- ready --
    my $ready = $server->request(GET => '/woo-order/ready');
    is "$ready->{status} $ready->{body}", '503 {"status":"not ready","missing":"drain"}', 'without a drain it is not ready';
    is $server->command('drain')->{code}, 0, 'one drains';
    $ready = $server->request(GET => '/woo-order/ready');
    is "$ready->{status} $ready->{body}", '200 {"status":"ready"}', 'then it is';
    my $after = samples(metrics($server, 6));
    is scalar(grep {/^woo_ghl_drain_age_seconds\{machine="[^"]+"\}$/} keys %$after), 1, 'the drain of this machine';
    if ($mode eq 'nginx') {
        my $scans = sub { $redis->cli('INFO', 'commandstats') =~ /^cmdstat_scan:calls=(\d+)/m ? $1 : 0 };
        my $before = $scans->();
        metrics($server, 6) for 1 .. 3;
        cmp_ok $scans->() - $before, '<=', 1, 'who asks again costs Redis no look at all of its keys' or diag $redis->cli('INFO', 'commandstats');
    }
    deployed($after) if $mode eq 'cgi';

    # -- for whom --
    my @far = $mode eq 'cgi' ? (remote_addr => '192.0.2.7') : ();
    my %handed_on = $mode eq 'cgi' ? () : ('X-Forwarded-For' => '192.0.2.7');
    for my $path (qw(/woo-order/metrics /woo-order/ready)) {
        for my $wrong ('', 'Bearer', 'Bearer ', "Bearer ${TOKEN}x", 'Bearer ' . substr($TOKEN, 1), "Basic $TOKEN") {
            my $got = $server->request(GET => $path, { %handed_on, $wrong ? (Authorization => $wrong) : () }, undef, @far);
            is $got->{status}, 401, "$path from elsewhere with '$wrong'";
            is $got->{headers}{'www-authenticate'}, 'Bearer', 'it asks for a token';
        }
        is $server->request(GET => $path, { %handed_on, Authorization => "Bearer $TOKEN" }, undef, @far)->{status}, 200,
            "$path from elsewhere with the token";
        is $server->request(POST => $path, {}, '')->{status}, 405, "$path takes no POST";
    }
    is $server->request(GET => '/woo-order/health', \%handed_on, undef, @far)->{status}, 200, 'health is for everybody';
    $server->stop;
    $ghl->stop;
}

# A token that can be guessed opens nothing, and stops no order.
my $server = WooGHL::Server->new(settings => { METRICS_TOKEN => 'short' })->start;
is $server->request(GET => '/woo-order/metrics', { Authorization => 'Bearer short' }, undef, remote_addr => '192.0.2.7')->{status}, 401,
    'a short token is none';
is $server->request(GET => '/woo-order/metrics', { Authorization => 'Bearer ' }, undef, remote_addr => '192.0.2.7')->{status}, 401,
    'nor is an empty one';
is $server->deliver(order(1, 'processing'))->{status}, 200, 'orders are taken';
like $server->log, qr/METRICS_TOKEN has 5 characters and is not used: give it 16 or more/, 'the log says so';
$server->stop;

done_testing;
