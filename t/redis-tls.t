#!/usr/bin/env perl
# rediss://: only a server whose certificate is of the host that REDIS_URL names, by an authority that is known, gets the
# password and the orders.
use strict;
use warnings;
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use Test::More;
use WooGHL::Process;
use WooGHL::Server;

my $dir = File::Temp->newdir('woo-tls-XXXXXX', TMPDIR => 1);
chmod 0755, "$dir";

sub run_quietly { return system("@_ >>$dir/out 2>&1") == 0 }

# A certificate for these names, by that authority.
sub certify {
    my ($name, $for, $by) = @_;
    open my $file, '>', "$dir/$name.ext" or die $!;
    print $file "subjectAltName=$for\n";
    close $file or die $!;
    return run_quietly("openssl req -newkey rsa:2048 -nodes -keyout $dir/$name.key -out $dir/$name.csr -subj /CN=$name")
        && run_quietly("openssl x509 -req -in $dir/$name.csr -CA $dir/$by.pem -CAkey $dir/$by.key -CAcreateserial -days 2 -extfile $dir/$name.ext -out $dir/$name.pem");
}

sub authority {
    my ($name) = @_;
    return run_quietly("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout $dir/$name.key -out $dir/$name.pem -subj /CN=$name");
}

plan skip_all => 'no openssl(1)' if !authority('known') || !authority('unknown');
certify('localhost', 'DNS:localhost', 'known') && certify('address', 'IP:127.0.0.1', 'known') && certify('other', 'DNS:redis.example.com', 'known')
    && certify('stranger', 'DNS:localhost,IP:127.0.0.1', 'unknown') or die 'openssl failed';
chmod 0644, glob "$dir/*.key";

# A Redis with that certificate, and its port; undef if it knows no TLS.
sub serve {
    my ($name) = @_;
    my $free = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die $!;
    my $port = $free->sockport;
    close $free;
    my $redis = WooGHL::Process->start(['redis-server', '--port', 0, '--tls-port', $port, '--bind', '127.0.0.1', '--tls-cert-file', "$dir/$name.pem",
        '--tls-key-file', "$dir/$name.key", '--tls-auth-clients', 'no', '--tls-ca-cert-file', "$dir/known.pem", '--save', '', '--requirepass', 'swordfish-7',
        '--dir', '/tmp', '--maxmemory-policy', 'noeviction'], out => "$dir/redis.$name", err => "$dir/redis.$name");
    WooGHL::Process::until_true(sub { !$redis->alive || IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) });
    return $redis->alive ? ($redis, $port) : ();
}

my @cases = (
    # certificate, host, why it is refused
    ['localhost', 'localhost', undef],
    ['address',   '127.0.0.1', undef],
    ['other',     'localhost', qr/hostname mismatch/i],
    ['localhost', '127.0.0.1', qr/IP address mismatch/i],
    ['stranger',  'localhost', qr/self-signed certificate|unable to get local issuer/i],
);
for my $case (@cases) {
    my ($name, $host, $refused) = @$case;
    my ($redis, $port) = serve($name);
    plan skip_all => 'this Redis has no TLS' if !$redis;
    my $server = WooGHL::Server->new(settings => { REDIS_URL => "rediss://:swordfish-7\@$host:$port", CA_FILE => "$dir/known.pem" });
    my $said = $server->command('check')->{out};
    if ($said =~ /needs a build with hiredis_ssl/) {
        like $said, qr/^store +FAIL.*rediss:\/\/ needs a build with hiredis_ssl/m, 'a build without TLS for Redis refuses rediss://';
        last;
    }
    my $what = "a certificate for '$name' at $host";
    if ($refused) {
        like $said, qr/^store +FAIL.*TLS: the certificate is refused: $refused/m, "$what is refused";
        unlike $said . $server->log, qr/swordfish/, '... and nothing names the password';
    } else {
        like $said, qr/^store +(?:ok|warn)/m, "$what is good";
        is $server->deliver('{"id":1,"status":"processing","total":"1.00"}')->{status}, 200, '... and orders are stored';
    }
    $server->stop;
    $redis->stop;
}

subtest 'without TLS' => sub {
    my %warned = ('redis://:swordfish-7@redis.example.com' => 1, 'redis://redis.example.com' => 0, 'redis://:swordfish-7@127.0.0.1' => 0,
        'rediss://:swordfish-7@redis.example.com' => 0, 'redis://:swordfish-7@localhost,redis.example.com' => 1);
    for my $url (sort keys %warned) {
        my $server = WooGHL::Server->new(settings => { REDIS_URL => $url, REDIS_TIMEOUT => '100ms' });
        my $run = $server->command('check');
        my $is = "$run->{out}$run->{err}" =~ /REDIS_URL: the password goes to redis\.example\.com unencrypted/ ? 1 : 0;
        is $is, $warned{$url}, $warned{$url} ? "$url is warned of" : "$url is not warned of";
        $server->stop;
    }
};

done_testing;
