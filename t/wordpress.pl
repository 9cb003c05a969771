#!/usr/bin/env perl
# `make wordpress-test`: the program and deploy/htaccess beside a real WordPress (Debian's), which writes its permalinks into
# .htaccess itself. One shop is the whole site, another lies in the folder /shop of it; each has its own folder woo-order.
# MariaDB (a socket only) and Apache with mod_php are started here, in a temporary directory.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use FakeGHL::Client;
use File::Temp ();
use FindBin;
use HTTP::Tiny;
use IO::Socket::INET;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Process;

my $modules = '/usr/lib/apache2/modules';
my ($php) = glob "$modules/libphp*.so";
my %needed = ('apache2' => '/usr/sbin/apache2', 'libapache2-mod-php' => $php, 'mariadb-server' => '/usr/sbin/mariadbd',
    'php-mysql' => scalar glob('/etc/php/*/apache2/conf.d/*-mysqli.ini'), 'wordpress' => '/usr/share/wordpress/wp-settings.php');
my @missing = grep { !$needed{$_} || !-e $needed{$_} } sort keys %needed;
plan skip_all => "not installed: @missing" if @missing;

my $SECRET = 'a_secret_of_the_shop';
my $program = $ENV{WOO_GHL_PROGRAM} || "$FindBin::Bin/../woo_ghl";
my @user = WooGHL::Process->user;
my $home = File::Temp->newdir('woo-ghl-XXXXXX', TMPDIR => 1);
my $site = "$home/public_html";
chown @user, "$home" if @user;
my $ghl = FakeGHL::Client->start;
my $http = HTTP::Tiny->new(max_redirect => 0, timeout => 120);
my $id = 0;
my @running;
END { local $?; $_->stop for reverse @running }

sub slurp { my ($path) = @_; open my $in, '<:raw', $path or return ''; local $/; return scalar(<$in>) // '' }
sub spew { my ($path, $text) = @_; open my $out, '>:raw', $path or die "$path: $!"; print {$out} $text; close $out or die "$path: $!"; chown @user, $path if @user; return }

# All that runs here runs as the account's user, without this environment.
sub process {
    my ($command, %option) = @_;
    return WooGHL::Process->start($command, user => \@user, dir => "$home", out => "$home/out", err => "$home/err", %option,
        env => { PATH => "$home/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME => "$home", LC_ALL => 'C.UTF-8', %{ $option{env} || {} } });
}
sub command {
    my ($command, %option) = @_;
    unlink "$home/out", "$home/err";
    my $status = process($command, %option)->wait(120) // -1;
    return $status || 0;
}
sub must { my (@command) = @_; command(\@command) == 0 or die "@command: " . slurp("$home/out") . slurp("$home/err"); return }
sub until_true {
    my ($process, $true) = @_;
    my $deadline = time + 30;
    until ($true->()) {
        return 0 if time > $deadline || !$process->alive;
        sleep 0.05;
    }
    return 1;
}

sub start_mariadb {
    my @common = ('--no-defaults', "--datadir=$home/mysql");
    must('mariadb-install-db', @common, '--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve');
    my $process = process(['mariadbd', @common, '--skip-networking', "--socket=$home/mysql.sock", "--pid-file=$home/mysql.pid", "--tmpdir=$home",
        '--innodb-flush-log-at-trx-commit=0', '--innodb-buffer-pool-size=32M'], out => "$home/mysql.log", err => "$home/mysql.log");
    push @running, $process;
    until_true($process, sub { -S "$home/mysql.sock" && command(['mariadb', '--no-defaults', '-uroot', "-S$home/mysql.sock", '-e', 'CREATE DATABASE shop']) == 0 })
        or die 'MariaDB does not start: ' . slurp("$home/mysql.log");
    return;
}

# Apache as a host sets it up: .htaccess may what deploy/INSTALL.txt asks for, PHP and CGI are there; its base URL.
sub start_apache {
    my $load = join "\n", map { "LoadModule ${_}_module $modules/mod_$_.so" } qw(mpm_prefork authz_core env dir mime rewrite cgi);
    for (1 .. 10) {
        my $port = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport;
        spew("$home/apache.conf", <<"END");
ServerName 127.0.0.1
ServerRoot $home
DefaultRuntimeDir $home
PidFile $home/apache.pid
Mutex pthread
Listen 127.0.0.1:$port
ErrorLog $home/errors
StartServers 3
$load
LoadModule php_module $php
TypesConfig /etc/mime.types
DirectoryIndex index.php index.html
SetEnv WOO_GHL_ENV $home/woo-ghl/env
DocumentRoot $site
<Directory $site>
    Options FollowSymLinks
    AllowOverride Options FileInfo AuthConfig Indexes
    Require all granted
</Directory>
<FilesMatch "\\.php\$">
    SetHandler application/x-httpd-php
</FilesMatch>
END
        # With the MPM that mod_php needs, Apache ends by a signal to its whole process group: it gets its own.
        my $process = process(['setsid', 'apache2', '-f', "$home/apache.conf", '-D', 'FOREGROUND'], out => "$home/errors", err => "$home/errors");
        if (until_true($process, sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }) && $process->alive) {
            push @running, $process;
            return "http://127.0.0.1:$port";
        }
        die 'Apache does not start: ' . slurp("$home/errors") unless slurp("$home/errors") =~ /[Aa]ddress already in use/;
    }
    die 'no free port';
}

# WordPress as its owner gets it: the files, wp-config.php, and the form of its installation, which tries permalinks itself.
sub install_wordpress {
    my ($folder, $url, $prefix) = @_;
    must('cp', '-rLT', '/usr/share/wordpress', $folder);
    unlink "$folder/.htaccess", "$folder/wp-config.php";
    # Debian's has no theme of its own.
    must('mkdir', '-p', "$folder/wp-content/themes/plain");
    spew("$folder/wp-content/themes/plain/style.css", "/*\nTheme Name: Plain\n*/\n");
    spew("$folder/wp-content/themes/plain/index.php", '<html><head><title><?php wp_title(); bloginfo("name"); ?></title><?php wp_head(); ?></head>'
        . '<body <?php body_class(); ?>><?php while (have_posts()) { the_post(); the_content(); } wp_footer(); ?></body></html>');
    spew("$folder/wp-config.php", <<"END");
<?php
define('DB_NAME', 'shop');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:$home/mysql.sock');
define('DB_CHARSET', 'utf8mb4');
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('WP_DEFAULT_THEME', 'plain');
\$table_prefix = '$prefix';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
END
    my $answer = $http->post_form("$url/wp-admin/install.php?step=2", { weblog_title => "The shop $prefix", user_name => 'ann', admin_password => 'a long password 7',
        admin_password2 => 'a long password 7', pw_weak => 1, admin_email => 'ann@example.com', blog_public => 0, language => '' });
    like $answer->{content}, qr/Success!/, 'WordPress is installed' or diag $answer->{status}, slurp("$home/errors");
    my $base = $url =~ s{^http://[^/]+}{}r;
    like slurp("$folder/.htaccess"), qr{^# BEGIN WordPress\n.*^RewriteBase \Q$base\E/\n.*^RewriteRule \. \Q$base\E/index\.php \[L\]}ms, '... and its permalinks are in force';
    return;
}

# What an owner does by FTP; notes are what else lies about there.
sub copy_program {
    my ($folder) = @_;
    mkdir $folder, 0755;
    chown @user, $folder if @user;
    spew("$folder/woo_ghl.cgi", slurp($program));
    chmod 0755, "$folder/woo_ghl.cgi";
    spew("$folder/.htaccess", slurp("$FindBin::Bin/../deploy/htaccess"));
    spew("$folder/$_", 'not for the world') for qw(INSTALL.txt env.sample .env.bak error_log notes wp-config.php);
    return;
}

sub install_program {
    my ($folder, $url) = @_;
    mkdir "$home/bin";
    spew("$home/bin/crontab", "#!/bin/sh\ntest \"\$1\" = - && exec cat >$home/crontab\nexit 1\n");
    chmod 0755, "$home/bin/crontab";
    spew("$home/typed", join "\n", $SECRET, $ghl->token, $ghl->location_id, $url, '');
    my %option = (in => "$home/typed", env => { GHL_API_BASE => $ghl->url, WOO_GHL_ENV => "$home/woo-ghl/env" });
    is command(["$folder/woo_ghl.cgi", 'install'], %option), 0, 'install' or diag slurp("$home/out"), slurp("$home/err");
    like slurp("$home/out"), qr{^public URL ok   \Q$url\E$}m, '... ends with the proof from outside';
    spew("$home/woo-ghl/env", slurp("$home/woo-ghl/env") . 'GHL_API_BASE=' . $ghl->url . "\nGHL_PIPELINE_ID=fakePipelineAAAAAAAA\nDRAIN_AFTER=off\nSALES_SINCE=2000-01-01\n");
    return;
}

sub deliver {
    my ($url, $n) = @_;
    my $body = qq({"id":$n,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"c$n\@example.com"}});
    my $answer = $http->post($url, { content => $body, headers => { 'Content-Type' => 'application/json',
        'X-WC-Webhook-Topic' => 'order.created', 'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $SECRET) . '=' } });
    return "$answer->{status} $answer->{content}";
}
sub get { my ($url) = @_; my $answer = $http->get($url); return "$answer->{status} $answer->{content}" }

sub program_answers {
    my ($url) = @_;
    is get("$url/health"), '200 {"status":"ok"}', 'health';
    like deliver($url, ++$id), qr/^200 \{"status":"synced"/, 'an order is taken' or diag slurp("$home/errors");
    is scalar(() = grep { $_->{name} =~ /#$id$/ } $ghl->opportunities), 1, '... and is one opportunity';
    like deliver("$url/", $id), qr/^200 \{"status":"skipped"/, 'with a slash, too: neither is redirected';
    like deliver("$url/woo_ghl.cgi", $id), qr/^200 \{"status":"skipped"/, 'and by the name of the program';
    like deliver("$url/?a=b", $id), qr/^200 \{"status":"skipped"/, 'and with a query';
    is $http->post($url, { content => '{}' })->{status}, 401, 'without a signature it is refused';
    like get("$url/no-such"), qr/^404 \{"error"/, "an address below that the program does not know is the program's 404";
    like get("$url/notes"), qr/^404 \{"error"/, '... also if a file is called so';
    like get("$url/$_"), qr/^403 (?!.*not for the world)/s, "$_ is not handed out" for qw(.htaccess INSTALL.txt env.sample .env.bak error_log wp-config.php);
    unlike get("$url/woo_ghl.cgi"), qr/ELF/, 'nor is the program';
    return;
}

sub wordpress_answers {
    my ($url, $title) = @_;
    my $page = qr/<title>[^<]*\Q$title\E.*<body class="[^"]*/s;
    like get("$url/"), qr/^200 .*${page}home/s, 'the front page';
    like get("$url/sample-page/"), qr/^200 .*${page}page-id-2/s, 'a page by its permalink';
    like get("$url/?p=1"), qr/^301 /, 'a post by its number is sent to its permalink';
    my ($post) = $http->get("$url/?p=1")->{headers}{location} // '';
    like $post, qr{^\Q$url\E/.*hello-world/$}, '... which is one';
    like get($post), qr/^200 .*${page}postid-1/s, '... and is there';
    like get("$url/wp-login.php"), qr/^200 .*id="user_login"/s, 'wp-login.php';
    like get("$url/wp-json/"), qr/^200 \{"name":"\Q$title\E"/, 'the REST API, by which connect reaches WooCommerce';
    like get("$url/$_"), qr/^404 .*${page}error404/s, qq{$_ is WordPress's 404}
        for 'no-such/', 'woo-orders', 'woo-order2/health', 'a/woo-order', 'woo-ghl/env', 'woo-ghl/woo_ghl-data';
    like get("$url/wp-includes/js/wp-embed.min.js"), qr/^200 /, 'its files';
    return;
}

start_mariadb();
must('mkdir', $site);
my $url = start_apache();
my @shops = (['', 'first_'], ['/shop', 'second_']);
for my $shop (@shops) {
    my ($where, $prefix) = @$shop;
    subtest "WordPress in $where/" => sub { install_wordpress("$site$where", "$url$where", $prefix) };
}
copy_program("$site$_->[0]/woo-order") for @shops;
subtest 'install' => sub { install_program("$site/woo-order", "$url/woo-order") };
for my $shop (@shops) {
    my ($where, $prefix) = @$shop;
    subtest "$where/woo-order" => sub { program_answers("$url$where/woo-order") };
    subtest "WordPress in $where/ beside it" => sub { wordpress_answers("$url$where", "The shop $prefix") };
}
done_testing;
