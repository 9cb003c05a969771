#!/usr/bin/env perl
# `make systemd-test`, for root: the package of `make deb` under a systemd that lives. Debian 12 and 13 boot in systemd-nspawn, in a
# network of their own that has only a loopback; what the units start there takes orders through Debian's nginx to a fake GHL. In
# each: installing, readiness, reload, restart and kill -9 under deliveries, logrotate, timer, cron, alerts by a local mailer, the
# units' exposure, removing, purging. The roots are kept in build/portable/roots. Names as arguments choose some of them.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FakeGHL::Client;
use FakeWoo::Client;
use File::Temp ();
use FindBin;
use HTTP::Tiny;
use IO::Socket::INET;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Process;

my $build = "$FindBin::Bin/../build";
my $roots = "$build/portable/roots";
my ($package) = glob "$build/deb/*.deb";
my $SECRET = 'a_secret_of_the_shop';
my $URL = 'http://127.0.0.1:8080/woo-order';
my %MAILER = (bookworm => 'postfix', trixie => 'exim4-daemon-light');
my @NAMES = @ARGV ? @ARGV : sort keys %MAILER;
my @UNITS = qw(woo_ghl.socket woo_ghl.service woo_ghl-drain.service);
plan skip_all => 'only root may boot a container' if $>;
plan skip_all => 'make deb was not run' unless $package;
system("$FindBin::Bin/../deploy/deps.sh", qw(systemd-container debootstrap)) == 0 or plan skip_all => 'there is no systemd-nspawn';

my $dir = File::Temp->newdir('woo-ghl-XXXXXX', TMPDIR => 1);
my ($container, $leader, $ghl, $woo);
END { local $?; $container->stop if $container }
$SIG{$_} = sub { exit 1 } for qw(INT TERM);

sub slurp { my ($path) = @_; open my $in, '<:raw', $path or return ''; local $/; return scalar(<$in>) // '' }
sub spew { my ($path, $text) = @_; open my $out, '>:raw', $path or die "$path: $!"; print {$out} $text; close $out or die "$path: $!"; return }
sub until_true { my ($seconds, $true) = @_; my $deadline = time + $seconds; until ($true->()) { return 0 if time > $deadline; sleep 0.1 } return 1 }

# A root with systemd and what an owner of a server has; kept.
sub make_root {
    my ($name) = @_;
    my $root = "$roots/$name-systemd";
    return $root if -e "$root/.made";
    system("rm -rf $root && mkdir -p $roots && debootstrap --variant=minbase --include=systemd-sysv,dbus,nginx-light,logrotate,cron,curl,ca-certificates,"
        . "multiwatch,adduser,bsdutils $name $root http://deb.debian.org/debian >$dir/log 2>&1") == 0 or die "debootstrap $name: " . slurp("$dir/log");
    spew("$root/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n");
    chmod 0755, "$root/usr/sbin/policy-rc.d";
    system("cp /etc/apt/apt.conf.d/*prox* $root/etc/apt/apt.conf.d/ 2>/dev/null; cp -L --remove-destination /etc/resolv.conf $root/etc/; "
        . "DEBIAN_FRONTEND=noninteractive chroot $root apt-get -qy --no-install-recommends install $MAILER{$name} msmtp >$dir/log 2>&1") == 0
        or die "$MAILER{$name}, msmtp: " . slurp("$dir/log");
    unlink "$root/usr/sbin/policy-rc.d";
    spew("$root/.made", '');
    return $root;
}

# Boots a copy of it; false, with the reason told, if that cannot be here.
sub boot {
    my ($name) = @_;
    my $root = "$dir/$name";
    system('cp', '-a', make_root($name), $root) == 0 or die "$root: $!";
    system('cp', $package, "$root/woo-ghl.deb");
    spew("$root/etc/machine-id", 'a' x 32 . "\n");
    spew("$root/etc/mailname", "shop.example.com\n");
    spew("$root/etc/nginx/conf.d/shop.conf", "server {\n    listen 127.0.0.1:8080;\n    root /var/www/html;\n    #include /usr/share/woo-ghl/nginx-woo-order.conf;\n}\n");
    spew("$dir/console", '');
    # Alone in cgroup2, also if this machine has the older kind. Landlock is what the workers confine themselves with.
    $container = WooGHL::Process->start(['systemd-nspawn', '-q', '-D', $root, '--register=no', '--keep-unit', '--console=pipe', '--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self', '-b'],
        env => { PATH => $ENV{PATH}, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY => 1 }, out => "$dir/console", err => "$dir/console");
    my $is_up = until_true(60, sub {
        ($leader) = slurp('/proc/' . $container->pid . '/task/' . $container->pid . '/children') =~ /(\d+)/;
        return !$container->alive || ($leader && (inside('systemctl is-system-running'))[1] =~ /^(?:running|degraded)/);
    }) && $container->alive;
    diag slurp("$dir/console") unless $is_up;
    return $is_up;
}

# A line of shell in the container, as root; (code, output).
sub inside {
    my ($line) = @_;
    open my $from, '-|', 'nsenter', '--target', $leader, qw(--mount --uts --ipc --pid --root --wd --), qw(/usr/bin/env -i),
        'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C.UTF-8', 'SYSTEMD_PAGER=', 'sh', '-c', "exec 2>&1; $line" or die "nsenter: $!";
    my $said = do { local $/; <$from> } // '';
    close $from;
    return ($? >> 8, $said);
}
sub says { my ($line) = @_; return (inside($line))[1] =~ s/\s+\z//r }
sub works { my ($what, $line) = @_; my ($code, $said) = inside($line); return is($code, 0, $what) || diag $said }
sub set { my (%new) = @_; my $file = "/proc/$leader/root/etc/woo-ghl/env"; my $text = slurp($file); for (sort keys %new) { $text =~ s/^$_=.*\n//m; $text .= "$_='$new{$_}'\n" } spew($file, $text); return }
sub active { return join ' ', split /\n/, says("systemctl is-active @UNITS") }
sub workers { my @pids = sort { $a <=> $b } split " ", says(q(cat /proc/$(systemctl show -P MainPID woo_ghl)/task/*/children)); return @pids }

my $http = HTTP::Tiny->new(timeout => 30);
my $id = 0;
sub deliver {
    my ($n) = @_;
    my $body = qq({"id":$n,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"c$n\@example.com"}});
    my $answer = $http->post($URL, { content => $body, headers => { 'Content-Type' => 'application/json', 'X-WC-Webhook-Topic' => 'order.created',
        'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' } });
    return "$answer->{status} $answer->{content}";
}
sub deals { my ($n) = @_; return scalar grep { $_->{name} =~ /#$n$/ } $ghl->opportunities }

# Orders come while something is done to the units: each is answered 200 or 202, and GHL holds it once.
sub under_deliveries {
    my ($what, $line, $seconds) = @_;
    my $first = $id + 1;
    my $shell = WooGHL::Process->start(sub { exit +(inside($line))[0] });
    my (@answers, $deadline);
    $deadline = time + ($seconds // 2);
    while (time < $deadline || $shell->alive) { push @answers, deliver(++$id); sleep 0.1 }    # GHL takes ten calls a second
    is $shell->wait(60), 0, $what;
    is_deeply [grep { !/^20[02] / } @answers], [], scalar(@answers) . ' deliveries meanwhile are all taken';
    my @deals;
    ok until_true(60, sub { @deals = sort { $a <=> $b } grep { $_ >= $first && $_ <= $id } map { $_->{name} =~ /#(\d+)$/ } $ghl->opportunities; @deals >= @answers }),
        '... reach GHL';
    is_deeply \@deals, [$first .. $id], '... and each is one opportunity';
    is active(), 'active active active', '... the units are up';
    return;
}

for my $name (@NAMES) {
    subtest $name => sub {
        make_root($name);
        # From here on nothing but a loopback, and processes of ours.
        if (!$ghl) {
            syscall(272, 0x40000000) == 0 && system('ip link set lo up') == 0 or plan skip_all => "no network of its own: $!";
            ($ghl, $woo) = (FakeGHL::Client->start, FakeWoo::Client->start);
        }
        boot($name) or plan skip_all => 'systemd does not boot in systemd-nspawn here';
        note 'Debian ', says('cat /etc/debian_version'), ', ', (split /\n/, says('systemctl --version'))[0];
        $_->reset for $ghl, $woo;

        subtest install => sub {
            works('the package', 'apt-get -qy install /woo-ghl.deb');
            is active(), 'active active active', 'socket, pool and drain run, without settings';
            is scalar(workers()), 4, 'four workers';
            works('nginx gets the snippet', 'sed -i s/#include/include/ /etc/nginx/conf.d/shop.conf && systemctl restart nginx');
            like deliver(1), qr/^503 /, 'without settings an order gets 503';
            my %shop = $woo->wiring;
            set(WOO_WEBHOOK_SECRET => $SECRET, GHL_API_KEY => $ghl->token, GHL_LOCATION_ID => $ghl->location_id, GHL_API_BASE => $ghl->url,
                GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA', SALES_SINCE => '2000-01-01', %shop, PUBLIC_URL => $URL);
            ok until_true(20, sub { deliver(1) =~ /^200 .*synced/ }), 'with settings it is taken, without a restart' or diag says('journalctl -u woo_ghl --no-pager | tail');
            is deals(1), 1, 'GHL holds it';
            $id = 1;
            my $said = '';
            ok until_true(20, sub { ($said = says('woo_ghl check')) =~ m{^public URL ok +\Q$URL\E}m }), 'check reaches it from outside' or diag $said;
            like $said, qr/^sandbox +ok/m, 'the workers can confine themselves';
        };

        subtest 'drain' => sub {
            is says('systemctl show -P Type woo_ghl-drain'), 'notify', 'it tells that it is ready';
            set(SYNC_BUDGET => 0);
            ok until_true(20, sub { deliver(++$id) =~ /^202 .*"later"/ }), 'an order that waits';
            ok until_true(30, sub { deals($id) }), 'is drained';
            like says('journalctl -u woo_ghl-drain --no-pager -o cat'), qr/event=synced/, 'the journal tells it';
        };

        subtest 'reload, restart, kill' => sub {
            my @before = workers();
            under_deliveries('reload', 'systemctl reload woo_ghl woo_ghl-drain');
            my %old = map { $_ => 1 } @before;
            ok until_true(20, sub { my @now = workers(); @now == 4 && !grep { $old{$_} } @now }), 'all workers are new ones' or diag join ' ', @before, '->', workers();
            under_deliveries('restart', 'systemctl restart woo_ghl.service woo_ghl-drain.service');
            my $drain = says('systemctl show -P MainPID woo_ghl-drain');
            works('kill -9 of a worker', 'kill -9 ' . (workers())[0]);
            works('... and of the drain', "kill -9 $drain");
            ok until_true(20, sub { active() eq 'active active active' && workers() == 4 && says('systemctl show -P MainPID woo_ghl-drain') !~ /^(?:0|$drain)$/ }),
                'both come back' or diag active();
            my $pool = says('systemctl show -P MainPID woo_ghl');
            works('kill -9 of multiwatch', "kill -9 $pool");
            like deliver(++$id), qr/^20[02] /, 'an order in between is taken';
            ok until_true(30, sub { active() eq 'active active active' && workers() == 4 && says('systemctl show -P MainPID woo_ghl') ne $pool }), 'it comes back';
            ok until_true(30, sub { deals($id) == 1 }), '... and the order is in GHL';
        };

        subtest logrotate => sub {
            set(LOG => '/var/log/woo-ghl/woo_ghl.log');
            works('reload: a worker is confined to the places that it began with', 'systemctl reload woo_ghl');
            my $log = "/proc/$leader/root/var/log/woo-ghl/woo_ghl.log";
            ok until_true(20, sub { deliver(++$id); slurp($log) =~ /event=queued order=shop:$id / }), 'LOG names a file' or diag says('journalctl -u woo_ghl --no-pager | tail -n 5');
            ok until_true(20, sub { slurp($log) =~ /event=synced order=shop:$id / }), 'both services write to it';
            works('logrotate', 'logrotate -f /etc/logrotate.d/woo-ghl');
            is says('ls /var/log/woo-ghl'), 'woo_ghl.log.1', 'it is renamed';
            deliver(++$id);
            ok until_true(20, sub { slurp($log) =~ /event=queued order=shop:$id / && slurp($log) =~ /event=synced order=shop:$id / }), 'both go on in a new one';
            is says('stat -c "%U %a" /var/log/woo-ghl/woo_ghl.log'), 'woo-ghl 600', '... that nobody else reads';
        };

        subtest 'timer and cron' => sub {
            my $missed = 9001;
            $woo->put($woo->order($missed));
            works('the timer', 'systemctl enable --now woo_ghl-reconcile.timer');
            like says('systemctl list-timers --no-pager'), qr/woo_ghl-reconcile\.timer/, '... waits for its time';
            works('what it starts', 'systemctl start woo_ghl-reconcile.service');
            ok until_true(30, sub { deals($missed) }), 'an order whose webhook never came' or diag says('journalctl -u woo_ghl-reconcile --no-pager');
            works('no drain', 'systemctl stop woo_ghl-drain');
            works('but cron', "sed s,/usr/local/,/usr/, /usr/share/doc/woo-ghl/examples/cron >/etc/cron.d/woo-ghl && chmod 644 /etc/cron.d/woo-ghl && systemctl start cron");
            deliver(++$id);
            is deals($id), 0, 'an order waits';
            ok until_true(70, sub { deals($id) }), 'cron brings it' or diag says('journalctl -t woo_ghl -t CRON --no-pager');
            is says('find /var/mail /var/spool/exim4/input /var/spool/postfix/maildrop -type f 2>/dev/null'), '', 'and sends no mail';
            works('drain again', 'rm /etc/cron.d/woo-ghl; systemctl start woo_ghl-drain');
        };

        subtest 'alerts by a local mailer' => sub {
            my $box = "/proc/$leader/root/var/mail/owner";
            # As it was installed, without /proc, Postfix found no protocol.
            works('given a mailer', 'useradd -m owner && { ! command -v postconf || postconf -e inet_protocols=ipv4; } && systemctl restart ' . ($MAILER{$name} =~ s/-.*//r));
            set(ALERT_COMMAND => '/usr/sbin/sendmail owner', GHL_API_KEY => 'pit-a-token-that-is-none');
            ok until_true(90, sub { deliver(++$id); says('woo_ghl check') =~ /ALERT_COMMAND failed/ }), 'its sendmail needs rights that the units do not give: check says so'
                or diag says('woo_ghl check');
            note says('woo_ghl check | grep ^alerts');
            my ($command) = slurp("$FindBin::Bin/../doc/operations.md") =~ /^ALERT_COMMAND='(\{ .*\| curl .*)'$/m;
            set(ALERT_COMMAND => $command =~ s/you\@example\.com/owner\@localhost/r);
            ok until_true(150, sub { slurp($box) =~ /^Subject: woo_ghl paused.*^woo_ghl paused: .*GHL_API_KEY/ms }), "the line of doc/operations.md brings the drain's alert, tried again"
                or diag slurp($box), says('woo_ghl check | grep ^alerts');
            like slurp($box), qr/^shop:  .*^host:  .*^to do: /ms, '... whole';
            ($command) = slurp("$FindBin::Bin/../doc/operations.md") =~ /^ALERT_COMMAND='(\{ .*\| msmtp .*)'$/m;
            spew("/proc/$leader/root/etc/msmtprc", "account default\nhost localhost\nport 25\nfrom woo-ghl\@example.com\n");
            set(ALERT_COMMAND => $command =~ s/you\@example\.com/owner\@localhost/r);
            # With all that the unit forbids.
            my ($may) = slurp("/proc/$leader/root/lib/systemd/system/woo_ghl-drain.service") =~ /^# What it may do.*?\n(.*?)^\[/ms;
            my $as_unit = join ' ', map {"-p '$_'"} qw(User=woo-ghl Group=woo-ghl StateDirectory=woo-ghl LogsDirectory=woo-ghl), $may =~ /^(\w+=.*)$/mg;
            works('msmtp, as the unit may run it', "systemd-run --pipe --wait -q $as_unit woo_ghl check --alert | tee /dev/stderr | grep 'ALERT_COMMAND was told'");
            ok until_true(60, sub { slurp($box) =~ /^Subject: woo_ghl test.*This is a test/ms }), '... brings its mail' or diag slurp($box);
            set(GHL_API_KEY => $ghl->token);
        };

        subtest 'the units' => sub {
            for my $unit (qw(woo_ghl woo_ghl-drain)) {
                my ($exposure) = says("systemd-analyze security --no-pager $unit.service") =~ /exposure level for \S+: ([\d.]+)/;
                cmp_ok $exposure, '<=', 1.5, "$unit: exposure $exposure";
            }
            unlike says('journalctl --no-pager -u woo_ghl -u woo_ghl-drain'), qr/Failed to set up|code=dumped|core-dump|Operation not permitted/, 'they have what they need';
        };

        subtest 'removed and purged' => sub {
            works('removed', 'apt-get -qy remove woo-ghl');
            is says(q(find /proc -maxdepth 1 -user woo-ghl)), '', 'nothing runs';
            is says('stat -c "%a" /etc/woo-ghl/env'), 640, 'its settings stay';
            works('purged', 'dpkg --purge woo-ghl && systemctl daemon-reload');
            is says(q{find / -xdev \( -name '*woo?ghl*' -o -name '*woo-order*' \) -not -path '/proc/*' -not -path '/sys/*' -not -path '/var/lib/apt/*' -not -path '/var/cache/*' -not -name woo-ghl.deb}), '', 'all of its files are gone';
            is says('systemctl list-units --all --no-legend "woo_ghl*"'), '', 'and its units';
        };
        $container->stop;
        undef $container;
    };
}
done_testing;
