#!/usr/bin/env perl
# `make portable-test`, for root: the file of `make portable` in roots that hold other systems, or none. In each: an order
# as CGI, to a GHL that is known by name and speaks https; one that waits, and a drain; in the empty root connect, too. The
# empty one holds only the file, settings, resolv.conf and certificates; the others are Debian 11, 12 and 13 by debootstrap,
# kept in build/portable/roots. Names as arguments choose some of them.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FakeGHL::Client;
use FakeWoo::Client;
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use File::Temp ();
use FindBin;
use IO::Socket::INET;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Process;

my $build = "$FindBin::Bin/../build/portable";
my $SECRET = 'a_secret_of_the_shop';
my ($NAME, $NAME_SERVER, $USER) = ('ghl.example.com', '127.77.77.77', 12345);    # the user is in no list of users
my @ROOTS = @ARGV ? @ARGV : qw(empty bullseye bookworm trixie);

plan skip_all => 'only root may change the root' if $>;
plan skip_all => 'make portable was not run' unless -x "$build/woo_ghl";

my $dir = File::Temp->newdir('woo-ghl-XXXXXX', TMPDIR => 1);
my ($ghl, $woo) = (FakeGHL::Client->start, FakeWoo::Client->start);
my @running;
END { local $?; $_->stop for @running }

sub slurp { my ($path) = @_; open my $in, '<:raw', $path or return ''; local $/; return scalar(<$in>) // '' }
sub spew { my ($path, $text) = @_; open my $out, '>:raw', $path or die "$path: $!"; print {$out} $text; close $out or die "$path: $!"; return $path }

# Answers every question for the name with 127.0.0.1, and that it has no other address.
sub serve_names {
    my $socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => $NAME_SERVER, LocalPort => 53) or die "$NAME_SERVER port 53: $!";
    return WooGHL::Process->start(sub {
        while (defined(my $from = $socket->recv(my $question, 512))) {
            my ($id) = unpack 'n', $question;
            my ($asked) = substr($question, 12) =~ /^((?:[\x01-\x3f][^\0]*)\0.{4})/s or next;
            my $is_a = unpack('n', substr $asked, -4, 2) == 1 && $asked =~ /ghl.example.com/;
            my $answer = $is_a ? pack('nnnNna4', 0xc00c, 1, 1, 60, 4, pack 'C4', 127, 0, 0, 1) : '';
            $socket->send(pack('n6', $id, 0x8580, 1, $is_a ? 1 : 0, 0, 0) . $asked . $answer, 0, $from);
        }
        return 0;
    });
}

# https in front of the fake GHL; its port.
sub serve_tls {
    my $made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$NAME -addext subjectAltName=DNS:$NAME -keyout $dir/key -out $dir/cert";
    system("$made 2>/dev/null >/dev/null") == 0 or die 'no certificate';
    my $port = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport;
    my $temp = join '', map { "${_}_temp_path $dir/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi);
    spew("$dir/nginx.conf", "user root;\ndaemon off;\nmaster_process off;\npid $dir/nginx.pid;\nevents {}\nhttp {\naccess_log off;\n${temp}server {\n"
        . "listen 127.0.0.1:$port ssl;\nssl_certificate $dir/cert;\nssl_certificate_key $dir/key;\nlocation / { proxy_pass " . $ghl->url . "; }\n}\n}\n");
    push @running, WooGHL::Process->start(['/usr/sbin/nginx', '-p', "$dir/", '-c', "$dir/nginx.conf", '-e', 'stderr'],
        env => { PATH => '/usr/sbin:/usr/bin:/bin' }, dir => "$dir", err => "$dir/nginx.err");
    my $deadline = time + 10;
    until (IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")) { die slurp("$dir/nginx.err") if time > $deadline; sleep 0.05 }
    return $port;
}

# The root's directory, with what the program needs in it.
sub prepare {
    my ($name, $port) = @_;
    my $root = $name eq 'empty' ? "$dir/empty" : "$build/roots/$name";
    if ($name ne 'empty' && !-e "$root/.made") {
        system("$FindBin::Bin/../deploy/deps.sh", 'debootstrap') == 0 or die 'no debootstrap';
        remove_tree($root);
        make_path($root);
        system("debootstrap --variant=minbase $name $root http://deb.debian.org/debian >$dir/debootstrap 2>&1") == 0
            or die "debootstrap $name: " . slurp("$dir/debootstrap");
        spew("$root/.made", '');
    }
    remove_tree("$root/etc/woo-ghl");
    make_path("$root/etc/woo-ghl", "$root/etc/ssl/certs");
    chmod 0755, $root;
    copy("$build/woo_ghl", "$root/woo_ghl") && chmod 0755, "$root/woo_ghl" or die "copy: $!";
    spew("$root/etc/resolv.conf", "nameserver $NAME_SERVER\n");
    spew("$root/etc/ssl/certs/ca-certificates.crt", slurp("$dir/cert"));
    my %shop = $woo->wiring;
    spew("$root/etc/woo-ghl/env", join '', map {"$_\n"} "WOO_WEBHOOK_SECRET=$SECRET", 'GHL_API_KEY=' . $ghl->token, 'GHL_LOCATION_ID=' . $ghl->location_id,
        "GHL_API_BASE=https://$NAME:$port", 'GHL_PIPELINE_ID=fakePipelineAAAAAAAA', 'DRAIN_AFTER=off', 'SALES_SINCE=2000-01-01',
        'PUBLIC_URL=https://shop.example.com/woo-order', map {"$_=$shop{$_}"} sort keys %shop);
    chmod 0600, "$root/etc/woo-ghl/env";
    chown $USER, $USER, "$root/etc/woo-ghl", "$root/etc/woo-ghl/env";
    return $root;
}

# Runs it in the root as nobody's user; { code, out, err }. With a body: as CGI.
sub run {
    my ($root, $arguments, $body, %more) = @_;
    my $env = { %more };
    if (defined $body) {
        %$env = (%$env, GATEWAY_INTERFACE => 'CGI/1.1', REQUEST_METHOD => 'POST', SCRIPT_NAME => '/woo-order', REMOTE_ADDR => '192.0.2.1',
            CONTENT_TYPE => 'application/json', CONTENT_LENGTH => length $body, HTTP_X_WC_WEBHOOK_TOPIC => 'order.created',
            HTTP_X_WC_WEBHOOK_SIGNATURE => hmac_sha256_base64($body, $SECRET) . '=');
    }
    my $process = WooGHL::Process->start(sub {
            chroot $root and chdir '/' or die "chroot: $!\n";
            ($(, $)) = ($USER, "$USER $USER");
            ($<, $>) = ($USER, $USER);
            exec { '/woo_ghl' } '/woo_ghl', @$arguments or die "exec: $!\n";
        }, env => $env, in => defined $body ? spew("$dir/in", $body) : '/dev/null', out => spew("$dir/out", ''), err => spew("$dir/err", ''));
    my $status = $process->wait(60) // die 'it does not end';
    return { code => $status & 127 ? 128 + ($status & 127) : $status >> 8, out => slurp("$dir/out"), err => slurp("$dir/err") };
}
sub order { my ($n) = @_; return qq({"id":$n,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"c$n\@example.com"}}) }
sub says { my ($run, $like, $what) = @_; return like($run->{out}, $like, $what) || diag "code $run->{code}: $run->{err}" }

push @running, serve_names();
my $port = serve_tls();
for my $name (@ROOTS) {
    subtest $name => sub {
        my $root = prepare($name, $port);
        $_->reset for $ghl, $woo;
        my $system = slurp("$root/etc/debian_version");
        note $system ? "Debian $system" : 'no system';
        says(run($root, [], order(1)), qr/^Status: 200 .*"synced"/s, 'an order goes to GHL, by https and its name');
        says(run($root, [], order(1)), qr/^Status: 200 .*"duplicate"/s, 'once');
        says(run($root, [], order(2), SYNC_BUDGET => 0), qr/^Status: 202 .*"queued"/s, 'one that waits');
        my $drain = run($root, ['drain', '--now']);
        is $drain->{code}, 0, 'is drained' or diag $drain->{err};
        is scalar(@{ [$ghl->opportunities] }), 2, 'GHL holds both';
        is -d "$root/etc/woo-ghl/woo_ghl-data", 1, 'data lie beside the settings';
        if ($name eq 'empty') {
            my $connect = run($root, ['connect', '--yes']);
            is $connect->{code}, 0, 'connect' or diag $connect->{out}, $connect->{err};
            is scalar(@{ [grep { $_->{status} eq 'active' } $woo->webhooks] }), 4, 'makes the four webhooks';
        }
    };
}
done_testing;
