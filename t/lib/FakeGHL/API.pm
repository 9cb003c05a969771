package FakeGHL::API;

# The vendor's rules for the fake GoHighLevel API: what is refused and how, what is answered, and what is held.
# Whatever a client could do wrong is refused here as loudly as the real one does or may do.
use strict;
use warnings;
use B ();
use Mojo::JSON qw(true false);
use Time::HiRes qw(time);

my %COUNTRY = map { $_ => 1 } qw(
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BV BW BY BZ CA
    CC CD CF CG CH CI CK CL CM CN CO CR CU CV CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN
    MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS
    PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR ST SV SY SZ TC TD TF TG TH TJ TK TL
    TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW);

# Declared properties and their types: s string, n number, b boolean, o object, t list of strings, f custom
# fields (checked apart), a list.
my %UPDATE_CONTACT = (
    (map { $_ => 's' } qw(firstName lastName name email phone address1 city state postalCode website timezone
        source country assignedTo)),
    dnd => 'b', dndSettings => 'o', inboundDndSettings => 'o', tags => 't', customFields => 'f', dateOfBirth => 's',
);
my %CREATE_CONTACT = (%UPDATE_CONTACT, locationId => 's', gender => 's', companyName => 's');
my %UPSERT_CONTACT = (%CREATE_CONTACT, createNewIfDuplicateAllowed => 'b');
my %UPDATE_OPPORTUNITY = (
    (map { $_ => 's' } qw(pipelineId pipelineStageId name status assignedTo source)),
    monetaryValue => 'n', customFields => 'f',
);
my %CREATE_OPPORTUNITY = (%UPDATE_OPPORTUNITY, locationId => 's', contactId => 's');
my %STATUS = map { $_ => 1 } qw(open won lost abandoned);

my %SEARCH = map { $_ => 1 } qw(q location_id pipeline_id pipeline_stage_id contact_id status assigned_to campaignId
    id order endDate startAfter startAfterId date country page limit getTasks getNotes getCalendarEvents);
# The newer version says them all in camelCase.
my %SEARCH_V3 = map { s/_(\w)/\u$1/gr => 1 } keys %SEARCH;

sub settings {
    my @stages = qw(New Paid Sent);
    my $pipeline = sub {
        my ($letter, $name) = @_;
        my $stage = 0;
        return {
            id     => 'fakePipeline' . $letter x 8,
            name   => $name,
            stages => [map { { id => "fake-stage-\L$letter-$stage", name => $_, position => $stage++ } } @stages],
        };
    };
    my @fields = (
        [fieldUtmSource => 'UTM Source', 'contact.utm_source', 'TEXT', 'contact'],
        [fieldLastTotal => 'Last Order Total', 'contact.last_order_total', 'MONETORY', 'contact'],
        [fieldInterests => 'Interests', 'contact.interests', 'CHECKBOX', 'contact'],
        [fieldOrderMark => 'Order Mark', 'opportunity.order_mark', 'TEXT', 'opportunity'],
        [fieldItemCount => 'Item Count', 'opportunity.item_count', 'NUMERICAL', 'opportunity'],
    );
    return (
        token                       => 'pit-fake-token',
        location_id                 => 'fakeLocation00000000',
        versions                    => ['2021-07-28', 'v3'],
        match_order                 => [qw(email phone)],
        allow_duplicate_contact     => false,
        allow_duplicate_opportunity => true,
        duplicate_counts_closed     => true,
        search_lag_ms               => 0,
        page_limit                  => 100,
        phone_check                 => true,
        scopes                      => undef,
        pipelines                   => [$pipeline->(A => 'Shop'), $pipeline->(B => 'Service')],
        custom_fields =>
            [map { my %f; @f{qw(id name fieldKey dataType model)} = @$_; +{ %f, id => "$f{id}000000" } } @fields],
    );
}

sub new {
    my ($class, $settings) = @_;
    my $state = { map { $_ => [] } qw(contacts opportunities notes) };
    return bless { settings => $settings, state => $state, by => {}, index => {}, last_id => {} }, $class;
}

# -- ways of saying no: each dies with [status, body] --

sub _no {
    my ($status, $message, %more) = @_;
    my %error = (400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden', 404 => 'Not Found',
        415 => 'Unsupported Media Type', 422 => 'Unprocessable Entity');
    die [$status, { statusCode => $status, message => $message, error => $error{$status}, %more }];
}
sub _invalid { _no(422, [@_], traceId => _trace()) }
sub _not_found { _no(400, "$_[0] with id $_[1] not found", traceId => _trace()) }
sub _trace { return sprintf '%08x-0000-4000-8000-%06x%06x', map { rand } 2**32, 2**24, 2**24 }

# The call -> (status, body).
sub answer {
    my ($self, $call) = @_;
    my ($status, $body) = eval { $self->_answer($call) };
    return ($status, $body) if $status;
    return @{$@} if ref $@ eq 'ARRAY';
    warn "fake GHL: $@";
    return (500, { statusCode => 500, message => 'Internal server error' });
}

my @ROUTE = (
    [POST   => qr{^/contacts/upsert$},                   '_contact_upsert'],
    [POST   => qr{^/contacts/$},                         '_contact_create'],
    [POST   => qr{^/contacts/search$},                   '_contact_search'],
    [GET    => qr{^/contacts/search/duplicate$},         '_contact_find'],
    [GET    => qr{^/contacts/([^/]+)$},                  '_contact_get'],
    [PUT    => qr{^/contacts/([^/]+)$},                  '_contact_update'],
    [DELETE => qr{^/contacts/([^/]+)$},                  '_contact_delete'],
    [POST   => qr{^/contacts/([^/]+)/tags$},             '_tags_add'],
    [DELETE => qr{^/contacts/([^/]+)/tags$},             '_tags_remove'],
    [GET    => qr{^/contacts/([^/]+)/notes$},            '_note_list'],
    [POST   => qr{^/contacts/([^/]+)/notes$},            '_note_create'],
    [POST   => qr{^/opportunities/$},                    '_opportunity_create'],
    [GET    => qr{^/opportunities/search$},              '_opportunity_search'],
    [GET    => qr{^/opportunities/pipelines$},           '_pipelines'],
    [GET    => qr{^/opportunities/([^/]+)$},             '_opportunity_get'],
    [PUT    => qr{^/opportunities/([^/]+)$},             '_opportunity_update'],
    [PUT    => qr{^/opportunities/([^/]+)/status$},      '_opportunity_status'],
    [GET    => qr{^/locations/([^/]+)$},                 '_location'],
    [GET    => qr{^/locations/([^/]+)/customFields$},    '_custom_fields'],
    [POST   => qr{^/locations/([^/]+)/customFields$},    '_custom_field_create'],
);

# What the token must be allowed to do; settings' scopes says what it is (not set: everything).
sub _scope {
    my ($call) = @_;
    my $path = $call->{path};
    return 'locations/customFields.readonly' if $path =~ m{^/locations/[^/]+/customFields};
    return 'locations.readonly' if $path =~ m{^/locations/};
    my ($kind) = $path =~ m{^/(\w+)/};
    return "$kind." . ($call->{method} eq 'GET' || $path eq '/contacts/search' ? 'readonly' : 'write');
}

sub _answer {
    my ($self, $call) = @_;
    my ($set, $headers) = ($self->{settings}, $call->{headers});
    die [403, \"<html><body>error code: 1010</body></html>\n"]
        if ($headers->{'user-agent'} // '') =~ m{^(?:$|curl|libcurl|python|Java|Go-http|Mojolicious)}i;
    my $version = $headers->{version} // _no(401, 'version header was not found.');
    grep { $_ eq $version } @{ $set->{versions} } or _no(401, "version header is invalid");
    ($headers->{authorization} // '') eq "Bearer $set->{token}" or _no(401, 'Invalid JWT');
    if ($set->{scopes}) {
        my $scope = _scope($call);
        grep { $_ eq $scope } @{ $set->{scopes} } or _no(401, 'The token is not authorized for this scope.');
    }
    for my $route (@ROUTE) {
        my ($method, $pattern, $do) = @$route;
        next if $method ne $call->{method} or not my @id = $call->{path} =~ $pattern;
        $call->{v3} = $version eq 'v3';
        if ($method ne 'GET') {
            ($headers->{'content-type'} // '') =~ m{^application/json(?:\s*;.*)?$}i
                or _no(415, 'Unsupported Media Type');
            _no(400, 'Unexpected token in JSON at position 0') if $call->{error};
            _no(400, 'Unexpected end of JSON input') if ref $call->{asked} ne 'HASH';
        }
        return $self->$do($call, $pattern =~ /\(\[/ ? @id : ());
    }
    _no(404, "Cannot $call->{method} $call->{path}");
}

# -- checks --

sub _is_number {
    my $flags = B::svref_2object(\$_[0])->FLAGS;
    return !ref $_[0] && $flags & (B::SVp_IOK | B::SVp_NOK) && !($flags & B::SVp_POK);
}
sub _is_text { return defined $_[0] && !ref $_[0] && !_is_number($_[0]) }
sub _is_bool { return ref $_[0] eq 'JSON::PP::Boolean' }

sub _check {
    my ($self, $call, $declared, @required) = @_;
    my ($asked, @wrong) = ($call->{asked});
    for my $key (sort keys %$asked) {
        my ($value, $type) = ($asked->{$key}, $declared->{$key});
        if (!$type) { push @wrong, "property $key should not exist" }
        elsif ($type eq 's') {
            my $may_be_empty = $call->{method} eq 'PUT' && $declared == \%UPDATE_CONTACT && $key ne 'country';
            push @wrong, !_is_text($value) ? "$key must be a string" : length $value ? () : $key eq 'email'
                ? 'email must be an email' : $may_be_empty ? () : "$key should not be empty";
        }
        elsif ($type eq 'n') { push @wrong, "$key must be a number" unless _is_number($value) }
        elsif ($type eq 'b') { push @wrong, "$key must be a boolean" unless _is_bool($value) }
        elsif ($type eq 'o') { push @wrong, "$key must be an object" unless ref $value eq 'HASH' }
        elsif ($type eq 'a') { push @wrong, "$key must be an array" unless ref $value eq 'ARRAY' }
        elsif ($type eq 't') {
            push @wrong, ref $value ne 'ARRAY' ? "$key must be an array"
                : grep({ !_is_text($_) || !length } @$value) ? "each value in $key must be a string" : ();
        }
    }
    push @wrong, map {"$_ should not be empty"} grep { !defined $asked->{$_} } @required;
    push @wrong, 'email must be an email'
        if _is_text($asked->{email}) && length $asked->{email}
        && $asked->{email} !~ /^[\x21-\x3f\x41-\x7e]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}$/;
    push @wrong, 'country must be valid' if _is_text($asked->{country}) && !$COUNTRY{ $asked->{country} };
    push @wrong, 'phone must be a valid phone number'
        if $self->{settings}{phone_check} && _is_text($asked->{phone}) && $asked->{phone} !~ /^\+[1-9][0-9]{6,14}$/;
    push @wrong, 'status must be a valid enum value' if $declared->{status} && _is_text($asked->{status})
        && !$STATUS{ $asked->{status} };
    _invalid(@wrong) if @wrong;
    $self->_check_location($asked->{locationId}) if $declared->{locationId};
    return $asked;
}

sub _check_location {
    my ($self, $location) = @_;
    $location eq $self->{settings}{location_id} or _no(403, 'The token does not have access to this location.');
    return;
}

# [{id|key, field_value}] -> [{id, value}], the values checked by the field's type.
sub _check_fields {
    my ($self, $call, $model) = @_;
    my $fields = $call->{asked}{customFields};
    return unless defined $fields;
    _invalid('customFields must be an array') if ref $fields ne 'ARRAY';
    my ($name, @kept) = ($call->{v3} ? 'fieldValue' : 'field_value');
    for my $i (0 .. $#$fields) {
        my $field = $fields->[$i];
        _invalid("customFields.$i must be an object") if ref $field ne 'HASH';
        _invalid("customFields.$i.property $_ should not exist")
            for grep { !/^(?:id|key|\Q$name\E)$/ } sort keys %$field;
        my ($known) = grep {
            $_->{model} eq $model
                && ($_->{id} eq ($field->{id} // '') || $_->{fieldKey} eq ($field->{key} // $field->{id} // ''))
        } @{ $self->{settings}{custom_fields} };
        _no(400, 'Custom field with id ' . ($field->{id} // $field->{key} // '') . ' not found') unless $known;
        my ($value, $type) = ($field->{$name}, $known->{dataType});
        my $fits = $type =~ /^(?:NUMERICAL|MONETORY)$/ ? _is_number($value)
            : $type =~ /^(?:CHECKBOX|MULTIPLE_OPTIONS)$/
            ? ref $value eq 'ARRAY' && @$value && !grep { !_is_text($_) } @$value
            : _is_text($value) && length $value;
        _invalid("customFields.$i.$name must fit $type") unless $fits;
        push @kept, { id => $known->{id}, value => $value };
    }
    return \@kept;
}

# -- what is held --

sub _id {
    my ($self, $kind) = @_;
    return sprintf 'fake%s%012d', { contacts => 'Cont', opportunities => 'Oppo', notes => 'Note' }->{$kind},
        ++$self->{last_id}{$kind};
}

sub _hold {
    my ($self, $kind, $object) = @_;
    $object->{id} //= $self->_id($kind);
    $object->{seen_from} = time + $self->{settings}{search_lag_ms} / 1000;
    push @{ $self->{state}{$kind} }, $object;
    $self->{by}{$kind}{ $object->{id} } = $object;
    $self->_index($object) if $kind eq 'contacts';
    return $object;
}

sub _touch {
    my ($self, $object, $new) = @_;
    $object->{$_} = $new->{$_} for grep { !/^(?:locationId|customFields|createNewIfDuplicateAllowed)$/ } keys %$new;
    return $object;
}

sub _merge_fields {
    my ($object, $fields) = @_;
    return unless $fields;
    my %new = map { $_->{id} => 1 } @$fields;
    $object->{customFields} = [(grep { !$new{ $_->{id} } } @{ $object->{customFields} || [] }), @$fields];
    return;
}

sub _contact { my ($self, $id) = @_; return $self->{by}{contacts}{$id} // _not_found(Contact => $id) }
sub _opportunity {
    my ($self, $id) = @_;
    return $self->{by}{opportunities}{$id} // _no(404, "Opportunity with id $id not found", traceId => _trace());
}

sub _public { my %copy = %{ $_[0] }; delete @copy{qw(seen_from)}; return \%copy }
sub _now { my ($s, $ms) = (int $_[0], int(($_[0] - int $_[0]) * 1000)); my @t = gmtime $s;
    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0], $ms }

# Contacts by email and phone. What a contact no longer has stays indexed and is sorted out by the look-up.
sub _index {
    my ($self, $contact) = @_;
    for my $field (qw(email phone)) {
        my $value = lc($contact->{$field} // '');
        my $list = $self->{index}{$field}{$value} //= [];
        push @$list, $contact->{id} if length $value && !grep { $_ eq $contact->{id} } @$list;
    }
    return;
}

sub _other_with {
    my ($self, $field, $value, $not) = @_;
    return unless length($value // '');
    for my $id (@{ $self->{index}{$field}{ lc $value } || [] }) {
        my $contact = $self->{by}{contacts}{$id} or next;
        next if lc($contact->{$field} // '') ne lc $value;
        return $contact unless $not && $contact == $not;
    }
    return;
}

sub _refuse_duplicate_contact {
    my ($self, $asked, $not) = @_;
    return if $self->{settings}{allow_duplicate_contact};
    for my $field (@{ $self->{settings}{match_order} }) {
        my $other = $self->_other_with($field, $asked->{$field}, $not) or next;
        _no(400, 'This location does not allow duplicated contacts.',
            meta => { contactId => $other->{id}, matchingField => $field }, traceId => _trace());
    }
    return;
}

# -- contacts --

sub _new_contact {
    my ($self, $asked, $fields) = @_;
    my $contact = $self->_touch({ customFields => [], tags => [] }, $asked);
    $contact->{locationId} = $self->{settings}{location_id};
    $contact->{dateAdded} = $contact->{dateUpdated} = _now(time);
    _merge_fields($contact, $fields);
    return $self->_hold(contacts => $contact);
}

sub _contact_upsert {
    my ($self, $call) = @_;
    my $asked = $self->_check($call, \%UPSERT_CONTACT, 'locationId');
    _no(400, 'Pass at least one of number, email query parameter', traceId => _trace())
        unless defined $asked->{email} || defined $asked->{phone};
    my $fields = $self->_check_fields($call, 'contact');
    my ($contact, $by);
    for my $field (@{ $self->{settings}{match_order} }) {
        $by = $field;
        last if $contact = $self->_other_with($field, $asked->{$field});
    }
    return (201, { new => true, contact => _public($self->_new_contact($asked, $fields)), traceId => _trace() })
        unless $contact;
    # The value that belongs to another contact is silently ignored.
    my %new = %$asked;
    for my $field (qw(email phone)) {
        delete $new{$field} if $field ne $by && $self->_other_with($field, $new{$field}, $contact);
    }
    $self->_touch($contact, \%new);
    $self->_index($contact);
    _merge_fields($contact, $fields);
    $contact->{dateUpdated} = _now(time);
    return (200, { new => false, contact => _public($contact), traceId => _trace() });
}

sub _contact_create {
    my ($self, $call) = @_;
    my $asked = $self->_check($call, \%CREATE_CONTACT, 'locationId');
    _no(400, 'Pass at least one of email, phone, firstName, lastName', traceId => _trace())
        unless grep { defined $asked->{$_} } qw(email phone firstName lastName);
    my $fields = $self->_check_fields($call, 'contact');
    $self->_refuse_duplicate_contact($asked);
    return (201, { contact => _public($self->_new_contact($asked, $fields)), traceId => _trace() });
}

sub _contact_get { my ($self, $call, $id) = @_; return (200, { contact => _public($self->_contact($id)) }) }

sub _contact_update {
    my ($self, $call, $id) = @_;
    my $asked = $self->_check($call, \%UPDATE_CONTACT);
    my $fields = $self->_check_fields($call, 'contact');
    my $contact = $self->_contact($id);
    $self->_refuse_duplicate_contact($asked, $contact);
    $self->_touch($contact, $asked);
    $self->_index($contact);
    _merge_fields($contact, $fields);
    $contact->{dateUpdated} = _now(time);
    return (200, { ($call->{v3} ? 'success' : 'succeded') => true, contact => _public($contact) });
}

# With all that hangs on it.
sub _contact_delete {
    my ($self, $call, $id) = @_;
    $self->_contact($id);
    for my $kind (qw(opportunities notes)) {
        my %gone = map { $_->{id} => 1 } grep { $_->{contactId} eq $id } @{ $self->{state}{$kind} };
        @{ $self->{state}{$kind} } = grep { !$gone{ $_->{id} } } @{ $self->{state}{$kind} };
        delete @{ $self->{by}{$kind} }{ keys %gone };
    }
    @{ $self->{state}{contacts} } = grep { $_->{id} ne $id } @{ $self->{state}{contacts} };
    delete $self->{by}{contacts}{$id};
    return (200, { ($call->{v3} ? 'success' : 'succeded') => true });
}

sub _contact_find {
    my ($self, $call) = @_;
    my $query = $call->{query};
    my @wrong = map {"property $_ should not exist"} grep { !/^(?:locationId|email|number)$/ } sort keys %$query;
    push @wrong, 'locationId should not be empty' unless length($query->{locationId} // '');
    _invalid(@wrong) if @wrong;
    $self->_check_location($query->{locationId});
    my ($found) = grep {$_} map { $self->_other_with(@$_) } [email => $query->{email}], [phone => $query->{number}];
    return (200, { contact => $found ? _public($found) : undef, traceId => _trace() });
}

sub _contact_search {
    my ($self, $call) = @_;
    my $asked = $self->_check($call,
        { locationId => 's', query => 's', page => 'n', pageLimit => 'n', filters => 'a', sort => 'a', searchAfter => 'a' },
        qw(locationId pageLimit));
    my ($now, $query) = (time, lc($asked->{query} // ''));
    my @found = grep {
        my $c = $_;
        my $text = lc join ' ', map { $c->{$_} // () } qw(firstName lastName name email phone);
        $c->{seen_from} <= $now && index($text, $query) >= 0;
    } @{ $self->{state}{contacts} };
    @found = reverse @found if ($asked->{sort}[0]{direction} // 'desc') eq 'desc';
    my ($limit, $page) = ($asked->{pageLimit}, $asked->{page} // 1);
    my @page = splice @{ [@found] }, ($page - 1) * $limit, $limit;
    return (200, { contacts => [map { _public($_) } @page], total => scalar @found, traceId => _trace() });
}

sub _tags_add {
    my ($self, $call, $id) = @_;
    my $asked = $self->_check($call, { tags => 't' }, 'tags');
    my $contact = $self->_contact($id);
    my %has = map { $_ => 1 } @{ $contact->{tags} };
    my @added = grep { !$has{$_}++ } map {lc} @{ $asked->{tags} };    # it keeps them in small letters
    push @{ $contact->{tags} }, @added;
    return (201, { tags => $contact->{tags}, tagsAdded => \@added, traceId => _trace() });
}

sub _tags_remove {
    my ($self, $call, $id) = @_;
    my $asked = $self->_check($call, { tags => 't' }, 'tags');
    my $contact = $self->_contact($id);
    my %remove = map { lc($_) => 1 } @{ $asked->{tags} };
    my @gone = grep { $remove{lc $_} } @{ $contact->{tags} };
    $contact->{tags} = [grep { !$remove{lc $_} } @{ $contact->{tags} }];
    return (200, { tags => $contact->{tags}, tagsRemoved => \@gone, traceId => _trace() });
}

sub _note_list {
    my ($self, $call, $id) = @_;
    $self->_contact($id);
    return (200, { notes => [map { _public($_) } reverse grep { $_->{contactId} eq $id } @{ $self->{state}{notes} }] });
}

sub _note_create {
    my ($self, $call, $id) = @_;
    my $asked = $self->_check($call, { userId => 's', body => 's', title => 's', color => 's', pinned => 'b' }, 'body');
    $self->_contact($id);
    my $note = $self->_hold(notes => { %$asked, contactId => $id, dateAdded => _now(time) });
    return (201, { note => _public($note), traceId => _trace() });
}

# -- opportunities --

# The pipeline's and stage's ids belong to this location and to each other.
sub _check_stage {
    my ($self, $pipeline_id, $stage_id) = @_;
    my ($pipeline) = grep { $_->{id} eq $pipeline_id } @{ $self->{settings}{pipelines} };
    _no(400, 'The pipeline id is invalid.', traceId => _trace()) unless $pipeline;
    return $pipeline->{stages}[0]{id} unless defined $stage_id;
    grep { $_->{id} eq $stage_id } @{ $pipeline->{stages} }
        or _no(400, 'The pipeline stage id is invalid.', traceId => _trace());
    return $stage_id;
}

sub _opportunity_create {
    my ($self, $call) = @_;
    my $set = $self->{settings};
    my $asked = $self->_check($call, \%CREATE_OPPORTUNITY, qw(pipelineId locationId name status contactId));
    my $fields = $self->_check_fields($call, 'opportunity');
    my $stage = $self->_check_stage(@$asked{qw(pipelineId pipelineStageId)});
    my $contact = $self->_contact($asked->{contactId});
    if (!$set->{allow_duplicate_opportunity}) {
        my ($other) = grep {
            $_->{contactId} eq $contact->{id} && $_->{pipelineId} eq $asked->{pipelineId}
                && ($set->{duplicate_counts_closed} || $_->{status} eq 'open')
        } @{ $self->{state}{opportunities} };
        _no(400, 'Can not create duplicate opportunity for the contact.', code => 'OPPORTUNITY_NO_DUPLICATE',
            meta => { existingId => $other->{id} }, traceId => _trace()) if $other;
    }
    my $opportunity = $self->_touch({ customFields => [], monetaryValue => 0 }, $asked);
    my $now = _now(time);
    @$opportunity{qw(pipelineStageId locationId createdAt updatedAt)} = ($stage, $set->{location_id}, $now, $now);
    _merge_fields($opportunity, $fields);
    return (201, { opportunity => $self->_shown($self->_hold(opportunities => $opportunity), $call), traceId => _trace() });
}

# Custom fields of an opportunity are answered as {id, fieldValue}.
sub _shown {
    my ($self, $opportunity) = @_;
    my $public = _public($opportunity);
    $public->{customFields} = [map { { id => $_->{id}, fieldValue => $_->{value} } } @{ $opportunity->{customFields} || [] }];
    return $public;
}

sub _opportunity_get {
    my ($self, $call, $id) = @_;
    return (200, { opportunity => $self->_shown($self->_opportunity($id)), traceId => _trace() });
}

sub _opportunity_update {
    my ($self, $call, $id) = @_;
    my $asked = $self->_check($call, \%UPDATE_OPPORTUNITY);
    my $fields = $self->_check_fields($call, 'opportunity');
    my $opportunity = $self->_opportunity($id);
    if (defined $asked->{pipelineId} || defined $asked->{pipelineStageId}) {
        my $stage = $self->_check_stage($asked->{pipelineId} // $opportunity->{pipelineId}, $asked->{pipelineStageId});
        $opportunity->{pipelineStageId} = $stage if ($asked->{pipelineId} // $opportunity->{pipelineId}) ne $opportunity->{pipelineId};
    }
    $self->_touch($opportunity, $asked);
    _merge_fields($opportunity, $fields);
    $opportunity->{updatedAt} = _now(time);
    return (200, { opportunity => $self->_shown($opportunity), traceId => _trace() });
}

sub _opportunity_status {
    my ($self, $call, $id) = @_;
    my $asked = $self->_check($call, { status => 's', lostReasonId => 's' }, 'status');
    my $opportunity = $self->_opportunity($id);
    $self->_touch($opportunity, $asked);
    $opportunity->{updatedAt} = _now(time);
    return (200, { ($call->{v3} ? 'success' : 'succeded') => true, traceId => _trace() });
}

# Newest first; the next page is asked for by page, or by startAfter and startAfterId.
sub _opportunity_search {
    my ($self, $call) = @_;
    my ($query, $declared) = ($call->{query}, $call->{v3} ? \%SEARCH_V3 : \%SEARCH);
    my @wrong = map {"property $_ should not exist"} grep { !$declared->{$_} } sort keys %$query;
    my %is = map { my $to = s/([A-Z])/_\l$1/gr; ($to => $query->{$_}) } keys %$query;
    push @wrong, ($call->{v3} ? 'locationId' : 'location_id') . ' should not be empty' unless length($is{location_id} // '');
    my $limit = $is{limit} // 20;
    push @wrong, 'limit must not be greater than 100' if $limit !~ /^[1-9]\d*$/ || $limit > 100;
    _invalid(@wrong) if @wrong;
    $self->_check_location($is{location_id});
    $limit = $self->{settings}{page_limit} if $limit > $self->{settings}{page_limit};

    my ($now, $text) = (time, lc($is{q} // ''));
    my $has_text = sub {
        my $opportunity = shift;
        my $contact = $self->{by}{contacts}{ $opportunity->{contactId} // '' } || {};
        return grep { index(lc($_ // ''), $text) >= 0 } $opportunity->{name},
            join(' ', grep {defined} @$contact{qw(firstName lastName)}), @$contact{qw(name email phone)};
    };
    my %field = (pipeline_id => 'pipelineId', contact_id => 'contactId', pipeline_stage_id => 'pipelineStageId',
        id => 'id', status => 'status');
    my @found = reverse grep {
        my $opportunity = $_;
        $opportunity->{seen_from} <= $now
            && !grep({ length($is{$_} // '') && $is{$_} ne 'all' && $is{$_} ne $opportunity->{ $field{$_} } } keys %field)
            && (!length $text || $has_text->($opportunity))
    } @{ $self->{state}{opportunities} };
    my $total = @found;
    my $page = $is{page} || 1;
    if (length($is{start_after_id} // '')) {
        shift @found while @found && $found[0]{id} ne $is{start_after_id};
        shift @found;
    }
    elsif ($page > 1) { splice @found, 0, ($page - 1) * $limit }
    my $more = @found > $limit;
    splice @found, $limit if $more;
    my $last = $found[-1];
    my $after = $last ? $last->{createdAt} =~ s/\D//gr + 0 : undef;
    my $url = "http://services.example.com/opportunities/search?startAfter=$after&startAfterId=$last->{id}" if $more;
    return (200, {
        opportunities => [map { $self->_shown($_) } @found],
        meta => {
            total => $total, nextPageUrl => $url, startAfter => $after, startAfterId => $last && $last->{id},
            currentPage => $page + 0, nextPage => $more ? $page + 1 : undef, prevPage => $page > 1 ? $page - 1 : undef,
        },
        traceId => _trace(),
    });
}

sub _pipelines {
    my ($self, $call) = @_;
    my $query = $call->{query};
    _invalid(map {"property $_ should not exist"} grep { $_ ne 'locationId' } keys %$query)
        if grep { $_ ne 'locationId' } keys %$query;
    _invalid('locationId should not be empty') unless length($query->{locationId} // '');
    $self->_check_location($query->{locationId});
    return (200, { pipelines => $self->{settings}{pipelines}, traceId => _trace() });
}

# -- the location --

sub _location {
    my ($self, $call, $id) = @_;
    $self->_check_location($id);
    my $set = $self->{settings};
    return (200, {
        location => {
            id => $id, name => 'Fake Location', country => 'US', timezone => 'America/New_York',
            settings => {
                allowDuplicateContact     => $set->{allow_duplicate_contact},
                allowDuplicateOpportunity => $set->{allow_duplicate_opportunity},
                allowFacebookNameMerge    => false,
                disableContactTimezone    => false,
            },
        },
        traceId => _trace(),
    });
}

sub _custom_fields {
    my ($self, $call, $id) = @_;
    $self->_check_location($id);
    my $model = $call->{query}{model} // 'contact';
    _invalid('model must be a valid enum value') unless $model =~ /^(?:contact|opportunity|all)$/;
    my @fields = grep { $model eq 'all' || $_->{model} eq $model } @{ $self->{settings}{custom_fields} };
    return (200, { customFields => \@fields, traceId => _trace() });
}

# The key is made of the name.
sub _custom_field_create {
    my ($self, $call, $id) = @_;
    $self->_check_location($id);
    my ($asked, $all) = ($call->{asked}, $self->{settings}{custom_fields});
    for my $name (sort keys %$asked) { _invalid("property $name should not exist") if $name !~ /^(?:name|dataType|model|placeholder|position)$/ }
    for my $name (qw(name dataType)) { _invalid("$name must be a string") if !length($asked->{$name} // '') }
    my $model = $asked->{model} // 'contact';
    _invalid('model must be a valid enum value') unless $model =~ /^(?:contact|opportunity)$/;
    my $key = "$model." . (lc($asked->{name}) =~ s/[^a-z0-9]+/_/gr);
    _no(400, 'Custom field already exists') if grep { $_->{fieldKey} eq $key } @$all;
    my $field = { id => sprintf('fakeMadeField%07d', scalar @$all), name => $asked->{name}, fieldKey => $key, dataType => $asked->{dataType}, model => $model };
    push @$all, $field;
    return (201, { customField => $field, traceId => _trace() });
}

# -- what tests ask --

sub state {
    my $self = shift;
    return { map { my $kind = $_; $kind => [map { _public($_) } @{ $self->{state}{$kind} }] } keys %{ $self->{state} } };
}

# The searches see, each with this chance, what they do not see yet.
sub show {
    my ($self, $chance) = @_;
    my $now = time;
    for my $object (map {@$_} @{ $self->{state} }{qw(contacts opportunities)}) {
        $object->{seen_from} = 0 if $object->{seen_from} > $now && rand() < $chance;
    }
    return;
}

# A contact becomes another one, which has what it had.
sub merge {
    my ($self, $id) = @_;
    my $contact = delete $self->{by}{contacts}{$id} or die "no such contact: $id\n";
    $contact->{id} = $self->_id('contacts');
    $self->{by}{contacts}{ $contact->{id} } = $contact;
    $self->_index($contact);
    $_->{contactId} = $contact->{id} for grep { ($_->{contactId} // '') eq $id } map {@$_} @{ $self->{state} }{qw(opportunities notes)};
    return { id => $contact->{id} };
}

sub change {
    my ($self, $method, $kind, $id, $asked) = @_;
    if ($method eq 'POST') {
        my $now = _now(time);
        my %always = (
            contacts => { locationId => $self->{settings}{location_id}, tags => [], customFields => [], dateAdded => $now },
            opportunities => { locationId => $self->{settings}{location_id}, customFields => [], monetaryValue => 0,
                status => 'open', createdAt => $now, updatedAt => $now },
            notes => { dateAdded => $now },
        );
        return [map { $self->_hold($kind => { %{ $always{$kind} }, %$_ })->{id} } @$asked];
    }
    my $object = $self->{by}{$kind}{$id} or die "no such $kind: $id\n";
    if ($method eq 'PUT') {
        %$object = (%$object, %$asked);
        $self->_index($object) if $kind eq 'contacts';
        return _public($object);
    }
    if ($method eq 'DELETE') {
        delete $self->{by}{$kind}{$id};
        $self->{state}{$kind} = [grep { $_ != $object } @{ $self->{state}{$kind} }];
        return _public($object);
    }
    return;
}

1;
