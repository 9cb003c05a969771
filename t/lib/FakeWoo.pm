package FakeWoo;

# A fake of a WooCommerce shop's REST API, as far as orders are read, and webhooks read and written: one process on the loopback, modelled on the
# sources named in lib/woo.h. FakeWoo::Client starts and steers it.
#
# Orders (POST /__fake/orders takes a list; one of a known id takes its place)
#   { id, status, modified (s since 1970), raw (its JSON, given out byte by byte), shown (another modified time than the
#   one it is listed by: the order is being changed while it is read) }
#
# Settings (POST /__fake/settings merges)
#   key, secret        of Basic auth: ck_fake, cs_fake
#   can_read           true; false: the key's user may not read orders
#   can_write          true; false: the key has read permission alone
#   knows_auth         true; false: the web server drops the Authorization header
#   old                false; true: a version before 5.8, which ignores modified_after
#   ignores_exclude    false; true: as with a plugin that rewrites the query
#   hidden             []: ids that the user may not read: missing in pages, not in X-WP-Total
#   total              true; false: X-WP-Total is stripped
#   clock_ahead_s      0: of its Date header
#   webhooks           []: what GET /webhooks answers, in pages, without their secret; POST adds one, PUT changes one
#
# Faults (POST /__fake/faults, appended; one for each GET that matches)
#   { skip: 0, times: 1, path: regex over path and query, do: { status, body (text), headers, html, delay_ms, hang, waits (the answer leaves at POST /__fake/answer),
#     truncate, orders: [...] as above, put in place after the list was made and before its orders are read,
#     after: [...] put in place after the answer } }
#
# Calls (GET /__fake/calls): n, method, path, query (object), body (of POST and PUT), authorization, status (null: not
# answered), ids. GET /__fake/settings tells the settings.
# Further: POST /__fake/reset.
use strict;
use warnings;
use MIME::Base64 qw(decode_base64);
use Mojo::IOLoop;
use Mojo::JSON qw(decode_json encode_json true false);
use POSIX qw(ceil strftime);
use Time::Local qw(timegm);
use WooGHL::Daemon;

my $API = '/wp-json/wc/v3';

sub new { my ($class) = @_; return bless({}, $class)->reset }

sub reset {
    my $self = shift;
    $self->{orders} = {};
    @$self{qw(calls faults waiting)} = ([], [], []);
    $self->{settings} = { key => 'ck_fake', secret => 'cs_fake', can_read => true, can_write => true, knows_auth => true, old => false,
        ignores_exclude => false, hidden => [], total => true, clock_ahead_s => 0, webhooks => [] };
    return $self;
}

sub run {
    my ($self, %option) = @_;
    my $daemon = WooGHL::Daemon->new(listen => ['http://127.0.0.1']);
    $daemon->on(request => sub { $self->_request($_[1]) });
    $daemon->start;
    $self->{url} = 'http://127.0.0.1:' . $daemon->ports->[0];
    open my $out, '>', "$option{port_file}.new" or die "$option{port_file}.new: $!";
    print $out $daemon->ports->[0], "\n";
    close $out or die "$option{port_file}.new: $!";
    rename "$option{port_file}.new", $option{port_file} or die "$option{port_file}: $!";
    my $parent = getppid;
    Mojo::IOLoop->recurring(1 => sub { Mojo::IOLoop->stop if getppid != $parent });
    local $SIG{TERM} = local $SIG{INT} = sub { Mojo::IOLoop->stop };
    local $SIG{PIPE} = 'IGNORE';
    Mojo::IOLoop->start;
    return;
}

# -- one request --

sub _request {
    my ($self, $tx) = @_;
    my $req = $tx->req;
    my $path = $req->url->path->to_string;
    return $self->_control($tx, $1) if $path =~ m{^/__fake/(.*)};
    my $call = { n => @{ $self->{calls} } + 1, method => $req->method, path => $path,
        $req->body =~ /^\{/ ? (body => decode_json($req->body)) : (), query => $req->query_params->to_hash,
        authorization => $req->headers->authorization, status => undef, ids => [] };
    push @{ $self->{calls} }, $call;
    my $do = $self->_fault_for("$path?" . $req->query_params->to_string);
    return if $do->{hang};
    my ($status, $body, %headers) = $self->_answer($call, $do);
    $status = $do->{status} // $status;
    $body = $do->{body} // $body;
    $body = "<!DOCTYPE html>\n<html><head><title>Log in</title></head><body></body></html>\n" if $do->{html};
    %headers = (%headers, %{ $do->{headers} || {} });
    my $send = sub {
        $self->_put($do->{after}) if $do->{after};
        return if $tx->is_finished;
        my $res = $tx->res;
        $call->{status} = $status;
        $res->code($status);
        $res->headers->content_type($do->{html} ? 'text/html; charset=UTF-8' : 'application/json; charset=UTF-8');
        $res->headers->header($_ => $headers{$_}) for keys %headers;
        $res->headers->date(strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + $self->{settings}{clock_ahead_s})));
        $res->body(defined $do->{truncate} ? substr $body, 0, $do->{truncate} : $body);
        $tx->resume;
    };
    $do->{waits} ? push @{ $self->{waiting} }, $send : $do->{delay_ms} ? Mojo::IOLoop->timer($do->{delay_ms} / 1000 => $send) : $send->();
    return;
}

sub _fault_for {
    my ($self, $what) = @_;
    my $faults = $self->{faults};
    for my $i (0 .. $#$faults) {
        my $fault = $faults->[$i];
        next if defined $fault->{path} && $what !~ /$fault->{path}/;
        next if ($fault->{skip} || 0) > 0 && $fault->{skip}--;
        splice @$faults, $i, 1 if ($fault->{times} //= 1) && !--$fault->{times};
        return $fault->{do};
    }
    return {};
}

sub _error { my ($status, $code) = @_; return $status, encode_json({ code => $code, message => 'Sorry.', data => { status => $status } }) }

sub _answer {
    my ($self, $call, $do) = @_;
    my ($settings, $q) = ($self->{settings}, $call->{query});
    return 404, '<html><body>Not found</body></html>' if $call->{path} !~ m{^/wp-json/};
    return _error(404, 'rest_no_route') if $call->{path} !~ m{^\Q$API\E/(?:orders(?:/([0-9]+))?|(webhooks)(?:/([0-9]+))?)$};
    my ($id, $webhooks, $webhook) = ($1, $2, $3);
    my $writes = $call->{method} =~ /^(?:POST|PUT)$/;
    return _error(404, 'rest_no_route') if $call->{method} ne ($webhooks && $writes ? $webhook ? 'PUT' : 'POST' : 'GET');
    if ($settings->{knows_auth} && defined $call->{authorization}) {
        my ($key, $secret) = split /:/, decode_base64($call->{authorization} =~ s/^Basic //r), 2;
        return _error(401, 'woocommerce_rest_cannot_view') if $key ne $settings->{key};
        return _error(401, 'woocommerce_rest_authentication_error') if $secret ne $settings->{secret} || ($writes && !$settings->{can_write});
        return _error(403, 'woocommerce_rest_cannot_view') if !$settings->{can_read};
    } else {
        return _error(401, 'woocommerce_rest_cannot_view');
    }
    return $self->_write_webhook($webhook, $call->{body}) if $writes;
    if ($webhooks) {
        my ($size, $page, $all) = ($q->{per_page} // 10, $q->{page} // 1, [@{ $settings->{webhooks} }]);
        my @page = map { my %shown = %$_; delete $shown{secret}; \%shown } grep { defined } @$all[($page - 1) * $size .. $page * $size - 1];
        return 200, encode_json(\@page), 'X-WP-Total' => scalar @$all, 'X-WP-TotalPages' => ceil(@$all / $size);
    }
    if (defined $id) {
        my $order = $self->{orders}{$id} or return _error(404, 'woocommerce_rest_shop_order_invalid_id');
        return 200, $order->{raw};
    }
    return $self->_list($call, $do);
}

# As WC_REST_Webhooks_V1_Controller. One that is made gets API version 3; one that is set active keeps its failures.
sub _write_webhook {
    my ($self, $id, $new) = @_;
    my $all = $self->{settings}{webhooks};
    return _error(400, 'woocommerce_rest_shop_webhook_invalid_topic') if ($id ? defined $new->{topic} : 1) && ($new->{topic} // '') !~ /^(?:order|action)\.\w+$/;
    return _error(400, 'woocommerce_rest_shop_webhook_invalid_delivery_url') if ($id ? defined $new->{delivery_url} : 1) && ($new->{delivery_url} // '') !~ m{^https?://};
    return _error(400, 'woocommerce_rest_shop_webhook_invalid_status') if ($new->{status} // 'active') !~ /^(?:active|paused|disabled)$/;
    my ($webhook) = $id ? grep { $_->{id} == $id } @$all : { id => 100 + @$all, status => 'active', secret => 'generated' };
    return _error(400, 'woocommerce_rest_shop_webhook_invalid_id') if !$webhook;
    push @$all, $webhook if !$id;
    $webhook->{$_} = $new->{$_} for grep { length($new->{$_} // '') } qw(name topic delivery_url secret), $id ? 'status' : ();
    my %shown = %$webhook;
    delete $shown{secret};
    return $id ? 200 : 201, encode_json(\%shown);
}

# As WC_REST_CRUD_Controller: what is not understood is refused.
sub _list {
    my ($self, $call, $do) = @_;
    my ($settings, $q) = ($self->{settings}, $call->{query});
    my %known = map { $_ => 1 } qw(status orderby order dates_are_gmt modified_after per_page offset exclude);
    return _error(400, 'fake_unknown_parameter') if grep { !$known{$_} } keys %$q;
    my ($per_page, $offset) = ($q->{per_page} // 10, $q->{offset} // 0);
    return _error(400, 'rest_invalid_param') if $per_page !~ /^[0-9]+$/ || $per_page < 1 || $per_page > 100 ||
        $offset !~ /^[0-9]+$/ || ($q->{orderby} // '') ne 'modified' || ($q->{order} // '') ne 'asc' ||
        ($q->{dates_are_gmt} // '') ne 'true';
    my $after = -1;
    if (!$settings->{old} && defined $q->{modified_after}) {
        my @t = $q->{modified_after} =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)$/ or return _error(400, 'rest_invalid_param');
        $after = timegm($t[5], $t[4], $t[3], $t[2], $t[1] - 1, $t[0]);
    }
    my %exclude = map { $_ => 1 } $settings->{ignores_exclude} ? () : split /,/, $q->{exclude} // '';
    my $trash = ($q->{status} // 'any') eq 'trash';
    my @found = sort { $a->{modified} <=> $b->{modified} || $a->{id} <=> $b->{id} }
        grep { $_->{modified} > $after && !$exclude{ $_->{id} } && ($_->{status} eq 'trash') == $trash } values %{ $self->{orders} };
    my @page = map { $_->{id} } grep { defined } @found[$offset .. $offset + $per_page - 1];
    $self->_put($do->{orders}) if $do->{orders};
    my %hidden = map { $_ => 1 } @{ $settings->{hidden} };
    @page = grep { !$hidden{$_} } @page;
    $call->{ids} = [map { $_ + 0 } @page];
    return 200, '[' . join(',', map { $self->{orders}{$_}{raw} } @page) . ']',
        $settings->{total} ? ('X-WP-Total' => scalar @found, 'X-WP-TotalPages' => ceil(@found / $per_page)) : ();
}

sub _put { my ($self, $orders) = @_; $self->{orders}{ $_->{id} } = $_ for @$orders; return }

# -- what tests ask --

sub _control {
    my ($self, $tx, $what) = @_;
    my $method = $tx->req->method;
    my $asked = length $tx->req->body ? decode_json($tx->req->body) : undef;
    my $answer = {};
    if ($what eq 'reset') { $self->reset }
    elsif ($what eq 'answer') { $_->() for splice @{ $self->{waiting} } }
    elsif ($what eq 'orders') { $self->_put($asked) }
    elsif ($what eq 'settings' && $method eq 'GET') { $answer = $self->{settings} }
    elsif ($what eq 'settings') { @{ $self->{settings} }{ keys %$asked } = values %$asked }
    elsif ($what eq 'faults' && $method eq 'DELETE') { $self->{faults} = [] }
    elsif ($what eq 'faults') { push @{ $self->{faults} }, @$asked }
    elsif ($what eq 'calls' && $method eq 'DELETE') { $self->{calls} = [] }
    elsif ($what eq 'calls') { $answer = $self->{calls} }
    else { $tx->res->code(400) }
    $tx->res->code(200) unless $tx->res->code;
    $tx->res->headers->connection('close');
    $tx->res->body(encode_json($answer));
    $tx->resume;
    return;
}

1;
