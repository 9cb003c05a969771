package FakeGHL::Client;

# Starts, steers and asks the fake GoHighLevel API (t/lib/FakeGHL.pm), synchronously, from a plain
# Test::More test.
#
#   use lib 't/lib';
#   use FakeGHL::Client;
#
#   my $ghl = FakeGHL::Client->start;                         # or ->start(search_lag_ms => 200, ...)
#   $ENV{GHL_API_BASE}    = $ghl->url;                        # "http://127.0.0.1:PORT"
#   $ENV{GHL_API_KEY}     = $ghl->token;
#   $ENV{GHL_LOCATION_ID} = $ghl->location_id;
#
#   $ghl->reset;                          # state, calls, faults, counters and settings as at the start
#   $ghl->settings({ search_lag_ms => 500 });                 # merged; answers all settings
#   $ghl->fault({ match => { method => 'POST', path => '^/opportunities/$' },
#                 times => 1, do => { status => 502, html => 1 } });    # one or several; see FakeGHL.pm
#   $ghl->clear_faults;
#   $ghl->add(contacts => { email => 'a@example.com' }, ...); # puts objects into the state, unchecked; ids
#   $ghl->change(opportunities => $id, { status => 'won' });  #   as if a salesperson did it
#   $ghl->remove(opportunities => $id);
#
#   $ghl->calls;                          # every call, oldest first (fields: see FakeGHL.pm)
#   $ghl->calls(method => 'POST', path => qr{^/contacts/});   # path, raw: string (equal) or qr; others equal
#   $ghl->wait_calls(2, path => '/opportunities/');           # the calls, once there are 2
#   $ghl->count(...);                     # how many calls
#   $ghl->sent(...);                      # "POST /contacts/upsert" lines
#   $ghl->state;                          # { contacts => [], opportunities => [], notes => [] }
#   $ghl->contacts; $ghl->opportunities; $ghl->notes;         # lists (arrays by reference in scalar context)
#   $ghl->limits;                         # { violations, peak, answered_429, total }
#   $ghl->merge($id);                     # as if a salesperson merged that contact into another one; the id of that
#   $ghl->pending;                        # how many calls are still to be carried out (`late_ms`)
#   $ghl->answer;                         # lets those be answered that wait for it (`waits`); how many did
#   $ghl->land; $ghl->land(0.5);          # carries out what a fault holds (`held`), or about half of it
#   $ghl->down; $ghl->up;                 # nobody listens on the port (connection refused); kept ones die
#   $ghl->stop;                           # also at the object's end; by pid, waits for it
#
# A fork of the test never stops the server.
use strict;
use warnings;
use Carp qw(croak);
use File::Basename qw(dirname);
use File::Spec;
use File::Temp ();
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);
use WooGHL::Process;

# Tests ask much and often: many times as fast, if it is installed.
my $JSON = (eval { require Cpanel::JSON::XS } ? 'Cpanel::JSON::XS' : 'JSON::PP')->new->utf8->canonical->allow_nonref;

my $starts = 0;

sub start {
    my ($class, %settings) = @_;
    my $dir = File::Temp->newdir('fake-ghl-XXXXXX', TMPDIR => 1);
    my $self = bless { owner => $$, dir => $dir, port_file => "$dir/port" }, $class;
    my $program = File::Spec->rel2abs(File::Spec->catfile(dirname(__FILE__), '..', '..', 'fake_ghl.pl'));
    require FakeGHL if $starts++;    # sooner than another one starts anew
    my $pid = fork;
    croak "cannot fork: $!" unless defined $pid;
    if (!$pid) {
        open STDIN, '<', File::Spec->devnull;
        open STDOUT, '>&', \*STDERR;
        # A test that starts many has loaded the fake API itself.
        if (FakeGHL->can('new')) {
            # What the test has open is not held. The numbers stay taken: Perl counts how many handles use each, and would not close a socket.
            POSIX::dup2(0, $_) for grep { $_ > 2 } map { m{(\d+)$} } glob '/proc/self/fd/*';
            srand;
            eval { FakeGHL->new(\%settings)->run(port_file => "$dir/port", with_parent => 1); 1 } or warn $@;
            POSIX::_exit(0);
        }
        exec $^X, $program, '--port-file', "$dir/port", '--settings', $JSON->encode(\%settings),
            '--with-parent' or POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    my $deadline = time + $WooGHL::Process::PATIENCE;
    until (-s "$dir/port") {
        croak 'the fake GHL ended at its start' if waitpid($pid, WNOHANG) == $pid;
        croak 'the fake GHL did not start in time' if time > $deadline;
        sleep 0.02;
    }
    open my $file, '<', "$dir/port" or croak "port file: $!";
    chomp($self->{port} = <$file>);
    close $file;
    return $self->_connect;
}

# To one that runs already.
sub attach {
    my ($class, $port) = @_;
    return bless({ owner => 0, port => $port }, $class)->_connect;
}

sub _connect {
    my $self = shift;
    $self->{http} = HTTP::Tiny->new(proxy => undef, http_proxy => undef, https_proxy => undef, timeout => $WooGHL::Process::PATIENCE,
        keep_alive => 0);
    my $settings = $self->settings;
    @$self{qw(token location_id)} = @$settings{qw(token location_id)};
    return $self;
}

sub url { return "http://127.0.0.1:$_[0]{port}" }
sub port { return $_[0]{port} }
sub pid { return $_[0]{pid} }
sub token { return $_[0]{token} }
sub location_id { return $_[0]{location_id} }

sub _ask {
    my ($self, $method, $what, $body) = @_;
    my $answer = $self->{http}->request($method, $self->url . "/__fake/$what",
        defined $body ? { content => $JSON->encode($body) } : {});
    croak "the fake GHL says $answer->{status} to $method $what: $answer->{content}"
        unless $answer->{success};
    return $JSON->decode($answer->{content});
}

sub reset { my $self = shift; $self->_ask(POST => 'reset', {}); return $self }
sub settings { my ($self, $new) = @_; return $self->_ask($new ? (POST => 'settings', $new) : (GET => 'settings')) }
sub fault { my ($self, @faults) = @_; $self->_ask(POST => 'faults', \@faults); return $self }
sub faults { return $_[0]->_ask(GET => 'faults') }    # those that are left
sub clear_faults { my $self = shift; $self->_ask(DELETE => 'faults'); return $self }
sub clear_calls { my $self = shift; $self->_ask(DELETE => 'calls'); return $self }
sub merge { my ($self, $id) = @_; return $self->_ask(POST => 'merge', { id => $id })->{id} }
sub pending { return $_[0]->_ask(GET => 'pending')->{late} }
sub answer { return $_[0]->_ask(POST => 'answer', {})->{answered} }
sub land { my ($self, $chance) = @_; return $self->_ask(POST => 'land', { chance => $chance // 1 }) }
sub state { return $_[0]->_ask(GET => 'state') }
sub limits { return $_[0]->_ask(GET => 'limits') }
sub add { my ($self, $kind, @what) = @_; return @{ $self->_ask(POST => "state/$kind", \@what) } }
sub change { my ($self, $kind, $id, $what) = @_; return $self->_ask(PUT => "state/$kind/$id", $what) }
sub remove { my ($self, $kind, $id) = @_; return $self->_ask(DELETE => "state/$kind/$id") }

for my $kind (qw(contacts opportunities notes)) {
    no strict 'refs';
    *$kind = sub { my $list = $_[0]->state->{$kind}; return wantarray ? @$list : $list };
}

sub calls {
    my ($self, %want) = @_;
    my @calls = @{ $self->_ask(GET => 'calls') };
    for my $key (keys %want) {
        my $value = $want{$key};
        @calls = grep { defined $_->{$key} && (ref $value ? $_->{$key} =~ $value : $_->{$key} eq $value) } @calls;
    }
    return wantarray ? @calls : \@calls;
}

sub count { my ($self, %want) = @_; return scalar(() = $self->calls(%want)) }
sub sent { my ($self, %want) = @_; return map {"$_->{method} $_->{path}"} $self->calls(%want) }

sub wait_calls {
    my ($self, $n, %want) = @_;
    my $deadline = time + $WooGHL::Process::PATIENCE;
    while (1) {
        my @calls = $self->calls(%want);
        return @calls if @calls >= $n;
        croak sprintf 'the fake GHL has %d of %d awaited calls', scalar @calls, $n
            if time > $deadline;
        sleep 0.03;
    }
}

sub down {
    my $self = shift;
    $self->_ask(POST => 'down', {});
    $self->_wait_port(0);
    return $self;
}

sub up {
    my $self = shift;
    croak 'only who started the fake GHL can call it up' unless $self->{pid};
    kill USR1 => $self->{pid};
    $self->_wait_port(1);
    return $self;
}

sub _wait_port {
    my ($self, $open) = @_;
    my $deadline = time + $WooGHL::Process::PATIENCE;
    while (1) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 1);
        return if $open ? $socket : !$socket;
        croak 'the fake GHL did not ' . ($open ? 'come up' : 'go down') . ' in time' if time > $deadline;
        sleep 0.02;
    }
}

sub stop {
    my $self = shift;
    my $pid = delete $self->{pid} or return;
    local ($?, $!);
    kill TERM => $pid;
    my $deadline = time + $WooGHL::Process::PATIENCE;
    until (waitpid($pid, WNOHANG)) {
        kill KILL => $pid if time > $deadline;
        sleep 0.02;
    }
    return;
}

sub DESTROY {
    my $self = shift;
    $self->stop if $self->{owner} == $$;
    return;
}

1;
