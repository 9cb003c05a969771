package FakeGHL;

# A fake of the GoHighLevel API: stateful, strict, in one process, on the loopback. It fails in every way that
# the real one is known to fail. FakeGHL::Client starts and steers it from a test; FakeGHL::API holds the
# vendor's rules; this file is the server, the limits, the scripted faults and the record of calls.
#
# Settings (JSON; POST /__fake/settings merges, GET shows)
#   token, location_id           what is accepted: "pit-fake-token", "fakeLocation00000000"
#   versions                     accepted Version headers: ["2021-07-28", "v3"]
#   match_order                  upsert looks by ["email", "phone"], in this order
#   allow_duplicate_contact      false: POST or PUT of a contact whose email or phone is another's gives 400
#   allow_duplicate_opportunity  true; false: one opportunity a contact and pipeline, then OPPORTUNITY_NO_DUPLICATE
#   duplicate_counts_closed      true: won, lost and abandoned ones count for that, too
#   search_lag_ms                0: how long the searches do not see a write
#   page_limit                   100: most that a page of a search holds
#   phone_check                  true: a phone must be E.164, else 422 "phone must be a valid phone number"
#   pipelines, custom_fields     lists, as the API answers them; see FakeGHL::API for the ones it begins with
#   rate_count, rate_window_ms   100 in 10000: what X-RateLimit-* tell, and what is counted as a violation
#   rate_per_day                 200000
#   rate_enforce                 false; true: answer 429 to a violation
#   retry_after_s                null; a number: Retry-After on such a 429
#   latency_ms                   0: every answer takes this long
#   drops                        []: fields of a contact that are silently lost
#   seed                         null; a number: what chance decides is drawn from it
#
# Faults (POST /__fake/faults takes a list, appended; the first that matches a call is used)
#   { match: { method: "POST", path: "regex", body: "regex over the raw body" },     each optional; more in FakeGHL::Faults
#     skip: 0, times: 1 (0 = always), name: "...", chance: 0.1 (of each call that fits), do: { ... } }
#   do:
#     status, body, headers   answers this; body is a text or anything JSON, a header that is null is left
#                             out. Nothing happens in the state unless `effect` is true
#     html: true              answers an HTML page (status 502 unless told)
#     effect: true            the call is carried out first, whatever is answered or not answered then
#     delay_ms                the answer leaves this much later; the call is carried out at once
#     waits: true             the answer leaves at POST /__fake/answer; the call is carried out at once
#     effect_delay_ms         the call is carried out this much later, even if the client went away meanwhile
#     late_ms                 the call is carried out this much later, whatever is answered now
#     held: true              the call is carried out only at POST /__fake/land, whatever is answered now
#     hang: true              no answer ever; the connection stays open
#     reset: "before"|"after" TCP RST without, or after, the effect
#     close: "before"|"after" the same with an orderly close
#     truncate: N             answers only the first N bytes of the body that Content-Length announces; closes
#     drop: ["phone"]         these fields of the request are silently lost
#   Without status, html, hang, reset, close: the real answer. { delay_ms: 300 } is a slow call.
#
# Calls (GET /__fake/calls, oldest first): n, time (s, with fraction), method, path, query (object), headers
#   (authorization, version, content-type, accept, user-agent, host; lower-case names), body (decoded), raw (text),
#   connection (1, 2, ...), nth (the how-manieth request on that connection), status (null: not answered),
#   ms, effect (true: it was carried out), fault (its name, or its number), aborted (true: no proper answer was
#   sent), gone (true: the client left first).
#
# Further: POST /__fake/reset; GET /__fake/state; POST /__fake/state/KIND [objects] -> ids;
#   PUT, DELETE /__fake/state/KIND/ID; GET /__fake/limits -> violations (calls over the limit), peak (most calls
#   in any window), answered_429, total; POST /__fake/down: stops listening and drops all connections until SIGUSR1;
#   GET /__fake/pending -> late: how many calls are still to be carried out (late_ms); POST /__fake/merge { id }: a
#   salesperson merges the contact into another one with the same values -> id of that;
#   POST /__fake/land { chance: 1 }: the searches see what they do not see yet, each object with this chance; and then what
#   is held is carried out, each call with this chance -> landed, held; POST /__fake/answer -> answered: how many waited.
#   None of these counts as a call.
use strict;
use warnings;
use FakeGHL::API;
use FakeGHL::Faults;
use IO::Socket::INET;
use Mojo::IOLoop;
use Mojo::JSON qw(decode_json encode_json true false);
use Mojo::Util qw(decode);
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);
use WooGHL::Daemon;

my @HEADERS = qw(authorization version content-type accept user-agent host);

sub new {
    my ($class, $settings) = @_;
    my $self = bless { start_settings => $settings, connection => {}, connections => 0 }, $class;
    return $self->reset;
}

sub reset {
    my $self = shift;
    $self->{settings} = {
        FakeGHL::API->settings,
        rate_count     => 100,
        rate_window_ms => 10_000,
        rate_per_day   => 200_000,
        rate_enforce   => false,
        retry_after_s  => undef,
        latency_ms     => 0,
        drops          => [],
        seed           => undef,
        %{ $self->{start_settings} },
    };
    $self->{api} = FakeGHL::API->new($self->{settings});
    @$self{qw(calls faults window held waiting pending)} = ([], [], [], [], [], 0);
    srand $self->{settings}{seed} if defined $self->{settings}{seed};
    $self->{fault_number} = 0;
    $self->{limits} = { violations => 0, peak => 0, answered_429 => 0, total => 0 };
    $self->{era}++;    # what was begun before a reset has no effect after it
    return $self;
}

sub run {
    my ($self, %option) = @_;
    # It has the port also while nobody listens.
    my $held = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $option{port} || 0, Proto => 'tcp', ReusePort => 1) or die "port: $@";
    $self->{port} = $held->sockport;
    my $daemon = $self->{daemon} = WooGHL::Daemon->new(
        listen             => ["http://127.0.0.1:$self->{port}?reuse=1"],
        max_clients        => 4000,
        max_requests       => 1_000_000,
        backlog            => 1024,
        keep_alive_timeout => 300,
    );
    $daemon->on(request => sub { $self->_request($_[1]) });
    $daemon->start;
    if (my $file = $option{port_file}) {
        open my $out, '>', "$file.new" or die "$file.new: $!";
        print $out "$self->{port}\n";
        close $out or die "$file.new: $!";
        rename "$file.new", $file or die "$file: $!";
    }
    else {
        local $| = 1;
        print "$self->{port}\n";
    }
    my $parent = getppid;
    Mojo::IOLoop->recurring(1 => sub { Mojo::IOLoop->stop if getppid != $parent }) if $option{with_parent};
    local $SIG{TERM} = local $SIG{INT} = sub { Mojo::IOLoop->stop };
    local $SIG{USR1} = sub { Mojo::IOLoop->next_tick(sub { $daemon->start }) };    # the signal ends the loop's wait
    local $SIG{PIPE} = 'IGNORE';
    Mojo::IOLoop->start;
    return;
}

# -- one request --

sub _request {
    my ($self, $tx) = @_;
    my $path = $tx->req->url->path->to_string;
    return $self->_control($tx, $1) if $path =~ m{^/__fake/(.*)};
    my $call = $self->_record($tx, $path);
    my ($over, @limits) = $self->_limit;
    if ($over && $self->{settings}{rate_enforce}) {
        $self->{limits}{answered_429}++;
        push @limits, 'Retry-After' => $self->{settings}{retry_after_s}
            if defined $self->{settings}{retry_after_s};
        return $self->_send($tx, $call, 429, { statusCode => 429, message => 'Too Many Requests' }, {@limits});
    }

    my $fault = $self->_fault_for($call);
    my $do = $fault ? $fault->{do} : {};
    my $era = $self->{era};
    my $wants_own = defined $do->{status} || $do->{html};
    my $before = ($do->{reset} // $do->{close} // '') eq 'before';
    my $after = ($do->{reset} // $do->{close} // '') eq 'after';
    my $effect = $do->{effect} || $after || $do->{late_ms} || $do->{held} || !($wants_own || $do->{hang} || $before);

    my ($status, $body);
    my $carry_out = sub {
        return if !$effect || $era != $self->{era};
        my @lost = (@{ $do->{drop} || [] }, $call->{path} =~ m{^/contacts/} ? @{ $self->{settings}{drops} } : ());
        delete @{ $call->{asked} }{@lost} if ref $call->{asked} eq 'HASH';
        ($status, $body) = $self->{api}->answer($call);
        $call->{effect} = true;
    };
    my $finish = sub {
        delete @$call{qw(asked error)} unless $do->{late_ms} || $do->{held};
        return if $era != $self->{era};
        return if $do->{hang};
        return $self->_drop($tx, $call, defined $do->{reset}) if $before || $after;
        ($status, $body) = _own_answer($do, $status, $body, $call->{place}) if $wants_own;
        return $self->_send($tx, $call, $status, $body, { @limits, %{ $do->{headers} || {} } }, $do);
    };
    my $late = ($do->{delay_ms} || 0) + $self->{settings}{latency_ms};
    my $then = sub { $do->{waits} ? push @{ $self->{waiting} }, $finish : $late ? Mojo::IOLoop->timer($late / 1000 => $finish) : $finish->() };
    my $and_forget = sub { $carry_out->(); delete @$call{qw(asked error)} };
    if ($do->{held}) {
        push @{ $self->{held} }, $and_forget;
        $then->();
    }
    elsif ($do->{late_ms}) {
        $self->{pending}++;
        Mojo::IOLoop->timer($do->{late_ms} / 1000 => sub { $and_forget->(); $self->{pending}-- if $era == $self->{era} });
        $then->();
    }
    elsif ($do->{effect_delay_ms}) {
        Mojo::IOLoop->timer($do->{effect_delay_ms} / 1000 => sub { $carry_out->(); $then->() });
    }
    else {
        $carry_out->();
        $then->();
    }
    return;
}

sub _record {
    my ($self, $tx, $path) = @_;
    my $id = $tx->connection;
    my $connection = $self->{connection}{$id};
    if (!$connection) {
        $connection = $self->{connection}{$id} = { number => ++$self->{connections}, nth => 0 };
        Mojo::IOLoop->stream($id)->on(close => sub { delete $self->{connection}{$id} });
    }
    my $req = $tx->req;
    my $raw = $req->body;
    my $call = {
        n          => scalar @{ $self->{calls} } + 1,
        time       => time,
        method     => $req->method,
        path       => $path,
        query      => $req->query_params->to_hash,
        headers    => { map { my $v = $req->headers->header($_); defined $v ? ($_ => $v) : () } @HEADERS },
        body       => undef,
        raw        => decode('UTF-8', $raw) // $raw,
        connection => $connection->{number},
        nth        => ++$connection->{nth},
        status     => undef,
        ms         => undef,
        effect     => false,
        fault      => undef,
        aborted    => false,
        gone       => false,
    };
    if (length $raw) {
        $call->{asked} = eval { decode_json($raw) };
        $call->{error} = !defined $call->{asked};
        $call->{body} = eval { decode_json($raw) };
    }
    $tx->on(finish => sub { $call->{gone} = true unless defined $call->{status} || $call->{aborted} });
    push @{ $self->{calls} }, $call;
    return $call;
}

sub _fault_for {
    my ($self, $call) = @_;
    my $faults = $self->{faults};
    for my $i (0 .. $#$faults) {
        my $fault = $faults->[$i];
        next if !FakeGHL::Faults::fits($fault->{match} || {}, $call);
        next if ($fault->{skip} || 0) > 0 && $fault->{skip}--;
        next if defined $fault->{chance} && rand() >= $fault->{chance};
        splice @$faults, $i, 1 if $fault->{times} && !--$fault->{times};
        $call->{fault} = $fault->{name} // $fault->{number};
        return $fault;
    }
    return;
}

# Counts the call; whether it is over the limit, and the headers that tell.
sub _limit {
    my $self = shift;
    my ($settings, $window, $limits, $now) = (@$self{qw(settings window limits)}, time);
    shift @$window while @$window && $window->[0] <= $now - $settings->{rate_window_ms} / 1000;
    $limits->{total}++;
    my $over = @$window >= $settings->{rate_count};
    $limits->{violations}++ if $over;
    push @$window, $now unless $over && $settings->{rate_enforce};
    $limits->{peak} = @$window if $limits->{peak} < @$window;
    my $left = $settings->{rate_count} - @$window;
    my $daily = $settings->{rate_per_day} - $limits->{total};
    return $over,
        'X-RateLimit-Limit-Daily'           => $settings->{rate_per_day},
        'X-RateLimit-Daily-Remaining'       => $daily < 0 ? 0 : $daily,
        'X-RateLimit-Interval-Milliseconds' => $settings->{rate_window_ms},
        'X-RateLimit-Max'                   => $settings->{rate_count},
        'X-RateLimit-Remaining'             => $left < 0 ? 0 : $left,
        'X-RateLimit-Daily-Reset'           => int(86_400_000 - ($now * 1000) % 86_400_000);
}

sub _own_answer {
    my ($do, $status, $body, $place) = @_;
    $status = $do->{status} // 502;
    return $status, FakeGHL::Faults::placed($do->{body}, $place) if defined $do->{body};
    return $status, \"<!DOCTYPE html>\n<html><head><title>$status</title></head><body>$status</body></html>\n"
        if $do->{html};
    return $status, $body if defined $body;
    return $status, { statusCode => $status, message => "Scripted $status" };
}

# $body: a reference to a text, a text, or anything JSON. Sends nothing to who has gone.
sub _send {
    my ($self, $tx, $call, $status, $body, $headers, $do) = @_;
    $call->{ms} = int((time - $call->{time}) * 1000);
    return if $call->{gone};
    my $res = $tx->res;
    my $html = ref $body eq 'SCALAR' || $do && $do->{html};
    my $text = ref $body eq 'SCALAR' ? $$body : ref $body ? encode_json($body) : $body;
    utf8::encode($text) if utf8::is_utf8($text);
    $res->code($status);
    $res->headers->content_type($html ? 'text/html; charset=utf-8' : 'application/json; charset=utf-8');
    $res->headers->header($_ => $headers->{$_}) for grep { defined $headers->{$_} } keys %$headers;
    if ($do && defined $do->{truncate}) {
        my $stream = Mojo::IOLoop->stream($tx->connection);
        $res->headers->content_length(length $text);
        $call->{aborted} = true;
        $stream->write(join('', "HTTP/1.1 $status Cut\r\n", $res->headers->to_string, "\r\n\r\n",
            substr($text, 0, $do->{truncate})) => sub { $_[0]->close });
        return;
    }
    $call->{status} = $status;
    $res->body($text);
    $tx->resume;
    return;
}

sub _drop {
    my ($self, $tx, $call, $reset) = @_;
    $call->{aborted} = true;
    my $stream = Mojo::IOLoop->stream($tx->connection) or return;
    setsockopt $stream->handle, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $reset;
    $stream->close;
    return;
}

# -- what tests ask --

sub _control {
    my ($self, $tx, $what) = @_;
    my $method = $tx->req->method;
    my $asked = length $tx->req->body ? eval { decode_json($tx->req->body) } : undef;
    my ($status, $answer) = (200, eval { $self->_controlled($method, $what, $asked) });
    ($status, $answer) = (400, { error => $@ || "no such control: $method $what" }) unless defined $answer;
    $tx->res->code($status);
    $tx->res->headers->content_type('application/json');
    $tx->res->headers->connection('close');
    $tx->res->body(encode_json($answer));
    $tx->resume;
    return;
}

sub _controlled {
    my ($self, $method, $what, $asked) = @_;
    my ($kind, $id) = $what =~ m{^state/(contacts|opportunities|notes)(?:/(.+))?$};
    return $self->{api}->change($method, $kind, $id, $asked) if $kind;
    my %control = (
        'POST reset'     => sub { $self->reset; {} },
        'GET settings'   => sub { $self->{settings} },
        'POST settings'  => sub {
            exists $self->{settings}{$_} or die "no such setting: $_\n" for keys %$asked;
            @{ $self->{settings} }{ keys %$asked } = values %$asked;
            $self->{settings};
        },
        'GET faults'     => sub { $self->{faults} },
        'POST faults'    => sub {
            for my $fault (@$asked) {
                $fault->{number} = ++$self->{fault_number};
                $fault->{times} //= 1;
                die "fault $fault->{number} has no `do`\n" if ref $fault->{do} ne 'HASH';
                push @{ $self->{faults} }, $fault;
            }
            {};
        },
        'DELETE faults'  => sub { $self->{faults} = []; {} },
        'GET calls'      => sub { [map { my %c = %$_; delete @c{qw(asked error)}; \%c } @{ $self->{calls} }] },
        'DELETE calls'   => sub { $self->{calls} = []; {} },
        'GET state'      => sub { $self->{api}->state },
        'GET limits'     => sub { $self->{limits} },
        'POST land'      => sub {
            my ($chance, @held) = ($asked->{chance} // 1, splice @{ $self->{held} });
            $self->{api}->show($chance);
            rand() < $chance ? $_->() : push @{ $self->{held} }, $_ for @held;
            { landed => @held - @{ $self->{held} }, held => scalar @{ $self->{held} } };
        },
        'POST answer'    => sub { my @waited = splice @{ $self->{waiting} }; $_->() for @waited; { answered => scalar @waited } },
        'POST merge'     => sub { $self->{api}->merge($asked->{id}) },
        'GET pending'    => sub { { late => $self->{pending} } },
        'POST down'      => sub { Mojo::IOLoop->timer(0.02 => sub { $self->_down }); {} },
    );
    my $do = $control{"$method $what"} or return;
    return $do->();
}

sub _down {
    my $self = shift;
    my $acceptors = $self->{daemon}->acceptors;
    Mojo::IOLoop->remove($_) for splice @$acceptors;    # not `stop`, which keeps the socket open
    Mojo::IOLoop->remove($_) for keys %{ $self->{connection} };
    $self->{connection} = {};
    return;
}

1;
