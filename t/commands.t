#!/usr/bin/env perl
# What a person meets at the terminal: help, wrong arguments, what stands in the way; the manual; the installation.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use IO::Select;
use IO::Socket::INET;
use Test::More;
use WooGHL::Server;

my $TOP = abs_path("$FindBin::Bin/..");
my $server = WooGHL::Server->new(mode => 'cgi');

sub slurp { my ($path) = @_; open my $file, '<', $path or die "$path: $!"; local $/; return scalar <$file> }

subtest 'help' => sub {
    my $help = $server->command('help');
    is $help->{code}, 0, 'help';
    is $server->command->{out}, $help->{out}, 'no command is help, too';
    my %usage = $help->{out} =~ /^  woo_ghl (\w+)( .*)?$/mg;
    cmp_ok scalar keys %usage, '>=', 9, 'it names the commands';
    for my $name (sort keys %usage) {
        my $run = $server->command($name, '--help');
        is $run->{code}, 0, "$name --help";
        like $run->{out}, qr/\A  woo_ghl $name\b.*\n(?: {10}\S.*\n)+\z/, '... is about that command';
    }
};

subtest 'help COMMAND, and completions' => sub {
    is $server->command('help', 'drain')->{out}, $server->command('drain', '--help')->{out}, 'help drain';
    my $bash = $server->command('help', 'bash')->{out};
    my $file = $server->dir . '/completion';
    open my $out, '>', $file or die "$file: $!";
    print {$out} $bash, 'COMP_WORDS=(woo_ghl dr); COMP_CWORD=1; _woo_ghl; echo "${COMPREPLY[@]}"', "\n",
        'COMP_WORDS=(woo_ghl drain --); COMP_CWORD=2; _woo_ghl; echo "${COMPREPLY[@]}"', "\n",
        'COMP_WORDS=(woo_ghl failed r); COMP_CWORD=2; _woo_ghl; echo "${COMPREPLY[@]}"', "\n";
    close $out;
    is `bash \Q$file\E 2>&1`, "drain\n--help --watch --now --jobs\nretry\n", 'bash completes commands, options and actions';
    my $zsh = $server->command('help', 'zsh')->{out};
    like $zsh, qr/\A#compdef woo_ghl\n.*^        status\) compadd -- --help --json --watch ;;$/ms, 'so does zsh';
};

subtest 'wrong arguments' => sub {
    for my $case (
        [['nonsense'],                   qr/^woo_ghl: unknown command 'nonsense'; see 'woo_ghl help'$/],
        [['chek'],                       qr/^woo_ghl: unknown command 'chek', did you mean check; see 'woo_ghl help'$/],
        [['drain', '--wach'],            qr/^woo_ghl drain: unknown argument '--wach', did you mean --watch; see 'woo_ghl drain --help'$/],
        [['check', 'nonsense'],          qr/^woo_ghl check: unknown argument 'nonsense'; see 'woo_ghl check --help'$/],
        [['help', 'settings', 'x'],      qr/^woo_ghl help: unknown argument 'x'; see 'woo_ghl help --help'$/],
        [['drain', '--jobs', '17'],      qr/^woo_ghl drain: --jobs takes a whole number from 1 to 16$/],
        [['failed', 'nonsense'],         qr/^woo_ghl failed: unknown argument 'nonsense'; see 'woo_ghl failed --help'$/],
        [['failed', 'show'],             qr/^woo_ghl failed: show takes other arguments; see 'woo_ghl failed --help'$/],
        [['failed', 'retry', '--since', 'yesterday'],
            qr/^woo_ghl failed: --since: 'yesterday' is not a date in the past; write for example 2026-11-25, 2026-11-25T08:00:00 \(UTC\) or 36h$/],
        [['failed', 'retry', '--since', '2026-11-25x'], qr/--since: '2026-11-25x' is not a date/],
        [['failed', 'retry', '--since', '20261125'], qr/--since: '20261125' is not a date/],
        [['failed', 'retry', '--since'],
            qr/^woo_ghl failed: --since needs a value; write for example 2026-11-25, 2026-11-25T08:00:00 \(UTC\) or 36h$/],
        [['reconcile', '--since'],       qr/^woo_ghl reconcile: --since needs a value; write for example /],
    ) {
        my ($arguments, $says) = @$case;
        my $run = $server->command(@$arguments);
        is $run->{code}, 64, "@$arguments";
        my ($said) = grep { !/^time=/ } split /\n/, $run->{err};
        like $said, $says, '... says why';
    }
    for my $date ('2026-11-25', '2026-11-25T08:00:00', '2026-11-25T08:00:00Z', '36h') {
        is $server->command('failed', 'retry', '--since', $date)->{out}, "No matching orders.\n", "--since $date";
    }
};

# Each command that needs the store says what is wrong with it, not only that something is.
subtest 'a store that is away' => sub {
    my $free = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "no free port: $!";
    my $port = $free->sockport;
    close $free;
    my $dir = $server->dir;
    for my $case (
        [{ REDIS_URL => "redis://127.0.0.1:$port" }, "Redis at 127.0.0.1 port $port: cannot connect: Connection refused"],
        [{ DATA_DIR => "$dir/none/data" }, "DATA_DIR: $dir/none/data: cannot be made, its parent directory does not exist; make that first"],
    ) {
        my ($settings, $why) = @$case;
        my $other = WooGHL::Server->new(mode => 'cgi', settings => { LOG => 'stderr', %$settings });
        like $other->command('check')->{out}, qr/^store      FAIL \Q$why\E$/m, "check: $why";
        for my $command ('status', 'failed', 'drain') {
            like $other->command($command)->{err}, qr/\Q$why\E/, "$command says it, too";
        }
    }
};

subtest 'GHL' => sub {
    my $ghl = FakeGHL::Client->start;
    my %settings = (GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token, GHL_LOCATION_ID => $ghl->location_id);
    my $other = WooGHL::Server->new(mode => 'cgi', settings => \%settings);
    like $other->command('check')->{out}, qr/^GHL        ok   it answers$/m, 'that answers';
    my $hint = qr/GHL refuses GHL_API_KEY \(401 Invalid JWT\)/;
    $other->set(GHL_API_KEY => 'pit-another');
    my $run = $other->command('check');
    is $run->{code}, 1, 'that refuses the token';
    like $run->{out}, qr/^GHL        FAIL $hint\n.*^     to mend: Are GHL_API_KEY, its scopes and GHL_LOCATION_ID right\?/ms, '... check says so';
    for my $command ('pipelines', 'fields') {
        $run = $other->command($command);
        is $run->{code}, 69, "... $command";
        like $run->{err}, qr/^woo_ghl $command: GHL failed: $hint.*are GHL_API_KEY, its scopes/m, '... says so';
    }
    $ghl->down;
    $run = $other->command('check');
    like $run->{out}, qr/^GHL        FAIL GHL does not answer \(.*Connection refused.*\)\n.*^     orders:  Orders wait in the queue/ms, 'that does not answer';
    unlike $run->{out}, $hint, '... which is not the fault of the token';
    $ghl->stop;
};

subtest 'Ctrl-C while nobody answers' => sub {
    my $other = WooGHL::Server->new(mode => 'cgi', settings => { GHL_API_KEY => 'pit-1', GHL_LOCATION_ID => 'here' });
    for my $command (['check'], ['pipelines'], ['fields'], ['trigger', '--url']) {
        my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "no port: $!";
        my $url = 'http://127.0.0.1:' . $silent->sockport;
        $other->set(GHL_API_BASE => $url);
        push @$command, "$url/woo-order" if $command->[0] eq 'trigger';
        my $process = $other->background(@$command);
        my $called = IO::Select->new($silent)->can_read($WooGHL::Process::PATIENCE) && $silent->accept;
        ok $called, "$command->[0] waits for an answer";
        $process->signal('INT');
        is $process->wait, 2, '... and ends at once';
    }
};

subtest 'refused settings' => sub {
    my $other = WooGHL::Server->new(mode => 'cgi', settings => { GHL_TIMEOUT => 'soon', MAX_BODY => 'much' });
    my $run = $other->command('check');
    is $run->{code}, 1, 'a failure';
    like $run->{out}, qr/^GHL_TIMEOUT .*^settings   FAIL GHL_TIMEOUT: 'soon' is not .*^settings   FAIL MAX_BODY: 'much' is not /ms,
        'check tells them last, below the values';
};

subtest 'report' => sub {
    my $secret = 'pit-a-very-secret-token';
    my $other = WooGHL::Server->new(mode => 'cgi', settings => { GHL_DRY_RUN => 'yes', GHL_API_KEY => $secret, ALERT_COMMAND => 'mail -s x ann@example.com' });
    my $body = '{"id":7,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"ann@example.com","phone":"+15555550123"}}';
    like $other->deliver($body)->{body}, qr/synced/, 'given an order';
    my $file = $other->dir . '/report.txt';
    my $run = $other->command('report', $file);
    is $run->{code}, 0, 'it is written' or diag $run->{err};
    is +(stat $file)[2] & 0777, 0600, '... for the user alone';
    my $text = slurp($file);
    like $text, qr/^woo_ghl \S+, 20.*^-- check --\nsettings file .*^-- status --\nAll is well: .*^-- the end of the log --\n.*event=synced order=shop:7 /ms, 'with all its parts';
    unlike $text, qr/ann\@example|5555550123|\Q$secret\E|\Q$WooGHL::Server::SECRET\E/, 'nobody and no secret is in it';
    is $other->command('report', $file)->{code}, 73, 'a file that is there stays as it is';
    like $other->command('report')->{out}, qr/^-- status --$/m, 'without a file it goes to standard output';
};

subtest 'the manual' => sub {
    plan skip_all => 'there is no groff' unless grep { -x "$_/groff" } split /:/, $ENV{PATH};
    my $said = `groff -man -ww -Tascii -z \Q$TOP\E/doc/woo_ghl.1 2>&1`;
    is $said, '', 'groff has nothing to say about it';
};

subtest 'make install' => sub {
    delete local @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};    # of the make that runs this
    my $root = tempdir(CLEANUP => 1);
    my $program = $ENV{WOO_GHL_PROGRAM} || "$TOP/woo_ghl";
    my $install = "make -s -C \Q$TOP\E -o all install PROGRAM=\Q$program\E DESTDIR=\Q$root\E PREFIX=/opt/x 2>&1";
    is `$install`, '', 'says nothing';
    is `$root/opt/x/bin/woo_ghl version`, `$program version`, 'the link in bin works';
    is +(stat "$root/etc/woo-ghl/env")[2] & 0777, 0640, 'the settings are not for all';
    ok -f "$root/opt/x/share/man/man1/woo_ghl.1", 'the manual';
    my $readme = slurp("$root/opt/x/share/doc/woo-ghl/README.md");
    for my $path ($readme =~ m{\]\(([^):]+)\)}g, $readme =~ m{`(deploy/[\w./-]+)`}g) {
        ok -e "$root/opt/x/share/doc/woo-ghl/$path", "what README points to: $path" if $path !~ m{^#|^deploy/run\.sh$};
    }
    open my $file, '>>', "$root/etc/woo-ghl/env" or die "env: $!";
    print $file "SHOP=mine\n";
    close $file or die "env: $!";
    is `$install`, '', 'again';
    like slurp("$root/etc/woo-ghl/env"), qr/^SHOP=mine$/m, "the owner's settings stay";
    (my $uninstall = $install) =~ s/ install / uninstall /;
    like `$uninstall`, qr{^The settings stay: \Q$root\E/etc/woo-ghl/env$}, 'make uninstall';
    is_deeply [grep { length } map { s{^\Q$root\E}{}r } split /\n/, `find \Q$root\E -type f -o -type l`], ['/etc/woo-ghl/env'], '... leaves the settings alone';
};

done_testing;
