#!/usr/bin/env perl
# The program dies before and after every step there is: every call of the store, every call of GHL, every file of
# the spool (lib/base/crash.h). Whatever was accepted by then is one contact and one opportunity in GHL in the end.
#
# A first run of each scenario records the points it passes. Then, for each of them in a world of its own: the
# program dies there; the delivery comes again or not; drains follow when leases and attempts are over; a last version
# changes the same opportunity.
#
# At every point there is a death after which the delivery never comes again. Before each step that changes what is
# known of the order there is another, and the delivery comes again, by turns at once and when the lease is over.
# ALL=1: every way at every point. CASE=PATTERN: only the scenarios whose name matches.
#
# TORTURE=N (t/torture.t): nobody dies, but what the program asks the machine for fails, in the scenarios marked so.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use IO::Handle;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL;
use FakeGHL::Client;
use FakeWoo;
use FakeWoo::Client;
use Test::More;
use WooGHL::Driver;
use WooGHL::Lanes;
use WooGHL::Server;

my $test   = $$;
my $LANES  = 4;
my $CRASH  = 70;     # lib/base/crash.h
my $LATER  = 300;    # seconds: leases, an attempt's window, waits are over
my $DRAINS = 5;      # at most, until nothing waits
my $SECRET = 'my_super_secret_woo_key';
my $CHANGES = qr/^(?!store_(?:server|read|read_location|read_limiter|commit_limiter|blob|get|list|sizes|values|count|about|expire):).*:before/;
my %RESET  = (opportunity => { method => 'POST', path => '^/opportunities/$' }, contact => { method => 'POST', path => '^/contacts/$' });

$ENV{WOO_GHL_PROGRAM} = WooGHL::Driver->program('crash-points', CRASH => 1);

# -- the scenarios --
# before: what happens first, unharmed unless it names a point.  dies: what dies: a delivery's name, 'drain', or 'read'
# and that name, where a reconcile reads it from the shop.  nobody: no email, no phone.
# opportunity: how it is after that, if what dies was accepted.  settings: more of them.  away: the store cannot be reached
# by this delivery.  vanishes: 'STATE POINT', the store goes away while this delivery is there; the points before
# that are another scenario's.  until: a point; so are those after it.  reset: GHL carries out the first create of this
# kind and resets the connection.  must: steps
# without which the scenario does not test what it says.
my %WON  = (status => 'won', value => 10);
my %MORE = (status => 'won', value => 12.5);
my %LOST = (status => 'lost', value => 0);
my @SCENARIOS = (
    { name => 'a new order', torture => 1, dies => 'paid', opportunity => \%WON,
        must => [qw(store_commit_location store_commit store_lock store_unlock store_put_absent POST)] },
    { name => 'a new order without email and phone', dies => 'paid', nobody => 1, opportunity => \%WON,
        must => [qw(store_commit POST)] },
    { name => 'an opportunity whose create is reset after it happened', dies => 'paid', reset => 'opportunity', opportunity => \%WON,
        must => [qw(store_commit POST)] },
    { name => 'a contact whose create is reset after it happened', dies => 'paid', nobody => 1, reset => 'contact',
        opportunity => \%WON, must => [qw(store_commit POST)] },
    { name => 'a new version of an order that has an opportunity', torture => 1, before => ['paid'], dies => 'more', opportunity => \%MORE,
        must => [qw(store_commit store_put_absent store_lock PUT)] },
    { name => 'a drain', torture => 1, before => ['paid'], dies => 'drain', settings => { SYNC_BUDGET => 0 }, opportunity => \%WON,
        must => [qw(store_put store_list store_read store_blob store_commit store_sizes POST)] },
    { name => 'a drain that looks for an opportunity', before => ['paid'], dies => 'drain', reset => 'opportunity', opportunity => \%WON,
        must => [qw(store_list store_commit store_put_absent GET)] },
    { name => 'a drain that looks for a contact', before => ['paid'], dies => 'drain', nobody => 1,
        reset => 'contact', opportunity => \%WON, must => [qw(store_list store_commit POST)] },
    { name => 'a drain with a version that waited for the first', before => ['paid POST:after#3', 'refunded'],
        dies => 'drain', opportunity => \%LOST, must => [qw(store_list store_commit store_put_absent GET PUT)] },
    { name => 'the store is away', torture => 1, dies => 'paid', away => 'paid', opportunity => \%WON, must => ['spool_put'] },
    { name => 'a drain that moves the spool', torture => 1, before => ['paid'], dies => 'drain', away => 'paid', opportunity => \%WON,
        must => [qw(spool_remove store_commit)] },
    { name => 'the store goes away when the opportunity is made', dies => 'paid', vanishes => 'paid POST:after#3',
        opportunity => \%WON, must => [qw(store_commit spool_put)] },
    { name => 'the store goes away when the contact is made', dies => 'paid', vanishes => 'paid POST:after#1', nobody => 1,
        opportunity => \%WON, must => [qw(store_commit spool_put)] },
    { name => 'a drain that moves ids', torture => 1, before => ['paid'], dies => 'drain', vanishes => 'paid POST:after#3', opportunity => \%WON,
        until => 'spool_remove:after#1', must => [qw(store_commit spool_remove)] },
    { name => 'a drain that moves ids and a version that came after them', before => ['paid', 'refunded'], dies => 'drain',
        vanishes => 'paid POST:after#3', away => 'refunded', opportunity => \%LOST, until => 'spool_remove:after#2',
        must => [qw(store_commit spool_remove)] },
    { name => 'a reconcile', torture => 1, dies => 'read', opportunity => \%WON, must => [qw(WOO store_commit store_put)] },
);

# -- one world: a namespace of the store, GHL as at its start, and one order --

my $worlds = 0;

sub world {
    my ($lane, $store, $scenario) = @_;
    my ($ghl, $server) = @$lane{qw(ghl server)};
    my $n = ++$worlds;
    $ghl->reset;
    $ghl->fault({ match => $RESET{ $scenario->{reset} }, do => { reset => 'after' } }) if $scenario->{reset};
    my $env = { %{ $scenario->{settings} || {} }, DATA_DIR => $server->dir . "/data.$n",
        $store eq 'redis' ? (REDIS_URL => $lane->{redis}->url, REDIS_PREFIX => "w$n") : () };
    return { n => $n, lane => $lane, store => $store, scenario => $scenario, env => $env, at => 0 };
}

sub body {
    my ($world, $state) = @_;
    my %state = (
        paid     => '"status":"processing","total":"10.00","date_modified_gmt":"2026-03-01T10:00:00"',
        more     => '"status":"completed","total":"12.50","date_modified_gmt":"2026-03-01T11:00:00"',
        refunded => '"status":"refunded","total":"10.00","refunds":[{"id":1,"total":"-10.00"}],'
            . '"date_modified_gmt":"2026-03-01T12:00:00"',
        last => '"status":"cancelled","total":"7.00","date_modified_gmt":"2026-03-01T13:00:00"',
    );
    my $name = $state eq 'more' ? 'Leeson' : 'Lee';
    my $reach = $world->{scenario}{nobody} ? '' : ',"email":"ann@example.com","phone":"+12025550143"';
    return qq({"id":7,"number":"7",$state{$state},"billing":{"first_name":"Ann","last_name":"$name"$reach}});
}

# Runs the program in the world, as of its time. The exit status (128 + N for signal N) and what it wrote.
sub run {
    my ($world, $env, $in) = @_;
    my ($lane, $out) = ($world->{lane}, $world->{lane}{server}->dir . '/run.out');
    my $driver = $lane->{ $world->{slow} ? 'slow' : 'driver' } ||= driver($lane, $world->{slow});
    my %all = (%{ $world->{env} }, %$env);
    print { $driver->{to} } map({"$_\t"} $world->{at}, $in // '/dev/null', $out, map {"$_=$all{$_}"} sort keys %all), "\n";
    my $status = readline $driver->{from};
    die "the driver ended: " . $lane->{server}->errors unless defined $status;
    return ($status + 0, WooGHL::Server::_slurp($out));
}

# Redis: nobody listens there. SQLite: its file is not to be opened.
sub put_away {
    my ($world, $away) = @_;
    if ($world->{store} eq 'redis') {
        $world->{env}{REDIS_URL} = $away ? 'unix://' . $world->{lane}{server}->dir . '/nobody' : $world->{lane}{redis}->url;
        return;
    }
    my ($file, $aside) = map {"$world->{env}{DATA_DIR}/$_"} qw(store.db store.db.aside);
    if ($away) {
        rename $file, $aside and mkdir $file or die "$file: $!";
    } else {
        rmdir $file and rename $aside, $file or die "$file: $!";
    }
    return;
}

# A shell command that makes the store go away while it is in use, as put_away does before; come_back undoes it.
sub vanish {
    my ($world) = @_;
    return "cd $world->{env}{DATA_DIR} && mv store.db store.db.aside && mkdir store.db" if $world->{store} ne 'redis';
    my $socket = $world->{lane}{redis}->socket;
    return "mv $socket $socket.aside && redis-cli -s $socket.aside CLIENT KILL TYPE normal >/dev/null";
}

sub come_back {
    my ($world) = @_;
    return put_away($world, 0) if $world->{store} ne 'redis';
    my $socket = $world->{lane}{redis}->socket;
    rename "$socket.aside", $socket or die "$socket: $!";
    return;
}

# A reconcile reads it from the shop, as if it were answered 202.
sub reconcile {
    my ($world, $state, %env) = @_;
    $world->{lane}{woo}->put({ id => 7, status => 'processing', modified => 1_772_359_200, raw => body($world, $state) });
    my ($code, $out) = run($world, { RECONCILE => 1, %env });
    return ($code, 202, $out);
}

sub deliver {
    my ($world, $state, %env) = @_;
    return reconcile($world, $1 || 'paid', %env) if $state =~ /^read ?(.*)/;
    my $scenario = $world->{scenario};
    my ($which, $where) = split / /, $scenario->{vanishes} || '';
    my $vanishes = $which && $which eq $state && !$world->{vanished}++;
    $env{WOO_GHL_CRASH_DO} = "$where " . vanish($world) if $vanishes;
    my $body = body($world, $state);
    my $in = $world->{lane}{server}->_write('body', $body);
    my $away = ($scenario->{away} || '') eq $state && !$world->{back};
    put_away($world, 1) if $away;
    my ($code, $answer) = run($world, {
        GATEWAY_INTERFACE => 'CGI/1.1', REQUEST_METHOD => 'POST', SCRIPT_NAME => '/woo-order', REQUEST_URI => '/woo-order',
        REMOTE_ADDR => '127.0.0.1', CONTENT_TYPE => 'application/json', CONTENT_LENGTH => length $body,
        HTTP_X_WC_WEBHOOK_TOPIC => 'order.updated', HTTP_X_WC_WEBHOOK_SIGNATURE => hmac_sha256_base64($body, $SECRET) . '=',
        %env }, $in);
    put_away($world, 0) if $away;
    come_back($world) if $vanishes;
    my ($status) = $answer =~ /^Status: (\d+)/;
    return ($code, $status || 0, $answer);
}

sub drain {
    my ($world, %env) = @_;
    my ($code, $out) = run($world, \%env);
    return ($code, $out =~ /left (\d+)/ ? $1 : -1);
}

sub wait_for {
    my ($world, $seconds) = @_;
    $world->{at} += $seconds;
    # A file that was not moved waits by the wall's clock, which nothing sets here.
    for my $file (glob "$world->{env}{DATA_DIR}/spool/*u[1-9]*.*") {
        rename $file, $file =~ s/u[1-9]\d{9}(?=\.)/u0000000000/r or die "$file: $!";
    }
    $world->{lane}{redis}->age($seconds, "{w$world->{n}:*") if $world->{store} eq 'redis';
    return;
}

# What comes before, then what dies, or is recorded: how it ended and, of a delivery, its status and answer.
sub begin {
    my ($world, %env) = @_;
    my $scenario = $world->{scenario};
    drain($world) if $scenario->{away};    # the store was there before
    for my $before (@{ $scenario->{before} || [] }) {
        my ($state, $point) = split / /, $before;
        my ($code, $status, $answer) = deliver($world, $state, $point ? (WOO_GHL_CRASH_AT => $point) : ());
        die "$before, which comes before, ended with $code and was answered: $answer"
            unless $point ? $code == $CRASH : $code == 0 && $status =~ /^20[02]$/;
    }
    return deliver($world, $scenario->{dies}, %env) if $scenario->{dies} ne 'drain';
    $world->{back} = 1;
    wait_for($world, $LATER);
    return ((drain($world, %env))[0], 202, '');
}

# -- what must be true in the end --

sub drain_all {
    my ($world) = @_;
    $world->{back} = 1;
    for (1 .. $DRAINS) {
        wait_for($world, $LATER);
        my ($code, $left) = drain($world);
        return "a drain ended with $code" if $code;
        return if $left == 0;
    }
    return "something waits after $DRAINS drains";
}

sub look {
    my ($world, $kept, $want) = @_;
    my $state = $world->{lane}{ghl}->state;
    my @contacts = @{ $state->{contacts} };
    my @opportunities = @{ $state->{opportunities} };
    return (@contacts || @opportunities ? 'what was not accepted is in GHL' : undef) if !$kept;
    return @contacts . ' contacts' if @contacts != 1;
    return @opportunities . ' opportunities' if @opportunities != 1;
    my ($contact, $opportunity) = ($contacts[0], $opportunities[0]);
    my $email = $world->{scenario}{nobody} ? '' : 'ann@example.com';
    return 'another email' if ($contact->{email} // '') ne $email;
    return 'an opportunity of another contact' if $opportunity->{contactId} ne $contact->{id};
    return "an opportunity named $opportunity->{name}" if $opportunity->{name} ne 'Order #7';
    return 'another opportunity than before' if $world->{opportunity} && $world->{opportunity} ne $opportunity->{id};
    $world->{opportunity} = $opportunity->{id};
    return "$opportunity->{status} $opportunity->{monetaryValue}, not $want->{status} $want->{value}"
        if $opportunity->{status} ne $want->{status} || $opportunity->{monetaryValue} != $want->{value};
    return;
}

# One death and what follows; what is wrong, or undef.
sub live {
    my ($world, $point, $kept, $again) = @_;
    my $scenario = $world->{scenario};
    my ($code) = begin($world, WOO_GHL_CRASH_AT => $point);
    # A drain that takes longer looks at the spool again, and asks which server it is: how often depends on the machine.
    return "it ended with $code, not at the point" if $code != $CRASH && ($code || $point !~ /^store_server:/);
    my ($state) = $scenario->{dies} eq 'drain' ? $scenario->{before}[0] =~ /^(\w+)/ : $scenario->{dies};
    if ($again ne 'never') {
        $world->{back} = 1 if $again eq 'later';
        wait_for($world, $LATER) if $again eq 'later';
        my ($end, $status, $answer) = deliver($world, $state);
        return "sent again, it was answered: $answer" if $end || $status !~ /^20[02]$/;
        $kept = 1;
    }
    return end($world, $kept);
}

# What must be true from then on; what is wrong, or undef.
sub end {
    my ($world, $kept) = @_;
    my $scenario = $world->{scenario};
    # A version that was not accepted leaves the opportunity as it was.
    my $wrong = drain_all($world) // look($world, $kept || $scenario->{before}, $kept ? $scenario->{opportunity} : \%WON);
    return $wrong if $wrong;
    wait_for($world, $LATER);
    my ($end, $status, $answer) = deliver($world, 'last');
    return "the last version was answered: $answer" if $end || $status !~ /^20[02]$/;
    $wrong = ($status == 202 ? drain_all($world) : undef)
        // look($world, $kept || $scenario->{before}, { status => 'abandoned', value => 7 });
    return $wrong && "after the last version: $wrong";
}

# -- one scenario on one store --

# The points that it passes, in order, as [NAME#N, is the delivery kept from there on?].
sub record {
    my ($lane, $store, $scenario) = @_;
    my $trace = $lane->{server}->dir . '/trace';
    unlink $trace;
    begin(world($lane, $store, $scenario), WOO_GHL_CRASH_TRACE => $trace);
    my $kept = $scenario->{dies} eq 'drain';
    # The first commit of an order that the store knows is refused: it tells what the store has.
    my $claims = $scenario->{before} ? 2 : 1;
    my ($vanishes) = ($scenario->{vanishes} || '') =~ /^$scenario->{dies} (.*)/;
    my (%hits, @points);
    for my $name (split /\n/, WooGHL::Server::_slurp($trace)) {
        $kept ||= $name =~ /^(?:store_commit|spool_put):after$/ && ($name =~ /^spool/ || --$claims == 0);
        push @points, [$name . '#' . ++$hits{$name}, $kept];
        @points = () if $vanishes && $points[-1][0] eq $vanishes;
        last if $points[-1] && $points[-1][0] eq ($scenario->{until} // '');
    }
    # The last count of the queue ends the work. The journal follows, on which no order depends: one scenario dies there.
    if ($scenario->{dies} eq 'drain' && !$scenario->{until} && $scenario->{name} ne 'a drain' && !$ENV{ALL}) {
        pop @points while @points && $points[-1][0] !~ /^store_sizes:after#/;
    }
    my @missing = grep { !$hits{"$_:before"} || !$hits{"$_:after"} } @{ $scenario->{must} };
    return (\@points, \@missing);
}

# -- torture --

if ($ENV{TORTURE}) {
    srand($ENV{SEED} || 1);
}

my @KINDS = qw(call lost memory);    # t/torture/faults.h
my $LEAK  = 98;

# One fault; what is wrong, or undef. A fault is no signal and no leak, and what was answered with 2xx is kept.
sub torture_once {
    my ($world, $fault) = @_;
    my $reads = $world->{scenario}{dies} =~ /^(?:drain|read)/;
    my ($code, $status, $answer) = begin($world, WOO_GHL_FAIL_AT => $fault);
    return slowly(@_) if $code == $LEAK && !$world->{slow};
    return "it ended with $code: $answer" if $code > 1;
    return "it was answered: $answer" if $answer && !$reads && $status !~ /^(?:200|202|5\d\d)$/ && $answer !~ /"Incomplete Body"/;
    my $kept = $world->{scenario}{dies} eq 'drain' || (!$reads && $code == 0 && $status =~ /^20/);
    if (!$kept) {
        wait_for($world, $LATER);
        $world->{back} = 1;
        ($code, $status, $answer) = deliver($world, $world->{scenario}{dies});
        return "sent again, it was answered: $answer" if $code || $status !~ /^20[02]$/;
    }
    return end($world, 1);
}

# A leak is a library's own, or not: only a driver that looks at each allocation's whole stack tells (t/torture/leaks.supp).
sub slowly {
    my ($world, $fault) = @_;
    truncate $world->{lane}{server}->dir . '/stderr', 0 or die "stderr: $!";
    my $again = world(@$world{qw(lane store scenario)});
    $again->{slow} = 1;
    return torture_once($again, $fault);
}

# So many faults of each kind, spread over all that there are; 0 = all.
sub torture {
    my ($lane, $store, $scenario) = @_;
    my $counts = $lane->{server}->dir . '/counts';
    begin(world($lane, $store, $scenario), WOO_GHL_FAIL_COUNT => $counts);
    my %count = WooGHL::Server::_slurp($counts) =~ /^(\w+) (\d+)$/mg;
    my ($points, @wrong) = (0);
    my $try = sub {
        my ($fault) = @_;
        exit 1 if getppid != $test;
        my $world = world($lane, $store, $scenario);
        my $wrong = eval { torture_once($world, $fault) } // $@;
        push @wrong, "$fault: $wrong" if $wrong;
        $points++;
    };
    if ($ENV{TORTURE} =~ /#/) { $try->($ENV{TORTURE}) }
    else { for my $kind (@KINDS) {
        push @wrong, "there is no $kind" if !$count{$kind};
        my $step = $ENV{TORTURE} eq 'all' ? 1 : $count{$kind} / $ENV{TORTURE};
        for (my $at = $step < 1 ? 1 : 1 + rand $step; $at <= $count{$kind}; $at += $step < 1 ? 1 : $step) {
            $try->("$kind#" . int($at) . $_) for $ENV{TORTURE} eq 'all' ? ('', '+') : $points % 2 ? '+' : '';
        }
    } }
    my $of = join ', ', map {"$count{$_} $_"} @KINDS;
    return { points => "$points faults of $of", wrong => \@wrong };
}

sub examine {
    my ($lane, $store, $scenario) = @_;
    return torture(@_) if $ENV{TORTURE};
    my ($points, $missing) = record($lane, $store, $scenario);
    my @wrong = map {"it never comes to $_"} @$missing;
    my @turn = qw(at_once later);
    for my $point (@$points) {
        my @ways = $ENV{ALL} ? qw(never at_once later) : $point->[0] =~ $CHANGES ? ('never', $turn[0]) : 'never';
        @turn = reverse @turn if @ways == 2;
        for my $again (@ways) {
            exit 1 if getppid != $test;    # nobody waits for it any more
            my $world = world($lane, $store, $scenario);
            my $wrong = eval { live($world, @$point, $again) } // $@;
            push @wrong, "death at $point->[0], sent again $again: $wrong" if $wrong;
        }
    }
    return { points => @$points . " points", wrong => \@wrong };
}

# -- lanes: each has a GHL, a server and a Redis of its own, and takes the next job --

my @jobs = map { my $store = $_; map { [$store, $_] } grep { (!defined $ENV{CASE} || $_->{name} =~ /$ENV{CASE}/) && (!$ENV{TORTURE} || $_->{torture}) } @SCENARIOS } qw(sqlite redis);
@jobs or BAIL_OUT("no scenario matches CASE=$ENV{CASE}");

sub driver {
    my ($lane, $slow) = @_;
    my %driver;
    local $ENV{ASAN_OPTIONS} = 'fast_unwind_on_malloc=0' if $slow;
    pipe my $in, $driver{to} or die "pipe: $!";
    pipe $driver{from}, my $out or die "pipe: $!";
    $driver{to}->autoflush;
    $driver{process} = $lane->{server}->_spawn([$lane->{server}->program], in => $in, out => $out);
    close $_ for $in, $out;
    return \%driver;
}

WooGHL::Lanes->run($LANES, \@jobs, sub {
    my ($next) = @_;
    my ($ghl, $woo) = (FakeGHL::Client->start, FakeWoo::Client->start);
    my $lane = { ghl => $ghl, woo => $woo, redis => WooGHL::Server->redis, server => WooGHL::Server->new(settings => {
        WOO_WEBHOOK_SECRET => $SECRET, GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token,
        GHL_LOCATION_ID => $ghl->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', GHL_TAGS => 'shop', $woo->wiring }) };
    while (my $job = $next->()) {
        my ($store, $scenario) = @$job;
        my $result = examine($lane, $store, $scenario);
        is_deeply $result->{wrong}, [], "$store: $scenario->{name}: $result->{points}";
    }
    for my $driver (grep {$_} @$lane{qw(driver slow)}) {
        close $driver->{to};
        $driver->{process}->wait // die 'the driver did not end';
    }
    return;
});
done_testing;
