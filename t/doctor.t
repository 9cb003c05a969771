#!/usr/bin/env perl
# `woo_ghl check` finds what is broken, says what it means for orders, and what mends it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use FakeWoo::Client;
use JSON::PP qw(decode_json);
use Test::More;
use WooGHL::Server;

my $ghl = FakeGHL::Client->start;

sub new_server {
    my (%settings) = @_;
    my $redis = delete $settings{redis};
    return WooGHL::Server->for_ghl($ghl, mode => 'cgi', redis => $redis, settings => { DRAIN_AFTER => 'on', %settings });
}

# { "area.id" => [finding, ...], ok => ..., code => ... } of `check --json`.
sub examine {
    my ($server) = @_;
    my $run = $server->command('check', '--json');
    my $all = decode_json($run->{out});
    my %found = (ok => $all->{ok}, code => $run->{code});
    push @{ $found{"$_->{area}.$_->{id}"} }, $_ for @{ $all->{findings} };
    return \%found;
}

# The finding is there with this level; each that is not ok says what it means and what mends it.
sub found {
    my ($found, $name, $level, $what) = @_;
    my $finding = $found->{$name} && $found->{$name}[0];
    ok $finding, "$name is found" or return diag explain $found;
    is $finding->{level}, $level, "... with level $level";
    like $finding->{what}, $what, '... and says what';
    ok length $finding->{means} && length $finding->{mend}, '... what it means for orders, and what mends it' if $level ne 'ok';
    return;
}

subtest 'the contract' => sub {
    my $server = new_server();
    my $run = $server->command('check', '--json');
    my $all = decode_json($run->{out});
    is_deeply [sort keys %$all], [qw(failures findings ok warnings)], 'its members';
    is_deeply [sort keys %{ $all->{findings}[0] }], [qw(area id level means mend what)], 'those of a finding';
    is $run->{code}, 0, 'nothing failed';
    ok $all->{ok}, '... says the JSON, too';
    my %seen;
    is_deeply [grep { !$seen{$_}++ } map { $_->{area} } @{ $all->{findings} }],
        [qw(settings files store drain statuses GHL mapping duplicates shop alerts), 'public URL', qw(deliveries sandbox)], 'the areas, in their order';
    $server->set(GHL_API_KEY => 'pit-wrong');
    my $found = examine($server);
    is $found->{code}, 1, 'a failure';
    ok !$found->{ok}, '... is said by the JSON, too';
    found($found, 'GHL.token', 'FAIL', qr/401/);
    like $server->command('check')->{out}, qr/^FAIL GHL: .*^warn shop: .*^1 failure, \d+ warnings$/ms, 'the summary begins with failures';
};

subtest 'repeat buyers' => sub {
    $ghl->settings({ allow_duplicate_opportunity => \0 });
    my $found = examine(new_server());
    found($found, 'duplicates.one_per_contact', 'warn', qr/one opportunity per contact/);
    like $found->{'duplicates.one_per_contact'}[0]{mend}, qr/Settings > Objects > Opportunities > "Allow Multiple Opportunities per Contact"/,
        'the setting has the name that GHL shows';
    $ghl->reset;
};

subtest 'settings that are doubtful' => sub {
    my $server = new_server(WOO_WEBHOOK_SECRET => 'short', GHL_STATUS_MAP => 'procesing:won,ready-to-ship:won,completed:won');
    $server->set(GHL_TAG => 'x');
    my $found = examine($server);
    found($found, 'settings.short_secret', 'warn', qr/5 characters/);
    found($found, 'settings.mistyped_status', 'warn', qr/"procesing"; did you mean processing/);
    is scalar @{ $found->{'settings.mistyped_status'} }, 1, 'a status of a plugin is not';
    found($found, 'settings.doubtful', 'warn', qr/unknown setting GHL_TAG, did you mean GHL_TAGS/);
    is $found->{code}, 0, 'nothing failed';
};

subtest 'scopes' => sub {
    my @all = qw(contacts.write contacts.readonly opportunities.write opportunities.readonly locations.readonly locations/customFields.readonly);
    my $server = new_server(GHL_CONTACT_FIELDS => 'utm_source={total}');
    $ghl->settings({ scopes => \@all });
    my $found = examine($server);
    found($found, 'GHL.scopes', 'ok', qr/may read and write/);
    is $found->{code}, 0, 'all are there';
    is scalar(() = $ghl->contacts) + (() = $ghl->opportunities), 0, 'nothing was made';
    for my $scope (grep { /^contacts|opportunities.write/ } @all) {
        $ghl->settings({ scopes => [grep { $_ ne $scope } @all] });
        $found = examine($server);
        found($found, 'GHL.scope', 'FAIL', qr/lacks the scope \Q$scope\E: .*401/);
    }
    $ghl->settings({ scopes => [grep { $_ ne 'opportunities.readonly' } @all] });
    found(examine($server), 'GHL.token', 'FAIL', qr/lacks a scope \(401/);
    $ghl->settings({ scopes => [grep { $_ ne 'locations.readonly' } @all] });
    found(examine($server), 'duplicates.unknown', 'warn', qr/lacks a scope/);
    $ghl->settings({ scopes => [grep { !/customFields/ } @all] });
    found(examine($server), 'mapping.refused', 'FAIL', qr/custom fields: .*lacks a scope/);
    $ghl->reset;
};

subtest 'the token' => sub {
    WooGHL::Process::within_an_hour();    # the day must not change
    my $day = sub { my @t = gmtime(time - $_[0] * 86400); sprintf '%d-%02d-%02d', $t[5] + 1900, $t[4] + 1, $t[3] };
    my $server = new_server();
    found(examine($server), 'GHL.token_age', 'ok', qr/set GHL_API_KEY_SINCE/);
    $server->set(GHL_API_KEY_SINCE => $day->(79));
    found(examine($server), 'GHL.token_age', 'ok', qr/79 days old/);
    $server->set(GHL_API_KEY_SINCE => $day->(82));
    found(examine($server), 'GHL.token_age', 'warn', qr/82 days old/);
    $server->set(GHL_API_KEY_NEXT => 'pit-wrong');
    found(examine($server), 'GHL.token_next', 'warn', qr/GHL_API_KEY_NEXT does not work: GHL refuses .*Invalid JWT/);
    $server->set(GHL_API_KEY_NEXT => $ghl->token);
    found(examine($server), 'GHL.token_next', 'ok', qr/is ready/);
    $server->set(GHL_API_KEY => 'pit-expired', GHL_LOCATION_ID => $ghl->location_id);
    my $found = examine($server);
    found($found, 'GHL.token_next', 'warn', qr/GHL_API_KEY_NEXT is used/);
    is $found->{code}, 0, 'nothing waits for it';
    my $body = '{"id":7,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"ann@example.com"}}';
    like $server->deliver($body)->{body}, qr/synced/, 'an order goes to GHL with the next token';
    is scalar(() = $ghl->opportunities), 1, 'once';
    like $server->log, qr/level=warn event=token msg="GHL refuses GHL_API_KEY \(Invalid JWT\): GHL_API_KEY_NEXT is used from now on"/, 'the log says so';
    $ghl->reset;
};

subtest 'clocks and versions' => sub {
    my $server = new_server();
    $ghl->fault({ match => { path => 'pipelines' }, do => { headers => { Date => 'Sun, 01 Nov 2026 10:00:00 GMT', Sunset => 'Wed, 01 Sep 2027 00:00:00 GMT' } } });
    my $found = examine($server);
    found($found, 'GHL.clock', 'warn', qr/clock is \d+ s ahead of GHL's/);
    found($found, 'GHL.sunset', 'warn', qr/ends API version 2021-07-28: Wed, 01 Sep 2027/);
    ok !examine($server)->{'GHL.clock'}, 'a clock that is right is not mentioned';
};

subtest "the shop's clock" => sub {
    my $woo = FakeWoo::Client->start;
    my $server = new_server($woo->wiring);
    found(examine($server), 'shop.shop', 'ok', qr/shows its orders/);
    ok !examine($server)->{'shop.clock'}, 'a clock that is right is not mentioned';
    for my $case ([-360, 'ahead of'], [360, 'behind']) {
        my ($off, $words) = @$case;
        $woo->settings({ clock_ahead_s => $off });
        found(examine($server), 'shop.clock', 'warn', qr/^This machine's clock is 3[56]\d s $words the shop's$/);
    }
    $woo->stop;
};

subtest "a webhook's owner that may not read orders" => sub {
    my $server = new_server();
    my $error = sub { return qq({"code":"$_[0]","message":"Sorry","data":{"status":401}}) };
    my $deliver = sub { is $server->deliver($error->($_[0]))->{body}, '{"status":"ignored","reason":"rest_error"}', "given $_[0]" };
    $deliver->('woocommerce_rest_shop_order_invalid_id');
    found(examine($server), 'deliveries.last', 'ok', qr/no order has come yet/);
    $deliver->('rest_no_route');
    found(examine($server), 'deliveries.rest_error', 'warn', qr/an error in an order's place .* ago, and no order since$/);
    $deliver->('woocommerce_rest_cannot_view');
    my $found = examine($server);
    found($found, 'deliveries.webhook_owner', 'FAIL', qr/"cannot view" .* ago, and no order since: the webhook's owner lost the right to read orders, or was deleted$/);
    like $found->{'deliveries.webhook_owner'}[0]{mend}, qr/as an administrator and save it again.* woo_ghl connect.* woo_ghl reconcile/, 'what mends it';
    is $found->{code}, 1, 'no order arrives';
    select undef, undef, undef, 1.1;
    like $server->deliver('{"id":7,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"ann@example.com"}}')->{body}, qr/synced/, 'then an order, by another webhook';
    found(examine($server), 'deliveries.webhook_owner', 'warn', qr/ago: the webhook's owner lost the right/);
    $ghl->reset;
};

subtest 'files' => sub {
    my $server = new_server();
    is $server->command('drain')->{code}, 0, 'given a store';
    found(examine($server), 'files.files', 'ok', qr/can write \S+data$/);
    my ($data, $env) = map { $server->dir . "/$_" } qw(data env);
    chmod 0620, $env or die "chmod: $!";
    found(examine($server), 'files.settings_writable', 'warn', qr/\Q$env\E/);
    chmod 0600, $env;
    mkdir $server->dir . '/closed' or die "mkdir: $!";
    my @user = @{ $server->{user} };
    SKIP: {
        skip 'only root can give files away', 1 if !@user;
        $server->set(LOG => $server->dir . '/closed/log');
        found(examine($server), 'files.not_writable', 'FAIL', qr/^LOG: \S+ cannot write .*closed, which belongs to root/);
        $server->set(LOG => $server->dir . '/log');
        chown 0, 0, "$data/store.db" or die "chown: $!";
        my $found = examine($server);
        found($found, 'files.not_writable', 'FAIL', qr/^DATA_DIR: \S+ cannot write \Q$data\E\/store\.db, which belongs to root/);
        like $found->{'files.not_writable'}[0]{mend}, qr/^chown \S+ \Q$data\E\/store\.db$/, 'the command that mends it';
        chown @user, "$data/store.db";
    }
    SKIP: {
        skip 'no file system can be mounted here', 1 if !@user || system("mount -t tmpfs -o size=1m,mode=700,uid=$user[0],gid=$user[1] none $data 2>/dev/null") != 0;
        found(examine($server), 'files.space', 'FAIL', qr/\d+ MB are left/);
        system 'umount', $data;
    }
};

subtest 'the settings, as the web server reads them' => sub {
    my $server = new_server();
    plan skip_all => 'only root can become another user' if !@{ $server->{user} };
    is $server->command('drain')->{code}, 0, "given a DATA_DIR of that user's";
    chown 0, 0, $server->dir . '/env' or die "chown: $!";
    $server->{user} = [];
    my $found = examine($server);
    found($found, 'settings.refused', 'FAIL', qr/env cannot be read: Permission denied; allow \S+ to read it/);
};

subtest 'the drain' => sub {
    my $server = new_server();
    found(examine($server), 'drain.drain', 'warn', qr/No drain ever ran/);
    $server->set(DRAIN_AFTER => 'off');
    my $found = examine($server);
    found($found, 'drain.drain', 'FAIL', qr/No drain ever ran/);
    is $found->{code}, 1, 'nothing would drain';
    is $server->command('drain')->{code}, 0, 'given a drain';
    found(examine($server), 'drain.drain', 'ok', qr/a drain ran \d+ (?:min|s) ago/);
    my ($beat) = glob $server->dir . '/data/drain.*';
    utime time - 700, time - 700, $beat or die "utime: $!";
    found(examine($server), 'drain.drain', 'FAIL', qr/for 10 minutes/);
};

subtest 'what Redis may lose' => sub {
    for my $case (
        [{}, 'durability.durability', 'FAIL', qr/^none: /],
        [{ save => '3600 1' }, 'durability.durability', 'FAIL', qr/^weak: /],
        [{ appendonly => 'yes' }, 'durability.durability', 'warn', qr/everysec/],
        [{ appendonly => 'yes', appendfsync => 'always' }, 'store.store', 'ok', qr/^redis$/],
        [{ appendonly => 'yes', appendfsync => 'always', 'maxmemory-policy' => 'allkeys-lru' }, 'store.problem', 'FAIL', qr/maxmemory-policy is allkeys-lru/],
    ) {
        my ($options, $id, $level, $what) = @$case;
        my $redis = WooGHL::Server->redis(%$options);
        my $found = examine(new_server(redis => $redis));
        found($found, $id, $level, $what);
        is $found->{code}, $level eq 'FAIL' ? 1 : 0, '... and the exit code';
        $redis->stop;
    }
};

subtest 'another machine' => sub {
    my $redis = WooGHL::Server->redis(appendonly => 'yes', appendfsync => 'always');
    my $server = new_server(redis => $redis);
    is $server->command('drain')->{code}, 0, 'given a drain here';
    my ($key) = grep { m{drain/} } split /\n/, $redis->cli('KEYS', '*');
    (my $other = $key) =~ s{drain/.*}{drain/web2};
    $redis->cli('SET', $other, (split ' ', $redis->cli('GET', $key))[0] - 3600_000);
    found(examine($server), 'drain.machine', 'warn', qr/^web2: no drain ran for 6\d minutes$/);
    $redis->stop;
};

$ghl->stop;
done_testing;
