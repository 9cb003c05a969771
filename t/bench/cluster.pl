#!/usr/bin/env perl
# LOCATIONS=200 locations, each with a settings file, a worker and a DATA_DIR of its own, behind four web servers on one Redis
# Cluster: new orders a second as the cluster grows, and the CPU time that an order costs. Load, web servers, workers and nodes
# share this machine's cores: what grows with nodes is what is left of them, so the CPU time of a node says how many orders one
# core of Redis holds. For people: nothing absolute is asserted; it fails if an order is not taken.
#
#   cluster.pl             SECONDS=5 a row; woo_ghl from WOO_GHL_PROGRAM
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Time::HiRes qw(sleep time);
use WooGHL::Nodes;
use WooGHL::Process;

my ($locations, $seconds, $servers) = ($ENV{LOCATIONS} || 200, $ENV{SECONDS} || 5, 4);
my ($SECRET, $ORDERS, $CLIENTS) = ('my_super_secret_woo_key', 4000, 4);
my $PROGRAM = $ENV{WOO_GHL_PROGRAM} || "$FindBin::Bin/../../woo_ghl";
my $dir = File::Temp->newdir('woo-ghl-bench-XXXXXX', TMPDIR => 1);
my @run = (dir => "$dir", out => "$dir/out", err => "$dir/err", env => { PATH => $ENV{PATH} });

sub slurp { my ($path) = @_; open my $in, '<:raw', $path or die "$path: $!"; local $/; return scalar <$in> }
sub spit { my ($path, @text) = @_; open my $out, '>:raw', $path or die "$path: $!"; print {$out} @text; close $out or die "$path: $!"; return }

# The workers of all locations on this store.
sub start_workers {
    my ($url, $prefix) = @_;
    return map {
        my $at = "$dir/l$_";
        unlink "$at.sock";
        spit("$at.env", map {"$_\n"} "WOO_WEBHOOK_SECRET=$SECRET", "GHL_LOCATION_ID=location$_", 'GHL_API_KEY=pit-bench', 'GHL_PIPELINE_ID=p',
            "REDIS_URL=$url", "REDIS_PREFIX=$prefix", "DATA_DIR=$at.data", 'SYNC_BUDGET=0', 'DRAIN_AFTER=off', 'RATE_LIMIT_PER_DAY=0', "LOG=$dir/log");
        chmod 0600, "$at.env";
        my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$at.sock", Listen => 64) or die "$at.sock: $!";
        WooGHL::Process->start([$PROGRAM], @run, in => $listener, env => { PATH => $ENV{PATH}, WOO_GHL_ENV => "$at.env" });
    } 1 .. $locations;
}

# A web server that passes a request on to the location that X-Location names.
sub start_web {
    my ($n) = @_;
    my $port = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0)->sockport;
    my $at = "$dir/web$n";
    mkdir $at;
    spit("$at/nginx.conf", "user root;\n" x ($> == 0), slurp("$FindBin::Bin/../../deploy/nginx.conf") =~ s/127\.0\.0\.1:5000/127.0.0.1:$port/r);
    spit("$at/nginx-woo-order.conf", slurp("$FindBin::Bin/../../deploy/nginx-woo-order.conf") =~ s{unix:/run/woo-ghl/woo_ghl\.sock}{unix:$dir/\$http_x_location.sock}r);
    my $process = WooGHL::Process->start(['nginx', '-p', "$at/", '-c', "$at/nginx.conf", '-e', 'stderr'], @run);
    my $deadline = time + 20;
    until (IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)) { die "nginx: " . slurp("$dir/err") if time > $deadline; sleep 0.05 }
    return { process => $process, port => $port, at => $at };
}

# Each order once, to the server's own locations in turn.
sub write_load {
    my ($web, $n) = @_;
    my $template = slurp("$FindBin::Bin/../fixtures/order.created-simple.json");
    my @requests = map {
        my $body = $template =~ s/"id":\d+/"id":$_/r;
        (hmac_sha256_base64($body, $SECRET), "=\n", 'l', 1 + $n + $servers * ($_ % ($locations / $servers)), "\n", length $body, "\n", $body)
    } 1 .. $ORDERS;
    spit("$web->{at}/requests", @requests);
    spit("$web->{at}/wrk.lua", <<"LUA");
local all, n = {}, 0
function init()
  local file = io.open("$web->{at}/requests", "rb")
  while true do
    local signature = file:read("*l")
    if not signature then break end
    local location, len = file:read("*l"), tonumber(file:read("*l"))
    all[#all + 1] = wrk.format("POST", "/woo-order", { ["Content-Type"] = "application/json", ["X-WC-Webhook-Topic"] = "order.created",
      ["X-WC-Webhook-Signature"] = signature, ["X-Location"] = location }, file:read(len))
  end
end
function request() n = n + 1; return all[(n - 1) % #all + 1] end
function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(99), summary.errors.status +
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
LUA
    return;
}

sub cpu_s {
    my $ticks = 0;
    for my $pid (map { $_->pid } @_) {
        for my $each ($pid, split ' ', `cat /proc/$pid/task/*/children 2>/dev/null`) {
            my @field = split ' ', (split /\) /, slurp("/proc/$each/stat"))[1];
            $ticks += $field[11] + $field[12];
        }
    }
    return $ticks / 100;
}

$| = 1;
printf "%d locations, %d web servers, %d clients, AOF everysec; nodes share %d cores with all the rest\n", $locations, $servers, $servers * $CLIENTS,
    scalar(() = slurp('/proc/cpuinfo') =~ /^processor/gm);
printf "%6s %12s %10s %12s %12s %12s %10s\n", 'nodes', 'orders/s', 'p99 ms', 'worker us', 'Redis us', 'nginx us', 'busiest';
for my $count (1, 2, 3) {
    my $nodes = WooGHL::Nodes->cluster($count, 'appendonly yes');
    my @web = map { start_web($_) } 0 .. $servers - 1;
    my @workers = start_workers($nodes->url, "b$count");
    write_load($web[$_], $_) for 0 .. $#web;
    my @node = map { $nodes->process($_) } 0 .. $count - 1;
    my @of = (\@workers, \@node, [map { $_->{process} } @web]);
    my @before = map { cpu_s(@$_) } @of;
    my @node_before = map { cpu_s($_) } @node;
    my @wrk = map { open my $pipe, '-|', 'wrk', '-t1', "-c$CLIENTS", "-d${seconds}s", '-s', "$_->{at}/wrk.lua", "http://127.0.0.1:$_->{port}" or die "wrk: $!"; $pipe } @web;
    my ($orders, $duration, $p99, $bad) = (0, 0, 0, 0);
    for my $pipe (@wrk) {
        my $said = do { local $/; <$pipe> };
        my ($n, $us, $p, $errors) = $said =~ /^RESULT (\d+) (\d+) (\d+) (\d+)$/m or die "wrk: $said";
        die "raise ORDERS: a server was sent $n\n" if $n > $ORDERS;
        $orders += $n;
        $bad += $errors;
        $duration = $us / 1e6 if $us / 1e6 > $duration;
        $p99 = $p / 1000 if $p / 1000 > $p99;
    }
    my @spent = map { cpu_s(@{ $of[$_] }) - $before[$_] } 0 .. $#of;
    my ($busiest) = sort { $b <=> $a } map { (cpu_s($node[$_]) - $node_before[$_]) / $duration } 0 .. $#node;
    printf "%6d %12.0f %10.1f %12.0f %12.0f %12.0f %9.0f%%\n", $count, $orders / $duration, $p99, (map { 1e6 * $_ / $orders } @spent), 100 * $busiest;
    printf "%6s one core of Redis holds about %.0f orders/s; GHL takes %.0f calls/s of %d locations\n", '', $orders / $spent[1], 10 * $locations, $locations;
    $_->stop for @workers, map { $_->{process} } @web;
    my $due = 0;
    $due += $_ for map { my $n = $_; map { $nodes->cli($n, 'ZCARD', $_) } grep {/:due$/} split /\n/, $nodes->cli($n, '--raw', 'KEYS', '*:due') } 0 .. $count - 1;
    $nodes->stop;
    die "$bad answers were no 2xx\n" if $bad;
    die "$orders were accepted, $due wait\n" if $due < $orders;
}
