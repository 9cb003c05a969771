package WooGHL::Corpus;

# Plays the corpus of delivery cases (t/corpus; their language is told in WooGHL::Case) in one way.
#
#   use WooGHL::Corpus;
#   WooGHL::Corpus->play(mode => 'nginx', redis => 1, all => 1);    # a whole test program
#
# mode as in WooGHL::Server; without redis: the embedded store; with all: every case, else those that are marked
# `everywhere`. CASE in the environment chooses others: a file (t/corpus/settings.case), or a regular expression that
# "file: name" matches. It fails if this way plays no such case.
use strict;
use warnings;
use Carp qw(croak);
use Cwd qw(abs_path);
use Digest::SHA qw(hmac_sha256_base64);
use FakeGHL;
use FakeGHL::Client;
use File::Basename qw(dirname);
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Case;
use WooGHL::Lanes;
use WooGHL::Personal;
use WooGHL::Server;

our $SECRET = 'my_super_secret_woo_key';
my $TEST = abs_path(dirname(__FILE__) . '/../..');
my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;
my $TEXT = JSON::PP->new->canonical->allow_nonref;    # of decoded characters, as in the case files

# The order of the reference system, in its own order of members.
my $ORDER = '{"id":1001,"status":"processing","total":"150.00","currency":"USD","billing":{"first_name":"John",'
    . '"last_name":"Doe","email":"john@example.com","phone":"+1234567890"}}';

sub play {
    my ($class, %way) = @_;
    croak 'the fixtures were captured on 2026-11-25: this clock is behind them' if time < 1_795_572_000;
    my @cases = $class->_chosen($way{mode}) or BAIL_OUT("no case of the corpus that $way{mode} plays matches CASE=$ENV{CASE}");
    if (!defined $ENV{CASE} && !$way{all}) {
        @cases = grep { $_->{everywhere} } @cases;
        my %status = map { $_->{rest} =~ /^(?:later )?(\d+)/ ? ($1 => 1) : () }
            grep { $_->{word} eq 'answer' } map { @{ $_->{steps} } } @cases;
        is join(' ', sort keys %status), '200 202 400 401 404 405 413 429 503', 'the marked cases meet every status';
    }
    $way{terms} = [WooGHL::Personal->terms("$TEST/fixtures", $JSON->decode($ORDER))];
    my @masked = WooGHL::Lanes->run($way{all} ? 4 : 2, \@cases, sub { $class->_lane(\%way, @_) });
    ok scalar(grep {$_} @masked), 'emails are masked, so the logs did speak of people' unless defined $ENV{CASE};
    done_testing;
    return;
}

# Plays what is next until nothing is; whether its log speaks of people.
sub _lane {
    my ($class, $way, $next) = @_;
    my $redis = $way->{redis} ? WooGHL::Server->redis(appendonly => 'yes', appendfsync => 'no') : undef;
    my $ghl = FakeGHL::Client->start;
    my $server = WooGHL::Server->new(mode => $way->{mode}, workers => 2);
    my $self = bless { mode => $way->{mode}, redis => $redis, ghl => $ghl, server => $server, played => 0, printed => '',
        secrets => { $SECRET => 1, $ghl->token => 1 } }, $class;
    $self->_fresh;
    $server->start;
    while (my $case = $next->()) {
        subtest "$case->{file}: $case->{name}" => sub { $self->_case($case) };
    }
    subtest 'nothing personal and no secret is in any log' => sub { $self->_check_logs(@{ $way->{terms} }) } if $self->{used};
    $server->stop;
    $ghl->stop;
    return $server->log =~ /jo\*\*\*\@example\.com/ ? 1 : 0;
}

# The cases that this mode plays, of those that CASE chooses.
sub _chosen {
    my ($class, $mode) = @_;
    my $pattern = ($ENV{CASE} // '') =~ s{^(?:.*/)?([\w-]+)\.case\b:?}{^$1:}r;
    return grep { "$_->{file}: $_->{name}" =~ /(?:$pattern)/ && (!$_->{ways} || grep { $_ eq $mode } @{ $_->{ways} }) }
        WooGHL::Case->read_all("$TEST/corpus");
}

# -- given --

# A store, settings and a GHL that know nothing of the cases before.
sub _fresh {
    my ($self) = @_;
    my ($server, $ghl) = @$self{qw(server ghl)};
    my $n = ++$self->{played};
    $ghl->reset;
    $server->set(map { $_ => undef } keys %{ $self->{changed} || {} });
    $self->{changed} = {};
    my %settings = (
        WOO_WEBHOOK_SECRET => $SECRET,
        GHL_API_BASE       => $ghl->url,
        GHL_API_KEY        => $ghl->token,
        GHL_LOCATION_ID    => $ghl->location_id,
        GHL_PIPELINE_ID    => 'fakePipelineAAAAAAAA',
        GHL_DRY_RUN        => undef,
        DATA_DIR           => $server->dir . "/data.$n",
        LOG                => $server->dir . "/log",
        DRAIN_AFTER        => 'off',
        SALES_SINCE        => '2000-01-01',    # the fixtures are of any day
        # 1000 is refused only by the cases that are about it.
        RATE_LIMIT_PER_DAY => undef,
        $self->{redis} ? (REDIS_URL => $self->{redis}->url, REDIS_PREFIX => "case$n") : (),
    );
    $server->set(%settings);
    $self->{settings} = \%settings;
    @$self{qw(answer later calls_seen log_seen)} = (undef, undef, 0, length $server->log);
    return;
}

sub _case {
    my ($self, $case) = @_;
    my @steps = @{ $case->{steps} };
    if ($self->{played} > 1 || $self->{used}++) { $self->_fresh }
    my $fresh = 1;
    while (@steps && $steps[0]{word} eq 'settings') { $self->_set(shift @steps) }
    $self->{server}->restart_workers;
    for my $step (@steps) {
        my $do = $self->can("_step_$step->{word}");
        my $went = eval { $self->$do($step); 1 };
        if (!$went) { fail "$step->{at}: $step->{word}"; diag $@; last }
    }
    fail 'an answer from the background was not waited for' if delete $self->{later};
    my @left = grep { $_->{times} } @{ $self->{ghl}->faults };
    is scalar @left, 0, 'every fault happened' or diag explain \@left;
    is $self->{ghl}->limits->{violations}, 0, q{GHL's limits were kept};
    return;
}

sub _set {
    my ($self, $step) = @_;
    for my $line (@{ $step->{lines} }) {
        my ($name, $value) = $line =~ /^(\w+)=(.*)$/s or croak "$step->{at}: '$line' is no NAME=value";
        utf8::encode($value);
        $value = undef if $value eq '';
        $value =~ s/<data>/$self->{settings}{DATA_DIR}/ if defined $value;
        $self->{changed}{$name} = 1;
        $self->{secrets}{$value} = 1 if defined $value && $name =~ /SECRET|KEY/ && length $value > 5;
        $self->{server}->set($name => $value);
    }
    return;
}

sub _step_settings {
    my ($self, $step) = @_;
    $self->_set($step);
    $self->{server}->restart_workers;
    return;
}

sub _step_ghl {
    my ($self, $step) = @_;
    my $ghl = $self->{ghl};
    if ($step->{rest} =~ /^\{/) { $ghl->settings($TEXT->decode($step->{rest})) }
    elsif ($step->{rest} eq 'down') { $ghl->down }
    elsif ($step->{rest} eq 'up') { $ghl->up }
    elsif ($step->{rest} eq 'forgets faults') { $ghl->clear_faults }
    elsif ($step->{rest} eq 'answers') { $ghl->answer or croak 'nobody waits for an answer' }
    else { croak "GHL cannot '$step->{rest}'" }
    return;
}

sub _step_fault { my ($self, $step) = @_; $self->{ghl}->fault($TEXT->decode($step->{rest})); return }

my %KIND = (contact => 'contacts', opportunity => 'opportunities', note => 'notes');

sub _step_has {
    my ($self, $step) = @_;
    my ($kind, $what) = $step->{rest} =~ /^(contact|opportunity) (\{.*)$/ or croak 'has contact {...} or has opportunity {...}';
    my $object = $TEXT->decode($self->_fill($what));
    if ($kind eq 'opportunity') {
        $object = { status => 'open', pipelineId => 'fakePipelineAAAAAAAA', locationId => $self->{ghl}->location_id, %$object };
    }
    $self->{ghl}->add($KIND{$kind} => $object);
    return;
}

sub _step_change {
    my ($self, $step) = @_;
    my ($kind, $name, $what) = $step->{rest} =~ /^(contact|opportunity) (.*?) (\{.*)$/ or croak 'change opportunity NAME {...}';
    $self->{ghl}->change($KIND{$kind}, $self->_id($kind, $name), $TEXT->decode($what));
    return;
}

sub _step_remove {
    my ($self, $step) = @_;
    my ($kind, $name) = $step->{rest} =~ /^(contact|opportunity) (.*)$/ or croak 'remove opportunity NAME';
    $self->{ghl}->remove($KIND{$kind}, $self->_id($kind, $name));
    return;
}

# -- when --

# Members of $change replace those of $order; null takes one out.
sub _merge {
    my ($order, $change) = @_;
    for my $name (keys %$change) {
        my $value = $change->{$name};
        if (!defined $value) { delete $order->{$name} }
        elsif (ref $value eq 'HASH' && ref $order->{$name} eq 'HASH') { _merge($order->{$name}, $value) }
        else { $order->{$name} = $value }
    }
    return $order;
}

sub _slurp {
    my ($path) = @_;
    open my $file, '<:raw', $path or croak "$path: $!";
    local $/;
    return scalar <$file>;
}

# A captured delivery: its body's bytes, its method, its headers as sent.
sub _fixture {
    my ($name) = @_;
    my $stem = "$TEST/fixtures/$name";
    my ($head) = split /\r?\n\r?\n/, _slurp("$stem.headers");
    my ($request, @lines) = split /\r?\n/, $head;
    my ($method) = $request =~ /^(\S+)/;
    my %header = map { /^([^:]+):\s*(.*)$/ ? ($1 => $2) : croak "$stem.headers: '$_' is no header" } @lines;
    return { method => $method, headers => \%header, body => _slurp(-e "$stem.body" ? "$stem.body" : "$stem.json") };
}

sub _delivery {
    my ($self, $step) = @_;
    my ($what, $rest) = $step->{rest} =~ /^(order|fixture|text)\b ?(.*)$/ or croak 'send order, fixture or text';
    my $send = { method => 'POST', headers => {}, topic => 'order.created', secret => $SECRET };
    if ($what eq 'order') {
        $send->{body} = length $rest ? $JSON->encode(_merge($JSON->decode($ORDER), $TEXT->decode($rest))) : $ORDER;
    } elsif ($what eq 'text') {
        ($send->{body} = $rest) =~ s/\\x([0-9a-fA-F]{2})/chr hex $1/ge;
        utf8::encode($send->{body}) if $rest !~ /\\x/;
    } else {
        my ($name, $change) = split ' ', $rest, 2;
        $send = { %$send, %{ _fixture($name) } };
        delete @$send{qw(topic secret)};    # the captured headers have them
        if (defined $change) {
            $send->{body} = $JSON->encode(_merge($JSON->decode($send->{body}), $TEXT->decode($change)));
            $send->{secret} = $SECRET;
        }
    }
    $send->{path} = '/woo-order';
    $send->{times} = 1;
    $self->_modify($send, $_) for @{ $step->{lines} };
    return $self->_complete($send);
}

sub _modify {
    my ($self, $send, $line) = @_;
    my ($word, $rest) = $line =~ /^(\S+)\s*(.*)$/;
    if ($word =~ /^(?:method|path|topic|from|pad|length|times)$/) { $send->{$word} = $rest }
    elsif ($line =~ /^header ([^:]+):\s*(.*)$/) { length $2 ? ($send->{set}{$1} = $2) : ($send->{unset}{$1} = 1) }
    elsif ($line =~ /^signed with (.*)$/) { utf8::encode($send->{secret} = $1) }
    elsif ($line eq 'signed wrongly') { $send->{secret} = 'another secret' }
    elsif ($line eq 'unsigned') { delete $send->{secret}; $send->{unset}{'X-WC-Webhook-Signature'} = 1 }
    elsif (my ($variable, $value) = $line =~ /^variable (\S+)\s*(.*)$/) {
        $value =~ s/<data>/$self->{settings}{DATA_DIR}/;
        $value =~ s/<dir>/$self->{server}->dir/e;
        $send->{variables}{$variable} = length $value ? $value : undef;
    }
    elsif ($line eq 'in chunks') { $send->{chunked} = 1 }
    elsif ($line eq 'in background') { $send->{background} = 1 }
    else { croak "a send knows no '$line'" }
    return;
}

# All headers of a real delivery, where the case does not say otherwise.
sub _complete {
    my ($self, $send) = @_;
    my $headers = $send->{headers};
    $send->{body} .= ' ' x $send->{pad} if $send->{pad};
    if (defined $send->{topic}) {
        my ($resource, $event) = split /\./, $send->{topic}, 2;
        my %captured = %$headers;
        %$headers = (
            'User-Agent'               => 'WooCommerce/10.5.0 Hookshot (WordPress/6.9.1)',
            'Accept'                   => '*/*',
            'Content-Type'             => 'application/json',
            'X-WC-Webhook-Source'      => 'https://shop.example.com/',
            'X-WC-Webhook-ID'          => 1,
            'X-WC-Webhook-Delivery-ID' => '9482d74109358da0509e9d0091801b02',
            %captured,
            'X-WC-Webhook-Topic'       => $send->{topic},
            'X-WC-Webhook-Resource'    => $resource,
            'X-WC-Webhook-Event'       => $event // '',
        );
    }
    $headers->{'X-WC-Webhook-Signature'} = hmac_sha256_base64($send->{body}, $send->{secret}) . '='
        if defined $send->{secret};
    delete $headers->{'Content-Length'};
    $headers->{'Content-Length'} = $send->{length} if defined $send->{length};
    delete @$headers{ keys %{ $send->{unset} } } if $send->{unset};
    $headers->{$_} = $send->{set}{$_} for keys %{ $send->{set} || {} };
    return $send;
}

sub _request {
    my ($self, $send) = @_;
    return $self->{server}->request($send->{method}, $send->{path}, { %{ $send->{headers} } },
        length $send->{body} ? $send->{body} : undef, $send->{from} ? (remote_addr => $send->{from}) : (),
        $send->{variables} ? (variables => $send->{variables}) : (),
        $send->{chunked} ? (chunked => 1) : ());
}

sub _step_send {
    my ($self, $step) = @_;
    my $send = $self->_delivery($step);
    if ($send->{background}) {
        $self->{later} = $self->_fork($send);
        return;
    }
    for my $n (1 .. $send->{times}) {
        my $answer = $self->_request($send);
        if ($n > 1 && ($answer->{status} != $self->{answer}{status} || $answer->{body} ne $self->{answer}{body})) {
            fail "$step->{at}: answer $n is another one than the first";
            diag "$answer->{status} $answer->{body}";
        }
        $self->{answer} = $answer;
    }
    return;
}

# A child sends it and leaves the answer in a file.
sub _fork {
    my ($self, $send) = @_;
    my $file = $self->{server}->dir . '/later';
    unlink $file;
    my $pid = fork // croak "fork: $!";
    return { pid => $pid, file => $file } if $pid;
    my $answer = eval { $self->_request($send) } || { status => 0, headers => {}, body => "$@" };
    open my $out, '>:raw', $file or POSIX::_exit(1);
    print {$out} $JSON->encode($answer);
    close $out or POSIX::_exit(1);
    POSIX::_exit(0);
}

sub _wait_later {
    my ($self) = @_;
    my $later = delete $self->{later} or croak 'nothing was sent in background';
    local $?;
    my $deadline = time + $WooGHL::Process::PATIENCE;
    until (waitpid $later->{pid}, POSIX::WNOHANG()) {
        if (time > $deadline) { kill KILL => $later->{pid}; croak 'the delivery in background got no answer' }
        sleep 0.01;
    }
    return $JSON->decode(_slurp($later->{file}));
}

sub _step_run {
    my ($self, $step) = @_;
    my $run = $self->{server}->command(split ' ', $step->{rest});
    $self->{printed} .= $run->{out} . $run->{err};
    my $code = 0;
    for my $line (@{ $step->{lines} }) {
        if ($line =~ /^exits (\d+)$/) { $code = $1 }
        elsif ($line =~ /^prints matching (.*)$/) { like $run->{out}, qr/$1/m, "$step->{at}: it prints what matches $1" }
        elsif ($line =~ /^prints (.*)$/) {
            my $want = $self->_fill($1);
            ok scalar(grep { $_ eq $want } split /\n/, $run->{out} . $run->{err}), "$step->{at}: it prints '$want'"
                or diag $run->{out}, $run->{err};
        }
        else { croak "a run knows no '$line'" }
    }
    is $run->{code}, $code, "$step->{at}: $step->{rest} ends with $code" or diag $run->{err};
    return;
}

sub _step_until {
    my ($self, $step) = @_;
    my ($n, $pattern) = $step->{rest} =~ /^calls (\d+) (.*)$/ or croak 'until calls N PATTERN';
    my $deadline = time + $WooGHL::Process::PATIENCE;
    until ((grep { "$_->{method} $_->{path}" =~ /$pattern/ } $self->{ghl}->calls) >= $n) {
        croak "GHL has not heard $n calls of $pattern in time" if time > $deadline;
        sleep 0.02;
    }
    return;
}

# -- placeholders --

sub _id {
    my ($self, $kind, $name) = @_;
    my @found = $kind eq 'opportunity'
        ? grep { ($_->{name} // '') eq $name } $self->{ghl}->opportunities
        : grep { my $c = $_; grep { ($c->{$_} // '') eq $name } qw(email phone firstName) } $self->{ghl}->contacts;
    croak sprintf '%d %ss "%s" are in GHL, and one was meant', scalar @found, $kind, $name if @found != 1;
    return $found[0]{id};
}

sub _fill {
    my ($self, $text) = @_;
    $text =~ s/<(opportunity|contact) ([^>]+)>/$self->_id($1, $2)/ge;
    return $text;
}

# Is every named member so? Paths of the differences.
sub _differences {
    my ($got, $want, $path) = @_;
    return if defined $want && !ref $want && $want eq '<any>' && defined $got;
    if (defined $want && !ref $want && $want =~ /<any>/ && defined $got && !ref $got) {
        my $pattern = join '.*', map { quotemeta } split /<any>/, $want, -1;
        return if $got =~ /^$pattern\z/s;
    }
    if (defined $want && !ref $want && $want =~ /^<(\d+) values>$/) {
        my $n = ref $got eq 'ARRAY' ? @$got : 0;
        return $n == $1 ? () : "$path has $n values, not $1";
    }
    if (ref $want eq 'HASH') {
        return "$path is no object" if ref $got ne 'HASH';
        return map { _differences($got->{$_}, $want->{$_}, "$path.$_") } sort keys %$want;
    }
    my ($g, $w) = map { $TEXT->encode($_) } $got, $want;
    return $g eq $w ? () : "$path is $g, not $w";
}

# -- then --

sub _step_answer {
    my ($self, $step) = @_;
    my ($later, $status, $body) = $step->{rest} =~ /^(later )?(\d{3}) ?(.*)$/ or croak 'answer STATUS BODY';
    my $answer = $later ? $self->_wait_later : $self->{answer} // croak 'nothing was sent';
    my $want = $self->_fill($body);
    utf8::encode($want);
    my $got = "$answer->{status} $answer->{body}";
    if ($want =~ /<any>/) {
        my $pattern = join '[^"]+', map { quotemeta } split /<any>/, "$status $want", -1;
        like $got, qr/\A$pattern\z/, "$step->{at}: answer $status $body" or diag $self->_log_end;
    } else {
        is $got, "$status $want", "$step->{at}: answer $status $body" or diag $self->_log_end;
    }
    is $answer->{headers}{'content-type'}, 'application/json', "$step->{at}: JSON" if length $body;
    for my $line (@{ $step->{lines} }) {
        my ($name, $pattern) = $line =~ /^header ([^:]+):\s*(.*)$/ or croak "an answer knows no '$line'";
        like $answer->{headers}{ lc $name } // '(absent)', qr/^(?:$pattern)$/, "$step->{at}: header $name";
    }
    return;
}

sub _call_differences {
    my ($self, $call, $line) = @_;
    my ($want, $status) = $line =~ /^(.*?)(?: -> (\d+))?$/;
    my ($method, $target, $body) = $self->_fill($want) =~ m{^(\S+) (/\S*)(?: (\{.*))?$} or croak "'$line' is no call";
    my ($path, $query) = split /\?/, $target, 2;
    my %query = map { split /=/, $_, 2 } split /&/, $query // '';
    my @wrong = "$call->{method} $call->{path}" eq "$method $path" ? () : "it is $call->{method} $call->{path}";
    push @wrong, _differences($call->{query}, \%query, 'query');
    push @wrong, _differences($call->{body}, $TEXT->decode($body), 'body') if defined $body;
    my $got = $call->{status} // 0;
    push @wrong, "its status is $got" if $status ? $got != $status : !defined $call->{fault} && $got !~ /^2/;
    return @wrong;
}

sub _step_calls {
    my ($self, $step) = @_;
    my @calls = $self->{ghl}->calls;
    splice @calls, 0, $self->{calls_seen};
    $self->{calls_seen} += @calls;
    my @want = @{ $step->{lines} };
    croak 'calls, with the calls under it, or calls none' if ($step->{rest} eq 'none') != !@want;
    is scalar @calls, scalar @want, "$step->{at}: as many calls as expected"
        or diag join "\n", 'GHL heard:', map { "$_->{method} $_->{path} $_->{raw} -> " . ($_->{status} // 'nothing') } @calls;
    for my $n (0 .. (@calls < @want ? $#calls : $#want)) {
        my @wrong = $self->_call_differences($calls[$n], $want[$n]);
        is "@wrong", '', "$step->{at}: $want[$n]";
    }
    return;
}

sub _step_holds {
    my ($self, $step) = @_;
    my $state = $self->{ghl}->state;
    my (%want, @order);
    for my $line (@{ $step->{lines} }) {
        my ($kind, $what) = $line =~ /^(contact|opportunity|note) (\{.*)$/ or croak "'$line' is nothing GHL could hold";
        push @{ $want{ $KIND{$kind} } }, $what;
    }
    croak 'holds, with what under it, or holds nothing' if ($step->{rest} eq 'nothing') != !%want;
    for my $kind (sort values %KIND) {
        my ($got, $wanted) = ($state->{$kind}, $want{$kind} || []);
        is scalar @$got, scalar @$wanted, "$step->{at}: number of $kind in GHL" or diag $TEXT->encode($got);
        for my $n (0 .. (@$got < @$wanted ? $#$got : $#$wanted)) {
            my @wrong = _differences($got->[$n], $TEXT->decode($self->_fill($wanted->[$n])), $kind);
            is "@wrong", '', "$step->{at}: $wanted->[$n]";
        }
    }
    return;
}

sub _step_queue {
    my ($self, $step) = @_;
    my $run = $self->{server}->command('status', '--json');
    my @wrong = _differences(scalar eval { $JSON->decode($run->{out}) }, $TEXT->decode($step->{rest}), 'status');
    is "@wrong", '', "$step->{at}: queue $step->{rest}" or diag $run->{out}, $run->{err};
    return;
}

sub _log { my ($self) = @_; return substr $self->{server}->log, $self->{log_seen} }

sub _log_end { my ($self) = @_; my $log = $self->_log; return length $log > 2000 ? substr $log, -2000 : $log }

sub _step_log {
    my ($self, $step) = @_;
    my ($how, $times, $text) = $step->{rest} =~ /^(has|lacks) (?:(\d+) times )?(.+)$/
        or croak 'log has TEXT, log lacks TEXT or log has N times TEXT';
    $text = $self->_fill($text);
    utf8::encode($text);
    if (defined $times) {
        my @lines = grep { index($_, $text) >= 0 } split /\n/, $self->_log;
        is scalar @lines, $times, "$step->{at}: the log has $times times '$text'" or diag $self->_log;
        return;
    }
    my $found = index($self->_log, $text) >= 0;
    ok $how eq 'has' ? $found : !$found, "$step->{at}: the log $how '$text'" or diag $self->_log;
    return;
}

# -- what must be in no log --

sub _check_logs {
    my ($self, @terms) = @_;
    my $server = $self->{server};
    my %text = (log => $server->log, 'standard error' => $server->errors, commands => $self->{printed});
    cmp_ok scalar @terms, '>', 50, 'there is personal data to look for';
    for my $where (sort keys %text) {
        my @found = WooGHL::Personal->found_in($text{$where}, @terms);
        is "@found", '', "no personal data in: $where";
        my @secret = grep { index($text{$where}, $_) >= 0 } keys %{ $self->{secrets} };
        is "@secret", '', "no secret in: $where";
    }
    my @files = grep { -f } map { glob "$_/* $_/*/*" } glob $server->dir . '/data.*';
    if (!$self->{redis}) { cmp_ok scalar @files, '>', 0, 'there are stored files' }
    for my $file (@files) {
        my @found = WooGHL::Personal->found_in_stored(_slurp($file), @terms);
        is "@found", '', "no personal data in $file" if @found;
    }
    return;
}

1;
