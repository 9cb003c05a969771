package WooGHL::Play;

# Plays one file of t/cases (its form is told in t/cases/README.md) in one setup.
#
#   my @wrong = WooGHL::Play->play($path, 'cgi');      # or 'nginx'; one text for each thing that is not as it must be
#
# cgi: one process a delivery, on the embedded store. nginx: behind it FastCGI workers, on a Redis of their own.
use strict;
use warnings;
use Carp qw(croak);
use Digest::SHA qw(hmac_sha256_base64);
use FakeGHL::Client;
use FakeWoo::Client;
use File::Basename qw(basename);
use JSON::PP ();
use POSIX qw(strftime);
use Time::HiRes qw(sleep time);
use Time::Local qw(timegm);
use WooGHL::Server;
use WooGHL::Value;

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;
my $PIPELINE = 'fakePipelineAAAAAAAA';
my @FIELDS = map { my %f; @f{qw(id name fieldKey dataType model)} = @$_; \%f } (
    [cf1 => 'Last order total', 'contact.last_order_total', 'MONETORY', 'contact'],
    [cf2 => 'UTM source', 'contact.utm_source', 'TEXT', 'contact'],
    [cf3 => 'Size', 'contact.size', 'TEXT', 'contact'],
    [cf4 => 'Orders', 'contact.orders', 'NUMERICAL', 'contact'],
    [cf9 => 'Woo order', 'opportunity.woo_order', 'TEXT', 'opportunity'],
);

sub read_case {
    my ($path) = @_;
    open my $file, '<:raw', $path or croak "$path: $!";
    local $/;
    my $case = eval { $JSON->decode(scalar <$file>) } // croak "$path: $@";
    my %known = map { $_ => 1 } qw(settings ghl shop deliveries expect on workers limit idle);
    my ($strange) = grep { !$known{$_} } sort keys %$case;
    croak "$path: a case has no '$strange'" if defined $strange;
    return $case;
}

sub play {
    my ($class, $path, $setup) = @_;
    my $self = bless { setup => $setup, began => int time, wrong => [], taken => [] }, $class;
    $self->{case} = $self->_dated(read_case($path));
    my $case = $self->{case};
    $self->{limit} = $case->{limit} || 60;
    $self->{idle} = $case->{idle} || 10;
    $self->_begin;
    my $n = 0;
    $self->_delivery($_, ++$n) for @{ $case->{deliveries} };
    my @wrong = $self->_until_right;
    $self->{server}->stop;
    return @{ $self->{wrong} }, @wrong;
}

# -- dates --

# now-90, now+20, now-2h, now-3d as WooCommerce writes a time; day-30 a day.
sub _dated {
    my ($self, $what) = @_;
    return [map { $self->_dated($_) } @$what] if ref $what eq 'ARRAY';
    return { map { $_ => $self->_dated($what->{$_}) } keys %$what } if ref $what eq 'HASH';
    return $what if !defined $what || ref $what;
    if (my ($sign, $n, $unit) = $what =~ /^now(?:([+-])(\d+)([smhd]?))?$/) {
        my %seconds = ('' => 1, s => 1, m => 60, h => 3600, d => 86400);
        my $by = defined $n ? $n * $seconds{$unit} : 0;
        return strftime('%Y-%m-%dT%H:%M:%S', gmtime $self->{began} + (($sign // '') eq '-' ? -$by : $by));
    }
    if (my ($sign, $n) = $what =~ /^day(?:([+-])(\d+))?$/) {
        return strftime('%Y-%m-%d', gmtime $self->{began} + ($sign // '+' eq '-' ? -1 : 1) * ($n // 0) * 86400);
    }
    return $what;
}

# -- given --

sub _begin {
    my ($self) = @_;
    my ($case, $setup) = @$self{qw(case setup)};
    my $ghl = $self->{ghl} = FakeGHL::Client->start(custom_fields => \@FIELDS, _ghl_settings($case->{ghl} || {}));
    $self->_fill_ghl($case->{ghl} || {});
    $self->{redis} = $setup eq 'nginx' ? WooGHL::Server->redis : undef;
    $self->{shop} = $case->{shop} ? $self->_shop($case->{shop}) : undef;
    my $server = $self->{server} = WooGHL::Server->for_ghl($ghl, mode => $setup, real_start => 1, redis => $self->{redis},
        workers => $case->{workers} || 4, command_s => $self->{limit} + 60);
    # Unlike other tests: workers drain after an answer, and take as long for it, as they do by default.
    $server->set(DRAIN_AFTER => undef, SYNC_BUDGET => undef, ALERT_COMMAND => q{text=$(cat); printf '%s\n' "$text" >>} . $server->dir . '/alerts',
        $self->{shop} ? $self->{shop}->wiring : (), %{ $case->{settings} || {} });
    $server->start;
    return;
}

sub _ghl_settings {
    my ($ghl) = @_;
    my %known = map { $_ => 1 } qw(contacts opportunities each_call_s search_lags_s one_opportunity_per_contact drops match faults);
    my ($strange) = grep { !$known{$_} } sort keys %$ghl;
    croak "GHL has no '$strange'" if defined $strange;
    return (
        latency_ms => 1000 * ($ghl->{each_call_s} || 0),
        search_lag_ms => 1000 * ($ghl->{search_lags_s} || 0),
        $ghl->{one_opportunity_per_contact} ? (allow_duplicate_opportunity => JSON::PP::false) : (),
        $ghl->{drops} ? (drops => $ghl->{drops}) : (),
        $ghl->{match} ? (match_order => $ghl->{match}) : (),
    );
}

sub _fill_ghl {
    my ($self, $given) = @_;
    my $ghl = $self->{ghl};
    $ghl->add(contacts => map { _with_fields($_) } @{ $given->{contacts} }) if $given->{contacts};
    $ghl->add(opportunities => map { { pipelineId => $PIPELINE, pipelineStageId => 'fake-stage-a-0', status => 'open', %{ _with_fields($_) } } }
        @{ $given->{opportunities} }) if $given->{opportunities};
    $ghl->fault(map { _fault($_) } @{ $given->{faults} }) if $given->{faults};
    return;
}

# `fields` {id: value} as GHL keeps them.
sub _with_fields {
    my ($object) = @_;
    my %copy = %$object;
    my $fields = delete $copy{fields} or return \%copy;
    $copy{customFields} = [map { { id => $_, value => $fields->{$_} } } sort keys %$fields];
    return \%copy;
}

sub _fault {
    my ($fault) = @_;
    my ($when, $answer) = ($fault->{when} || {}, $fault->{answer} || {});
    my %match = map { defined $when->{$_} ? ($_ => $when->{$_}) : () } qw(method custom_field);
    $match{path} = "^(?:$when->{path})\$" if defined $when->{path};
    $match{members} = $when->{body} if $when->{body};
    my %do;
    $do{status} = $answer->{status} if defined $answer->{status};
    $do{body} = $answer->{json} if exists $answer->{json};
    $do{headers} = $answer->{headers} if $answer->{headers};
    $do{effect} = JSON::PP::true if $answer->{apply};
    my ($drop, $delay, $late) = map { $answer->{$_} // $fault->{$_} } qw(drop delay late);
    $do{close} = $drop if $drop;
    $do{effect_delay_ms} = 1000 * $delay if $delay;
    # Without an answer of its own, the call is answered when it is done.
    $do{ defined $answer->{status} || $drop ? 'late_ms' : 'effect_delay_ms' } = 1000 * $late if $late;
    return { match => \%match, times => $fault->{times} || 0, do => \%do };
}

sub _shop {
    my ($self, $given) = @_;
    my $shop = FakeWoo::Client->start;
    $shop->settings({ webhooks => $given->{webhooks} || [] });
    $shop->put(map { $self->_shop_order($_) } @{ $given->{orders} || [] }) if @{ $given->{orders} || [] };
    return $shop;
}

sub _shop_order {
    my ($self, $order) = @_;
    my @t = ($order->{date_modified_gmt} // '') =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)$/;
    my $modified = @t ? timegm($t[5], $t[4], $t[3], $t[2], $t[1] - 1, $t[0]) : $self->{began};
    return { id => $order->{id}, status => $order->{status} // 'processing', modified => $modified, raw => $JSON->encode($order) };
}

# -- when --

sub _wrong { my ($self, @what) = @_; push @{ $self->{wrong} }, @what; return }

sub _delivery {
    my ($self, $delivery, $n) = @_;
    sleep $delivery->{wait} if $delivery->{wait};
    return $self->_person($delivery->{person}) if $delivery->{person};
    return $self->_command($delivery, $n) if $delivery->{command};
    my @got = $delivery->{repeat} ? $self->_at_once($delivery) : $self->_send($delivery);
    my $right = $delivery->{answers} || [200, 202];
    for my $got (@got) {
        push @{ $self->{taken} }, [$n, $got->{seconds}];
        $self->_wrong("delivery $n is answered $got->{status} $got->{body}, not " . join ' or ', @$right)
            if !grep { $_ == $got->{status} } @$right;
    }
    return;
}

sub _send {
    my ($self, $delivery) = @_;
    my $body = ref $delivery->{body} ? $JSON->encode($delivery->{body}) : $delivery->{body};
    utf8::encode($body) if utf8::is_utf8($body);
    my $href = ref $delivery->{body} eq 'HASH' ? eval { $delivery->{body}{_links}{self}[0]{href} } : undef;
    my ($from_links) = ($href // '') =~ m{^(.*?/)wp-json/};
    my $source = $delivery->{source} // $from_links // 'https://shop.example.com/';
    my ($resource, $event) = split /\./, $delivery->{topic}, 2;
    my $server = $self->{server};
    my $began = time;
    my $got = eval {
        $server->request(POST => '/woo-order', {
            'User-Agent' => 'WooCommerce/10.5.0 Hookshot (WordPress/6.9.1)', 'Content-Type' => 'application/json',
            'X-WC-Webhook-Source' => $source, 'X-WC-Webhook-ID' => 1, 'X-WC-Webhook-Topic' => $delivery->{topic},
            'X-WC-Webhook-Resource' => $resource, 'X-WC-Webhook-Event' => $event // '',
            'X-WC-Webhook-Delivery-ID' => sprintf('%032x', ++$self->{sent}),
            'X-WC-Webhook-Signature' => hmac_sha256_base64($body, $server->{settings}{WOO_WEBHOOK_SECRET}) . '=',
        }, $body, timeout => 120);
    } || { status => 0, body => "$@" };
    return { status => $got->{status}, body => $got->{body}, seconds => time - $began };
}

sub _numbered {
    my ($what, $n) = @_;
    return [map { _numbered($_, $n) } @$what] if ref $what eq 'ARRAY';
    return { map { $_ => _numbered($what->{$_}, $n) } keys %$what } if ref $what eq 'HASH';
    return $what if !defined $what || ref $what || $what !~ /\{n\}/;
    return $n if $what eq 'int:{n}';
    return $what =~ s/\{n\}/$n/gr;
}

# Each from a process of its own; what they got comes through a pipe, one line each.
sub _at_once {
    my ($self, $delivery) = @_;
    pipe my $in, my $out or croak "pipe: $!";
    my @pids;
    for my $n (1 .. $delivery->{repeat}) {
        my $pid = fork // croak "fork: $!";
        if (!$pid) {
            my $got = $self->_send(_numbered($delivery, $n));
            syswrite $out, $JSON->encode($got) . "\n";
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }
    close $out;
    my @got = map { $JSON->decode($_) } <$in>;
    for my $pid (@pids) { local $?; waitpid $pid, 0 }
    return @got;
}

sub _command {
    my ($self, $delivery, $n) = @_;
    my $name = join ' ', @{ $delivery->{command} };
    my $run = $self->{server}->command(@{ $delivery->{command} });
    my $said = $run->{out} . $run->{err};
    my @wrong;
    push @wrong, "woo_ghl $name ($n) says nothing that matches /$delivery->{output}/"
        if defined $delivery->{output} && $said !~ /$delivery->{output}/;
    push @wrong, "woo_ghl $name ($n) ends with $run->{code}, and it must " . ($delivery->{fails} ? '' : 'not ') . 'fail'
        if defined $delivery->{fails} && !!$delivery->{fails} != !!$run->{code};
    $self->_wrong(@wrong, "it said: ..." . substr($said, -800)) if @wrong;
    return;
}

sub _one {
    my ($self, $kind, $key, $value) = @_;
    my @found = grep { lc($_->{$key} // '') eq lc $value } @{ $self->{ghl}->state->{$kind} };
    return $found[0] if @found == 1;
    $self->_wrong(sprintf 'a person looks for one of the %s "%s", and GHL has %d', $kind, $value, scalar @found);
    return;
}

sub _person {
    my ($self, $does) = @_;
    my $ghl = $self->{ghl};
    for my $what (sort keys %$does) {
        my $with = $does->{$what};
        if ($what eq 'renames') {
            my $it = $self->_one(opportunities => name => $with->[0]) or next;
            $ghl->change(opportunities => $it->{id}, { name => $with->[1] });
        } elsif ($what eq 'edits') {
            my $it = $self->_one(contacts => email => $with->[0]) or next;
            $ghl->change(contacts => $it->{id}, _with_fields($with->[1]));
        } elsif ($what eq 'merges') { $self->_merge(@$with) }
        elsif ($what eq 'sets') { $self->{server}->set(%$with) }
        elsif ($what eq 'makes_ghl_well') {
            $ghl->clear_faults;
            $ghl->settings({ latency_ms => 0, search_lag_ms => 0, drops => [] });
        }
        else { croak "no person '$what'" }
    }
    return;
}

# What the first one has goes to the second, as far as that has none; the first one is gone.
sub _merge {
    my ($self, $email, $stays_email) = @_;
    my ($gone, $stays) = map { $self->_one(contacts => email => $_) // return } $email, $stays_email;
    my $ghl = $self->{ghl};
    my %more = map { length($stays->{$_} // '') || ref $gone->{$_} ? () : ($_ => $gone->{$_}) } keys %$gone;
    my %tags = map { $_ => 1 } @{ $stays->{tags} || [] }, @{ $gone->{tags} || [] };
    $ghl->change(contacts => $stays->{id}, { %more, tags => [sort keys %tags] });
    for my $kind (qw(opportunities notes)) {
        $ghl->change($kind => $_->{id}, { contactId => $stays->{id} })
            for grep { ($_->{contactId} // '') eq $gone->{id} } @{ $ghl->state->{$kind} };
    }
    $ghl->remove(contacts => $gone->{id});
    return;
}

# -- then --

sub _slurp { my ($path) = @_; open my $file, '<:raw', $path or return ''; local $/; return scalar(<$file>) // '' }

# Drains again and again until all is right and nothing waits, or the time is over. What is not right then.
sub _until_right {
    my ($self) = @_;
    my ($server, $ghl) = @$self{qw(server ghl)};
    my $deadline = time + $self->{limit};
    my ($calm_since, $calls, $pause) = (time, -1, 0.2);
    while (1) {
        $server->command('drain');
        my $waiting = $self->_waiting;
        my @wrong = $self->_differences($self->{case}{expect});
        return if !$waiting && !@wrong;
        push @wrong, "so much waits: $waiting" if $waiting;
        my $n = $ghl->limits->{total};
        if ($waiting || $n != $calls) { ($calm_since, $calls) = (time, $n) }
        return @wrong, $self->_last_words if time > $deadline || time > $calm_since + $self->{idle};
        sleep $pause;
        $pause *= 1.5 if $pause < 4;    # what needs minutes is not asked for each second
    }
    return;
}

sub _waiting {
    my ($self) = @_;
    my $run = $self->{server}->command('status', '--json');
    my $status = eval { $JSON->decode($run->{out}) } or croak "status --json: $run->{out}$run->{err}";
    return $status->{waiting} + $status->{spool}{deliveries} + ($status->{spool}{ids} || 0);
}

sub _last_words {
    my ($self) = @_;
    my @log = split /\n/, $self->{server}->log;
    splice @log, 0, @log - 25 if @log > 25;
    my @calls = map { "$_->{method} $_->{path} " . (length $_->{raw} ? $_->{raw} : $JSON->encode($_->{query})) . ' -> ' . ($_->{status} // 'nothing') } $self->{ghl}->calls;
    splice @calls, 0, @calls - 25 if @calls > 25;
    return join "\n  ", 'the log ends:', @log, 'the calls end:', @calls;
}

# What GHL holds, in the words of the expectation.
sub _world {
    my ($self) = @_;
    my $state = $self->{ghl}->state;
    my (%notes, %by_id);
    $notes{ $_->{contactId} // '' } .= "$_->{body}\n" for @{ $state->{notes} };
    for my $object (@{ $state->{contacts} }, @{ $state->{opportunities} }) {
        $object->{fields} = { map { $_->{id} => $_->{value} } @{ $object->{customFields} || [] } };
    }
    for my $contact (@{ $state->{contacts} }) {
        $contact->{notes} = $notes{ $contact->{id} };
        $by_id{ $contact->{id} } = $contact;
    }
    for my $opportunity (@{ $state->{opportunities} }) {
        $opportunity->{value} = $opportunity->{monetaryValue};
        $opportunity->{contact} = $by_id{ $opportunity->{contactId} // '' };
    }
    return $state;
}

# What of the object is not as wanted.
sub _unlike {
    my ($got, $want, $path) = @_;
    my @wrong;
    for my $key (grep { $_ ne 'optional' } sort keys %$want) {
        my ($is, $must) = ($got->{$key}, $want->{$key});
        if (($key eq 'contact' || $key eq 'fields') && ref $must eq 'HASH') {
            push @wrong, _unlike($is || {}, $must, "$path$key.");
        } elsif (!WooGHL::Value::fits($is, $must)) {
            push @wrong, "$path$key is " . WooGHL::Value::text($is) . ', not ' . WooGHL::Value::text($must);
        }
    }
    return @wrong;
}

sub _brief {
    my ($kind, $object) = @_;
    my @keys = $kind eq 'contacts' ? qw(firstName lastName email phone) : qw(name status value);
    return join ' ', map { WooGHL::Value::text($object->{$_}) } @keys;
}

# Finds a wanted one for each that is there (augmenting paths), and says what is left over on both sides.
sub _lists_differ {
    my ($kind, $got, $want) = @_;
    my (@owner, $place);    # of each that is there: the wanted one that has it
    $place = sub {
        my ($w, $tried) = @_;
        for my $g (grep { !$tried->{$_}++ } 0 .. $#$got) {
            next if _unlike($got->[$g], $want->[$w], '');
            next if defined $owner[$g] && !$place->($owner[$g], $tried);
            $owner[$g] = $w;
            return 1;
        }
        return 0;
    };
    # What must be there goes first.
    my @left = grep { !$place->($_, {}) } sort { !!$want->[$a]{optional} <=> !!$want->[$b]{optional} } 0 .. $#$want;
    my @more = map { $got->[$_] } grep { !defined $owner[$_] } 0 .. $#$got;
    my @wrong;
    for my $w (grep { !$want->[$_]{optional} } @left) {
        my $key = $kind eq 'contacts' ? 'email' : 'name';
        my ($near) = grep { WooGHL::Value::fits($_->{$key}, $want->[$w]{$key}) } @more;
        my $why = $near ? join ', ', _unlike($near, $want->[$w], '') : 'there is none like it';
        push @wrong, "$kind: expected " . WooGHL::Value::text($want->[$w]) . ": $why";
    }
    push @wrong, map {"$kind: not expected: " . _brief($kind, $_)
        . ($_->{contact} ? ' of ' . _brief(contacts => $_->{contact}) : '')} @more;
    return @wrong;
}

sub _alerts { my ($self) = @_; return _slurp($self->{server}->dir . '/alerts') }

my %CHECK = (
    opportunities => sub { my ($self, $want, $world) = @_; return _lists_differ(opportunities => $world->{opportunities}, $want) },
    contacts => sub { my ($self, $want, $world) = @_; return _lists_differ(contacts => $world->{contacts}, $want) },
    contact_count => sub {
        my ($self, $want, $world) = @_;
        my @has = @{ $world->{contacts} };
        return @has == $want ? () : "contacts: $want expected, and these are there: " . join '; ', map { _brief(contacts => $_) } @has;
    },
    nowhere => sub {
        my ($self, $want) = @_;
        my $text = JSON::PP->new->canonical->encode($self->{ghl}->state);
        return map { index($text, $_) >= 0 ? "GHL holds '$_'" : () } @$want;
    },
    never_sent => sub {
        my ($self, $want) = @_;
        my @calls = $self->{ghl}->calls;
        return map {
            my $text = $_;
            map { index("$_->{path} $_->{raw} " . $JSON->encode($_->{query}), $text) >= 0 ? "sent '$text': $_->{method} $_->{path} $_->{raw}" : () } @calls;
        } @$want;
    },
    told => sub {
        my ($self, $want) = @_;
        my @lines = ((grep {/ level=(?:warn|error) /} split /\n/, $self->{server}->log), split /\n/, $self->_alerts);
        return if grep {/$want/} @lines;
        return "no warning, error or alert has /$want/: " . (@lines ? join "\n  ", '', @lines : 'there is none');
    },
    alert => sub {
        my ($self, $want) = @_;
        my $alerts = $self->_alerts;
        return $alerts =~ /$want/ ? () : "no alert has /$want/: " . (length $alerts ? $alerts : 'there is none');
    },
    status_says => sub {
        my ($self, $want) = @_;
        my $out = $self->{server}->command('status')->{out};
        return $out =~ /$want/ ? () : "status does not say /$want/: $out";
    },
    within => sub {
        my ($self, $want) = @_;
        return map { $_->[1] > $want ? sprintf 'delivery %d was answered after %.1f s, not within %s', @$_, $want : () } @{ $self->{taken} };
    },
    calls => sub {
        my ($self, $want) = @_;
        my @calls = map {"$_->{method} $_->{path}"} $self->{ghl}->calls;
        return map {
            my $what = $_;
            my $n = grep { $_ eq $what || /^(?:$what)$/ } @calls;
            $n > $want->{$what} ? "GHL was called $n times with $what, not at most $want->{$what}" : ();
        } sort keys %$want;
    },
);

sub _differences {
    my ($self, $expect) = @_;
    my ($world, @wrong) = ($self->_world);
    for my $what (sort keys %$expect) {
        if ($what eq 'any') {
            my @tries = map { [$self->_differences($_)] } @{ $expect->{any} };
            next if grep { !@$_ } @tries;
            push @wrong, 'none of: ' . join ' | ', map { join ', ', @$_ } @tries;
            next;
        }
        my $check = $CHECK{$what} // croak "nothing can be expected of '$what'";
        push @wrong, $check->($self, $expect->{$what}, $world);
    }
    return @wrong;
}

1;
