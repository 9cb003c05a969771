package WooGHL::Chaos;

# Everything that t/chaos.t does is drawn beforehand, from one seed: the orders, what their shop says of them and
# when, and what is done to whom meanwhile. Nothing here touches a process.
#
#   my $plan = WooGHL::Chaos->plan(seed => 1, seconds => 60, redis => 1, workers => 4, senders => 6);
#   $plan->{orders}{17};      # { id, customer, states => [state, ...] }; a state: { n, status, total, refund, body }
#   $plan->{sendings}[0];     # of one sender: [{ at, order, n }, ...]; `at` in seconds since the begin
#   $plan->{deeds};           # [{ at, who, what, which, faults }, ...]
#
# A shop says each state of an order with a later date_modified_gmt; the deliveries come twice now and then, and
# now and then in the wrong order.
use strict;
use warnings;
use POSIX qw(strftime);

# The lives of orders. What no state map names stands among them, as shops send it, too.
my @WALKS = map { [split] } (
    'processing completed', 'processing completed refunded', 'processing refunded', 'processing cancelled',
    'pending cancelled', 'pending on-hold processing', 'failed processing completed', 'refunded',
    'processing cancelled processing completed', 'completed refunded completed', 'pending failed cancelled processing',
    'processing',
);
our %OUTCOME = (processing => 'won', completed => 'won', refunded => 'lost', cancelled => 'abandoned', failed => 'abandoned');

my @FAULTS = (
    { status => 500 }, { status => 502, html => 1 }, { status => 503, effect => 1 }, { reset => 'before' },
    { reset => 'after' }, { close => 'after' }, { delay_ms => 400 }, { delay_ms => 2500 },
    { status => 429 }, { status => 429, headers => { 'Retry-After' => 1 } },
);
my @CALLS = (
    { method => 'POST', path => '^/opportunities/$' }, { method => 'PUT', path => '^/opportunities/' },
    { path => '^/contacts/' }, { path => '^/opportunities/search' }, {},
);

# The C library's random numbers would be the same everywhere, too, but `srand` here would be the whole test's.
sub _dice {
    my ($state) = @_;
    $state = ($state * 2_654_435_761 + 12_345) & 0xffff_ffff;
    return sub {
        $state ^= ($state << 13) & 0xffff_ffff;
        $state ^= $state >> 17;
        $state ^= ($state << 5) & 0xffff_ffff;
        $state ||= 1;
        return $state / 2**32;
    };
}

sub plan {
    my ($class, %want) = @_;
    my $self = bless { %want, dice => _dice($want{seed}), orders => {}, deeds => [], began => time }, $class;
    $self->_make_orders;
    $self->_make_deeds;
    return $self;
}

sub _under { my ($self, $n) = @_; return int($self->{dice}->() * $n) }
sub _between { my ($self, $from, $to) = @_; return $from + $self->{dice}->() * ($to - $from) }
sub _one { my ($self, @of) = @_; return $of[$self->_under(scalar @of)] }
sub _chance { my ($self, $of) = @_; return $self->{dice}->() < $of }

# -- orders --

sub _make_orders {
    my ($self) = @_;
    my $count = $self->{count};
    my @sendings = map { [] } 1 .. $self->{senders};
    for my $id (1 .. $count) {
        # About three orders a customer; one order in eight names neither email nor phone.
        my $customer = $self->_chance(0.125) ? "Nobody$id" : 'Customer' . (1 + $self->_under(1 + $count / 3));
        my $created = $self->{began} - 3600 + ($self->_chance(0.5) ? 3599 : $self->_under(3000));
        my $order = $self->{orders}{$id} = { id => $id, customer => $customer, states => [] };
        my $walk = $self->_one(@WALKS);
        for my $n (0 .. $#$walk) { push @{ $order->{states} }, $self->_make_state($order, $n, $walk->[$n], $created) }

        my @says = 0 .. $#$walk;
        if (@says > 1 && $self->_chance(0.15)) {
            my $i = $self->_under($#says);
            @says[$i, $i + 1] = @says[$i + 1, $i];
        }
        my $mine = $sendings[$self->_under(scalar @sendings)];
        my $at = $self->_between(0, 0.6 * $self->{seconds});
        for my $n (@says) {
            push @$mine, { at => $at, order => $id, n => $n };
            push @{ $self->_one(@sendings) }, { at => $at + $self->_between(0, 0.1 * $self->{seconds}), order => $id, n => $n } if $self->_chance(0.2);
            $at += $self->_chance(0.5) ? $self->_between(0, 0.3) : $self->_between(0, $self->{seconds} / 6);
        }
    }
    $self->{sendings} = [map { [sort { $a->{at} <=> $b->{at} } @$_] } @sendings];
    return;
}

sub _make_state {
    my ($self, $order, $n, $status, $created) = @_;
    my ($id, $who) = @$order{qw(id customer)};
    my %state = (n => $n, status => $status, total => sprintf('%d.%02d', 10 + $id, $n), refund => $self->_chance(0.3) ? 5 : 0);
    $state{value} = $state{total} - $state{refund};
    my $reach = $who =~ /^Nobody/ ? '' : sprintf ',"email":"%s@example.com","phone":"+1202555%04d"', lc $who, $who =~ /(\d+)/;
    my $when = sub { strftime '%Y-%m-%dT%H:%M:%S', gmtime $_[0] };
    # All of them in the past, so that each state's place in time is its own.
    $state{body} = sprintf '{"id":%d,"number":"%d","status":"%s","total":"%s","currency":"USD","date_created_gmt":"%s",'
        . '"date_modified_gmt":"%s","billing":{"first_name":"%s","last_name":"Lee"%s},"refunds":[%s]}',
        $id, $id, $status, $state{total}, $when->($created), $when->($self->{began} - 3600 + 10 * $n), $who, $reach,
        $state{refund} ? '{"id":1,"total":"-5.00"}' : '';
    return \%state;
}

# -- deeds: each target has a row of its own, so that nobody is stopped twice --

sub _make_deeds {
    my ($self) = @_;
    my @rows = (map({ ['worker', $_, 1.5] } 0 .. $self->{workers} - 1), ['drain', 0, 1], ['ghl', 0, $self->{seconds} > 30 ? 1.5 : 0.4], ['person', 0, 3]);
    push @rows, ['redis', 0, 2] if $self->{redis};
    for my $row (@rows) {
        my ($who, $which, $pause) = @$row;
        my $at = $self->_between(0, $pause);
        while ($at < $self->{seconds}) {
            my $long = $self->_length($who);
            if ($who eq 'person') {
                $self->_deed($at, $who, $which, 'drain_now');
            }
            elsif ($who eq 'ghl' && $self->_chance(0.7)) {
                my @faults = map { { match => $self->_one(@CALLS), do => $self->_one(@FAULTS) } } 0 .. $self->_under(4);
                $self->_deed($at, $who, $which, 'fault', faults => \@faults);
            }
            elsif ($self->_chance(0.5)) {
                $self->_deed($at, $who, $which, $who eq 'ghl' ? 'down' : 'kill');
                $self->_deed($at += $long, $who, $which, $who eq 'ghl' ? 'up' : 'start');
            }
            else {
                $self->_deed($at, $who, $which, 'stop');
                $self->_deed($at += $long, $who, $which, 'go_on');
            }
            $at += $self->_between(0.1, 2 * $pause);
        }
    }
    @{ $self->{deeds} } = sort { $a->{at} <=> $b->{at} } @{ $self->{deeds} };
    return;
}

# Mostly short. In a long run, a worker or the drain is away for longer than a create may wait to be sent, and
# at times for longer than a lease.
sub _length {
    my ($self, $who) = @_;
    my $most = $self->{seconds} / 3;
    my $long = $self->_chance(0.75) ? $self->_between(0.05, 1) : $self->_between(1, $who =~ /worker|drain/ ? 8 : 3);
    $long = $self->_between(62, 75) if $most > 30 && $who =~ /worker|drain/ && $self->_chance(0.1);
    return $long < $most || $most > 30 ? $long : $most;
}

sub _deed { my ($self, $at, $who, $which, $what, %more) = @_; push @{ $self->{deeds} }, { at => $at, who => $who, which => $which, what => $what, %more }; return }

# -- what must be true in the end --

# What GHL may hold, given the answers ({ order, n, sent, heard, status, body }, ...): order id => { may, must,
# could, answered }.
#   may       the states: the newest that was answered with 2xx, or a newer one whose answer nobody heard. An end that
#             may have come before its sale is that of the sale's content
#   answered  any of them was
#   could     a state that makes a card was sent
#   must      there has to be a card even if the newest state never makes one: a state that makes one was answered with
#             2xx, too
sub verdict {
    my ($self, @answers) = @_;
    my %verdict;
    my %of;
    push @{ $of{ $_->{order} } }, $_ for @answers;
    for my $id (keys %{ $self->{orders} }) {
        my (%taken, %asked, %overtook);
        for my $answer (@{ $of{$id} || [] }) {
            my $state = $self->{orders}{$id}{states}[$answer->{n}];
            next unless $OUTCOME{ $state->{status} };
            $asked{ $state->{n} } = $state;
            next unless $answer->{status} =~ /^2/;
            $taken{ $state->{n} } = $OUTCOME{ $state->{status} } eq 'won' ? 'sold' : 'seen';
        }
        $overtook{ $_->{n} } = 1 for grep { $_->{body} !~ /synced/ } @{ $of{$id} || [] };
        my ($newest) = sort { $b <=> $a } keys %taken;
        my @may = map { $asked{$_} } grep { !defined $newest || $_ >= $newest } sort { $a <=> $b } keys %asked;
        for my $end (grep { $overtook{ $_->{n} } && $OUTCOME{ $_->{status} } ne 'won' } @may) {
            push @may, map { { %$_, status => $end->{status} } }
                grep { $_->{n} < $end->{n} && $OUTCOME{ $_->{status} } eq 'won' } values %asked;
        }
        $verdict{$id} = { may => \@may, must => scalar(grep { $_ eq 'sold' } values %taken) > 0,
            could => scalar(grep { $OUTCOME{ $_->{status} } eq 'won' } values %asked) > 0, answered => defined $newest };
    }
    return \%verdict;
}

1;
