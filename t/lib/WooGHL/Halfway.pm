package WooGHL::Halfway;

# Stands on a unix socket before another one and, when told, gives only the first bytes of what comes back.
#
#   my $halfway = WooGHL::Halfway->start($socket_of_redis);
#   $halfway->url;
#   $halfway->withhold(1);      # 3 bytes of each reply, then silence
#   $halfway->withhold(2);      # 3 bytes, then the end of the connection
#   $halfway->withhold(0);      # everything again
use strict;
use warnings;
use Carp qw(croak);
use File::Temp ();
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOCK_STREAM);
use WooGHL::Process;

my $FIRST = 3;

sub start {
    my ($class, $to) = @_;
    my $dir = File::Temp->newdir('woo-halfway-XXXXXX', TMPDIR => 1);
    chmod 0755, "$dir";
    my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$dir/socket", Listen => 64) or croak "$dir: $!";
    chmod 0777, "$dir/socket";
    my $parent = $$;
    my $pid = fork // croak "fork: $!";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        eval { _run($listener, $to, "$dir/withhold", $parent) };
        POSIX::_exit(0);
    }
    return bless { dir => $dir, process => bless({ pid => $pid, owner => $$ }, 'WooGHL::Process') }, $class;
}

sub url { return "unix://$_[0]{dir}/socket" }

sub withhold {
    my ($self, $how) = @_;
    open my $file, '>', "$self->{dir}/withhold.new" or croak "withhold: $!";
    print {$file} $how;
    close $file;
    rename "$self->{dir}/withhold.new", "$self->{dir}/withhold" or croak "withhold: $!";
    return $self;
}

sub _how { open my $file, '<', $_[0] or return 0; return <$file> || 0 }

sub _run {
    my ($listener, $to, $told, $parent) = @_;
    my ($all, %peer, %back) = IO::Select->new($listener);
    local $SIG{PIPE} = 'IGNORE';
    while (getppid == $parent) {
        for my $from ($all->can_read(1)) {
            if ($from == $listener) {
                my $client = $listener->accept or next;
                my $server = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $to) or next;
                @peer{ $client, $server } = ($server, $client);
                $back{$server} = 1;
                $all->add($client, $server);
                next;
            }
            my $n = sysread $from, my $bytes, 65536;
            my $peer = $peer{$from};
            my $how = $back{$from} ? _how($told) : 0;
            $bytes = substr $bytes, 0, $FIRST if $n && $how;
            syswrite $peer, $bytes if $n;
            # Silence: the server's end is heard no more, the client's stays open.
            if ($n && $how == 1) { $all->remove($from); next }
            next if $n && !$how;
            $all->remove($from, $peer);
            delete @peer{ $from, $peer };
            close $_ for $from, $peer;
        }
    }
    return;
}

1;
