#!/usr/bin/env perl
# How fast it is, as ratios to a program that only says hello behind the same nginx in the same run; and how much of GHL's
# rate a drain with several jobs uses. For people: it prints a table, and fails only where GHL's limit was passed or
# less than 96 % of it was used.
#
#   bench.pl HELLO [SECONDS]       with woo_ghl from WOO_GHL_PROGRAM
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/../lib";
use FakeGHL::Client;
use Time::HiRes qw(sleep time);
use WooGHL::Server;

my ($hello, $seconds) = @ARGV;
$seconds ||= 4;
die "usage: bench.pl HELLO [SECONDS]\n" unless $hello && -x $hello;
my $SECRET = 'my_super_secret_woo_key';
my ($WORKERS, $CLIENTS, $NEW, $BACKLOG) = (4, 8, 20_000, 150);
my $ORDER = do { open my $in, '<:raw', "$FindBin::Bin/../fixtures/order.created-simple.json" or die "fixture: $!"; local $/; <$in> };

sub order { my ($id) = @_; (my $body = $ORDER) =~ s/"id":\d+/"id":$id/ or die 'no id'; return $body }
sub signature { my ($body) = @_; return hmac_sha256_base64($body, $SECRET) . '=' }

sub server {
    my (%settings) = @_;
    return WooGHL::Server->new(mode => 'nginx', workers => $WORKERS, settings => { WOO_WEBHOOK_SECRET => $SECRET,
        SYNC_BUDGET => '0', RATE_LIMIT_PER_DAY => 0, LOG_LEVEL => 'error', GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', %settings });
}

# wrk's requests a second and 99th percentile; every thread sends its own part of the file of requests.
sub load {
    my ($server, @bodies) = @_;
    my $dir = $server->dir;
    open my $out, '>:raw', "$dir/requests" or die "requests: $!";
    print {$out} signature($_), "\n", length, "\n", $_ for @bodies;
    close $out or die "requests: $!";
    open my $script, '>', "$dir/wrk.lua" or die "wrk.lua: $!";
    print {$script} <<"LUA";
local threads, all, next_one, bad = 0, {}, 0, 0
function setup(thread) thread:set("first", threads); threads = threads + 1 end
function init()
  local file, n = io.open("$dir/requests", "rb"), 0
  while true do
    local signature = file:read("*l")
    if not signature then break end
    local body = file:read(tonumber(file:read("*l")))
    all[n] = wrk.format("POST", "/woo-order", { ["Content-Type"] = "application/json", ["X-WC-Webhook-Topic"] = "order.created",
      ["X-WC-Webhook-Signature"] = signature }, body)
    n = n + 1
  end
  count, next_one = n, first
end
function request() local r = all[next_one % count]; next_one = next_one + 2; return r end
function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(99),
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
LUA
    close $script;
    my $said = `wrk -t2 -c$CLIENTS -d${seconds}s -s $dir/wrk.lua @{[$server->url]} 2>&1`;
    my ($n, $us, $p99, $status, $broken) = $said =~ /^RESULT (\d+) (\d+) (\d+) (\d+) (\d+)$/m or die "wrk: $said";
    die "wrk: $status answers of 4xx or 5xx, $broken broken connections\n" if $status || $broken;
    return { rate => $n / ($us / 1e6), p99 => $p99 / 1000 };
}

my $baseline;
sub row {
    my ($name, $got) = @_;
    $baseline ||= $got->{rate};
    printf "%-34s %9.0f /s %7.2f %9.1f ms\n", $name, $got->{rate}, $got->{rate} / $baseline, $got->{p99};
    return;
}

$| = 1;
printf "%-34s %12s %7s %12s\n", "$WORKERS workers, $CLIENTS clients", 'requests', 'ratio', 'p99';
{
    local $ENV{WOO_GHL_PROGRAM} = $hello;
    my $server = server()->start;
    row('hello', load($server, order(1)));
    $server->stop;
}
for my $store (qw(redis sqlite)) {
    my $redis = $store eq 'redis' ? WooGHL::Server->redis : undef;
    my $server = server($redis ? (REDIS_URL => $redis->url) : ())->start;
    row("$store: a signed duplicate", load($server, order(1)));
    # More than are sent in the time, each once: a second round would be duplicates.
    my $got = load($server, map { order($_) } 2 .. $NEW + 1);
    row("$store: a new order, queued", $got);
    printf "%-34s some of them are duplicates: raise the number of orders\n", '' if $got->{rate} * $seconds > $NEW;
    $server->stop;
}

my $failed = 0;
for my $store (qw(redis sqlite)) {
    my $redis = $store eq 'redis' ? WooGHL::Server->redis : undef;
    my $window_ms = 4000;    # the vendor's 100 in 10 s takes too long here
    my $ghl = FakeGHL::Client->start(rate_count => 100, rate_window_ms => $window_ms, rate_enforce => 1, latency_ms => 50);
    my $server = server(GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token, GHL_LOCATION_ID => $ghl->location_id,
        GHL_RATE => '100/4s', $redis ? (REDIS_URL => $redis->url) : ())->start;
    for my $id (1 .. $BACKLOG) {
        my $body = qq({"id":$id,"status":"processing","total":"1.00","billing":{"first_name":"A","email":"b$id\@example.com"}});
        $server->request(POST => '/woo-order', { 'Content-Type' => 'application/json', 'X-WC-Webhook-Signature' => signature($body) },
            $body)->{status} == 202 or die "order $id was not queued\n";
    }
    my $drained = $server->command(qw(drain --jobs 4));
    die "drain: $drained->{err}\n" if $drained->{code};
    # Without the start and the end, where not all jobs work.
    my @at = map { $_->{time} } $ghl->calls;
    my ($from, $to) = (int(@at * 0.1), int(@at * 0.9));
    my $used = ($to - $from) / ($at[$to] - $at[$from]) / (100 / ($window_ms / 1000));
    my $limits = $ghl->limits;
    printf "%-34s %9.0f /s %6.1f %% of GHL's rate, %d answers of 429, %d cards\n", "$store: drain --jobs 4",
        100 * $used * 1000 / $window_ms, 100 * $used, $limits->{answered_429}, scalar(() = $ghl->opportunities);
    $failed ||= $used < 0.96 || $limits->{answered_429} > 0 || scalar(() = $ghl->opportunities) != $BACKLOG;
    $server->stop;
    $ghl->stop;
}
exit($failed ? 1 : 0);
