#!/usr/bin/env perl
# woo_ghl reconcile, on both stores: orders whose webhook never came are read from the shop, nothing is done twice,
# nothing is skipped, and what stands in the way is named.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL;
use FakeGHL::Client;
use FakeWoo;
use FakeWoo::Client;
use JSON::PP ();
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Lanes;
use WooGHL::Server;

my ($TEMPFAIL, $UNAVAILABLE, $CONFIG, $USAGE) = (75, 69, 78, 64);
my ($ghl, $woo, $store, $redis);    # of the lane
my $NOW;    # when the test that runs began

sub new_server {
    my (%more) = @_;
    $ghl->reset;
    $woo->reset;
    return WooGHL::Server->for_ghl($ghl, redis => $redis, real_start => delete $more{real_start}, settings => { LOG_LEVEL => 'debug', $woo->wiring, %more });
}

sub deliver { my ($server, @what) = @_; return $server->deliver(@what)->{body} }
sub gmt { return strftime('%Y-%m-%dT%H:%M:%S', gmtime $_[0]) }

# What it prints, with the time left out.
sub reconcile {
    my ($server, @arguments) = @_;
    my $run = $server->command('reconcile', @arguments);
    my $out = $run->{out} =~ s/changed since \S+:/changed since ...:/r;
    return $run->{code} == 0 ? $out : "$run->{code} $out$run->{err}";
}
sub said { my ($read, $new, $known, $ignored) = @_; return "reconciled: $read orders read that changed since ...: $new new, $known known already, $ignored ignored\n" }
sub status { my ($server) = @_; return JSON::PP::decode_json($server->command('status', '--json')->{out}) }
sub wanted { return status($_[0])->{reconcile_wanted} ? 1 : 0 }
sub drain { my ($server) = @_; my $run = $server->command('drain'); return $run->{code} ? $run->{err} : $run->{out} }
sub cards { return { map { $_->{name} => "$_->{status} $_->{monetaryValue}" } $ghl->opportunities } }
sub file_of { my ($path) = @_; open my $in, '<', $path or return ''; local $/; return scalar(<$in>) // '' }
sub since_of { my ($run) = @_; return $run->{out} =~ /since (\S+?)Z:/ ? $1 : $run->{err} }

# As if woo_ghl had been installed so many days ago: what this machine remembers of the store says when that was.
sub installed {
    my ($server, $days) = @_;
    my ($file) = glob $server->dir . '/data/store-id.*';
    my ($id) = split ' ', file_of($file);
    open my $out, '>', $file or die "$file: $!";
    printf $out "%s %d\n", $id, ($NOW - $days * 86400) * 1000;
    close $out or die "$file: $!";
    return;
}

# Runs on both stores unless it says otherwise.
my @tests;
sub test { my ($name, $code, $only) = @_; push @tests, [$name, $code, $only]; return }

test 'an order whose webhook never came' => sub {
    my $server = new_server;
    is reconcile($server), said(0, 0, 0, 0), 'nothing changed';
    $woo->put($woo->order(1001, total => '21.76'), $woo->order(1002, status => 'on-hold'));
    is reconcile($server), said(2, 1, 0, 1), 'one is new, one is of a status that is not mapped';
    is_deeply [$ghl->sent], [], 'GHL is left to the drain';
    is drain($server), "drained: 1 synced, 0 needed nothing, 0 wait on, 0 dead letters; 0 in the queue\n", 'which brings it';
    is_deeply cards(), { 'Order #1001' => 'won 21.76' }, 'to GHL';
    is_deeply [map { $_->{email} } $ghl->contacts], ['c1001@example.com'], 'with its customer';
    $ghl->clear_calls;
    is reconcile($server), said(2, 0, 2, 0), 'once more: both are known';
    is drain($server), "drained: 0 synced, 0 needed nothing, 0 wait on, 0 dead letters; 0 in the queue\n", 'nothing waits';
    is deliver($server, $woo->order(1001, total => '21.76')->{raw}), '{"status":"skipped","reason":"duplicate"}', 'the webhook comes after all';
    is_deeply [$ghl->sent], [], 'GHL is not called';
    my ($call) = $woo->calls;
    is $call->{path}, '/wp-json/wc/v3/orders', 'the shop was asked at its address';
    is_deeply [@{ $call->{query} }{qw(status orderby order dates_are_gmt per_page)}], [qw(any modified asc true 50)], '... in that order';
    unlike $server->log, qr/c1001|Jane|cs_fake/, 'the log names neither customer nor secret';
};

test 'one that a webhook brought' => sub {
    my $server = new_server;
    my $now = int time;
    my @orders = ($woo->order(1), $woo->order(2, status => 'refunded', created => $now + 60), $woo->order(3, total => '1.00'));
    deliver($server, $orders[0]{raw});
    deliver($server, $orders[2]{raw} =~ s/"status":"processing"/"status":"pending"/r);
    $ghl->clear_calls;
    $woo->put(@orders);
    is reconcile($server), said(3, 1, 1, 1), 'the known one is known; the refund of what was never sold is ignored';
    is drain($server), "drained: 1 synced, 0 needed nothing, 0 wait on, 0 dead letters; 0 in the queue\n", 'a status that was missed';
    is_deeply cards(), { 'Order #1' => 'won 48.97', 'Order #3' => 'won 1' }, 'is in GHL';
    $woo->put($woo->order(1, status => 'refunded', modified => $now - 5, created => $now - 60), $woo->order(3, status => 'trash', modified => $now - 5, total => '1.00'));
    is reconcile($server), said(3, 2, 1, 0), 'a refund and a deletion that were missed';
    drain($server);
    is_deeply cards(), { 'Order #1' => 'lost 48.97', 'Order #3' => 'abandoned 1' }, 'are told';
    $woo->put($woo->order(1, modified => $now - 5), $woo->order(3, modified => $now - 5, total => '1.00'));
    is reconcile($server), said(3, 2, 1, 0), 'of the same second: both undone';
    drain($server);
    is_deeply cards(), { 'Order #1' => 'won 48.97', 'Order #3' => 'won 1' }, 'and told';
};

test 'orders of before the start' => sub {
    my $server = new_server(real_start => 1);
    my $old = $NOW - 90 * 86400;
    my @orders = map { $woo->order($_, created => $old, modified => $old + 60) } 1, 2;
    s/"date_paid_gmt":"[^"]*"/'"date_paid_gmt":"' . gmt($old) . '"'/e for map { $_->{raw} } @orders;
    is deliver($server, $orders[0]{raw}), '{"status":"ignored","reason":"before_start"}', 'given one that a bulk edit delivers';
    $woo->put(@orders);
    is reconcile($server), said(0, 0, 0, 0), 'reconcile leaves them where they are';
    is reconcile($server, '--since', gmt($old)), said(2, 2, 0, 0), 'a person asks for them';
    drain($server);
    is_deeply cards(), { 'Order #1' => 'won 48.97', 'Order #2' => 'won 48.97' }, 'both are in GHL';
    is reconcile($server, '--since', gmt($old)), said(2, 0, 2, 0), 'once more: they are known';
    is deliver($server, $orders[0]{raw}), '{"status":"skipped","reason":"duplicate"}', 'to a webhook, too';
};

# As if what is kept of orders with refunds were of the day before.
sub a_day_passes {
    for my $key (grep { /:val:refunds\// } split /\n/, $redis->cli('--raw', 'KEYS', '*')) {
        my @seconds = split ' ', $redis->cli('--raw', 'GET', $key);
        $redis->cli('SET', $key, join ' ', map { $_ ? $_ - 86400 : 0 } @seconds);
    }
    return;
}

# It fires no webhook and leaves the order's modified time alone.
test 'a refund that is deleted in the shop' => sub {
    my $server = new_server;
    my $order = sub { my ($refunds, %more) = @_; my $order = $woo->order(1, total => '50.00', modified => $NOW - 3600, created => $NOW - 7200, %more);
        $order->{raw} =~ s/"refunds":\[[^]]*\]/"refunds":[$refunds]/ or die 'no refunds'; return $order };
    my $refunded = $order->('{"id":9,"reason":"","total":"-20.00"}');
    deliver($server, $refunded->{raw});
    is_deeply cards(), { 'Order #1' => 'won 30' }, 'given an order with a refund';
    $woo->put($order->(''));
    installed($server, 0);
    like reconcile($server), qr/^reconciled: 0 orders read/, 'the shop lists it no more';
    is_deeply [grep { $_->{path} =~ m{orders/1$} } $woo->calls], [], 'and it is not asked for on the same day';
    a_day_passes();
    like reconcile($server), qr/^reconciled: 1 orders read .*: 1 new,/, 'a day later it is asked for, and is news';
    drain($server);
    is_deeply cards(), { 'Order #1' => 'won 50' }, 'its value is right again';
    $woo->clear_calls;
    reconcile($server);
    is_deeply [grep { $_->{path} =~ m{orders/1$} } $woo->calls], [], 'it is asked for once a day';
    $woo->reset;
    a_day_passes();
    like reconcile($server), qr/^reconciled: 0 orders read/, 'given that it was deleted for good';
    like $server->log, qr/event=refunds order=shop:1 msg="The shop has no such order any more/, 'the log says so';
    $woo->clear_calls;
    a_day_passes();
    reconcile($server);
    is_deeply [grep { $_->{path} =~ m{orders/1$} } $woo->calls], [], 'it is asked for no more';
}, 'redis';

test 'each order as it was sent' => sub {
    my $server = new_server;
    my $order = $woo->order(5);
    $order->{raw} =~ s/"total":"48\.97","total_tax"/"total":19.990000000000002,"total_tax"/;
    $order->{raw} =~ s/"meta_data":\[\]/"meta_data":[{"id":1,"key":"a","value":"],[{\\"}"}]/;
    $woo->put($order, $woo->order(6));
    is reconcile($server), said(2, 2, 0, 0), 'two orders, one with brackets and quotes in it, and a number';
    drain($server);
    is_deeply cards(), { 'Order #5' => 'won 19.99', 'Order #6' => 'won 48.97' }, 'both are in GHL';
    is deliver($server, $order->{raw}), '{"status":"skipped","reason":"duplicate"}', 'the same bytes are a duplicate';
};

test 'many orders, many of one second' => sub {
    my $server = new_server(GHL_DRY_RUN => 'yes');
    my @orders = map { $woo->order($_, modified => $NOW - 500 + ($_ <= 40 ? $_ : $_ <= 170 ? 41 : $_)) } 1 .. 230;
    $woo->put(@orders);
    is reconcile($server, '--since', '1h'), said(230, 230, 0, 0), 'each is read once';
    is status($server)->{waiting}, 230, 'and waits';
    my @calls = grep { ($_->{query}{status} // '') eq 'any' } $woo->calls;
    cmp_ok scalar @calls, '<=', 7, 'in a few pages';
    ok !(grep { $_->{query}{offset} } @calls), 'no page is asked for by its number';
    $woo->settings({ ignores_exclude => JSON::PP::true });
    is reconcile($server, '--since', '1h'), said(230, 0, 230, 0), 'a shop that leaves nothing out: each is counted once';
    $woo->settings({ ignores_exclude => JSON::PP::false, hidden => [3, 60 .. 130] });
    is reconcile($server, '--since', '1h'), said(158, 0, 158, 0), 'one that hides some';
    $woo->settings({ total => JSON::PP::false, hidden => [] });
    is reconcile($server, '--since', '1h'), said(230, 0, 230, 0), 'one that tells no total';
};

# More than an address can name.
test 'a thousand of one second' => sub {
    my $server = new_server(GHL_DRY_RUN => 'yes');
    $woo->put(map { $woo->order(1_000_000_000_000 + $_, modified => $NOW - 500, status => 'on-hold') } 1 .. 900);
    is reconcile($server, '--since', '1h'), said(900, 0, 0, 900), 'each is read once';
}, 'sqlite';

# Those that were stepped over leave that second, and stand at the end of the list, where no gap shows.
test 'a thousand of one second, some of which change' => sub {
    my $server = new_server(GHL_DRY_RUN => 'yes');
    my ($first, $later) = (1_000_000_000_000, int(time) + 60);
    $woo->put(map { $woo->order($first + $_, modified => $NOW - 500, status => 'on-hold') } 1 .. 900);
    my @moved = map { $woo->order($first + $_, modified => $later, status => 'on-hold') } 500 .. 599;
    $woo->fault({ path => 'status=any', skip => 23, do => { after => \@moved } });
    is $server->command('reconcile', '--since', '1h')->{code}, 0, 'it goes well';
    my %ids = map { $_ => 1 } map { @{ $_->{ids} } } $woo->calls;
    is scalar keys %ids, 900, 'each is read';
}, 'sqlite';

test 'a shop that answers the same page for ever' => sub {
    my $server = new_server(GHL_DRY_RUN => 'yes');
    $woo->put($woo->order(1))->settings({ total => JSON::PP::false });
    $woo->fault({ times => 0, do => { body => '[' . $woo->order(1)->{raw} . ']' } });
    my $run = $server->background('reconcile');
    is +($run->wait // 'it goes on') >> 8, $UNAVAILABLE, 'is given up';
    like $server->errors, qr/^woo_ghl reconcile: \S+ shows nothing new any more, but does not end: /m, '... and named';
}, 'sqlite';

test 'orders without an id' => sub {
    my $server = new_server(GHL_DRY_RUN => 'yes');
    my @orders = map { $woo->order($_, modified => $NOW - 60) } 1 .. 60;
    $_->{raw} =~ s/^\{"id":\d+,/{"id":"A",/ for @orders;
    $woo->put(@orders);
    my $run = $server->background('reconcile');
    is $run->wait // 'it goes on', 0, 'it ends';
    is scalar(grep { ($_->{query}{status} // '') eq 'any' } $woo->calls), 3, 'what cannot be left out is stepped over';
}, 'sqlite';

test 'orders that change while they are read' => sub {
    my $server = new_server(GHL_DRY_RUN => 'yes');
    my @orders = map { $woo->order($_, modified => $NOW - 500 + ($_ < 30 ? $_ : $_ <= 120 ? 30 : $_)) } 1 .. 150;
    $woo->put(@orders);
    # Between the list and its orders one shows the time of its change; others leave the second that is being read.
    my $later = int(time) + 5;
    my @moved = map { my $id = $_; $woo->order($id, modified => $later, total => '7.00') } 2, 31, 40, 119, 149;
    $woo->fault({ path => 'status=any', do => { orders => [@moved[0, 1]] } }, { path => 'status=any', do => { after => [@moved[2, 3, 4]] } });
    my $run = $server->command('reconcile', '--since', '1h');
    is $run->{code}, 0, 'it goes well' or diag $run->{err};
    my %ids = map { $_ => 1 } map { @{ $_->{ids} } } $woo->calls;
    is scalar keys %ids, 150, 'each order was read';
    is status($server)->{waiting}, 150, 'and waits';
    is reconcile($server, '--since', '1h'), said(150, 1, 149, 0), 'the one that changed after it was read is for the next run';
};

test 'the next run begins where the last one did' => sub {
    my $server = new_server;
    my $first = since_of($server->command('reconcile'));
    ok $first ge gmt($NOW - 700) && $first le gmt(time - 600), "the first run: since the store was first used, less 10 minutes ($first)";
    $woo->clear_calls;
    my $second = since_of($server->command('reconcile'));
    ok $second ge gmt(strptime($first) - 3) && $second le gmt(time - 600), "the second: since the first began ($second)";
    my ($call) = $woo->calls;
    is $call->{query}{modified_after}, gmt(strptime($second) - 1), 'what the shop is asked, which takes it as exclusive';
    for my $ahead (-3000, 3000) {
        $woo->settings({ clock_ahead_s => $ahead });
        my $behind = 600 + ($ahead < 0 ? -$ahead : 0);
        my $before = time - $behind;
        is reconcile($server), said(0, 0, 0, 0), "a shop whose clock is ahead by $ahead s";
        my $third = since_of($server->command('reconcile'));
        ok $third ge gmt($before - 3) && $third le gmt(time - $behind), "is asked by the clock that is behind ($third)";
    }
    $woo->settings({ clock_ahead_s => 0 });
    is reconcile($server), said(0, 0, 0, 0), 'a clock that is right again';
    like $server->command('status')->{out}, qr/^reconciled \d+ s ago$/m, 'status tells when';
    like status($server)->{reconciled_s}, qr/^\d+$/, '... and its JSON';
};

test 'a last run in the future' => sub {
    my $server = new_server;
    is reconcile($server), said(0, 0, 0, 0), 'given a run';
    $redis->cli('SET', $_, ($NOW + 365 * 86400) . ' 0') for split /\n/, $redis->cli('KEYS', '*:reconcile/last/*');
    my $want = time - 30 * 86400;
    my $since = since_of($server->command('reconcile'));
    ok $since ge gmt($want - 3) && $since le gmt(time - 30 * 86400), "of a clock that is right again: the next one reads a month ($since)";
    ok since_of($server->command('reconcile')) ge gmt($NOW - 700), 'and the one behind it what changed since';
}, 'redis';

sub strptime { my @t = $_[0] =~ /\d+/g; require Time::Local; return Time::Local::timegm($t[5], $t[4], $t[3], $t[2], $t[1] - 1, $t[0]) }

# What the shop sold before woo_ghl was there is not for GHL, whatever happened to the store since.
test 'Redis was restarted soon after the installation' => sub {
    my $server = new_server;
    deliver($server, $woo->order(1)->{raw});
    $woo->put($woo->order(2, modified => $NOW - 5 * 86400), $woo->order(3, modified => $NOW - 5));
    for ([1, 'a first run'], [0, 'the next one']) {
        my ($new, $which) = @$_;
        $redis->cli('HSET', $_, 'born_run', 'another') for split /\n/, $redis->cli('KEYS', '*:state');
        my $run = $server->command('reconcile');
        my $since = since_of($run);
        ok $since ge gmt($NOW - 660) && $since lt gmt(time - 590), "$which reads what is of later ($since)";
        like $run->{out}, qr/: 1 orders read .*: $new new,/, 'and finds one';
    }
}, 'redis';

test 'a webhook comes while the list is under way' => sub {
    my $server = new_server;
    my $second = $NOW - 30;
    $woo->put($woo->order(1, modified => $second));
    $woo->fault({ do => { waits => 1 } });
    my $run = $server->background('reconcile');
    $woo->wait_calls(1);
    for my $status (qw(processing refunded)) {
        is deliver($server, $woo->order(1, modified => $second, status => $status)->{raw}), '{"status":"synced","ghl_id":"fakeOppo000000000001"}', "$status, of the same second";
    }
    $woo->answer;
    is $run->wait, 0, 'the run ends well';
    is drain($server), "drained: 0 synced, 0 needed nothing, 0 wait on, 0 dead letters; 0 in the queue\n", 'what was read before';
    is_deeply cards(), { 'Order #1' => 'lost 48.97' }, 'changes nothing back';
};

test '--since' => sub {
    my $server = new_server(GHL_DRY_RUN => 'yes');
    $woo->put($woo->order(1, modified => $NOW - 3 * 86400), $woo->order(2, modified => $NOW - 86400), $woo->order(3));
    is reconcile($server), said(1, 1, 0, 0), 'without it the past stays where it is';
    is reconcile($server, '--since', '2d'), said(2, 1, 1, 0), 'a duration';
    is since_of($server->command('reconcile', '--since', gmt($NOW - 7200))), gmt($NOW - 7200), 'a moment';
    is reconcile($server, '--since', substr(gmt($NOW - 5 * 86400), 0, 10)), said(3, 1, 2, 0), 'a day';
    for my $wrong ('soon', '2030-01-01', '20261125') {
        my $run = $server->command('reconcile', '--since', $wrong);
        is $run->{code}, $USAGE, "given '$wrong'";
        is $run->{err}, "woo_ghl reconcile: --since: '$wrong' is not a date in the past; write for example 2026-11-25, 2026-11-25T08:00:00 (UTC) or 36h\n", '... is refused';
    }
    is $server->command('reconcile', '--sinse')->{code}, $USAGE, 'a wrong argument';
};

test 'a later --since takes nothing from the next run' => sub {
    my $server = new_server(GHL_DRY_RUN => 'yes');
    deliver($server, '{"code":"woocommerce_rest_cannot_view","message":"Sorry"}');
    $woo->put($woo->order(1, modified => $NOW - 300));
    is reconcile($server, '--since', '1m'), said(0, 0, 0, 0), 'of the last minute';
    is wanted($server), 1, 'what is wanted is wanted still';
    is status($server)->{reconciled_s}, undef, 'and it was no whole run';
    is reconcile($server), said(1, 1, 0, 0), 'the next one reads it';
    is wanted($server), 0, 'and is what was wanted';
};

test 'only if it is wanted' => sub {
    my $server = new_server;
    $woo->put($woo->order(1));
    is reconcile($server, '--if-wanted'), "no reconcile is wanted\n", 'nobody asked for it';
    is scalar(() = $woo->calls), 0, 'the shop is not called';
    is deliver($server, '{"code":"woocommerce_rest_cannot_view","message":"Sorry"}'), '{"status":"ignored","reason":"rest_error"}', 'a signed body that is no order';
    is wanted($server), 1, 'asks for it';
    like $server->command('status')->{out}, qr/^orders may be missing: .*, run `woo_ghl reconcile`$/m, 'status says what to do';
    is reconcile($server, '--if-wanted'), said(1, 1, 0, 0), 'it is done';
    is wanted($server), 0, 'and not wanted any more';
    is reconcile($server, '--if-wanted'), "no reconcile is wanted\n", 'once';
};

test 'asked for again while it runs' => sub {
    my $server = new_server;
    deliver($server, '{"errors":[{"code":"x"}]}');
    $woo->fault({ do => { waits => 1 } });
    my $run = $server->background('reconcile');
    $woo->wait_calls(1);
    deliver($server, '{"errors":[{"code":"x"}]}');
    is reconcile($server, '--if-wanted'), "another reconcile is under way\n", 'what a timer starts every minute does not pile up';
    is scalar(() = $woo->calls), 1, 'the shop is asked by one';
    $woo->answer;
    is $run->wait, 0, 'the run ends well';
    is wanted($server), 1, 'the second wish is not its';
    is reconcile($server, '--if-wanted'), said(0, 0, 0, 0), 'another run';
    is wanted($server), 0, 'is';
};

test 'what stands in the way is named, and changes nothing' => sub {
    my $server = new_server();
    my $api = $woo->url . '/wp-json/wc/v3';
    my $end = '; 0 orders were read until then, 0 of them new';
    deliver($server, '{"errors":[{"code":"x"}]}');
    $woo->put($woo->order(1));
    my $false = JSON::PP::false;
    for my $case (
        ['a key that was revoked', { key => 'ck_other' }, undef, $UNAVAILABLE,
            "$api does not know the key (401 woocommerce_rest_cannot_view): WOO_CONSUMER_KEY is wrong or was revoked, or the shop's web server drops the Authorization header (Apache: CGIPassAuth On); WooCommerce takes a key over https alone"],
        ['a wrong secret', { secret => 'cs_other' }, undef, $UNAVAILABLE,
            "$api knows the key, but refuses it (401 woocommerce_rest_authentication_error): WOO_CONSUMER_SECRET is not that key's secret, or the key lacks the permission to read (connect and WOO_REENABLE: to write). See WooCommerce > Settings > Advanced > REST API"],
        ['a user without the right', { can_read => $false }, undef, $UNAVAILABLE,
            "$api: the key's user may not do that (403 woocommerce_rest_cannot_view): the key must belong to an administrator or a shop manager"],
        ["a password of the web server's", {}, { status => 401, html => 1, headers => { 'WWW-Authenticate' => 'Basic realm="staging"' } }, $UNAVAILABLE,
            "$api is kept from us (401): the web server asks for a password of its own (HTTP basic auth), which takes the place of the key. Let /wp-json/wc/ and /woo-order through without it"],
        ['a firewall', {}, { status => 403, html => 1 }, $UNAVAILABLE,
            "$api is kept from us (403, and no answer of WooCommerce's): a firewall, a security plugin or a password before the site must let this machine's requests through to /wp-json/wc/"],
        ['no such address', {}, { status => 404, html => 1 }, $UNAVAILABLE,
            "$api is not there (404): WOO_URL must be the shop's address, with its subdirectory if it has one, and its permalinks must not be Plain (WordPress > Settings > Permalinks)"],
        ['a WordPress without a shop', {}, { status => 404, body => '{"code":"rest_no_route","message":"x"}' }, $UNAVAILABLE,
            "$api is not there (404 rest_no_route): WordPress answers, but WooCommerce is not active there: is the shop in a subdirectory? Then WOO_URL names it, too: https://shop.example.com/shop"],
        ['plain permalinks behind nginx', {}, { status => 301, headers => { Location => "$api/orders/?status=any" } }, $UNAVAILABLE,
            "$api leads to itself (301): the shop's permalinks are Plain, or the web server does not hand its addresses to WordPress. Choose any other kind in WordPress > Settings > Permalinks"],
        ['a redirect', {}, { status => 301, headers => { Location => 'https://www.shop.example.com/de/wp-json/wc/v3/orders?status=any' } }, $UNAVAILABLE,
            "$api leads elsewhere (301): WOO_URL must be the site's address as it answers: https://www.shop.example.com/de"],
        ['a web page', {}, { html => 1 }, $UNAVAILABLE,
            "$api answers a web page, not JSON: a login, maintenance or firewall page, or a message that a plugin prints before the orders; open that address in a browser, and mend what it shows"],
        ['a cut answer', {}, { truncate => 1000 }, $UNAVAILABLE, qr{^\Q$api\E answers 1000 bytes that are no list of orders: }],
        ['an error in its place', {}, { body => '{"code":"rest_forbidden","message":"x"}' }, $UNAVAILABLE, "$api answers an error instead of orders (rest_forbidden)"],
        ['an older version', { old => JSON::PP::true }, undef, $UNAVAILABLE,
            "$api gives orders that nobody asked for: WooCommerce 5.8 or newer is needed, which knows modified_after"],
        ['one that is older still', {}, { status => 400, body => '{"code":"rest_invalid_param","message":"x"}' }, $UNAVAILABLE,
            "$api does not understand the question (400 rest_invalid_param): WooCommerce 5.8 or newer is needed"],
        ['500 for ever', {}, { status => 500, html => 1 }, $TEMPFAIL, "$api answers 500: the shop cannot do it now"],
        ['no answer', {}, { hang => 1 }, $TEMPFAIL, "$api does not answer within 300 ms (WOO_TIMEOUT)"],
        ['come back in an hour', {}, { status => 503, body => '', headers => { 'Retry-After' => '3600' } }, $TEMPFAIL, "$api answers 503: the shop cannot do it now"],
    ) {
        my ($name, $settings, $do, $code, $says) = @$case;
        $woo->reset->settings($settings)->put($woo->order(1, modified => $settings->{old} ? $NOW - 10 * 86400 : $NOW - 60));
        $woo->fault({ times => 0, do => $do }) if $do;
        $server->set(WOO_TIMEOUT => $do && $do->{hang} ? '300ms' : undef);
        my $run = $server->command('reconcile');
        is $run->{code}, $code, $name;
        my ($said) = $run->{err} =~ /^woo_ghl reconcile: (.*)$/m;
        ref $says ? like($said, $says, '... is named') : is($said, $says . $end, '... is named');
        unlike $run->{err} . $run->{out} . $server->log, qr/[cs]k_fake|cs_fake|example\.com\W*Jane/, '... without a secret';
    }
    is wanted($server), 1, 'it is wanted still';
    is status($server)->{reconciled_s}, undef, 'and there was none';
    $woo->reset->put($woo->order(1));
    is reconcile($server, '--if-wanted'), said(1, 1, 0, 0), 'when all is well it is done';
    $server->set(WOO_URL => 'http://127.0.0.1:1');
    my $run = $server->command('reconcile');
    is $run->{code}, $TEMPFAIL, 'nobody there';
    like $run->{err}, qr{^woo_ghl reconcile: http://127\.0\.0\.1:1/wp-json/wc/v3 does not answer: .*refused}m, '... is named';
}, 'sqlite';

# It runs from a timer, and nobody looks at it.
test 'a shop that cannot be read is told' => sub {
    my $server = new_server;
    my $file = $server->dir . '/told';
    $server->set(ALERT_COMMAND => "cat >>$file");
    my $told = sub {
        WooGHL::Process::until_true(sub { file_of($file) =~ /^woo_ghl shop:/m });
        return join '', file_of($file) =~ /^(woo_ghl shop:.*)$/mg;
    };
    $woo->fault({ times => 0, do => { status => 500 } });
    is $server->command('reconcile')->{code}, $TEMPFAIL, 'given one that is away for the moment';
    $woo->reset->settings({ key => 'ck_other' });
    is $server->command('reconcile')->{code}, $UNAVAILABLE, 'and one that does not know the key';
    my $text = $told->();
    like $text, qr/^woo_ghl shop: The shop's orders cannot be read, .* does not know the key/, 'that needs somebody';
    unlike $text, qr/answers 500/, 'and the other may pass by itself';
    unlink $file;
    installed($server, 60);
    $redis->cli('FLUSHALL');    # a month is to be read
    $woo->reset->fault({ times => 0, do => { status => 500 } });
    is $server->command('reconcile')->{code}, $TEMPFAIL, 'given one that is away since more than a day';
    like $told->(), qr/^woo_ghl shop: .* answers 500/, 'it is told as well';
}, 'redis';

test 'trouble that passes' => sub {
    my $server = new_server(GHL_DRY_RUN => 'yes', WOO_TIMEOUT => '4s');
    $woo->put(map { $woo->order($_, modified => $NOW - 200 + $_) } 1 .. 60);
    $woo->fault({ do => { hang => 1 } }, { do => { status => 502, html => 1 } });
    is reconcile($server), said(60, 60, 0, 0), 'one page that hangs and then fails';
    my @sizes = map { $_->{query}{per_page} } grep { ($_->{query}{status} // '') eq 'any' } $woo->calls;
    is_deeply [@sizes[0 .. 3]], [50, 13, 4, 4], 'is asked for in smaller parts';
}, 'redis';

test 'the settings' => sub {
    my $server = new_server;
    $server->set(map { $_ => undef } qw(WOO_URL WOO_CONSUMER_KEY WOO_CONSUMER_SECRET));
    my $run = $server->command('reconcile', '--if-wanted');
    is $run->{code}, $CONFIG, 'none of them';
    is $run->{err}, "woo_ghl reconcile: WOO_URL, WOO_CONSUMER_KEY and WOO_CONSUMER_SECRET are not set: they say where the shop's orders are read\n", '... is named';
    like $server->command('check')->{out}, qr/^shop       warn not set \(WOO_URL\)/m, 'check says so';
    $server->set(WOO_URL => $woo->url . '/');
    $run = $server->command('reconcile');
    is $run->{code}, $CONFIG, 'one of them';
    like $server->log, qr/WOO_CONSUMER_KEY is empty, but \w+ is set: /, '... names the next';
    $server->set($woo->wiring, WOO_URL => $woo->url . '/wp-json/wc/v3/');
    $woo->put($woo->order(1));
    is reconcile($server), said(1, 1, 0, 0), "the API's address does as well";
    like $server->command('check')->{out}, qr/^shop       ok   /m, 'check tries it';
    $server->set(WOO_CONSUMER_SECRET => 'cs_other');
    $run = $server->command('check');
    is $run->{code}, 1, 'check with a wrong secret';
    like $run->{out}, qr/^shop       FAIL .* knows the key, but refuses it/m, '... says so';
}, 'sqlite';

# WooCommerce tells nobody. The one that is disabled missed an order.
test 'a webhook that WooCommerce disabled' => sub {
    my $server = new_server;
    my $file = $server->dir . '/told';
    $server->set(ALERT_COMMAND => "cat >>$file", ALERT_EVERY => '1s', ADMIN_PASSWORD => 'a long password');
    my $page = sub {
        my $got = $server->request(POST => '/woo-order/admin', { 'Content-Type' => 'application/x-www-form-urlencoded' }, 'do=login&password=a+long+password');
        my ($cookie) = ($got->{headers}{'set-cookie'} // '') =~ /^([^;]+)/;
        return $server->request(GET => '/woo-order/admin', { Cookie => $cookie // '' })->{body} =~ s/<style.*<\/style>//sr;
    };
    like $page->(), qr{<dt>Looked at</dt><dd>not yet: }, 'the page has seen no webhook';
    my $told = sub {
        my ($what) = @_;
        WooGHL::Process::until_true(sub { file_of($file) =~ /^woo_ghl webhook: .*$what/m });
        my $text = file_of($file);
        unlink $file;
        return $text;
    };
    my $hook = sub { return { id => 3, name => 'Orders', topic => 'order.updated', status => 'disabled', delivery_url => 'https://hooks.example.com/woo-order', @_ } };
    my $statuses = sub { return join ' ', map { $_->{status} } $woo->webhooks };
    $woo->settings({ webhooks => [$hook->()] });
    is reconcile($server), said(0, 0, 0, 0), 'without WOO_REENABLE';
    like $told->('is disabled'), qr/^woo_ghl webhook: The shop's webhook "Orders" \(order\.updated\) is disabled: .* Set it to Active/m, 'a person is told';
    is $statuses->(), 'disabled', 'and nothing is done';
    like $page->(), qr{<dt>Looked at</dt><dd>\d+ (?:s|min) ago: The shop&#39;s webhook &quot;Orders&quot; \(order\.updated\) is disabled: }, 'the page says so';
    $server->set(WOO_REENABLE => 'yes');
    $woo->settings({ webhooks => [$hook->(), $hook->(id => 4, status => 'paused'), $hook->(id => 5, delivery_url => 'https://hooks.example.com/other')] });
    $woo->put($woo->order(1));
    sleep 1.1;
    is reconcile($server), said(1, 1, 0, 0), 'with it';
    is $statuses->(), 'active paused disabled', 'ours is active again; what a person paused, and what is of another, stay';
    like $told->('active again'), qr/^woo_ghl webhook: WooCommerce had disabled the webhook order\.updated .* the orders that it missed are read/m, 'a person is told, too';
    $woo->settings({ webhooks => [$hook->()] });
    reconcile($server);
    is $statuses->(), 'disabled', 'disabled on the same day, it stays so';
    $woo->settings({ webhooks => [$hook->(id => 6)], can_write => JSON::PP::false });
    reconcile($server);
    is $statuses->(), 'disabled', 'given a key that may only read';
    like $server->log, qr/event=webhooks msg="The shop's webhook order\.updated was disabled after failures: it cannot be set active: .* to write/, 'the log says what it needs';

    $woo->reset->put($woo->order(2))->settings({ webhooks => [$hook->(id => 7)] });
    my $watch = $server->background('drain', '--watch');
    WooGHL::Process::until_true(sub { !grep({ $_->{status} ne 'active' } $woo->webhooks) && cards()->{'Order #2'} });
    is $statuses->(), 'active', 'a drain that watches sees it, too';
    is cards()->{'Order #2'}, 'won 48.97', 'and brings what was missed';
    $watch->stop;
    like $page->(), qr{<dt>Looked at</dt><dd>\d+ (?:s|min) ago: all are active</dd>}, 'the page, too';
};

test 'another shop' => sub {
    my $server = new_server(WOO_SHOPS => 'main=' . ($woo->url =~ s{http://}{}r) . ' b2b=b2b.example.com');
    $server->set(GHL_OPPORTUNITY_NAME => '{shop} {number}');
    $woo->put($woo->order(1), $woo->order(2, site => 'https://b2b.example.com'), $woo->order(3, site => 'https://staging.example.com'));
    is reconcile($server), "reconciled: 3 orders read that changed since ...: 2 new, 0 known already, 0 ignored, 1 of a shop that WOO_SHOPS does not name\n", 'is refused as its deliveries are';
    drain($server);
    is_deeply [sort keys %{ cards() }], ['b2b 2', 'main 1'], 'the others belong to the shop that they name';
    (my $other = $woo->url) =~ s/127\.0\.0\.1/localhost/;
    $server->set(WOO_URL => $other);
    is status($server)->{reconciled_s}, undef, 'for another address it was the first time';
}, 'redis';

test 'told to stop' => sub {
    my $server = new_server(GHL_DRY_RUN => 'yes');
    deliver($server, '{"errors":[{"code":"x"}]}');
    $woo->put(map { $woo->order($_, modified => $NOW - 200 + $_) } 1 .. 60);
    $woo->fault({ skip => 1, do => { hang => 1 } });
    my $run = $server->background('reconcile');
    $woo->wait_calls(2);
    $run->signal('TERM');
    is $run->wait >> 8, $TEMPFAIL, 'it says that it did not finish';
    like $server->errors, qr/^woo_ghl reconcile: it was told to stop; the next one begins where this one did; 50 orders were read until then, 50 of them new$/m, '... and how far it came';
    is wanted($server), 1, 'it is wanted still';
    is status($server)->{waiting}, 50, 'what was read is kept';
    is reconcile($server), said(60, 10, 50, 0), 'the next one does the rest';
    is wanted($server), 0, 'and is what was wanted';
};

test 'killed in the middle' => sub {
    my $server = new_server;
    deliver($server, '{"errors":[{"code":"x"}]}');
    $woo->put(map { $woo->order($_, modified => $NOW - 200 + $_) } 1 .. 55);
    $woo->fault({ skip => 1, do => { hang => 1 } });
    my $run = $server->background('reconcile');
    $woo->wait_calls(2);
    kill KILL => $run->pid;
    $run->wait;
    is wanted($server), 1, 'it is wanted still';
    is reconcile($server), said(55, 5, 50, 0), 'the next one does the rest';
    $server->set(GHL_RATE => '1000/1s');
    $ghl->settings({ rate_count => 1_000_000 });
    like drain($server), qr/^drained: 55 synced, .* 0 in the queue$/, 'the drain brings them';
    is scalar keys %{ cards() }, 55, 'each order has its card';
    is scalar(() = $ghl->opportunities), 55, 'and one only';
};

test 'a store that is away' => sub {
    my $server = new_server(REDIS_TIMEOUT => '3s');
    $woo->put(map { $woo->order($_) } 1 .. 3);
    $woo->fault({ do => { waits => 1 } });
    my $run = $server->background('reconcile');
    $woo->wait_calls(1);
    ok $redis->signal('STOP'), 'given one that goes away';
    $woo->answer;
    is $run->wait >> 8, $TEMPFAIL, 'it ends';
    $redis->signal('CONT');
    like $server->errors, qr/^woo_ghl reconcile: Redis at \S+: did not answer in time: REDIS_TIMEOUT is 3000 ms; 0 orders were read until then, 0 of them new$/m, '... and says why';
    $server->set(REDIS_TIMEOUT => '10s');
    is reconcile($server), said(3, 3, 0, 0), 'nothing is lost';
}, 'redis';

test 'an end does not overtake a sale in the spool' => sub {
    my $server = new_server(GHL_API_KEY => 'x' . $ghl->token);
    my $url = $redis->url;
    $server->set(GHL_API_KEY => $ghl->token, REDIS_URL => 'unix:///nowhere', REDIS_TIMEOUT => '100ms');
    is deliver($server, $woo->order(1, modified => $NOW - 90)->{raw}), '{"status":"queued","reason":"store_unavailable"}', 'a sale, while the store is away';
    $server->set(REDIS_URL => $url, REDIS_TIMEOUT => '10s');
    $woo->put($woo->order(1, status => 'refunded', modified => $NOW - 30, created => $NOW - 90));
    is reconcile($server), said(1, 1, 0, 0), 'its refund is read';
    drain($server);
    is_deeply cards(), { 'Order #1' => 'lost 48.97' }, 'sold, and lost';
}, 'redis';

test 'a store that forgot' => sub {
    my $server = new_server(GHL_RATE => '1000/1s');
    $woo->put($woo->order(1, modified => $NOW - 20 * 86400, created => $NOW - 21 * 86400), $woo->order(2, modified => $NOW - 40 * 86400));
    is reconcile($server, '--since', '60d'), said(2, 2, 0, 0), 'given two orders';
    drain($server);
    my %card = map { $_->{name} => $_->{id} } $ghl->opportunities;
    is scalar keys %card, 2, 'with their cards';
    installed($server, 60);
    if ($redis) { $redis->cli('FLUSHALL') }
    else { unlink glob $server->dir . '/data/store.db*' }
    is deliver($server, '{"id":1}', 'order.deleted'), '{"status":"ignored","reason":"never_sold"}', 'one is deleted after it forgot';
    is wanted($server), 1, 'a reconcile is wanted';
    $woo->put($woo->order(1, status => 'trash', modified => $NOW - 10, created => $NOW - 21 * 86400), $woo->order(3, modified => $NOW - 25 * 86400));
    my $run = $server->command('reconcile', '--if-wanted');
    my $since = since_of($run);
    ok $since ge gmt($NOW - 30 * 86400 - 660) && $since le gmt(time + 2 - 30 * 86400), "it reads a month ($since)";
    like $run->{out}, qr/: 2 orders read that .* 2 new,/, '... in which another order was lost, and the deletion, with all of it';
    is wanted($server), 0, 'it is done';
    is $server->drain_as_of(400), 1, 'a drain, when GHL shows all that was made';
    is_deeply cards(), { 'Order #1' => 'abandoned 48.97', 'Order #2' => 'won 48.97', 'Order #3' => 'won 48.97' }, 'all is told' or diag $server->log;
    is_deeply { map { $_->{name} => $_->{id} } grep { $card{ $_->{name} } } $ghl->opportunities }, \%card, 'on the cards that were there';
    cmp_ok since_of($server->command('reconcile')), 'gt', gmt($NOW - 700), 'the next one does not read it all again';
};

test 'a dry run' => sub {
    my $server = new_server(GHL_DRY_RUN => 'yes');
    $woo->put($woo->order(1));
    is reconcile($server), said(1, 1, 0, 0), 'reads, too';
    like drain($server), qr/^drained: 1 synced/, 'and drains';
    is_deeply [$ghl->sent], [], 'without a call';
    $server->set(GHL_DRY_RUN => undef);
    is reconcile($server), said(1, 1, 0, 0), 'for the real one it is new';
}, 'sqlite';

test 'a dead letter whose content was deleted' => sub {
    my $server = new_server(DEAD_LETTER_TTL => '1m');
    my @says = ('name must be a string', 'name should not be empty', 'contactId must be a string', 'status must be a string');
    my @orders = map { $woo->order($_) } 1 .. 4;
    for my $order (@orders) {
        $ghl->fault({ match => { method => 'POST', path => '^/opportunities/$' },
            do => { status => 422, body => { statusCode => 422, message => [$says[$order->{id} - 1]] } } });
        is deliver($server, $order->{raw}), '{"status":"queued","reason":"dead_letter"}', 'given a dead letter';
    }
    $ghl->clear_faults;
    is $server->drain_as_of(120), 1, 'and a drain after DEAD_LETTER_TTL';
    like $server->command('failed', 'show', 'shop:1')->{out}, qr/^body      deleted after DEAD_LETTER_TTL; failed retry reads it from the shop \(WOO_URL\)$/m, 'its content is gone';
    $server->set(map { $_ => undef } qw(WOO_URL WOO_CONSUMER_KEY WOO_CONSUMER_SECRET));
    my $run = $server->command('failed', 'retry', 'shop:1');
    is $run->{code}, 65, 'retry without a shop';
    is $run->{err}, "woo_ghl failed: shop:1: its content is not kept any more; it is taken anew when the shop sends its next version. Set WOO_URL, WOO_CONSUMER_KEY and WOO_CONSUMER_SECRET to have it read from the shop now\n", '... says what is missing';
    $server->set($woo->wiring);
    $run = $server->command('failed', 'retry', 'shop:1');
    is $run->{code}, 65, 'an order that the shop has no more';
    is $run->{err}, "woo_ghl failed: shop:1: the shop has no such order any more: drop it\n", '... is named';
    $woo->put(@orders[0, 1], $woo->order(4, status => 'on-hold'));
    is $server->command('failed', 'retry', 'shop:1')->{out}, "shop:1 is due again\n", 'with it the order is read';
    $run = $server->command('failed', 'retry', '--all');
    like $run->{out}, qr/\A3 dead letters, to be due again:\n(?: {4}1: .*\n){3}2 are due again, 1 could not be\n\z/, 'all of them';
    is $run->{err}, "woo_ghl failed: shop:3: the shop has no such order any more: drop it\n", '... but one, and why';
    like drain($server), qr/^drained: 3 synced/, 'they are drained';
    is_deeply cards(), { map { ("Order #$_" => 'won 48.97') } 1, 2, 4 }, 'and in GHL, also one whose status now is not mapped';
    is $server->command('failed', 'list')->{out} =~ s/.*\n(?=\d+ dead letters)//sr, "1 dead letters\n", 'the other is a dead letter still';
    deliver($server, '{nonsense');
    is $server->drain_as_of(240), 1, 'given bytes that were no order';
    like $server->command('failed', 'retry', '--all')->{err}, qr/^woo_ghl failed: bad:[0-9a-f]+: its bytes were no order, so it cannot be read from the shop again: drop it$/m, 'those cannot be read again';
};

my $CASE = $ENV{CASE} // '';
my @jobs = map { my $one = $_; map { [$one, @$_] } grep { !$_->[2] || $_->[2] eq $one } @tests } qw(sqlite redis);
WooGHL::Lanes->run(3, [grep { $_->[1] =~ /(?:$CASE)/ } @jobs], sub {
    my ($next) = @_;
    ($ghl, $woo) = (FakeGHL::Client->start, FakeWoo::Client->start);
    my $own = WooGHL::Server->redis;
    while (my $job = $next->()) {
        ($store, my ($name, $code)) = @$job;
        ($redis, $NOW) = ($store eq 'redis' ? $own : undef, int time);
        subtest "$store: $name" => $code;
    }
    undef $_ for $redis, $ghl, $woo;
    return;
});
done_testing;
