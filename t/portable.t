#!/usr/bin/env perl
# The file that `make portable` makes: static, small, and content with a kernel 3.10, 32 MB of address space, no second
# process or thread, and nothing of the machine but its settings. Skipped if it was not made.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FakeGHL::Client;
use File::Copy qw(copy);
use File::Temp ();
use FindBin;
use IO::Socket::INET;
use POSIX ();
use lib "$FindBin::Bin/lib";
use Test::More;
use WooGHL::Process;

my $file = "$FindBin::Bin/../build/portable/woo_ghl";
plan skip_all => 'make portable was not run' unless -x $file;

my $SECRET = 'a_secret_of_the_shop';
my $dir = File::Temp->newdir('woo-ghl-XXXXXX', TMPDIR => 1);
my @user = WooGHL::Process->user;
copy($file, "$dir/woo_ghl") && chmod 0755, "$dir/woo_ghl" or die "copy: $!";
chown @user, "$dir" if @user;
my $ghl = FakeGHL::Client->start;

sub slurp { my ($path) = @_; open my $in, '<:raw', $path or return ''; local $/; return scalar(<$in>) // '' }
sub spew {
    my ($name, $text) = @_;
    open my $out, '>:raw', "$dir/$name" or die "$dir/$name: $!";
    print {$out} $text;
    close $out or die "$dir/$name: $!";
    chmod 0600, "$dir/$name";
    chown @user, "$dir/$name" if @user;
    return "$dir/$name";
}
sub settings {
    my ($base) = @_;
    spew('env', "WOO_WEBHOOK_SECRET=$SECRET\nGHL_API_KEY=" . $ghl->token . "\nGHL_LOCATION_ID=" . $ghl->location_id
        . "\nGHL_API_BASE=$base\nGHL_PIPELINE_ID=fakePipelineAAAAAAAA\nDRAIN_AFTER=off\nSALES_SINCE=2000-01-01\n");
    return;
}

# From now on this process has a kernel that knows no system call which came after 3.10 (x86-64), makes no process and no
# thread, and says that it is old: OpenSSL reads /dev/urandom then, as it would there. Files cannot be given blocks before they are
# written, as on NFS before 4.2.
sub become_old {
    my ($allow, $unknown, $again, $unable) = (0x7fff0000, map { 0x50000 | $_ } 38, 11, 95);    # ENOSYS, EAGAIN, EOPNOTSUPP
    my ($load, $equal, $least, $return) = (0x20, 0x15, 0x35, 0x06);
    my @filter = (
        [$load, 0, 0, 0], [$equal, 6, 0, 56], [$equal, 5, 0, 57], [$equal, 4, 0, 58],    # clone, fork, vfork
        [$equal, 4, 0, 285], [$least, 1, 0, 314],                                        # fallocate
        [$return, 0, 0, $allow], [$return, 0, 0, $unknown], [$return, 0, 0, $again], [$return, 0, 0, $unable]);
    my $code = join '', map { pack 'SCCL', @$_ } @filter;
    my $program = pack 'Sx6P', scalar @filter, $code;
    syscall(135, 0x20000) >= 0 && (POSIX::uname())[2] =~ /^2\.6\./ or die "the kernel does not call itself old: $!\n";    # personality
    syscall(157, 38, 1, 0, 0, 0) == 0 && syscall(157, 22, 2, $program) == 0 or die "no filter: $!\n";    # prctl
    die "the filter lets a process be made\n" if defined fork;
    my $random = ' ' x 8;
    die "the filter lets system calls of 3.17 through\n" if syscall(318, $random, 8, 0) >= 0;
    return;
}

# Runs it so; { code, out }. With a body: as CGI.
sub run {
    my ($arguments, $body, %more) = @_;
    my $env = { WOO_GHL_ENV => "$dir/env", %more };
    if (defined $body) {
        %$env = (%$env, GATEWAY_INTERFACE => 'CGI/1.1', REQUEST_METHOD => 'POST', SCRIPT_NAME => '/woo-order', REMOTE_ADDR => '192.0.2.1',
            CONTENT_TYPE => 'application/json', CONTENT_LENGTH => length $body, HTTP_X_WC_WEBHOOK_TOPIC => 'order.created',
            HTTP_X_WC_WEBHOOK_SIGNATURE => hmac_sha256_base64($body, $SECRET) . '=');
        spew('in', $body);
    }
    my $process = WooGHL::Process->start(sub {
            become_old();
            exec '/bin/sh', '-c', 'ulimit -v 32768 && exec "$0" "$@"', "$dir/woo_ghl", @$arguments or die "exec: $!";
        }, env => $env, user => \@user, dir => "$dir", in => defined $body ? "$dir/in" : '/dev/null', out => spew('out', ''), err => spew('err', ''));
    my $status = $process->wait // die 'it does not end';
    return { code => $status & 127 ? 128 + ($status & 127) : $status >> 8, out => slurp("$dir/out") };
}
sub order { my ($n) = @_; return qq({"id":$n,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"c$n\@example.com"}}) }
sub answers {
    my ($run, $like, $what) = @_;
    return like($run->{out}, $like, $what) || diag "code $run->{code} ", slurp("$dir/err");
}

cmp_ok -s $file, '<=', 6 * 1024 * 1024, 'it has 6 MB at most';
unlike slurp($file), qr{/ld-linux|/ld-musl|libc\.so}, 'it names no loader and no library';
is unpack('x16v', slurp($file)), 3, 'it is loaded at an address that nobody knows before (ET_DYN)';
unlike slurp($file), qr/\Q$FindBin::Bin\E/, 'nor the place where it was built';

settings($ghl->url);
is run(['version'])->{code}, 0, 'it starts';
answers(run([], order(1)), qr/^Status: 200 .*"synced"/s, 'an order is taken to GHL');
answers(run([], order(1)), qr/^Status: 200 .*"duplicate"/s, 'once');
is scalar(@{[$ghl->opportunities]}), 1, 'GHL holds it';
is -s "$dir/woo_ghl-data/clients.map", 524288, 'the file of counters is made without fallocate';
settings('http://127.0.0.1:1');
answers(run([], order(2)), qr/^Status: 202 .*"queued"/s, 'GHL away: an order is queued');
settings($ghl->url);
is run(['drain', '--now'])->{code}, 0, 'a drain' or diag slurp("$dir/err");
is scalar(@{[$ghl->opportunities]}), 2, 'takes it there';
my $check = run(['check']);
answers($check, qr/^store +OK\b/mi, 'check finds the store');
answers($check, qr/^GHL +OK\b/mi, 'and GHL');

SKIP: {
    skip 'nginx or openssl is not installed', 3 unless -x '/usr/sbin/nginx' && `openssl version 2>/dev/null`;
    my $quiet = '2>/dev/null >/dev/null';
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout $dir/key -out $dir/cert $quiet") == 0
        or die 'no certificate';
    chown @user, "$dir/key", "$dir/cert" if @user;
    my ($nginx, $port);
    for (1 .. 10) {
        $port = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport;
        my $temp = join '', map { "${_}_temp_path $dir/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi);
        spew('nginx.conf', "daemon off;\nmaster_process off;\npid $dir/nginx.pid;\nevents {}\nhttp {\naccess_log off;\n${temp}server {\n"
            . "listen 127.0.0.1:$port ssl;\nssl_certificate $dir/cert;\nssl_certificate_key $dir/key;\nlocation / { proxy_pass " . $ghl->url . "; }\n}\n}\n");
        $nginx = WooGHL::Process->start(['/usr/sbin/nginx', '-p', "$dir/", '-c', "$dir/nginx.conf", '-e', 'stderr'], user => \@user,
            env => { PATH => '/usr/sbin:/usr/bin:/bin' }, dir => "$dir", err => "$dir/nginx.err");
        WooGHL::Process::until_true(sub { !$nginx->alive || IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") });
        last if $nginx->alive;
    }
    settings("https://localhost:$port");
    answers(run([], order(3)), qr/^Status: 202 /, 'TLS: an authority that it does not know is not believed');
    answers(run([], order(4), SSL_CERT_FILE => "$dir/cert"), qr/^Status: 20[02] /, 'one that it knows');
    is run(['drain', '--now'], undef, SSL_CERT_FILE => "$dir/cert")->{code}, 0, 'is believed' or diag slurp("$dir/err");
    is scalar(@{[$ghl->opportunities]}), 4, 'GHL holds all of them' or diag slurp("$dir/err"), run(['status'])->{out};
    $nginx->stop;
}
SKIP: {
    my ($archive) = glob "$FindBin::Bin/../build/release/*.tar.gz";
    skip 'make release was not run', 2 unless $archive;
    my @held = sort map { chomp; $_ } `tar tf $archive`;
    is_deeply \@held, ['woo-order/', map {"woo-order/$_"} qw(.htaccess INSTALL.txt LICENSE LICENSES.txt env.sample woo_ghl.cgi)],
        'the release is one folder';
    is system("cd $FindBin::Bin/../build/release && sha256sum --check --quiet SHA256SUMS"), 0, 'its sums are right';
}
$ghl->stop;
done_testing;
