#!/usr/bin/env perl
# A shared host: Apache and deploy/htaccess in a folder of somebody's site, as CGI and under mod_fcgid, as Apache's user and, if
# root runs this and suEXEC is installed, as the account's own user. The program gets no setting from the server there.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FakeGHL::Client;
use FakeWoo::Client;
use File::Copy qw(copy);
use File::Temp ();
use FindBin;
use HTTP::Tiny;
use IO::Socket::INET;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Process;

my ($modules) = grep { -d } '/usr/lib/apache2/modules', '/usr/lib64/httpd/modules';
plan skip_all => 'Apache is not installed' unless $modules && -x '/usr/sbin/apache2';
my $program = $ENV{WOO_GHL_PROGRAM} || "$FindBin::Bin/../woo_ghl";
my $secret = 'a_secret_of_the_shop';
my ($ghl, $woo) = (FakeGHL::Client->start, FakeWoo::Client->start);
my $id = 0;

sub slurp { my ($path) = @_; open my $file, '<', $path or return ''; local $/; return scalar(<$file>) // '' }
sub spew { my ($path, $text) = @_; open my $file, '>', $path or die "$path: $!"; print {$file} $text; close $file or die "$path: $!"; return }

# An account with a site: its home, its user's name and ids. Nobody's own without suEXEC: then this user's, or Apache's.
sub account {
    my ($suexec) = @_;
    my $home = File::Temp->newdir('woo-ghl-XXXXXX', TMPDIR => 1);
    chmod 0711, "$home";
    my $account = { home => "$home", keep => $home, suexec => $suexec };
    if ($suexec) {
        $account->{name} = "woo-ghl-$$";
        # Another test of this kind may hold the lock of the file of users.
        my $made = WooGHL::Process::until_true(sub { system("useradd --no-create-home --home-dir $home --shell /bin/sh $account->{name} 2>/dev/null") == 0 });
        die "useradd failed: $?" if !$made;
        $account->{ids} = [(getpwnam $account->{name})[2, 3]];
    }
    else { $account->{ids} = [WooGHL::Process->user] }
    return $account;
}

my @accounts;
END {
    local $?;
    for my $account (grep { $_->{name} } @accounts) { system 'userdel', $account->{name} }
}

sub own { my ($account, @paths) = @_; chown @{ $account->{ids} }, @paths if @{ $account->{ids} }; return }

# What an owner does by FTP: the folder, the program, .htaccess.
sub set_up {
    my ($account, $name) = @_;
    my ($home, $folder) = ($account->{home}, "$account->{home}/public_html/woo-order");
    mkdir $_, 0755 for "$home/public_html", $folder;
    copy($program, "$folder/$name") or die "copy: $!";
    chmod 0755, "$folder/$name";
    my $htaccess = slurp("$FindBin::Bin/../deploy/htaccess") =~ s/woo_ghl(\\?)\.cgi/woo_ghl$1.fcgi/gr =~ s/cgi-script/fcgid-script/gr;
    spew("$folder/.htaccess", $name =~ /\.fcgi$/ ? $htaccess : slurp("$FindBin::Bin/../deploy/htaccess"));
    # What WordPress and its permalinks put into the site.
    spew("$home/public_html/index.html", 'the shop');
    spew("$home/public_html/.htaccess", join '', map {"$_\n"} 'RewriteEngine On', 'RewriteCond %{REQUEST_FILENAME} !-f',
        'RewriteCond %{REQUEST_FILENAME} !-d', 'RewriteRule . index.html [L]');
    spew("$folder/$_", 'not for the world') for qw(notes.txt error_log notes);
    own($account, $home, "$home/public_html", $folder, glob("$folder/*"), "$folder/.htaccess");
    return $folder;
}

# Apache with the account's pages at /~NAME, and its own file of errors; (process, base URL).
sub apache {
    my ($account, $run) = @_;
    my $name = $account->{name} // 'shop';
    my $load = join "\n", map { "LoadModule ${_}_module $modules/mod_$_.so" }
        qw(mpm_event authz_core env alias dir rewrite cgid fcgid), $account->{suexec} ? qw(suexec userdir) : ();
    my $site = $account->{suexec} ? 'UserDir public_html'
        : "Alias /~$name $account->{home}/public_html\nFcgidInitialEnv WOO_GHL_ENV $account->{home}/woo-ghl/env\n"
        . "SetEnv WOO_GHL_ENV $account->{home}/woo-ghl/env";
    for (1 .. 10) {
        my $port = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport;
        spew("$run/apache.conf", <<"END");
ServerName 127.0.0.1
ServerRoot $run
DefaultRuntimeDir $run
PidFile $run/apache.pid
Mutex pthread
Listen 127.0.0.1:$port
ErrorLog $run/errors
DocumentRoot $run/htdocs
StartServers 1
$load
@{[ $account->{suexec} ? "User www-data\nGroup www-data" : 'Suexec Off' ]}
ScriptSock $run/cgid.sock
FcgidIPCDir $run/fcgid
FcgidProcessTableFile $run/fcgid.shm
FcgidMaxRequestLen 16777216
$site
<Directory $account->{home}/public_html>
    AllowOverride All
    Require all granted
</Directory>
END
        my $process = WooGHL::Process->start(['apache2', '-f', "$run/apache.conf", '-D', 'FOREGROUND'], dir => $run,
            env => { PATH => '/usr/sbin:/usr/bin:/sbin:/bin' }, user => $account->{suexec} ? [] : $account->{ids}, err => "$run/errors");
        WooGHL::Process::until_true(sub { !$process->alive || IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") });
        return ($process, "http://127.0.0.1:$port/~$name") if $process->alive;
        die 'Apache does not start: ' . slurp("$run/errors") unless slurp("$run/errors") =~ /[Aa]ddress already in use/;
    }
    die 'no free port';
}

my $http = HTTP::Tiny->new(max_redirect => 0, timeout => $WooGHL::Process::PATIENCE);
sub deliver {
    my ($url, $n) = @_;
    my $body = qq({"id":$n,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"c$n\@example.com"}});
    my $answer = $http->post($url, { content => $body, headers => { 'Content-Type' => 'application/json',
        'X-WC-Webhook-Topic' => 'order.created', 'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $secret) . '=' } });
    return "$answer->{status} $answer->{content}";
}
sub status_of { my ($url) = @_; return $http->get($url)->{status} }

sub site {
    my ($account, $name) = @_;
    my ($home, $folder) = ($account->{home}, set_up($account, $name));
    my $run = File::Temp->newdir('woo-ghl-XXXXXX', TMPDIR => 1);
    chmod 0755, "$run";
    mkdir $_ for "$run/htdocs", "$run/fcgid";
    my @apache = $account->{suexec} ? (getpwnam 'www-data')[2, 3] : @{ $account->{ids} };
    chown @apache, "$run", "$run/fcgid", "$run/htdocs" if @apache;
    my ($process, $url) = apache($account, "$run");
    my $errors = sub { slurp("$run/errors") };

    from_nothing($account, $folder, $name, $url);
    like deliver("$url/woo-order", ++$id), qr/^200 \{"status":"synced"/, 'an order is taken' or diag $errors->();
    like deliver("$url/woo-order", $id), qr/^200 \{"status":"skipped"/, 'the same again is known';
    like deliver("$url/woo-order/", $id), qr/^200 \{"status":"skipped"/, 'with a slash, too, and neither is redirected';
    like deliver("$url/woo-order/$name", $id), qr/^200 \{"status":"skipped"/, 'and by the name of the program';
    is $http->get("$url/woo-order/health")->{content}, '{"status":"ok"}', 'health';
    is $http->get("$url/product/shirt/")->{content}, 'the shop', q{the shop's own addresses stay the shop's};
    is status_of("$url/woo-order/$_"), 403, "$_ is not handed out" for qw(.htaccess notes.txt error_log .env);
    is status_of("$url/woo-order/notes"), 404, 'nor is a file whose name is a word: the program gets that';
    after_the_answer($account, $url) if $name =~ /\.cgi$/;
    unlike $http->get("$url/woo-order/$name")->{content}, qr/ELF/, 'nor is the program itself';
    is +(stat "$home/woo-ghl/woo_ghl-data")[4], $account->{ids}[0] // $<, 'data lie beside the settings, and are the user\'s';
    if ($account->{suexec}) {
        like slurp("$home/woo-ghl/woo_ghl.log"), qr/order=shop:$id /, 'the log lies there, too';
        own_mistake($account, $folder, $url, $errors) if $name =~ /\.cgi$/;
    }
    $process->stop;
    return;
}

# A command of the account's user, with these lines typed: its exit status.
sub command {
    my ($account, $folder, $name, $typed, @arguments) = @_;
    my $home = $account->{home};
    spew("$home/typed", $typed);
    open my $in, '<', "$home/typed" or die "typed: $!";
    my $process = WooGHL::Process->start(["$folder/$name", @arguments], user => $account->{ids}, dir => '/', in => $in, out => "$home/out", err => "$home/err",
        env => { PATH => "$home/bin:/usr/bin:/bin", GHL_API_BASE => $ghl->url, $account->{suexec} ? () : (WOO_GHL_ENV => "$home/woo-ghl/env") });
    return $process->wait // -1;
}

# Two commands more, and the shop's first order is an opportunity. `crontab` is the test's own.
sub from_nothing {
    my ($account, $folder, $name, $url) = @_;
    my $home = $account->{home};
    mkdir "$home/bin";
    spew("$home/bin/crontab", "#!/bin/sh\ntest \"\$1\" = - && exec cat >$home/crontab\necho 'no crontab for me' >&2; exit 1\n");
    chmod 0755, "$home/bin/crontab";
    system 'rm', '-rf', "$home/woo-ghl";
    $woo->reset;
    my $began = time;
    like $http->get("$url/woo-order")->{content}, qr/woo_ghl runs, and is not set up yet/, 'an empty account: the page says what to do';
    sleep 1.1 if $name =~ /fcgi/;    # so long a worker believes that there are no settings
    my @typed = ($secret, $ghl->token, $ghl->location_id, "$url/woo-order");
    is command($account, $folder, $name, join("\n", @typed, ''), 'install'), 0, 'install' or diag slurp("$home/out"), slurp("$home/err");
    like slurp("$home/out"), qr{^public URL ok   \Q$url/woo-order\E$}m, '... ends with the proof from outside';
    like slurp("$home/crontab"), qr/^\* \* \* \* \* .*'\Q$folder\/$name\E' drain /, '... and cron knows it';
    is command($account, $folder, $name, "ck_fake\ncs_fake\n", 'connect', '--shop', $woo->url, '--yes'), 0, 'connect' or diag slurp("$home/err");
    is scalar(() = grep { $_->{topic} =~ /^order/ && $_->{secret} eq $secret && $_->{delivery_url} eq "$url/woo-order" } $woo->webhooks), 4, '... makes the webhooks';
    open my $env, '>>', "$home/woo-ghl/env" or die "env: $!";
    print $env "GHL_API_BASE=" . $ghl->url . "\nGHL_PIPELINE_ID=fakePipelineAAAAAAAA\nDRAIN_AFTER=off\nSALES_SINCE=2000-01-01\n";
    close $env;
    sleep 1.1 if $name =~ /fcgi/;
    like deliver("$url/woo-order", ++$id), qr/^200 \{"status":"synced"/, 'the first order is taken';
    is scalar(() = grep { $_->{name} =~ /#$id$/ } $ghl->opportunities), 1, sprintf 'and is an opportunity, %.1f s and four steps later: copy the program, copy .htaccess, install, connect', time - $began;
    return;
}

# Without cron: what is due is worked on after the answer, which does not wait for it.
sub after_the_answer {
    my ($account, $url) = @_;
    my $file = "$account->{home}/woo-ghl/env";
    my $before = slurp($file);
    spew($file, $before . "DRAIN_AFTER=on\nSYNC_BUDGET=0\n");
    $ghl->fault({ times => 0, do => { waits => 1 } });
    for (1 .. 2) {
        is deliver("$url/woo-order", ++$id), '202 {"status":"queued","reason":"later"}', 'an order is kept';
    }
    $ghl->wait_calls(1);
    pass 'the answers did not wait for GHL, which answers now';
    $ghl->clear_faults;
    my $there = sub { scalar(() = grep { $_->{name} =~ /#(?:$id|@{[ $id - 1 ]})$/ } $ghl->opportunities) };
    ok WooGHL::Process::until_true(sub { $ghl->answer; status_of("$url/woo-order/health"); $there->() == 2 }), 'deliveries and a monitor that looks bring them to GHL';
    spew($file, $before);
    return;
}

# The owner puts the settings beside the program, into the site.
sub own_mistake {
    my ($account, $folder, $url, $errors) = @_;
    my ($home, $seen) = ($account->{home}, length $errors->());
    rename "$home/woo-ghl/env", "$folder/.env" or die "rename: $!";
    is deliver("$url/woo-order", ++$id), '503 {"error":"Unavailable"}', 'settings in the site are refused';
    my $says = qr/settings file: \Q$folder\E\/\.env lies under \S+, whose files the web server hands out; move it to \Q$home\E\/woo-ghl\/env/;
    my @lines = grep { /level=error event=config/ } split /\n/, substr $errors->(), $seen;
    is scalar @lines, 1, '... in one line of the log';
    like $lines[0] // '', $says, '... which says where they belong';
    my $check = WooGHL::Process->start(["$folder/woo_ghl.cgi", 'check'], user => $account->{ids}, env => { PATH => '/usr/bin:/bin' },
        dir => '/', out => "$home/check", err => "$home/check.err");
    isnt $check->wait, 0, 'check fails';
    like slurp("$home/check"), qr/^settings   FAIL $says/m, '... and says it, too';
    rename "$folder/.env", "$home/woo-ghl/env" or die "rename: $!";
    like deliver("$url/woo-order", $id), qr/^200 \{"status":"synced"/, 'at their place they count';
    return;
}

for my $name ('woo_ghl.cgi', 'woo_ghl.fcgi') {
    subtest "$name, as Apache's user" => sub { site(account(0), $name) };
}
SKIP: {
    my $suexec = '/usr/lib/apache2/suexec';
    skip 'suEXEC as another user: only root may, with apache2-suexec-pristine and useradd', 2
        if $> || !-x $suexec || !-x '/usr/sbin/useradd';
    push @accounts, account(1);
    for my $name ('woo_ghl.cgi', 'woo_ghl.fcgi') {
        subtest "$name, by suEXEC, as the account's user" => sub { site($accounts[0], $name) };
    }
}
$ghl->stop;
done_testing;
