package FakeWoo::Client;

# Starts, steers and asks the fake WooCommerce shop (t/lib/FakeWoo.pm) from a plain Test::More test.
#
#   my $woo = FakeWoo::Client->start;
#   $woo->url; $woo->wiring;              # WOO_URL, WOO_CONSUMER_KEY, WOO_CONSUMER_SECRET => ..., PUBLIC_URL => 'no'
#   $woo->put($woo->order(7, status => 'processing', modified => time - 60, total => '12.50'), ...);
#   $woo->fault({ do => { status => 500 } }); $woo->settings({ can_read => JSON::PP::false });
#   $woo->webhooks;                       # what the shop has now
#   $woo->calls; $woo->wait_calls(2); # see FakeWoo.pm
#   $woo->answer;                        # lets those be answered that wait for it (`waits`)
#   $woo->clear_calls; $woo->clear_faults; $woo->reset; $woo->stop;
use strict;
use warnings;
use Carp qw(croak);
use File::Basename qw(dirname);
use File::Spec;
use File::Temp ();
use HTTP::Tiny;
use JSON::PP ();
use POSIX qw(strftime);
use Time::HiRes qw(sleep time);
use WooGHL::Process;

# Tests ask much and often: many times as fast, if it is installed.
my $JSON = (eval { require Cpanel::JSON::XS } ? 'Cpanel::JSON::XS' : 'JSON::PP')->new->utf8->canonical->allow_nonref;
my $TEST = File::Spec->rel2abs(File::Spec->catdir(dirname(__FILE__), '..', '..'));
my $FIXTURE = "$TEST/fixtures/order.created-simple.json";

sub start {
    my ($class) = @_;
    my $dir = File::Temp->newdir('fake-woo-XXXXXX', TMPDIR => 1);
    # A test that starts many has loaded the fake shop itself.
    my $process = WooGHL::Process->start(FakeWoo->can('new') ? sub { FakeWoo->new->run(port_file => "$dir/port"); return 0 }
        : [$^X, "$TEST/fake_woo.pl", '--port-file', "$dir/port"]);
    my $deadline = time + $WooGHL::Process::PATIENCE;
    until (-s "$dir/port") {
        croak 'the fake shop ended at its start' unless $process->alive;
        croak 'the fake shop did not start in time' if time > $deadline;
        sleep 0.02;
    }
    open my $file, '<', "$dir/port" or croak "port file: $!";
    chomp(my $port = <$file>);
    close $file;
    my $http = HTTP::Tiny->new(proxy => undef, http_proxy => undef, https_proxy => undef, timeout => $WooGHL::Process::PATIENCE, keep_alive => 0);
    return bless { dir => $dir, process => $process, url => "http://127.0.0.1:$port", http => $http }, $class;
}

sub url { return $_[0]{url} }
# PUBLIC_URL: nothing takes deliveries there.
sub wiring { return (WOO_URL => $_[0]{url}, WOO_CONSUMER_KEY => 'ck_fake', WOO_CONSUMER_SECRET => 'cs_fake', PUBLIC_URL => 'no') }

sub _ask {
    my ($self, $method, $what, $body) = @_;
    my $answer = $self->{http}->request($method, "$self->{url}/__fake/$what", defined $body ? { content => $JSON->encode($body) } : {});
    croak "the fake shop says $answer->{status} to $method $what: $answer->{content}" unless $answer->{success};
    return $JSON->decode($answer->{content});
}

sub put { my ($self, @orders) = @_; $self->_ask(POST => 'orders', \@orders); return $self }
sub fault { my ($self, @faults) = @_; $self->_ask(POST => 'faults', \@faults); return $self }
sub settings { my ($self, $new) = @_; $self->_ask(POST => 'settings', $new); return $self }
sub reset { my ($self) = @_; $self->_ask(POST => 'reset', {}); return $self }
sub answer { my ($self) = @_; $self->_ask(POST => 'answer', {}); return $self }
sub clear_calls { my ($self) = @_; $self->_ask(DELETE => 'calls'); return $self }
sub clear_faults { my ($self) = @_; $self->_ask(DELETE => 'faults'); return $self }
sub webhooks { my ($self) = @_; return @{ $self->_ask(GET => 'settings')->{webhooks} } }
sub calls { my ($self) = @_; my $calls = $self->_ask(GET => 'calls'); return wantarray ? @$calls : $calls }

sub wait_calls {
    my ($self, $n) = @_;
    my $deadline = time + $WooGHL::Process::PATIENCE;
    while (1) {
        my @calls = $self->calls;
        return @calls if @calls >= $n;
        croak sprintf 'the fake shop has %d of %d awaited calls', scalar @calls, $n if time > $deadline;
        sleep 0.03;
    }
}

# A captured order as another one: id, status, modified and created (s since 1970), total, email, site.
sub order {
    my ($self, $id, %new) = @_;
    my $raw = $self->{fixture} //= do { open my $file, '<:raw', $FIXTURE or croak "$FIXTURE: $!"; local $/; <$file> };
    my $modified = $new{modified} // int(time) - 60;
    my $created = $new{created} // $modified;
    my %date = (created => $created, modified => $new{shown} // $modified);
    my $site = ($new{site} // $self->{url}) =~ s{/}{\\/}gr;
    $raw =~ s/^\{"id":21,/{"id":$id,/;
    $raw =~ s/"number":"21"/"number":"$id"/;
    $raw =~ s{\\/orders\\/21(?=["\\])}{\\/orders\\/$id}g;
    $raw =~ s{https:\\/\\/shop\.example\.com(?=\\/wp-json)}{$site}g;
    $raw =~ s/"status":"processing"/'"status":"' . ($new{status} \/\/ 'processing') . '"'/e;
    $raw =~ s/"total":"48\.97","total_tax"/"total":"$new{total}","total_tax"/ if defined $new{total};
    for my $when (keys %date) {
        my $text = strftime('%Y-%m-%dT%H:%M:%S', gmtime $date{$when});
        $raw =~ s/"date_${when}_gmt":"[^"]*"/"date_${when}_gmt":"$text"/;
    }
    my $email = $new{email} // "c$id\@example.com";
    $raw =~ s/"email":"jane\@example\.com"/"email":"$email"/;
    $raw =~ s/\+1 555 555 0123//g;
    return { id => $id + 0, status => $new{status} // 'processing', modified => int $modified, raw => $raw };
}

sub stop { my ($self) = @_; return $self->{process}->stop }

1;
