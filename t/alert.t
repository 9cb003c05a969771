#!/usr/bin/env perl
# A person is told, once in ALERT_EVERY, and nobody waits for it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Test::More;
use WooGHL::Server;

my $DAY = 24 * 3600;

sub deliver {
    my ($server, $id) = @_;
    my $body = qq({"id":$id,"status":"processing","total":"10.00","billing":{"first_name":"Ann","email":"ann\@example.com"}});
    return $server->deliver($body)->{body};
}

sub file_of { my ($path) = @_; open my $in, '<', $path or return ''; local $/; return scalar(<$in>) // '' }

# What was told of a kind, as soon as at least so much was.
sub told {
    my ($server, $kind, $n) = @_;
    my @told;
    WooGHL::Process::until_true(sub { @told = file_of($server->dir . '/told') =~ /^woo_ghl $kind: (.*)$/mg; @told >= $n });
    return \@told;
}

my $ghl = FakeGHL::Client->start;
for my $store (qw(sqlite redis)) {
    my $redis = $store eq 'redis' ? WooGHL::Server->redis : undef;
    my $new = sub {
        my (%more) = @_;
        $ghl->reset;
        my $server = WooGHL::Server->for_ghl($ghl, redis => $redis, mode => 'cgi', settings => \%more);
        # One write a text, so that two commands do not mix their lines.
        $server->set(ALERT_COMMAND => q{text=$(cat); printf '%s\n' "$text" >>} . $server->dir . '/told') unless $more{ALERT_COMMAND};
        return $server->start;
    };

    subtest "$store: a pause is told once, and no part of the text is a command" => sub {
        my $server = $new->();
        my $name = '$(touch ' . $server->dir . '/pwned)';
        $server->set(GHL_PIPELINE_ID => $name);
        is deliver($server, 1), '{"status":"queued","reason":"paused"}', 'given a pipeline that is not there';
        like told($server, 'paused', 1)->[0], qr/GHL_PIPELINE_ID: the location has no "\Q$name\E"/, 'the reason is told as it is';
        ok $server->drain_as_of(61), 'a probe lifts the pause, and it begins again';
        is deliver($server, 2), '{"status":"queued","reason":"paused"}', 'a further order';
        ok $server->drain_as_of(1800), 'a drain half an hour later';
        is scalar @{ told($server, 'paused', 1) }, 1, 'is not told within ALERT_EVERY';
        ok $server->drain_as_of(3700), 'a drain more than an hour later';
        is scalar @{ told($server, 'paused', 2) }, 2, 'is told again';
        ok !-e $server->dir . '/pwned', 'nothing of it was run';
        $server->stop;
    };

    subtest "$store: dead letters are told, and again before their content goes" => sub {
        my $server = $new->();
        $ghl->fault({ match => { path => '^/opportunities/$' }, do => { status => 422, body => { message => ['name must be a string'] } } });
        is deliver($server, 1), '{"status":"queued","reason":"dead_letter"}', 'given a dead letter';
        like told($server, 'dead_letter', 1)->[0], qr/^Order shop:1 is a dead letter .*name must be a string/, 'it is told';
        ok $server->drain_as_of(26 * $DAY), 'four days before DEAD_LETTER_TTL';
        unlike $server->log, qr/event=expiring/, 'nothing is said';
        ok $server->drain_as_of(27.5 * $DAY), 'two days and a half before';
        like told($server, 'expiring', 1)->[0], qr/^1 dead letters lose their content within 3 days/, 'it is told';
        like $server->log, qr/level=warn event=expiring .*1 dead letters/, 'and said in the log';
        ok $server->drain_as_of(31 * $DAY), 'after DEAD_LETTER_TTL';
        like $server->log, qr/event=expired .*1 dead letters/, 'it has lost its content';
        is scalar @{ told($server, 'expiring', 1) }, 1, 'that it is about to is not told any more';
        unlike file_of($server->dir . '/told'), qr/ann\@example/, 'nobody is named';
        $server->stop;
    };

    subtest "$store: silence" => sub {
        my $server = $new->(ALERT_SILENCE => '1h');
        like deliver($server, 1), qr/synced/, 'given an order';
        ok $server->drain_as_of(1800), 'a drain within ALERT_SILENCE';
        unlike $server->log, qr/event=silent/, 'says nothing';
        ok $server->drain_as_of(3700), 'a drain after it';
        like told($server, 'silent', 1)->[0], qr/^No signed order has come for 1 h \d min: /, 'tells it';
        like $server->log, qr/level=warn event=silent/, 'and says it in the log';
        $server->stop;
    };

    subtest "$store: nobody drains" => sub {
        my $server = $new->(SYNC_BUDGET => '0');
        my $out = $server->dir . '/said';
        my $as_of = sub {
            my ($seconds, $what) = @_;
            unlink $out;
            is $server->later($seconds, [$what], out => $out)->wait, 0, "$what, $seconds s later";
            return file_of($out);
        };
        is deliver($server, 1), '{"status":"queued","reason":"later"}', 'given an order that waits';
        is $as_of->(500, 'wanted'), "wanted\n", 'a web worker drains';
        unlike $server->log, qr/event=undrained/, 'nobody is told yet';
        is $as_of->(700, 'wanted'), "wanted\n", 'still nothing else drains';
        like $server->log, qr/level=warn event=undrained/, 'the log says it';
        like told($server, 'undrained', 1)->[0], qr/^Orders wait for more than 10 minutes and nothing drains/, 'it is told';
        like $as_of->(700, 'status'), qr/^nothing has drained for 10 minutes/m, 'status says it';
        $ghl->fault({ times => 0, do => { status => 503, headers => { 'Retry-After' => 60 } } });
        is $server->command('drain')->{code}, 0, 'given a drain, which cannot bring it to GHL';
        is $as_of->(700, 'wanted'), "not wanted\n", 'a drain runs here';
        unlike $as_of->(700, 'status'), qr/nothing has drained/, 'status says nothing';
        $server->stop;
    };

    subtest "$store: the breaker stays open" => sub {
        my $server = $new->();
        $ghl->fault({ times => 0, do => { status => 503, headers => { 'Retry-After' => 60 } } });    # one try at a time
        like deliver($server, $_), qr/"queued"/, 'given an order that GHL does not answer to' for 1 .. 5;
        like $server->log, qr/level=error event=breaker .*next try is in 30 s/, 'the breaker is open';
        my $at = 0;
        for my $open (60, 120) {
            ok $server->drain_as_of($at += $open), 'a try as soon as it may be';
            my $words = $open == 60 ? '60 s' : '2 min';
            like $server->log, qr/event=breaker .*next try is in $words/, "it stays open for $words";
        }
        is file_of($server->dir . '/told'), '', 'that is nothing to tell yet';
        ok $server->drain_as_of($at += 240), 'a further try';
        like told($server, 'breaker', 1)->[0], qr/^GHL answers with errors \(503\), for minutes: .* none is lost$/, 'now it is told';
        $ghl->clear_faults;
        ok $server->drain_as_of($at += 240), 'GHL is back';
        is_deeply [sort map { $_->{name} } $ghl->opportunities], [map {"Order #$_"} 1 .. 5], 'and has them all';
        $server->stop;
    };

    # Nobody can see the card that a worker makes while its lease runs out.
    subtest "$store: a second id" => sub {
        my $server = $new->(GHL_TIMEOUT => '60s');
        $ghl->settings({ search_lag_ms => 10_000_000 });
        $ghl->fault({ match => { method => 'POST', path => '^/opportunities/$' }, do => { waits => 1 } });
        pipe my $in, my $out or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if (!$pid) { syswrite $out, eval { deliver($server, 1) } // "$@"; POSIX::_exit(0) }
        close $out;
        $ghl->wait_calls(1, method => 'POST', path => '/opportunities/');
        my @worker = $server->worker_pids;
        kill STOP => @worker;
        ok $server->drain_as_of(300), 'given a worker whose create takes longer than all waits';
        is $ghl->count(method => 'POST', path => '/opportunities/'), 2, 'another makes a second card';
        $ghl->answer;
        kill CONT => @worker;
        like do { local $/; <$in> }, qr/"queued","reason":"lease_lost"/, 'the first one hears that it is late';
        waitpid $pid, 0;
        my ($card) = $server->log =~ /event=conflict .*ghl_id=(\w+) msg="The store has another opportunity of this order already/;
        ok scalar(grep { $_->{id} eq ($card // '') } $ghl->opportunities), 'the log says which card is one too many';
        is_deeply told($server, 'conflict', 1),
            ['Order shop:1 has a second opportunity: look for ' . ($card // '') . ' in GHL'], 'it is told';
        $server->stop;
    };

    subtest "$store: the spool has files that cannot be opened" => sub {
        my $server = $new->(REDIS_URL => 'redis://127.0.0.1:1');
        like deliver($server, 1), qr/store_unavailable/, 'given a spooled order';
        my ($file) = glob $server->dir . '/data/spool/*.delivery';
        truncate $file, 100 or die "$file: $!";
        $server->set(REDIS_URL => $redis->url);
        is $server->command('drain')->{code}, 0, 'whose file was cut';
        like told($server, 'spool', 1)->[0], qr/^\Q$file\E is kept as \.damaged and cannot be moved to the store: it was changed, cut/,
            'it is told';
        ok -e "$file.damaged", 'and kept';
        ok $server->drain_as_of(3700), 'a drain an hour later';
        like told($server, 'spool', 2)->[1], qr/^1 files of the spool are damaged/, 'tells it again';
        $server->stop;
    } if $redis;

    subtest "$store: orders that wait and cannot be opened" => sub {
        my $server = $new->(SYNC_BUDGET => '0');
        is deliver($server, 1), '{"status":"queued","reason":"later"}', 'given an order that waits';
        my $old = $WooGHL::Server::SECRET;
        local $WooGHL::Server::SECRET = 'another secret';
        $server->set(WOO_WEBHOOK_SECRET => 'another secret');
        ok $server->drain_as_of($_), 'and another secret, a drain' for 60, 1300;
        my $told = told($server, 'sealed', 1);
        is scalar @$told, 1, 'is told once';
        like $told->[0], qr/cannot be opened, and stay: .*WOO_WEBHOOK_SECRET_PREVIOUS/, 'with the setting that opens them';
        $ghl->clear_calls;
        is deliver($server, 2), '{"status":"queued","reason":"later"}', 'a new order';
        ok $server->drain_as_of(1310), 'goes on';
        is_deeply [map { $_->{name} } $ghl->opportunities], ['Order #2'], 'at once';
        $server->set(WOO_WEBHOOK_SECRET_PREVIOUS => $old);
        ok $server->drain_as_of(3000), 'and with that setting';
        is_deeply [sort map { $_->{name} } $ghl->opportunities], ['Order #1', 'Order #2'], 'the other one, too';
        $server->stop;
    };

    subtest "$store: the spool has a file whose key is missing" => sub {
        $ghl->reset;
        my $server = $new->(REDIS_URL => 'redis://127.0.0.1:1', DATA_KEY => 'the data key of that time');
        like deliver($server, 1), qr/store_unavailable/, 'given a spooled order';
        $server->set(REDIS_URL => $redis->url, DATA_KEY => '');
        is $server->command('drain')->{code}, 0, 'and no DATA_KEY any more';
        my $needs = qr/cannot be opened: it was encrypted with another DATA_KEY .*: set DATA_KEY_PREVIOUS to the value of that time/;
        like told($server, 'spool', 1)->[0], qr/^1 files of the spool $needs/, 'it is told what is missing';
        like $server->command('status')->{out}, qr/^spool: 1 files $needs/m, 'status says so';
        is scalar(() = $ghl->opportunities), 0, 'nothing is in GHL';
        $server->set(DATA_KEY_PREVIOUS => 'the data key of that time');
        is $server->command('drain')->{code}, 0, 'a drain with it as the previous one';
        is scalar(() = $ghl->opportunities), 1, 'brings the order to GHL';
        $server->stop;
    } if $redis;

    subtest "$store: the store is away" => sub {
        my $server = $new->(REDIS_URL => 'redis://127.0.0.1:1');
        like deliver($server, $_), qr/store_unavailable/, 'spooled' for 1, 2;
        like told($server, 'store', 1)->[0], qr/^The store cannot take a delivery, the spool has it/, 'it is told';
        is scalar @{ told($server, 'store', 1) }, 1, 'once';
        $server->stop;
    } if $redis;
}

subtest 'what an alert says, and the all-clear' => sub {
    $ghl->reset;
    my $server = WooGHL::Server->for_ghl($ghl, mode => 'cgi', settings => { GHL_API_KEY => 'pit-wrong' });
    my $dir = $server->dir;
    $server->set(ALERT_COMMAND => "cat >>$dir/told; env >$dir/env.\$WOO_GHL_ALERT; echo end >>$dir/told")->start;
    is deliver($server, 1), '{"status":"queued","reason":"paused"}', 'given a token that is refused';
    my $ended = sub { my ($n) = @_; WooGHL::Process::until_true(sub { (() = file_of("$dir/told") =~ /^end$/mg) >= $n }); return file_of("$dir/told") };
    my $host = POSIX::uname() ? (POSIX::uname())[1] : '';
    like $ended->(1), qr/\Awoo_ghl paused: .*GHL refuses GHL_API_KEY \(401 Invalid JWT\).*\nshop:  shop\nhost:  \Q$host\E\nsince: 20\S+Z\ncosts: All orders wait; none is lost\.\nto do: .+\nend\n\z/,
        'what, where, since when, what it costs, what to do';
    is join(' ', grep { !/^(?:PATH|LANG|SHELL|HOME|USER|LOGNAME|WOO_GHL_ALERT|WOO_GHL_SHOP|WOO_GHL_HOST|PWD|OLDPWD|SHLVL|_)$/ }
        map { /^(\w+)=/ ? $1 : $_ } split /\n/, file_of("$dir/env.paused")), '', 'the environment is clean';
    $server->set(GHL_API_KEY => $ghl->token);
    ok $server->drain_as_of($_), 'the token is mended; it stays so for minutes' for 61, 130, 500;
    my ($clear) = $ended->(2) =~ /end\n(.*)\z/s;
    like $clear, qr/\Awoo_ghl paused: All clear: what was told on 20\S+ is over\nshop: /, 'an all-clear follows';
    ok $server->drain_as_of(900), 'a further drain';
    is scalar(() = $ended->(2) =~ /All clear/g), 1, 'it is told once';
    $server->stop;
};

subtest 'a command that fails' => sub {
    $ghl->reset;
    my $server = WooGHL::Server->for_ghl($ghl, mode => 'cgi', settings => { GHL_API_KEY => 'pit-wrong' });
    my $dir = $server->dir;
    $server->set(ALERT_COMMAND => "test -e $dir/mended || { echo no mailer here >&2; exit 3; }; cat >>$dir/told")->start;
    is deliver($server, 1), '{"status":"queued","reason":"paused"}', 'given an alert';
    my $logged = qr/level=error event=alert reason=paused msg="ALERT_COMMAND was not told: it ended with status 3: no mailer here; it is tried again"/;
    WooGHL::Process::until_true(sub { $server->log =~ $logged });
    like $server->log, $logged, 'exit status and standard error are in the log';
    like $server->command('check')->{out}, qr/^alerts     FAIL ALERT_COMMAND failed .* ago: it ended with status 3: no mailer here/m, 'check tells it';
    my ($kept) = glob "$dir/data/alerts/*.alert";
    ok $kept, 'the alert is kept';
    open my $file, '>', "$dir/mended" or die "mended: $!";
    close $file;
    chmod 0644, "$dir/mended";
    is $server->command('drain')->{code}, 0, 'a drain within a minute';
    ok -e $kept, 'does not try it again';
    my $text = file_of($kept) =~ s/"tried_ms":"\d+"/"tried_ms":"0"/r;
    open $file, '>', $kept or die "$kept: $!";
    print {$file} $text;
    close $file;
    is $server->command('drain')->{code}, 0, 'a drain later';
    like told($server, 'paused', 1)->[0] // '', qr/GHL refuses/, 'does';
    ok WooGHL::Process::until_true(sub { !-e $kept }), 'then it is gone';
    $server->stop;
};

# The body of the next request, which gets this answer.
sub hear {
    my ($listener, $status, $head) = @_;
    return '' unless IO::Select->new($listener)->can_read($WooGHL::Process::PATIENCE);
    my $from = $listener->accept or return '';
    my $text = '';
    until ($text =~ /\A(.*?)\r\n\r\n(.*)\z/s && $1 =~ /^Content-Length: (\d+)/mi && length($text) >= $1 + index($text, "\r\n\r\n") + 4) {
        last unless sysread $from, $text, 65536, length $text;
    }
    print {$from} "HTTP/1.1 $status X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    close $from;
    ($$head, my $body) = split /\r\n\r\n/, $text, 2;
    return $body;
}

subtest 'ALERT_URL' => sub {
    $ghl->reset;
    my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "no port: $!";
    my $url = 'http://127.0.0.1:' . $listener->sockport . '/services/T0/B0/x';
    my $heard = sub { my ($status) = @_; my $head; my $body = hear($listener, $status, \$head); return "$head\r\n\r\n$body" };
    my $server = WooGHL::Server->for_ghl($ghl, mode => 'cgi', settings => { ALERT_URL => $url, GHL_API_KEY => 'pit-wrong' });
    is deliver($server, 1), '{"status":"queued","reason":"paused"}', 'given an alert';
    my ($head, $body) = split /\r\n\r\n/, $heard->(200), 2;
    like $head, qr{\APOST /services/T0/B0/x HTTP/1\.1\r\n}, 'it is posted';
    like JSON::PP::decode_json($body)->{text}, qr/^woo_ghl paused: .*\nshop:  shop\n/, 'as Slack takes it';
    unlike $server->log, qr{T0/B0}, 'the address is a secret';
    $server->set(ALERT_BODY => '{"summary":"{kind} at {host}","n":[{"t":"{what}"}]}', ALERT_EVERY => '1s', GHL_API_KEY => 'pit-other');
    my $pid = fork // die "fork: $!";
    if (!$pid) { $server->{owner} = 0; my $run = $server->command('check', '--alert', '--json'); POSIX::_exit($run->{out} =~ /ALERT_URL was told/ ? 0 : 1) }
    ($head, $body) = split /\r\n\r\n/, $heard->(204), 2;
    like JSON::PP::decode_json($body)->{summary}, qr/^test at \S+$/, 'check --alert sends a test, in any form';
    waitpid $pid, 0;
    is $?, 0, 'and says that it arrived';
    $server->set(ALERT_BODY => '{"text":{text}}');
    like $server->command('check')->{out}, qr/^settings   FAIL ALERT_BODY is no JSON/m, 'a form that is no JSON is refused';
    $server->stop;
};

# What the services document. Slack: incoming webhooks (docs.slack.dev), a string `text`. Discord: "Execute Webhook", `content` of
# up to 2,000 characters; `allowed_mentions` with an empty `parse` calls nobody. Teams: a workflow's webhook takes a message whose
# attachments are Adaptive Cards (learn.microsoft.com; adaptivecards.io: type, version, a body of elements; a TextBlock has text).
# None of them was asked: this compares shapes.
my ($teams) = file_of("$FindBin::Bin/../doc/operations.md") =~ /^\| Teams .*? \| `(.*)` \|$/m;
my %service = (
    slack => ['/services/T0/B0/x', undef, sub { ($_[0]{text}, join(' ', sort keys %{ $_[0] }) eq 'text') }],
    discord => ['/api/webhooks/1/discord', undef,
        sub { ($_[0]{content}, join(' ', sort keys %{ $_[0] }) eq 'allowed_mentions content' && !@{ $_[0]{allowed_mentions}{parse} }) }],
    teams => ['/workflows/1', $teams, sub {
        my ($message) = @_;
        my ($attachment, @more) = @{ $message->{attachments} };
        my $card = $attachment->{content};
        return ($card->{body}[0]{text}, $message->{type} eq 'message' && !@more && $attachment->{contentType} eq 'application/vnd.microsoft.card.adaptive'
            && $card->{type} eq 'AdaptiveCard' && $card->{version} =~ /^1\.[0-5]$/ && @{ $card->{body} } == 1 && $card->{body}[0]{type} eq 'TextBlock');
    }],
);
subtest 'what Slack, Discord and Teams take' => sub {
    my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "no port: $!";
    my $url = 'http://127.0.0.1:' . $listener->sockport;
    for my $name (sort keys %service) {
        my ($path, $form, $look) = @{ $service{$name} };
        my $server = WooGHL::Server->for_ghl($ghl, settings => { ALERT_URL => "$url$path", $form ? (ALERT_BODY => $form) : () });
        # One that failed before, longer than any that there is.
        mkdir $_, 0700 for $server->dir . '/data', $server->dir . '/data/alerts';
        my $file = $server->dir . '/data/alerts/1.alert';
        open my $out, '>', $file or die "$file: $!";
        print {$out} JSON::PP::encode_json({ kind => 'late', shop => 'shop', host => 'web1', what => "\"quoted\"\n" . "\x{e9}" x 1500, tried_ms => '0',
            since => '2026-11-26T13:32:10Z', costs => 'Orders wait.', mend => 'Look.' });
        close $out;
        my @user = WooGHL::Process->user;
        do { chown @user, $_ or die "chown: $!" } for @user ? ($server->dir . '/data', $server->dir . '/data/alerts', $file) : ();
        $server->command('drain');
        my ($text, $is_right) = $look->(JSON::PP::decode_json(hear($listener, 204)));
        ok $is_right, "$name: the documented shape";
        like $text, qr/^woo_ghl late: "quoted"\s\x{e9}{800,}/, "$name: the text";
        cmp_ok length $text, '<=', 2000, "$name: ... no longer than is taken";
        $server->stop;
    }
};

subtest 'nobody waits for the command' => sub {
    $ghl->reset;
    my $server = WooGHL::Server->for_ghl($ghl, mode => 'apache_cgi', settings => { GHL_API_KEY => 'pit-wrong-token' });
    my $dir = $server->dir;
    POSIX::mkfifo("$dir/gate", 0666) or die "mkfifo: $!";
    chmod 0666, "$dir/gate" or die "chmod: $!";
    $server->set(ALERT_COMMAND => "read go <$dir/gate; echo \"woo_ghl paused: \$go\" >>$dir/told")->start;
    is deliver($server, 1), '{"status":"queued","reason":"paused"}', 'the answer comes while the command still waits';
    is file_of("$dir/told"), '', 'it does';
    open my $gate, '>', "$dir/gate" or die "$dir/gate: $!";
    print {$gate} "on\n";
    close $gate;
    is_deeply told($server, 'paused', 1), ['on'], 'and goes on after the answer';
    $server->stop;
};
$ghl->stop;
done_testing;
