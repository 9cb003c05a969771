#!/usr/bin/env perl
# `make deb-test`, for root: the package of `make deb`, installed, used and purged in Debian 12 and 13 (build/portable/roots,
# which `make portable-test` makes; a copy of each is changed). An order comes through nginx, with the package's own snippet, to
# the pool that its unit starts. Names as arguments choose some of the roots.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FakeGHL::Client;
use File::Temp ();
use FindBin;
use HTTP::Tiny;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM SOMAXCONN);
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Process;

my $build = "$FindBin::Bin/../build";
my ($package) = glob "$build/deb/*.deb";
my $SECRET = 'a_secret_of_the_shop';
my @ROOTS = @ARGV ? @ARGV : qw(bookworm trixie);
plan skip_all => 'only root may change the root' if $>;
plan skip_all => 'make deb was not run' unless $package;

my $dir = File::Temp->newdir('woo-ghl-XXXXXX', TMPDIR => 1);
my $ghl = FakeGHL::Client->start;
my (@running, @mounted);
END { local $?; $_->stop for reverse @running; system 'umount', $_ for @mounted }

sub slurp { my ($path) = @_; open my $in, '<:raw', $path or return ''; local $/; return scalar(<$in>) // '' }
sub spew { my ($path, $text) = @_; open my $out, '>:raw', $path or die "$path: $!"; print {$out} $text; close $out or die "$path: $!"; return }

# A command in the root, as root; (code, output).
sub in_root {
    my ($root, @command) = @_;
    local %ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND => 'noninteractive', LC_ALL => 'C.UTF-8',
        map { $ENV{$_} ? ($_ => $ENV{$_}) : () } qw(http_proxy https_proxy));
    open my $from, '-|', 'sh', '-c', 'exec chroot "$@" 2>&1', 'sh', $root, @command or die "chroot: $!";
    my $said = do { local $/; <$from> } // '';
    close $from;
    return ($? >> 8, $said);
}
sub works { my ($root, $what, @command) = @_; my ($code, $said) = in_root($root, @command); return is($code, 0, $what) || diag $said }
sub mode { my ($path) = @_; my @stat = stat $path or return 'none'; return sprintf '%04o', $stat[2] & 07777 }

sub prepare {
    my ($name) = @_;
    my $root = "$dir/$name";
    system('cp', '-a', "$build/portable/roots/$name", $root) == 0 or die "$name: make portable-test makes it";
    system('rm', '-rf', "$root/etc/woo-ghl", "$root/etc/ssl/certs/ca-certificates.crt");
    system('cp', '-L', '/etc/resolv.conf', "$root/etc/resolv.conf");
    system('sh', '-c', 'cp /etc/apt/apt.conf.d/*prox* "$0" 2>/dev/null', "$root/etc/apt/apt.conf.d/");
    system('mount', '-t', 'proc', 'proc', "$root/proc") == 0 and push @mounted, "$root/proc";
    spew("$root/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n");
    chmod 0755, "$root/usr/sbin/policy-rc.d";
    system('cp', $package, "$root/woo-ghl.deb");
    return $root;
}

# The pool as the unit starts it, and nginx with the snippet of the package; the URL.
sub serve {
    my ($root, $name, @user) = @_;
    my ($command) = slurp("$root/usr/lib/systemd/system/woo_ghl.service") =~ /^ExecStart=(.*)$/m;
    my ($environment) = slurp("$root/usr/lib/systemd/system/woo_ghl.service") =~ /^Environment=WOO_GHL_ENV=(.*)$/m;
    my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$dir/$name.sock", Listen => SOMAXCONN) or die "socket: $!";
    push @running, WooGHL::Process->start(sub {
            chroot $root and chdir '/' or die "chroot: $!\n";
            ($(, $)) = ($user[1], "$user[1] $user[1]");
            ($<, $>) = @user[0, 0];
            my @words = split ' ', $command;
            exec { $words[0] } @words or die "exec: $!\n";
        }, env => { WOO_GHL_ENV => $environment }, in => $listener, out => "$dir/$name.out", err => "$dir/$name.err");
    my $port = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport;
    mkdir "$dir/$name.nginx";
    spew("$dir/$name.nginx/nginx.conf", "user root;\n" . slurp("$FindBin::Bin/../deploy/nginx.conf") =~ s/127\.0\.0\.1:5000/127.0.0.1:$port/r);
    spew("$dir/$name.nginx/nginx-woo-order.conf", slurp("$root/usr/share/woo-ghl/nginx-woo-order.conf") =~ s{/run/woo-ghl/woo_ghl\.sock}{$dir/$name.sock}r);
    push @running, WooGHL::Process->start(['/usr/sbin/nginx', '-p', "$dir/$name.nginx/", '-c', "$dir/$name.nginx/nginx.conf", '-e', 'stderr'],
        env => { PATH => '/usr/sbin:/usr/bin:/bin' }, dir => "$dir", err => "$dir/$name.nginx.err");
    my $deadline = time + 10;
    until (IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")) { die slurp("$dir/$name.nginx.err") if time > $deadline; sleep 0.05 }
    return "http://127.0.0.1:$port/woo-order";
}

for my $name (@ROOTS) {
    subtest $name => sub {
        my $root = prepare($name);
        $ghl->reset;
        note 'Debian ', slurp("$root/etc/debian_version");
        works($root, 'given the lists of packages', 'apt-get', '-q', 'update');
        works($root, 'it is installed, with what it needs', 'apt-get', '-q', 'install', '-y', '--no-install-recommends', '/woo-ghl.deb');
        my ($uid, $gid) = slurp("$root/etc/passwd") =~ /^woo-ghl:[^:]*:(\d+):(\d+):/m;
        ok $uid && $uid != 0, 'it has a user';
        is mode("$root/etc/woo-ghl/env"), '0640', 'its settings are for the group alone';
        is +(stat "$root/etc/woo-ghl/env")[5], $gid, '... which is its own';
        is mode("$root/var/lib/woo-ghl"), '0700', 'its state is for it alone';
        my ($code, $said) = in_root($root, '/usr/bin/woo_ghl', 'version');
        is $code, 0, 'the program starts' or diag $said;
        ok -l "$root/etc/systemd/system/multi-user.target.wants/woo_ghl-drain.service", 'its units are enabled';

        my $url = serve($root, $name, $uid, $gid);
        my $http = HTTP::Tiny->new(timeout => 20);
        my $deliver = sub {
            my $body = '{"id":1,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"ann@example.com"}}';
            return $http->post($url, { content => $body, headers => { 'Content-Type' => 'application/json', 'X-WC-Webhook-Topic' => 'order.created',
                'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' } });
        };
        is $deliver->()->{status}, 503, 'without settings an order gets 503';
        open my $env, '>>', "$root/etc/woo-ghl/env" or die "env: $!";
        print $env "WOO_WEBHOOK_SECRET=$SECRET\nGHL_API_KEY=", $ghl->token, "\nGHL_LOCATION_ID=", $ghl->location_id,
            "\nGHL_API_BASE=", $ghl->url, "\nGHL_PIPELINE_ID=fakePipelineAAAAAAAA\nSALES_SINCE=2000-01-01\n";
        close $env;
        my ($answer, $deadline) = ({}, time + 20);
        until (($answer = $deliver->())->{status} == 200 || time > $deadline) { sleep 0.3 }
        like $answer->{content}, qr/"synced"/, 'with settings it is taken, without a restart' or diag slurp("$dir/$name.err");
        is scalar(@{ [$ghl->opportunities] }), 1, 'GHL holds it';
        (pop @running)->stop for 1 .. 2;

        works($root, 'it is removed', 'apt-get', '-q', 'remove', '-y', 'woo-ghl');
        is mode("$root/etc/woo-ghl/env"), '0640', 'its settings stay';
        ok -e "$root/var/lib/woo-ghl/store.db", 'and the orders';
        works($root, 'it is purged', 'dpkg', '--purge', 'woo-ghl');
        unlike slurp("$root/etc/passwd"), qr/^woo-ghl:/m, 'its user is gone';
        my @left = split /\n/, `find $root -xdev \\( -name '*woo?ghl*' -o -name '*woo-order*' \\) -not -path '$root/proc/*' -not -name 'woo?ghl.deb' -not -path '$root/woo_ghl'`;
        is_deeply [grep { !m{/var/(?:log|cache)/} } @left], [], 'and all of its files';
    };
}
done_testing;
