#!/usr/bin/env perl
# woo_ghl install: from an empty account to an order that is taken, behind Apache as CGI; and the page that the program
# shows before.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use Test::More;
use WooGHL::Process;
use WooGHL::Server;

sub has { my ($program) = @_; return grep { -x "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin' }
sub slurp { my ($path) = @_; open my $file, '<', $path or return ''; local $/; return scalar(<$file>) // '' }

# A crontab of the test's own: %s is what `crontab -l` does without a table.
sub fake_crontab {
    my ($dir, $empty) = @_;
    mkdir "$dir/bin";
    open my $file, '>', "$dir/bin/crontab" or die "crontab: $!";
    print $file qq{#!/bin/sh\nif [ "\$1" = -l ]; then [ -e $dir/table ] && exec cat $dir/table; $empty; fi\nexec cat >$dir/table\n};
    close $file;
    chmod 0755, "$dir/bin/crontab";
    return;
}

# { code, out, err } of an install that gets these lines typed.
sub install {
    my ($server, $typed, $env, @arguments) = @_;
    my $dir = $server->dir;
    open my $file, '>', "$dir/typed" or die "typed: $!";
    print $file $typed;
    close $file;
    open my $in, '<', "$dir/typed" or die "typed: $!";
    my $process = WooGHL::Process->start([$server->program, 'install', @arguments],
        env => { PATH => "$dir/bin:$ENV{PATH}", WOO_GHL_ENV => "$dir/home/woo-ghl/env", %{ $env || {} } },
        in => $in, out => "$dir/out", err => "$dir/err", user => [WooGHL::Process->user]);
    my $status = $process->wait // die 'install did not end';
    return { code => $status >> 8, out => slurp("$dir/out"), err => slurp("$dir/err") };
}

sub new_account {
    my (%more) = @_;
    my $server = WooGHL::Server->new(%more);
    my $dir = $server->dir;
    mkdir "$dir/home";
    chown +(WooGHL::Process->user), "$dir/home" if WooGHL::Process->user;
    fake_crontab($dir, 'echo "no crontab for me" >&2; exit 1');
    return ($server, $dir);
}

subtest 'from an empty account to the first order' => sub {
    plan skip_all => 'there is no Apache' unless has('apache2');
    my @began = times;
    my ($server, $dir) = new_account(mode => 'apache_cgi');
    $server->start;
    unlink "$dir/env" or die "env: $!";
    my $page = $server->request(GET => '/woo-order');
    is $page->{status}, 200, 'before there are settings the program shows a page';
    like $page->{headers}{'content-type'}, qr{^text/html}, '... in HTML';
    like $page->{body}, qr/WOO_WEBHOOK_SECRET=.*GHL_API_KEY=.*GHL_LOCATION_ID=/s, '... that names the three values';
    unlike $page->{body}, qr/<form|<input|<script|\Q$dir\E/i, '... asks for none, and tells no path';
    is $server->request(POST => '/woo-order', {}, '{}')->{status}, 503, 'a delivery is not lost';

    my $run = install($server, "it's a secret\n\n" . $server->url . "/woo-order\n", { WOO_GHL_ENV => "$dir/env", LOG => "$dir/log" });
    like $run->{out}, qr/^made: \Q$dir\E\/env\n/, 'installed: the settings';
    like $run->{out}, qr/^public URL ok   \Q@{[$server->url]}\E\/woo-order$/m, '... and proved through the web server';
    is $run->{code}, 0, 'one command' or diag $run->{out}, $run->{err};
    is slurp("$dir/env"), "WOO_WEBHOOK_SECRET='it'\\''s a secret'\nPUBLIC_URL='" . $server->url . "/woo-order'\nGHL_DRY_RUN='yes'\n", 'what was typed';
    is sprintf('%o %o', map { (stat "$dir/$_")[2] & 0777 } 'env', 'woo_ghl-data'), '600 700', 'for its owner alone';
    is slurp("$dir/table"), "* * * * * WOO_GHL_ENV='$dir/env' '$dir/woo_ghl' drain >/dev/null 2>&1\n", 'the cron line';
    unlike $run->{out} . $run->{err}, qr/s a secret/, 'the secret is not shown';
    $server->{settings}{WOO_WEBHOOK_SECRET} = "it's a secret";
    like $server->deliver('{"id":7,"status":"processing","total":"5.00","billing":{"email":"a@example.com"}}')->{body}, qr/"status":"synced"/, 'the first order is taken';
    is $server->request(GET => '/woo-order')->{status}, 405, 'the page is gone';
    my @end = times;
    cmp_ok $end[2] + $end[3] - $began[2] - $began[3], '<', 60, 'all commands together take less than a minute of a processor';
};

subtest 'again, with what was missing' => sub {
    my $ghl = FakeGHL::Client->start;
    my ($server, $dir) = new_account();
    my $env = { GHL_API_BASE => $ghl->url, PUBLIC_URL => 'no', LOG => "$dir/log" };
    my $run = install($server, '', $env, '--no-questions');
    is $run->{code}, 0, 'without questions: a dry run' or diag $run->{out}, $run->{err};
    like $run->{out}, qr{^made: a fresh webhook secret\nmade: \Q$dir\E/home/woo-ghl\nmade: \Q$dir\E/home/woo-ghl/env\n}, '... with a fresh secret, in a new directory';
    my ($secret) = slurp("$dir/home/woo-ghl/env") =~ /^WOO_WEBHOOK_SECRET='([0-9a-f]{40})'$/m;
    ok $secret, '... that is long enough';
    $run = install($server, '', { %$env, GHL_API_KEY => $ghl->token }, '--location', $ghl->location_id, '--no-questions');
    is $run->{code}, 0, 'then with token and location' or diag $run->{out}, $run->{err};
    my $text = slurp("$dir/home/woo-ghl/env");
    like $text, qr/^WOO_WEBHOOK_SECRET='$secret'$/m, 'the secret stays';
    like $text, qr/^GHL_DRY_RUN='no'$/m, 'it is no dry run any more';
    is scalar(() = $text =~ /^GHL_DRY_RUN/mg), 1, 'each value stands there once';
    like $run->{out}, qr/^there: the cron line that runs drain$/m, 'the cron line is made once';
    is scalar(() = slurp("$dir/table") =~ /drain/g), 1, '... indeed';
    $ghl->stop;
};

subtest 'what stands in the way' => sub {
    my ($server, $dir) = new_account();
    my $env = { PUBLIC_URL => 'no', LOG => "$dir/log" };
    fake_crontab($dir, 'echo "you are not allowed to use this program" >&2; exit 1');
    my $run = install($server, '', $env, '--no-questions');
    like $run->{out}, qr/^to do: put this line into the panel's cron jobs \(\* \* \* \* \*\); .*\n  \* \* \* \* \* WOO_GHL_ENV=/m, 'no crontab: the line to paste';
    ok !-e "$dir/table", '... and no table was written';
    is install($server, '', { %$env, WOO_GHL_ENV => "$dir/public_html/env" }, '--no-questions')->{code}, 64, 'settings below a web folder';
    is install($server, '', { %$env, WOO_GHL_ENV => "$dir/none/below/env" }, '--no-questions')->{code}, 73, 'a directory without a parent';
    is install($server, "a secret", { %$env, WOO_GHL_ENV => "$dir/home/other/env" })->{code}, 64, 'nobody who answers';
    ok !-e "$dir/home/other", '... makes nothing';
    is install($server, '', $env, $_)->{code}, 64, $_ for '--location', '--nonsense';
};

done_testing;
