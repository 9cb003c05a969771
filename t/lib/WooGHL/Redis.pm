package WooGHL::Redis;

# A Redis of one's own on a unix socket.
#
#   my $redis = WooGHL::Redis->start(appendonly => 'yes');     # any option of redis-server
#   $redis->url;                      # for REDIS_URL
#   $redis->cli('DBSIZE');            # redis-cli's output
#   $redis->stop; $redis->restart;    # the directory and its data stay
#   $redis->wipe;                     # once it is stopped or killed: the data do not stay
#   $redis->signal('STOP');           # hangs; signal('CONT')
#   $redis->age(300);                 # what expires is 300 s older: nobody can shift the server's clock
use strict;
use warnings;
use Carp qw(croak);
use File::Path ();
use File::Temp ();
use IO::Socket::UNIX;
use Time::HiRes qw(sleep time);
use WooGHL::Process;

sub start {
    my ($class, %option) = @_;
    my $dir = File::Temp->newdir('woo-redis-XXXXXX', TMPDIR => 1);
    my @user = WooGHL::Process->user;
    chown @user, "$dir" if @user;
    my $self = bless { dir => $dir, user => \@user, option => \%option, owner => $$ }, $class;
    return $self->restart;
}

sub restart {
    my ($self) = @_;
    $self->stop;
    my $dir = "$self->{dir}";
    my %option = (port => 0, unixsocket => "$dir/redis.sock", unixsocketperm => 700, dir => $dir, save => '',
        daemonize => 'no', 'maxmemory-policy' => 'noeviction', %{ $self->{option} });
    $self->{process} = WooGHL::Process->start(['redis-server', map { ("--$_", $option{$_}) } sort keys %option],
        user => $self->{user}, dir => $dir, out => "$dir/redis.log", err => "$dir/redis.log",
        env => { PATH => '/usr/bin:/bin' });
    my $deadline = time + $WooGHL::Process::PATIENCE;
    until ($self->_ping) {
        croak 'redis-server ended at its start, see its messages: ' . $self->_messages unless $self->{process}->alive;
        croak 'redis-server did not answer in time' if time > $deadline;
        sleep 0.02;
    }
    return $self;
}

sub _messages { my ($self) = @_; open my $log, '<', "$self->{dir}/redis.log" or return ''; local $/; return <$log> }

sub _ping {
    my ($self) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $self->socket) or return 0;
    print {$socket} "PING\r\n";
    $socket->flush;
    my $line = readline $socket;
    return ($line // '') =~ /^\+PONG/;
}

sub socket { return "$_[0]{dir}/redis.sock" }
sub url { return 'unix://' . $_[0]->socket }
sub dir { return "$_[0]{dir}" }
sub pid { return $_[0]{process}->pid }
sub signal { my ($self, $signal) = @_; return $self->{process}->signal($signal) }

sub cli {
    my ($self, @command) = @_;
    open my $pipe, '-|', 'redis-cli', '-s', $self->socket, @command or croak "redis-cli: $!";
    local $/;
    my $out = <$pipe>;
    close $pipe;
    return $out // '';
}

sub age {
    my ($self, $seconds, $keys) = @_;
    return age_at($self->socket, $seconds, $keys);
}

# The same of the Redis at this socket.
sub age_at {
    my ($socket, $seconds, $keys) = @_;
    my $script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do local left = redis.call('PTTL', key) - ARGV[2] "
        . "if left > 0 then redis.call('PEXPIRE', key, left) elseif left > -ARGV[2] - 1 then redis.call('DEL', key) end end";
    my @command = ('EVAL', $script, 0, $keys // '*', 1000 * $seconds);    # spoken by ourselves: some tests do it a thousand times
    my $redis = IO::Socket::UNIX->new(Peer => $socket) or croak "$socket: $!";
    print {$redis} '*' . @command . "\r\n", map {"\$" . length() . "\r\n$_\r\n"} @command;
    $redis->flush;
    my $said = readline $redis;
    croak "Redis: $said" if ($said // '') ne "\$-1\r\n";
    return;
}

sub wipe {
    my ($self) = @_;
    $self->{process}->wait if $self->{process};
    File::Path::remove_tree(glob "$self->{dir}/*.rdb $self->{dir}/*.aof $self->{dir}/appendonlydir");
    return;
}

sub stop {
    my ($self) = @_;
    return if $self->{owner} != $$ || !$self->{process};
    $self->{process}->signal('CONT');
    return delete($self->{process})->stop;
}

sub DESTROY { my ($self) = @_; local ($@, $!, $?); $self->stop; return }

1;
