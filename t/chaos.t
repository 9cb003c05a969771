#!/usr/bin/env perl
# Everything is killed, stopped and started at random while orders come in: no order that was answered with 2xx is
# lost, and none makes a second opportunity.
#
#   SEED=N             the same plan again (the moments are the machine's)
#   CHAOS_SECONDS=N    how long, for each case; `make chaos` takes longer
#   CHAOS_LOGS=DIR     keeps the logs there
#   CHAOS_STORE=NAME   one of sqlite, restored, redis, forgetful
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use File::Copy qw(copy);
use JSON::PP qw(decode_json);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Chaos;
use WooGHL::Server;

my $SECRET  = 'my_super_secret_woo_key';
my $SECONDS = $ENV{CHAOS_SECONDS} || 3;
my $SEED    = $ENV{SEED} || ($ENV{CHAOS_SECONDS} ? 1 + (time * 1000) % 1_000_000 : 1);    # `make check` has always the same plan
my $LONG    = $SECONDS > 30;
my $SENDERS = 6;
my $prefix  = "SEED=$SEED";
# Two machines on a Redis. The embedded store is put back from a backup now and then, the Redis comes back empty, each in a
# case of its own, which a short run does for one seed in three instead.
my %CASE = (sqlite => {}, restored => { restores => 1 }, redis => { redis => 1, machines => 2 }, forgetful => { redis => 1, machines => 2, forgets => 1 });
my @cases = $ENV{CHAOS_STORE} ? $ENV{CHAOS_STORE} : $LONG ? qw(sqlite restored redis forgetful)
    : $SEED % 3 ? qw(sqlite redis) : qw(restored forgetful);
diag $prefix if $LONG;
note $prefix;
$| = 1;

# -- senders: each in a process of its own; what they hear comes back as lines --

sub send_all {
    my ($world, $plan, $began) = @_;
    pipe my $in, my $out or die "pipe: $!";
    my @pids;
    for my $row (@{ $plan->{sendings} }) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            for my $sending (@$row) {
                my $early = $began + $sending->{at} - time;
                sleep $early if $early > 0;
                my ($body, $topic) = @{ $plan->{orders}{ $sending->{order} }{states}[$sending->{n}] }{qw(body topic)};
                my $sent = time;
                my $answer = eval {
                    $world->{server}[$sending->{machine}]->request(POST => '/woo-order', { 'Content-Type' => 'application/json',
                        'X-WC-Webhook-Topic' => $topic,
                        'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' }, $body, timeout => 20);
                } || { status => 0, body => 'none' };
                syswrite $out, join(' ', @$sending{qw(order n machine)}, $sent, time, $answer->{status}, '') . ($answer->{body} =~ s/\s+/ /gr) . "\n";
            }
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }
    close $out;
    return sub {
        my @answers = map { chomp; my %a; @a{qw(order n machine sent heard status body)} = split / /, $_, 7; \%a } <$in>;
        waitpid $_, 0 for @pids;
        return @answers;
    };
}

# -- who can be killed: workers, drain, redis, ghl --

my %DEED;
%DEED = (
    worker => {
        kill  => sub { my ($w, $i) = @_; my $p = $w->{worker}[$i]; $p->signal('KILL'); $p->wait },
        start => sub { my ($w, $i) = @_; $w->{worker}[$i] = $w->{server}[$i / $w->{workers}]->add_worker },
        stop  => sub { my ($w, $i) = @_; $w->{worker}[$i]->signal('STOP') },
        go_on => sub { my ($w, $i) = @_; $w->{worker}[$i]->signal('CONT') },
    },
    drain => {
        kill  => sub { my ($w, $i) = @_; $w->{drain}[$i]->signal('KILL'); $w->{drain}[$i]->wait },
        start => sub { my ($w, $i) = @_; $w->{drain}[$i] = $w->{server}[$i]->background('drain', '--watch') },
        stop  => sub { my ($w, $i) = @_; $w->{drain}[$i]->signal('STOP') },
        go_on => sub { my ($w, $i) = @_; $w->{drain}[$i]->signal('CONT') },
    },
    redis => {
        kill  => sub { my ($w) = @_; $w->{redis}->signal('KILL') },
        start => sub { my ($w) = @_; $w->{redis}->restart },
        wipe  => sub { my ($w) = @_; loses($w, sub { $w->{redis}->signal('KILL'); $w->{redis}->wipe }) },
        flush => sub { my ($w) = @_; loses($w, sub { $w->{redis}->cli('FLUSHALL') }) },
        stop  => sub { my ($w) = @_; $w->{redis}->signal('STOP') },
        go_on => sub { my ($w) = @_; $w->{redis}->signal('CONT') },
        # Slower than REDIS_TIMEOUT; no memory for writes; orders that are too large. Whoever is down hears nothing.
        slow  => sub { my ($w) = @_; $w->{redis}->cli('CLIENT', 'PAUSE', 800) },
        tight => sub { my ($w) = @_; $w->{redis}->cli('CONFIG', 'SET', 'maxmemory', '100kb') },
        small => sub { my ($w) = @_; $w->{redis}->cli('CONFIG', 'SET', 'proto-max-bulk-len', '1mb') },
        well  => sub { my ($w) = @_; $w->{redis}->cli('CONFIG', 'SET', 'maxmemory', '0', 'proto-max-bulk-len', '512mb') },
    },
    # Each machine comes to Redis by a name of its own.
    road => {
        cut  => sub { my ($w, $i) = @_; unlink road($w, $i); $w->{redis}->cli('CLIENT', 'KILL', 'TYPE', 'normal') },
        mend => sub { my ($w, $i) = @_; symlink $w->{redis}->socket, road($w, $i) },
    },
    settings => {
        spoil => sub { my ($w, $i) = @_; $w->{server}[$i]->set(GHL_RATE => 'often') },
        mend  => sub { my ($w, $i) = @_; $w->{server}[$i]->set(GHL_RATE => '1000/10s', GHL_SOURCE => 'Shop ' . int rand 3) },
    },
    # The shop goes on with the old one.
    secret => {
        rotate => sub { my ($w) = @_; $_->set(WOO_WEBHOOK_SECRET => "$SECRET of now", WOO_WEBHOOK_SECRET_PREVIOUS => $SECRET) for @{ $w->{server} } },
    },
    # Only what leaves the right end defined: an opportunity that is renamed is known to the program by id, since it changed
    # it, and a contact by its email: without one it is known by its name alone until its id is recorded.
    salesperson => {
        rename => sub { my ($w, undef, $deed) = @_;
            my %put = map { m{^/opportunities/([^/]+)$} ? ($1 => 1) : () } map { $_->{path} } $w->{ghl}->calls(method => 'PUT', status => 200);
            my ($it) = pick($deed, grep { $put{ $_->{id} } } $w->{ghl}->opportunities) or return;
            $w->{renamed}{ $it->{id} } //= $it->{name};
            $w->{ghl}->change(opportunities => $it->{id}, { name => "Renamed $it->{id}" }) unless $w->{forgetful} },
        edit => sub { my ($w, undef, $deed) = @_;
            my ($it) = pick($deed, grep { $_->{email} } $w->{ghl}->contacts) or return;
            $w->{ghl}->change(contacts => $it->{id}, { lastName => 'Lee-Smith', city => 'Springfield', tags => [@{ $it->{tags} }, 'vip'] }) },
        merge => sub { my ($w, undef, $deed) = @_;
            my ($it) = pick($deed, grep { $_->{email} } $w->{ghl}->contacts) or return;
            $w->{ghl}->merge($it->{id}) },
    },
    backup => {
        copy => sub { my ($w) = @_;
            $w->{backup} = { at => time, dir => File::Temp->newdir('woo-backup-XXXXXX', TMPDIR => 1) };
            my @run = grep { !is_stopped($_) } pids($w);
            kill STOP => @run;
            for my $pid (@run) { sleep 0.005 until is_stopped($pid) }
            system('cp', '-a', data($w) . '/.', $w->{backup}{dir}) and die "cp: $?";
            kill CONT => @run },
        put_back   => sub { my ($w) = @_; restore($w, '--remove-destination', 'store.db*') },
        write_over => sub { my ($w) = @_; restore($w, '--no-preserve=mode,timestamps', 'store.db*') },
        all_over   => sub { my ($w) = @_; restore($w, '--preserve=all', '.') },
    },
    # Also ends the breaker's wait, so that there is something to disturb.
    person => {
        drain_now  => sub { my ($w, $i) = @_; push @{ $w->{by_hand} }, $w->{server}[$i]->background('drain', '--now') },
        drain_jobs => sub { my ($w, $i) = @_; push @{ $w->{by_hand} }, $w->{server}[$i]->background('drain', '--now', '--jobs', 3) },
    },
    # Its memory is GHL's, which nobody loses: instead of a kill the port closes and all connections break.
    ghl => {
        down  => sub { my ($w) = @_; $w->{ghl}->down },
        up    => sub { my ($w) = @_; $w->{ghl}->up },
        stop  => sub { my ($w) = @_; kill STOP => $w->{ghl}->pid },
        go_on => sub { my ($w) = @_; kill CONT => $w->{ghl}->pid },
        fault => sub { my ($w, undef, $deed) = @_; $w->{ghl}->fault(@{ $deed->{faults} }) },
    },
);

# When the store last lost its memory, somewhere between the two, and when it did so first.
sub loses {
    my ($world, $do, $from) = @_;
    $from //= time;
    $from = $world->{lost}[0] if $world->{lost} && $world->{lost}[0] < $from && $world->{backup};
    $do->();
    $world->{lost} = [$from, time, $world->{lost} ? $world->{lost}[2] : $from];
    return;
}

sub road { my ($world, $i) = @_; return $world->{server}[$i]->dir . '/redis.sock' }
sub data { my ($world) = @_; return $world->{server}[0]->dir . '/data' }
sub pick { my ($deed, @of) = @_; return @of ? $of[$deed->{dice} * @of] : () }

# Of the first machine's program, with the children of its processes; a snapshot finds nobody in the middle of a checkpoint.
sub pids {
    my ($world) = @_;
    my $program = $world->{server}[0]->program;
    return grep { (readlink("/proc/$_/exe") // '') eq $program } map { m{/proc/(\d+)} } glob '/proc/[0-9]*';
}
# Or gone.
sub is_stopped { my ($pid) = @_; open my $stat, '<', "/proc/$pid/stat" or return 1; return (<$stat> // ') Z') =~ /\) [TtZX]/ }

# Nobody has the file open then. Those that are stopped are killed, too.
sub restore {
    my ($world, $how, $what) = @_;
    my $server = $world->{server}[0];
    loses($world, sub {
        for my $process (@{ $world->{worker} }, @{ $world->{drain} }, splice @{ $world->{by_hand} || [] }) {
            $process->signal('KILL');
            $process->wait;
        }
        for my $pid (pids($world)) {    # whom they started
            kill KILL => $pid;
            sleep 0.005 while -e "/proc/$pid/exe";
        }
        unlink grep { !-e "$world->{backup}{dir}/" . s{.*/}{}r } glob data($world) . '/store.db*';
        system('cp', '-a', $how, glob("$world->{backup}{dir}/$what"), data($world)) and die "cp: $?";
        $DEED{worker}{start}->($world, $_) for 0 .. $#{ $world->{worker} };
        $DEED{drain}{start}->($world, $_) for 0 .. $#{ $world->{drain} };
    }, $world->{backup}{at});
    return;
}

sub do_deeds {
    my ($world, $plan, $began) = @_;
    my %done;
    for my $deed (@{ $plan->{deeds} }) {
        my $early = $began + $deed->{at} - time;
        sleep $early if $early > 0;
        $DEED{ $deed->{who} }{ $deed->{what} }->($world, $deed->{which}, $deed);
        $done{"$deed->{who} $deed->{what}"}++;
    }
    note 'done: ', join ', ', map {"$_ $done{$_}"} sort keys %done;
    return;
}

sub status_of { my ($server) = @_; return decode_json($server->command('status', '--json')->{out}) }

# One that was started just now may not know yet how to stop.
sub until_it_can_stop {
    my ($process) = @_;
    my $caught = 0;
    until ($caught) {
        open my $status, '<', '/proc/' . $process->pid . '/status' or return;
        ($caught) = map { /^SigCgt:\s*(\S+)/ ? hex(substr $1, -8) >> 14 & 1 : () } <$status>;    # SIGTERM
        sleep 0.01 unless $caught;
    }
    return;
}

# Nothing is killed any more, and nobody works: what waits can be brought to its end.
sub calm {
    my ($world) = @_;
    my @servers = @{ $world->{server} };
    until_it_can_stop($_) for @{ $world->{drain} };
    is $_->stop, 0, 'a drain ends when it is told to' for @{ $world->{drain} };
    defined $_->wait or fail 'a drain by hand ends' for @{ $world->{by_hand} || [] };
    $_->restart_workers for @servers;
    WooGHL::Process::until_true(sub { !$world->{ghl}->pending });    # what GHL carries out late
    $world->{ghl}->land;                                             # and its search shows
    # Leases and windows, also those of a GHL in trouble, are over the first time; what is left waits once more, and what
    # then was met with is over the next time.
    for my $later (400, 2400, 6000, 21_000, 42_000) {
        is $_->later($later)->wait(120 + 3 * $SECONDS), 0, "a drain as of $later s later" for @servers;
        last if $later > 400 && !status_of($servers[0])->{waiting};
    }
    return;
}

# What is wrong with the order's opportunities, in words; '' = nothing.
sub wrong_with {
    my ($verdict, @held) = @_;
    my @may = @{ $verdict->{may} };
    return 'two opportunities' if @held > 1;
    if (!@held) {
        return 'no opportunity' if $verdict->{must};
        return $verdict->{answered} && !grep({ $_->[0] ne 'won' } @may) ? 'no opportunity' : '';
    }
    return 'an opportunity, though it was never sold' unless $verdict->{could};
    return '' if grep { $held[0]{status} eq $_->[0] && abs($held[0]{monetaryValue} - $_->[1]) < 0.001 } @may;
    return sprintf 'its opportunity is %s %s instead of %s', $held[0]{status}, $held[0]{monetaryValue}, join ' or ', map {"@$_"} @may;
}

sub judge {
    my ($world, $plan, @answers) = @_;
    my (%named, %people, @wrong);
    my $verdict = $plan->verdict($world->{lost}, @answers);
    push @{ $named{ $world->{renamed}{ $_->{id} } // $_->{name} } }, $_ for $world->{ghl}->opportunities;
    push @{ $people{ $_->{firstName} } }, $_ for $world->{ghl}->contacts;
    for my $id (sort { $a <=> $b } keys %$verdict) {
        my @held = @{ delete $named{"Order #$id"} || [] };
        my $wrong = wrong_with($verdict->{$id}, @held);
        my $customer = $plan->{orders}{$id}{customer};
        $wrong ||= "its opportunity is not at $customer"
            if grep { my $it = $_; !grep { $_->{id} eq $it->{contactId} } @{ $people{$customer} || [] } } @held;
        next unless $wrong;
        push @wrong, "Order #$id ($customer): $wrong";
        diag "$wrong[-1]; it was said: ", join '; ', map {"$plan->{orders}{$id}{states}[$_->{n}]{status} -> $_->{status} $_->{body}"}
            grep { $_->{order} == $id } @answers;
        diag $_ for sort grep {/order=shop:$id /} map { split /\n/, $_->log } @{ $world->{server} };
    }
    is scalar @wrong, 0, 'each order that was taken has its one opportunity, as of its newest state';
    is_deeply [keys %named], [], 'and there is no other opportunity';
    # Who has neither email nor phone is known by the store alone until the opportunity is made.
    my @twice = grep { @{ $people{$_} } > 1 && !($world->{forgetful} && /^Nobody/) } sort keys %people;
    is_deeply \@twice, [], 'no customer is two contacts';
    for my $who (@twice) {
        my $named = join '|', quotemeta $who, map { $_->{id} } @{ $people{$who} };
        diag "$_->{id}: $_->{firstName} $_->{lastName}, added $_->{dateAdded}" for @{ $people{$who} };
        diag join ' ', map { $_ // '-' } @$_{qw(time method path status fault effect raw)}, %{ $_->{query} }
            for grep { join(' ', @$_{qw(path raw)}, %{ $_->{query} }) =~ /$named/ } $world->{ghl}->calls;
    }
    return;
}

for my $case (@cases) {
    subtest $case => sub {
        my %case = (machines => 1, %{ $CASE{$case} });
        my $workers = $case{machines} > 1 ? 3 : 4;
        my $plan = WooGHL::Chaos->plan(seed => $SEED, seconds => $SECONDS, workers => $workers, senders => $SENDERS,
            count => $LONG ? 4 * $SECONDS : 50, %case);
        my %world = (workers => $workers, drain => [], forgetful => $case{forgets} || $case{restores},
            ghl => FakeGHL::Client->start(search_lag_ms => 300, latency_ms => 20, rate_window_ms => 10_000, rate_count => 1000));
        $world{redis} = WooGHL::Server->redis(appendonly => 'yes', appendfsync => 'always') if $case{redis};
        $world{server} = [map { WooGHL::Server->new(mode => 'nginx', workers => $workers, settings => {
            WOO_WEBHOOK_SECRET => $SECRET, REDIS_TIMEOUT => '500ms', GHL_API_BASE => $world{ghl}->url, GHL_API_KEY => $world{ghl}->token,
            GHL_LOCATION_ID => $world{ghl}->location_id, GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', GHL_RATE => '1000/10s', RATE_LIMIT_PER_DAY => 0,
            GHL_TIMEOUT => '3s', SYNC_BUDGET => $LONG ? '10s' : '7s',
        }) } 1 .. $case{machines}];
        for my $i (0 .. $case{machines} - 1) {
            if ($world{redis}) {
                $DEED{road}{mend}->(\%world, $i);
                $world{server}[$i]->set(REDIS_URL => 'unix://' . road(\%world, $i));
            }
            $world{server}[$i]->start;
        }
        $world{worker} = [map { @{ $_->{pool} } } @{ $world{server} }];
        $DEED{drain}{start}->(\%world, $_) for 0 .. $case{machines} - 1;

        my $began = time;
        my $answers = send_all(\%world, $plan, $began);
        do_deeds(\%world, $plan, $began);
        $world{ghl}->clear_faults;
        my @answers = $answers->();
        note sprintf 'all are answered after %.1f s', time - $began;
        my %how;
        $how{"$_->{status} " . ($_->{body} =~ s/"ghl_id":"[^"]+"/"ghl_id"/r)}++ for @answers;
        note "$how{$_} times $_" for sort keys %how;
        cmp_ok scalar(grep { $_->{status} =~ /^2/ } @answers), '>', @answers / 2, 'most are answered with 2xx';

        calm(\%world);
        note sprintf 'calm after %.1f s', time - $began;
        my $status = status_of($world{server}[0]);
        is_deeply [@$status{qw(waiting dead_letters)}], [0, 0], 'nothing waits and nothing is a dead letter' or diag explain $status;
        is_deeply [map { glob $_->dir . '/data/spool/*' } @{ $world{server} }], [], 'the spools are empty';
        is $world{ghl}->limits->{violations}, 0, "GHL's limits are kept" unless $case{forgets};    # their count is lost, too
        judge(\%world, $plan, @answers);
        if ($ENV{CHAOS_LOGS}) { copy($world{server}[$_]->dir . '/log', "$ENV{CHAOS_LOGS}/$case.$SEED.$_") for 0 .. $#{ $world{server} } }
        diag "repeat with $prefix" unless Test::More->builder->is_passing;
        $_->stop for @{ $world{server} };
        $world{ghl}->stop;
    };
}

done_testing;
