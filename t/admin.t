#!/usr/bin/env perl
# The owner's page, as a browser without scripts uses it: who gets in, what it shows, what its buttons do.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use WooGHL::Shop;

my $PASSWORD = $WooGHL::Shop::PASSWORD;
my $PAGE = '/woo-order/admin';
my ($server, $cookie, @from);

sub get { my ($query, %header) = @_; return $server->request(GET => $PAGE . ($query // ''), { $cookie ? (Cookie => $cookie) : (), %header }, undef, @from) }

sub encode { my ($text) = @_; return $text =~ s/([^A-Za-z0-9_.-])/sprintf '%%%02X', ord $1/ger }

sub post {
    my ($field, %header) = @_;
    return $server->request(POST => $PAGE, { 'Content-Type' => 'application/x-www-form-urlencoded', $cookie ? (Cookie => $cookie) : (), %header },
        join('&', map { "$_=" . encode($field->{$_}) } sort keys %$field), @from);
}

sub log_in {
    my ($password, %header) = @_;
    my $got = post({ do => 'login', password => $password }, %header);
    ($cookie) = ($got->{headers}{'set-cookie'} // '') =~ /^([^;]+)/ if $got->{status} == 303;
    return $got;
}

sub csrf { my ($page) = @_; return $page->{body} =~ /name="?csrf"? value="([0-9a-f]{64})"/ ? $1 : 'none' }

# What every page of it is.
sub is_page {
    my ($got, $status, $what) = @_;
    my %header = %{ $got->{headers} };
    is $got->{status}, $status, $what;
    is $header{'content-type'}, 'text/html; charset=utf-8', 'it is HTML';
    like $header{'content-security-policy'} // '', qr/^default-src 'none'; style-src 'nonce-[0-9a-f]{32}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
        'nothing but its own style is let in';
    is join(' ', map { $header{$_} // 'none' } qw(x-content-type-options x-frame-options referrer-policy cache-control)), 'nosniff DENY no-referrer no-store',
        'and nothing leaks';
    my ($nonce) = ($header{'content-security-policy'} // '') =~ /nonce-(\w+)/;
    like $got->{body}, qr/<style nonce="\Q$nonce\E">/, 'the style has the nonce';
    unlike $got->{body}, qr/<script|\bon\w+=|\bsrc=|<link|url\(|\bstyle=|\@import|javascript:/i, 'no script, no other resource';
    unlike $got->{body}, qr/\@example\.com|\bAnn\b|\bLee\b/, "nobody's name or email";
    unlike $got->{body}, qr/<b>/, 'no value became markup';
    return;
}

# -- off --

$server = WooGHL::Server->new->start;
is get()->{status}, 404, 'without ADMIN_PASSWORD there is no page';
is log_in('')->{status}, 404, 'and none to log in to';
$server->set(ADMIN_PASSWORD => 'elevenchars');
is get()->{status}, 404, 'nor with one that is too short';
is $server->deliver('{"id":1,"status":"processing","total":"1.00"}')->{status}, 200, 'orders are taken';
like $server->log, qr/ADMIN_PASSWORD has 11 characters and is not used: give it 12 or more/, 'the log says so';
$server->stop;

# -- on --

my $redis = WooGHL::Server->redis;
for my $mode (qw(cgi nginx)) {
    note $mode;
    my $shop = WooGHL::Shop->new(mode => $mode, $mode eq 'nginx' ? (redis => $redis, workers => 2) : ());
    $server = $shop->server;
    undef $cookie;
    is_page(get(), 200, 'who is not logged in sees a form');
    unlike get()->{body}, qr/shop:1004|Waiting|csrf/, 'and nothing else';
    is $server->request(PUT => $PAGE, {}, '')->{status}, 405, 'PUT is not allowed';
    is $server->request(PUT => $PAGE, {}, '')->{headers}{allow}, 'GET, POST', 'these are';

    WooGHL::Process::within_an_hour();
    my $wrong = log_in("${PASSWORD}x");
    is_page($wrong, 403, 'a wrong password');
    is $wrong->{headers}{'set-cookie'}, undef, 'brings no cookie';
    is log_in('')->{status}, 403, 'an empty one neither';
    is scalar(() = $server->log =~ /event=admin .*wrong passwords/g), 1, 'the log has the first of an hour, not each' or diag $server->log;
    my $right = log_in($PASSWORD);
    is "$right->{status} $right->{headers}{location}", '303 admin', 'the right one leads to the page';
    like $right->{headers}{'set-cookie'}, qr/^woo_ghl_admin=[0-9a-f]{32}; HttpOnly; SameSite=Strict; Max-Age=43200$/, 'with a session';
    like log_in($PASSWORD, 'X-Forwarded-Proto' => 'https')->{headers}{'set-cookie'}, qr/; Secure$/, 'over https it stays there';

    # -- what it shows --
    my $page;
    # A worker writes down what it only counts once a second.
    WooGHL::Process::until_true(sub { $page = get(); $page->{body} =~ m{The same again</th><td class="?n"?>2</td>} });
    is_page($page, 200, 'the page');
    like $page->{body}, qr{<p class="state wide attention" role="?status"?>GoHighLevel takes no calls for now}, 'one sentence';
    like $page->{body}, qr{<h2>Waiting: 1</h2>.*<a href="admin\?order=shop:1005">.*429.*next try in}s, 'what waits and why';
    like $page->{body}, qr{<h2>Wait for you: 1</h2>.*<a href="admin\?order=shop:1004">.*422.*value="?retry"?>Retry<.*value="?drop"?>Yes, drop it<}s,
        'what is refused, with its buttons';
    like $page->{body}, qr{Brought to GoHighLevel</th><td class="?n"?>2</td><td class="?n"?>2</td>}, 'two orders are there';
    like $page->{body}, qr{The same again</th><td class="?n"?>2</td>}, 'two deliveries said nothing new';
    like $page->{body}, qr{Ab&amp;7</a> Received \(processing\): in GoHighLevel}, 'events, with numbers';
    like $page->{body}, qr{Received \(bodd/b\): needs nothing there}, 'whatever they hold';
    like $page->{body}, qr{changed: contact, opportunity}, 'what GoHighLevel was told';
    like $page->{body}, qr{needs nothing there: it was never sold}, 'why not';
    like $page->{body}, qr{no calls for \d+ (?:min|s)\b}, "GHL's limits";
    like $page->{body}, qr{a drain ran \d+ (?:min|s) ago}, 'the drain';
    like $page->{body}, qr{<dt>Version</dt><dd>\d}, 'the version';

    # -- an order --
    for my $asked (qw(1004 shop:1004 %231004)) {
        my $order = get("?order=$asked");
        is_page($order, 200, "the order $asked");
        like $order->{body}, qr{Order shop:1004.*refused.*Refused, waits for you}s, 'its state and history';
        like $order->{body}, qr{Received \(processing\): refused, waits for you}, 'what came';
    }
    my $done = get('?order=' . encode('Ab&7'));
    is_page($done, 200, 'an order by its number');
    like $done->{body}, qr{Order shop:1002.*in GoHighLevel.*<a href="https://app\.gohighlevel\.com/v2/location/fakeLocation00000000/opportunities/\w+\?tab=Opportunity\+details"}s,
        'with a link to its opportunity';
    is_page(get('?order=99'), 404, 'an order that is none');
    my $markup = get('?order=' . encode('<b>"\'&'));
    is_page($markup, 404, 'nor is markup');
    like $markup->{body}, qr/no order &lt;b&gt;&quot;&#39;&amp;\./, 'which stays text';
    is get('?order=%00')->{status}, 200, 'nonsense is the page itself';

    # -- buttons --
    my $csrf = csrf(get());
    for my $bad (undef, '', 'x', '0' x 64, substr($csrf, 1)) {
        is post({ do => 'drop', key => 'shop:1004', defined $bad ? (csrf => $bad) : () })->{status}, 403, 'a form of another site';
    }
    my $mine = $cookie;
    for my $other (undef, 'woo_ghl_admin=' . '0' x 32, "x$mine", substr($mine, 0, -1)) {
        $cookie = $other;
        is post({ do => 'drop', key => 'shop:1004', csrf => $csrf })->{status}, 403, 'a form without the session';
    }
    $cookie = $mine;
    like $server->command('failed', 'list')->{out}, qr/shop:1004/, 'changes nothing';
    is_page(post({ do => 'explode', csrf => $csrf }), 400, 'an unknown form');
    is_page(post({ do => 'retry', csrf => $csrf, x => 'y' x 5000 }), 400, 'a form that is too long');
    my $none = post({ do => 'retry', key => 'shop:1001', csrf => $csrf });
    is_page($none, 409, 'a retry of what is not refused');
    like $none->{body}, qr/That could not be done: it is no dead letter/, 'says why not';
    $shop->ghl->clear_faults;
    my $retried = post({ do => 'retry', key => 'shop:1004', csrf => $csrf });
    is "$retried->{status} $retried->{headers}{location}", '303 admin?done=retry', 'Retry';
    is $server->command('drain', '--now')->{code}, 0, 'the drain goes on';
    my ($deal) = grep { $_->{name} =~ /1004/ } @{ $shop->ghl->state->{opportunities} };
    ok $deal, 'and the order is in GHL';
    like get('?order=1004')->{body}, qr/in GoHighLevel.*You sent it again/s, 'the page says so';
    like get('?done=retry')->{body}, qr/The order is due again/, 'a word about it';
    $server->deliver('not JSON');
    my ($key) = get()->{body} =~ /order=(bad:\w+)"/;
    my $dropped = post({ do => 'drop', key => $key, csrf => $csrf });
    is "$dropped->{status} $dropped->{headers}{location}", '303 admin?done=drop', 'Drop';
    like $server->command('failed', 'list')->{out}, qr/^0 dead letters/m, 'and it is gone';
    like get()->{body}, qr/role="?status"?>All is well: nothing waits\./, 'now all is well';

    # -- the end of a session --
    my $kept = $cookie;
    my $out = post({ do => 'logout', csrf => $csrf });
    like "$out->{status} $out->{headers}{'set-cookie'}", qr/^303 woo_ghl_admin=; .*Max-Age=0/, 'Log out';
    like get()->{body}, qr/Password/, 'the session is over';
    $cookie = $kept;
    like get()->{body}, qr/Password/, 'also for who has kept the cookie';
    log_in($PASSWORD);
    like get()->{body}, qr/Last events/, 'a new session';
    if ($mode eq 'cgi') {
        # -- from elsewhere --
        @from = (remote_addr => '192.0.2.7');
        is_page(get(), 403, 'in the clear from elsewhere there is no page');
        is log_in($PASSWORD)->{status}, 403, 'and no login';
        like get(undef, 'X-Forwarded-Proto' => 'https')->{body}, qr/Last events/, 'over https there is';
        is log_in("wrong $_", 'X-Forwarded-Proto' => 'https')->{status}, 403, "try $_" for 1 .. 20;
        is_page(log_in($PASSWORD, 'X-Forwarded-Proto' => 'https'), 429, 'then the right one is too late');
        @from = (remote_addr => '192.0.2.8');
        is log_in($PASSWORD, 'X-Forwarded-Proto' => 'https')->{status}, 303, 'another address may';
        @from = ();
        unlike $server->log, qr/\Q$PASSWORD\E/, 'the log has no password';

        # -- another password --
        $server->set(ADMIN_PASSWORD => 'another password');
        like get()->{body}, qr/Password/, 'a new password ends every session';
        is log_in('another password')->{status}, 303, 'and opens new ones';
        $server->set(REDIS_URL => 'redis://127.0.0.1:1/0');
        is_page(get(), 503, 'a store that is away is told');
    }
    $server->stop;
}

done_testing;
