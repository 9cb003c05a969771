package FakeGHL::Faults;

# Which call a fault of the fake GHL is for.
#
#   match: { method: "POST", path: "regex", body: "regex over the raw body",
#            members: { source: {"present": true} },          of the body; values as in WooGHL::Value
#            custom_field: { id, key, value } }               one of the body's custom fields; each optional
use strict;
use warnings;
use WooGHL::Value;

# True if the call fits; the place of the custom field that was asked for is then in $call->{place}.
sub fits {
    my ($match, $call) = @_;
    return 0 if defined $match->{method} && $match->{method} ne $call->{method};
    return 0 if defined $match->{path} && $call->{path} !~ /$match->{path}/;
    return 0 if defined $match->{body} && $call->{raw} !~ /$match->{body}/;
    my $body = ref $call->{body} eq 'HASH' ? $call->{body} : {};
    return 0 if $match->{members} && !WooGHL::Value::fits($body, $match->{members});
    if (my $want = $match->{custom_field}) {
        my $fields = ref $body->{customFields} eq 'ARRAY' ? $body->{customFields} : [];
        my ($place) = grep { _is_field($fields->[$_], $want) } 0 .. $#$fields;
        return 0 if !defined $place;
        $call->{place} = $place;
    }
    return 1;
}

sub _is_field {
    my ($field, $want) = @_;
    my %has = (%$field, value => $field->{field_value} // $field->{fieldValue});
    return !grep { !WooGHL::Value::fits($has{$_}, $want->{$_}) } keys %$want;
}

# {i} in the answer's texts is that place.
sub placed {
    my ($answer, $place) = @_;
    return $answer if !defined $place;
    return [map { placed($_, $place) } @$answer] if ref $answer eq 'ARRAY';
    return { map { $_ => placed($answer->{$_}, $place) } keys %$answer } if ref $answer eq 'HASH';
    return defined $answer && !ref $answer && $answer =~ /\{i\}/ ? $answer =~ s/\{i\}/$place/gr : $answer;
}

1;
