package WooGHL::Chaos;

# Everything that t/chaos.t does is drawn beforehand, from one seed: the orders, what their shop says of them and
# when, and what is done to whom meanwhile. Nothing here touches a process.
#
#   my $plan = WooGHL::Chaos->plan(seed => 1, seconds => 60, machines => 2, redis => 1, forgets => 1, workers => 4,
#       senders => 6);              # restores => 1: an embedded store that is put back from a backup
#   $plan->{orders}{17};      # { id, customer, states => [state, ...] }; a state: { n, status, total, refund, topic, body }
#   $plan->{sendings}[0];     # of one sender: [{ at, order, n, machine }, ...]; `at` in seconds since the begin
#   $plan->{deeds};           # [{ at, who, what, which, faults }, ...]; which: of workers and drains; a machine's come
#                             # after one another
#
# A shop says each state of an order with a later date_modified_gmt; the deliveries come twice now and then, and
# now and then in the wrong order. A deletion (order.deleted) has no date, and says nothing but the order's id.
use strict;
use warnings;
use POSIX qw(strftime);

# The lives of orders. What no state map names stands among them, as shops send it, too.
my @WALKS = map { [split] } (
    'processing completed', 'processing completed refunded', 'processing refunded', 'processing cancelled',
    'pending cancelled', 'pending on-hold processing', 'failed processing completed', 'refunded',
    'processing cancelled processing completed', 'completed refunded completed', 'pending failed cancelled processing',
    'processing', 'processing trash', 'processing trash processing', 'completed refunded trash', 'pending trash',
);
our %OUTCOME = (processing => 'won', completed => 'won', refunded => 'lost', cancelled => 'abandoned', failed => 'abandoned',
    trash => 'abandoned');

my @FAULTS = (
    { status => 500 }, { status => 502, html => 1 }, { status => 503, effect => 1 }, { reset => 'before' },
    { reset => 'after' }, { close => 'after' }, { delay_ms => 400 }, { delay_ms => 2500 },
    { status => 429 }, { status => 429, headers => { 'Retry-After' => 1 } },
    { status => 504, html => 1, late_ms => 1500 }, { reset => 'before', late_ms => 3000 }, { hang => 1, late_ms => 6000 },
    { status => 200, body => '' }, { status => 200, html => 1 },
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
        my $at = $self->_between(0, 0.6 * $self->{seconds});
        # Most are made just now, some before the store was first used.
        my $created = $self->{began} + ($self->_chance(0.75) ? $at : -$self->_under(3600));
        my $order = $self->{orders}{$id} = { id => $id, customer => $customer, states => [] };
        my $walk = $self->_one(@WALKS);
        for my $n (0 .. $#$walk) { push @{ $order->{states} }, $self->_make_state($order, $n, $walk->[$n], $created) }

        my @says = 0 .. $#$walk;
        if (@says > 1 && $self->_chance(0.15)) {
            my $i = $self->_under($#says);
            @says[$i, $i + 1] = @says[$i + 1, $i];
        }
        my $mine = $sendings[$self->_under(scalar @sendings)];
        for my $n (@says) {
            push @$mine, { at => $at, order => $id, n => $n, machine => $self->_under($self->{machines}) };
            push @{ $self->_one(@sendings) }, { at => $at + $self->_between(0, 0.1 * $self->{seconds}), order => $id, n => $n,
                machine => $self->_under($self->{machines}) } if $self->_chance(0.2);
            $at += $self->_chance(0.5) ? $self->_between(0, 0.3) : $self->_between(0, $self->{seconds} / 6);
        }
    }
    $self->{sendings} = [map { [sort { $a->{at} <=> $b->{at} } @$_] } @sendings];
    return;
}

sub _make_state {
    my ($self, $order, $n, $status, $created) = @_;
    my ($id, $who) = @$order{qw(id customer)};
    return { n => $n, status => $status, topic => 'order.deleted', body => qq({"id":$id}) } if $status eq 'trash';
    my %state = (n => $n, status => $status, topic => 'order.updated', total => sprintf('%d.%02d', 10 + $id, $n), refund => $self->_chance(0.3) ? 5 : 0);
    $state{value} = $state{total} - $state{refund};
    my $note = $self->{redis} && $n == 0 && $id % 40 == 7 ? ',"customer_note":"' . join('', map { sprintf '%08x ', $_ * 2_654_435_761 % 2**32 } 1 .. 150_000) . '"' : '';
    my $reach = $who =~ /^Nobody/ ? '' : sprintf ',"email":"%s@example.com","phone":"+1202555%04d"', lc $who, $who =~ /(\d+)/;
    my $when = sub { strftime '%Y-%m-%dT%H:%M:%S', gmtime $_[0] };
    # All of them in the past, so that each state's place in time is its own.
    $state{body} = sprintf '{"id":%d,"number":"%d","status":"%s","total":"%s","currency":"USD","date_created_gmt":"%s",'
        . '"date_modified_gmt":"%s","billing":{"first_name":"%s","last_name":"Lee"%s},"refunds":[%s]%s}',
        $id, $id, $status, $state{total}, $when->($created), $when->($self->{began} - 3600 + 10 * $n), $who, $reach,
        $state{refund} ? '{"id":1,"total":"-5.00"}' : '', $note;
    return \%state;
}

# -- deeds: each target has a row of its own, so that nobody is stopped twice --

sub _make_deeds {
    my ($self) = @_;
    my @rows = (map({ ['worker', $_, 1.5] } 0 .. $self->{machines} * $self->{workers} - 1),
        map({ ['drain', $_, 1] } 0 .. $self->{machines} - 1), ['ghl', 0, $self->{seconds} > 30 ? 1.5 : 0.4],
        map({ ['person', $_, 3] } 0 .. $self->{machines} - 1));
    push @rows, ['redis', 0, $self->{seconds} > 30 ? 6 : 2] if $self->{redis};
    push @rows, map { ['settings', $_, 4] } 0 .. $self->{machines} - 1;
    $self->_deed($self->{seconds} * $self->_between(0.2, 0.8), 'secret', 0, 'rotate');
    $self->_make_restores if $self->{restores};
    for my $row (@rows) {
        my ($who, $which, $pause) = @$row;
        my $at = $self->_between(0, $pause);
        while ($at < $self->{seconds}) {
            my $long = $self->_length($who);
            if ($who eq 'person') {
                $self->_deed($at, $who, $which, $self->_chance(0.5) ? 'drain_now' : 'drain_jobs');
            }
            elsif ($who eq 'ghl' && $self->_chance(0.3)) {
                $self->_deed($at, 'salesperson', $which, $self->_one(qw(rename edit merge)), dice => $self->{dice}->());
            }
            elsif ($who eq 'settings') {
                $self->_deed($at, $who, $which, 'spoil');
                $self->_deed($at += $self->_between(0.1, $self->{seconds} > 60 ? 3 : $self->{seconds} / 20), $who, $which, 'mend');
            }
            elsif ($who eq 'redis' && $self->{machines} > 1 && $self->_chance(0.2)) {    # this machine spools
                $self->_deed($at, 'road', 1, 'cut');
                $self->_deed($at += 2 * $long, 'road', 1, 'mend');
            }
            elsif ($who eq 'redis' && $self->_chance(0.4)) {
                my $how = $self->_one(qw(slow tight small));
                $self->_deed($at, $who, $which, $how);
                $self->_deed($at += $how eq 'slow' ? 0.9 : $self->_between(0.3, 3), $who, $which, 'well');
            }
            elsif ($who eq 'redis' && $self->{forgets} && $self->_chance(0.4)) {
                if ($self->_chance(0.5)) {
                    $self->_deed($at, $who, $which, 'flush');
                }
                else {
                    $self->_deed($at, $who, $which, 'wipe');
                    $self->_deed($at += $long, $who, $which, 'start');
                }
            }
            elsif ($who eq 'ghl' && $self->_chance(0.7)) {
                my @faults = map { { match => $self->_one(@CALLS), do => $self->_one(@FAULTS) } } 0 .. $self->_under(4);
                $self->_deed($at, $who, $which, 'fault', faults => \@faults);
            }
            # After a Redis was restarted, what was made before it waits: too often, and nothing would happen any more.
            elsif ($self->_chance($who eq 'redis' ? 0.2 : 0.5)) {
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

# DATA_DIR is copied as of one moment, while all have it open, and put back a while later.
sub _make_restores {
    my ($self) = @_;
    my $seconds = $self->{seconds};
    my $at = $self->_between(0.1, 0.3) * $seconds;
    while ($at < 0.9 * $seconds) {
        $self->_deed($at, 'backup', 0, 'copy');
        $self->_deed($at += $self->_between(0.1, 0.2) * $seconds, 'backup', 0, $self->_one(qw(put_back write_over all_over)));
        $at += $self->_between(0.05, 0.3) * $seconds;
    }
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

# What GHL may hold, given the answers ({ order, n, machine, sent, heard, status, body }, ...) and when the store last lost
# its memory ([from, to, from when it did so first], or undef; of a backup, from when it was made until it was put back): order id => { may, must, could, answered }.
#   may       ([outcome, value], ...): the newest state that was answered with 2xx, or a newer one whose answer nobody
#             heard. An end that may have come before its sale is that of the sale's content
#   answered  any of them was
#   could     a state that makes an opportunity was sent
#   must      there has to be an opportunity even if the newest state never makes one: a state that makes one was answered with
#             2xx, too
#
# A Redis that lost its memory has lost what waited in it, with appendonly no as README says. What is left is what had
# reached GHL, what lay in spools or in hands, and what comes after: the newest of it counts, though something newer may
# be lost. An opportunity that was answered for is never lost, nor made again.
sub verdict {
    my ($self, $lost, @answers) = @_;
    my (%verdict, %of);
    push @{ $of{ $_->{order} } }, $_ for @answers;
    for my $id (keys %{ $self->{orders} }) {
        my (@states, @deletions);
        for my $answer (@{ $of{$id} || [] }) {
            my $status = $self->{orders}{$id}{states}[$answer->{n}]{status};
            next unless $OUTCOME{$status};
            my $taken = $answer->{status} =~ /^2/ ? 1 : 0;
            # Whoever was not answered may have been heard, and much later.
            my %said = (%$answer, outcome => $OUTCOME{$status}, taken => $taken, heard => $taken ? $answer->{heard} : 9e99,
                spooled => $answer->{body} =~ /store_unavailable/ ? 1 : 0, synced => $answer->{body} =~ /ghl_id/ ? 1 : 0);
            push @{ $status eq 'trash' ? \@deletions : \@states }, \%said;
        }
        my $known = $lost ? _after_loss($lost, @states) : _of_memory(@states);
        my @may = $self->_contents($id, $known, @states);
        my @deleted = map { ['abandoned', $_->[1]] } @may;
        @may = _surely_deleted($known, \@states, \@deletions) && !$lost ? @deleted : (@may, @deleted) if @deletions;
        $verdict{$id} = { may => \@may, must => $known->{must}, answered => $known->{answered},
            could => scalar(grep { $_->{outcome} eq 'won' } @states) > 0 };
    }
    return \%verdict;
}

sub _numbers { my %seen; return sort { $a <=> $b } grep { !$seen{$_}++ } map { $_->{n} } @_ }
sub _newest { return (sort { $b <=> $a } map { $_->{n} } @_)[0] }

# [outcome, value] of each state that may be the last.
sub _contents {
    my ($self, $id, $known, @states) = @_;
    my $of = $self->{orders}{$id}{states};
    my @sales = grep { $OUTCOME{ $of->[$_]{status} } eq 'won' } _numbers(@states);
    my @may;
    for my $n (@{ $known->{may} }) {
        my $outcome = $OUTCOME{ $of->[$n]{status} };
        push @may, [$outcome, $of->[$n]{value}];
        next if $outcome eq 'won' || !grep { $_->{n} == $n && !$_->{synced} } @states;
        push @may, map { [$outcome, $of->[$_]{value}] } grep { $_ < $n } @sales;
    }
    return @may;
}

sub _of_memory {
    my (@states) = @_;
    my $newest = _newest(grep { $_->{taken} } @states);
    return { may => [grep { !defined $newest || $_ >= $newest } _numbers(@states)], newest => $newest, answered => defined $newest,
        must => scalar grep { $_->{taken} && $_->{outcome} eq 'won' } @states };
}

sub _after_loss {
    my ($lost, @states) = @_;
    my ($from, $to, $first) = @$lost;
    my @after = grep { $_->{taken} && $_->{sent} > $to } @states;
    my $must = grep { $_->{synced} } @states;
    $must ||= grep { $_->{outcome} eq 'won' } @after;
    my $newest = _newest(@after);
    return { may => [grep { $_ >= $newest } _numbers(@states)], answered => 0, must => $must } if defined $newest;
    # Nothing came after: it is as it was, or something old was still on its way, or came after an earlier loss.
    my $synced = _newest(grep { $_->{synced} && $_->{heard} < $from } @states) // -1;
    my %may = map { $_ => 1 } _numbers(grep { $_->{heard} > $first || $_->{spooled} } @states), grep { $_ >= $synced } _numbers(@states);
    return { may => [sort { $a <=> $b } keys %may], answered => 0, must => $must };
}

# A deletion has the place in time of the newest state that is known: what is older is stale after it, that state itself
# is not.
sub _surely_deleted {
    my ($known, $states, $deletions) = @_;
    return 0 unless defined $known->{newest};
    my @rivals = grep { $_->{n} >= $known->{newest} } @$states;
    return scalar grep {
        my $deletion = $_;
        $deletion->{taken} && $deletion->{body} !~ /ignored|stale/
            && !grep { $_->{spooled} || $_->{heard} > $deletion->{sent} } @rivals;
    } @$deletions;
}

1;
