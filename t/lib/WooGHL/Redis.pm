package WooGHL::Redis;

# A Redis of one's own on a unix socket.
#
#   my $redis = WooGHL::Redis->start(appendonly => 'yes');     # any option of redis-server
#   $redis->url;                      # for REDIS_URL
#   $redis->cli('DBSIZE');            # redis-cli's output
#   $redis->record($key);             # { field => the bytes of its value } of a record (lib/queue/field.h); v is its version
#   $redis->change($key, attempt => 2, reason => 'x');    # writes it back with other values: digits alone are a number
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

# A command whose words may hold any bytes; the text that is answered.
sub _ask {
    my ($self, @words) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $self->socket) or croak "no Redis: $!";
    binmode $socket;
    print {$socket} '*' . @words . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @words;
    $socket->flush;
    my ($kind, $rest) = readline($socket) =~ /^(.)(.*)\r\n/ or croak 'no answer';
    return $kind eq '+' ? $rest : undef if $kind ne '$' || $rest < 0;
    read($socket, my $text, $rest);
    return $text;
}

sub record {
    my ($self, $key) = @_;
    my ($version, $bytes) = ($self->_ask('GET', $key) // return) =~ /\A(\d+)\n(.*)\z/s or croak "no record: $key";
    my %record = (v => $version);
    while ($bytes =~ s/\A([\x00-\x7f]*)([\x80-\xff])//) {
        my $name = $1 . chr(ord($2) & 0x7f);
        my $len = ord substr $bytes, 0, 1, '';
        $len = ($len & 0x7f) << 8 | ord substr $bytes, 0, 1, '' if $len & 0x80;
        $record{$name} = substr $bytes, 0, $len, '';
    }
    return \%record;
}

sub change {
    my ($self, $key, %to) = @_;
    my %record = %{ $self->record($key) };
    $to{$_} =~ /\A\d+\z/ && $_ ne 'v' and $to{$_} = pack('Q>', $to{$_}) =~ s/\A\0+//r for keys %to;
    %record = (%record, %to);
    my $bytes = delete($record{v}) . "\n";
    for my $name (sort keys %record) {
        my ($begin, $last, $len) = (substr($name, 0, -1), substr($name, -1), length $record{$name});
        $bytes .= $begin . chr(ord($last) | 0x80) . ($len < 0x80 ? chr $len : chr(0x80 | $len >> 8) . chr($len & 0xff)) . $record{$name};
    }
    $self->_ask('SET', $key, $bytes, 'KEEPTTL') eq 'OK' or croak "$key was not set";
    return;
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
