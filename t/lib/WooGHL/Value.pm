package WooGHL::Value;

# What a value must be, as the files of t/cases say it. WooGHL::Play compares by it, and FakeGHL::Faults picks calls.
#
#   WooGHL::Value::fits($got, $want)
#     null                         nothing, or empty
#     "text", 12                   itself
#     [...]                        one of these
#     {"match": pattern}           a pattern in it
#     {"has": [...], "not": [...]} a list that has all of these, and none of those
#     {"less": number}             a smaller number
#     {"present": true}            anything; false: absent
#     {name: ...}                  an object whose members are so
use strict;
use warnings;
use JSON::PP ();
use Scalar::Util qw(looks_like_number);

my $TEXT = JSON::PP->new->canonical->allow_nonref;

sub text { my ($value) = @_; return ref $value || !defined $value ? $TEXT->encode($value) : $value }

sub _is_empty { my ($v) = @_; return !defined $v || (ref $v eq 'ARRAY' ? !@$v : ref $v eq 'HASH' ? !%$v : $v eq '') }

my %RULE = (
    match   => sub { my ($got, $want) = @_; return defined $got && text($got) =~ /$want/ },
    has     => sub { my ($got, $want) = @_; return !grep { !_holds($got, $_) } @$want },
    not     => sub { my ($got, $want) = @_; return !grep { _holds($got, $_) } @$want },
    less    => sub { my ($got, $want) = @_; return looks_like_number($got // '') && $got < $want },
    present => sub { my ($got, $want) = @_; return !$want == !defined $got },
);

sub _holds { my ($list, $value) = @_; return scalar grep { fits($_, $value) } ref $list eq 'ARRAY' ? @$list : () }

sub fits {
    my ($got, $want) = @_;
    return _is_empty($got) if !defined $want;
    return scalar grep { fits($got, $_) } @$want if ref $want eq 'ARRAY';
    if (ref $want eq 'HASH') {
        my @rules = grep { $RULE{$_} } keys %$want;
        return !grep { !$RULE{$_}->($got, $want->{$_}) } @rules if @rules;
        return ref $got eq 'HASH' && !grep { !fits($got->{$_}, $want->{$_}) } keys %$want;
    }
    return 0 if !defined $got || ref $got;
    return $got == $want if looks_like_number($got) && looks_like_number($want);
    return $got eq $want;
}

1;
