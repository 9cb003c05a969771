package WooGHL::Nodes;

# Redis servers that stand in for each other, on ports of loopback: a Redis Cluster, or a primary that sentinels watch.
#
#   my $nodes = WooGHL::Nodes->cluster(3, 'appendonly yes');    # so many primaries, with lines of their configuration
#                                                   # WOO_GHL_REDIS names another redis-server
#   my $replica = $nodes->add_replica($of);         # its number; nodes are counted from 0
#   $nodes->owner('{p1:loc}');                      # the node that has the keys with this tag
#   $nodes->move('{p1:loc}', $to);                  # its slot, key by key
#
#   my $nodes = WooGHL::Nodes->sentinels(1, 3);     # so many replicas, so many sentinels; a third number: after how many ms
#                                                   # without an answer they take the primary for dead (1000)
#   $nodes->owner;                                  # the primary, as the sentinels say
#
#   $nodes->url;                                    # for REDIS_URL
#   $nodes->cli($node, 'DBSIZE');                   # redis-cli's output
#   $nodes->kill($node); $nodes->start($node);      # kill -9; its directory and data stay
#   $nodes->take_over($replica);                    # at once, whoever is alive; with sentinels: whom they choose
#   $nodes->stop;                                   # also at the object's end; by pid
use strict;
use warnings;
use Carp qw(croak);
use File::Temp ();
use IO::Socket::INET;
use Time::HiRes qw(sleep time);
use WooGHL::Process;

my $SLOTS = 16384;
my $NAME = 'shop';    # of the primary, for sentinels
my $next_port = 10_000 + ($$ * 37) % 12_000;

sub _new { my ($class) = @_; return bless { dir => File::Temp->newdir('woo-nodes-XXXXXX', TMPDIR => 1), node => [], owner => $$ }, $class }

# A cluster's bus is at the port plus 10,000, below the ports that connections get.
sub _port {
    for (1 .. 1000) {
        my $port = $next_port++;
        $next_port = 10_000 if $next_port > 22_000;
        my @free = grep { IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $_, ReuseAddr => 1) } $port, $port + 10_000;
        return $port if @free == 2;
    }
    croak 'no free port';
}

sub _until {
    my ($what, $code) = @_;
    my $deadline = time + $WooGHL::Process::PATIENCE;
    until ($code->()) {
        croak "not in time: $what" if time > $deadline;
        sleep 0.05;
    }
    return;
}

# Another node; its number. config: the lines of its file.
sub _add {
    my ($self, $sentinel, @config) = @_;
    my $n = @{ $self->{node} };
    for (1 .. 5) {
        my ($port, $dir) = (_port(), "$self->{dir}/$n");
        mkdir $dir;
        open my $file, '>', "$dir/conf" or croak "$dir: $!";
        print {$file} map {"$_\n"} "port $port", 'bind 127.0.0.1', "dir $dir", "logfile $dir/log", @config;
        print {$file} "save ''\nmaxmemory-policy noeviction\n" unless $sentinel;
        close $file;
        $self->{node}[$n] = { port => $port, dir => $dir, sentinel => $sentinel };
        return $n if eval { $self->start($n); 1 };
    }
    croak "a node does not start: $@";
}

sub start {
    my ($self, $n) = @_;
    my $node = $self->{node}[$n];
    $node->{process} = WooGHL::Process->start([$ENV{WOO_GHL_REDIS} || 'redis-server', "$node->{dir}/conf", $node->{sentinel} ? '--sentinel' : ()],
        dir => $node->{dir}, out => "$node->{dir}/out", err => "$node->{dir}/out", env => { PATH => '/usr/bin:/bin' });
    _until("port $node->{port} answers", sub { croak 'it ended' unless $node->{process}->alive; $self->cli($n, 'PING') =~ /PONG|LOADING/ });
    return $self;
}

sub kill { my ($self, $n) = @_; my $process = delete $self->{node}[$n]{process}; $process->signal('KILL'); $process->wait; return $self }
sub process { my ($self, $n) = @_; return $self->{node}[$n]{process} }
sub port { my ($self, $n) = @_; return $self->{node}[$n]{port} }
sub log { my ($self, $n) = @_; open my $in, '<', "$self->{node}[$n]{dir}/log" or return ''; local $/; return <$in> }
sub _alive { my ($self) = @_; return grep { $self->{node}[$_]{process} } 0 .. $#{ $self->{node} } }

sub cli {
    my ($self, $n, @command) = @_;
    open my $pipe, '-|', '/bin/sh', '-c', 'exec redis-cli -p "$@" 2>&1', 'sh', $self->{node}[$n]{port}, @command or croak "redis-cli: $!";
    local $/;
    my $out = <$pipe> // '';
    close $pipe;
    $out =~ s/\s+\z//;
    return $out;
}

sub _tell { my ($self, $n, @command) = @_; my $said = $self->cli($n, @command); croak "@command[0 .. 1]: $said" if $said ne 'OK'; return }

sub url {
    my ($self) = @_;
    my $hosts = join ',', map {"127.0.0.1:$_->{port}"} grep { !$self->{sentinels} || $_->{sentinel} } @{ $self->{node} };
    return $self->{sentinels} ? "redis+sentinel://$hosts/$NAME" : "redis://$hosts";
}

# -- a cluster --

sub _add_node {
    my ($self) = @_;
    my $n = $self->_add(0, 'cluster-enabled yes', 'cluster-node-timeout 1000', 'repl-diskless-sync-delay 0', 'repl-ping-replica-period 1', @{ $self->{config} });
    $self->_tell($n, 'CLUSTER', 'SET-CONFIG-EPOCH', $n + 1);
    $self->{node}[$n]{id} = $self->cli($n, 'CLUSTER', 'MYID');
    return $n;
}

# Each node knows all, and serves.
sub _join {
    my ($self, $n) = @_;
    $self->_tell($n, 'CLUSTER', 'MEET', '127.0.0.1', $self->port(0)) if $n;
    return;
}

sub _until_joined {
    my ($self) = @_;
    my $count = @{ $self->{node} };
    for my $n ($self->_alive) {
        _until("node $n knows all", sub { my $info = $self->cli($n, 'CLUSTER', 'INFO'); $info =~ /cluster_state:ok/ && $info =~ /cluster_known_nodes:$count\b/ });
    }
    return;
}

sub cluster {
    my ($class, $primaries, @config) = @_;
    my $self = $class->_new;
    $self->{config} = \@config;
    $self->_add_node for 1 .. $primaries;
    for my $n (0 .. $primaries - 1) {
        $self->_tell($n, 'CLUSTER', 'ADDSLOTS', int($SLOTS * $n / $primaries) .. int($SLOTS * ($n + 1) / $primaries) - 1);
        $self->_join($n);
    }
    $self->_until_joined;
    return $self;
}

sub add_replica {
    my ($self, $of) = @_;
    my $n = $self->_add_node;
    $self->_join($n);
    $self->_until_joined;
    $self->_tell($n, 'CLUSTER', 'REPLICATE', $self->{node}[$of]{id});
    $self->until_replicated($n);
    return $n;
}

sub until_replicated {
    my ($self, $n) = @_;
    return _until("node $n has its primary's data", sub { $self->cli($n, 'INFO', 'replication') =~ /role:slave.*master_link_status:up/s });
}

sub _slot { my ($self, $tag) = @_; return $self->cli(($self->_alive)[0], 'CLUSTER', 'KEYSLOT', $tag) }

sub owner {
    my ($self, $tag) = @_;
    my %number = map { ($self->{node}[$_]{port} => $_) } 0 .. $#{ $self->{node} };
    if ($self->{sentinels}) {
        my ($sentinel) = grep { $self->{node}[$_]{sentinel} } $self->_alive;
        return $number{ (split /\n/, $self->cli($sentinel, 'SENTINEL', 'get-master-addr-by-name', $NAME))[1] };
    }
    my $slot = $self->_slot($tag);
    for my $line (split /\n/, $self->cli(($self->_alive)[0], 'CLUSTER', 'NODES')) {
        my (undef, $address, $flags, undef, undef, undef, undef, undef, @slots) = split ' ', $line;
        next if $flags !~ /master/ || $flags =~ /fail/;
        my ($port) = $address =~ /:(\d+)@/;
        for (grep { !/^\[/ } @slots) {
            my ($from, $to) = split /-/;
            return $number{$port} if $slot >= $from && $slot <= ($to // $from);
        }
    }
    return;
}

sub move {
    my ($self, $tag, $to, $pause_s) = @_;
    my ($slot, $from) = ($self->_slot($tag), $self->owner($tag));
    $self->_tell($to, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $self->{node}[$from]{id});
    $self->_tell($from, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $self->{node}[$to]{id});
    while (my @keys = split /\n/, $self->cli($from, '--raw', 'CLUSTER', 'GETKEYSINSLOT', $slot, 20)) {
        my $said = $self->cli($from, 'MIGRATE', '127.0.0.1', $self->port($to), '', 0, 5000, 'KEYS', @keys);
        croak "MIGRATE: $said" if $said !~ /^(?:OK|NOKEY)$/;
        sleep($pause_s || 0);
    }
    $self->_tell($_, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $self->{node}[$to]{id}) for $to, $from;
    return $self;
}

# -- sentinels --

sub sentinels {
    my ($class, $replicas, $sentinels, $down_ms) = @_;
    $down_ms //= 1000;
    my $self = $class->_new;
    $self->{sentinels} = $sentinels;
    $self->_add(0, 'repl-diskless-sync-delay 0', 'repl-ping-replica-period 1');
    my $quorum = int($sentinels / 2) + 1;
    for (1 .. $replicas) {
        my $n = $self->_add(0, 'repl-diskless-sync-delay 0', 'replicaof 127.0.0.1 ' . $self->port(0));
        $self->until_replicated($n);
    }
    my @watching = map {
        $self->_add(1, "sentinel monitor $NAME 127.0.0.1 @{[$self->port(0)]} $quorum", "sentinel down-after-milliseconds $NAME $down_ms",
            "sentinel failover-timeout $NAME " . 3 * $down_ms)
    } 1 .. $sentinels;
    for my $n (@watching) {
        _until("sentinel $n knows all", sub {
            my %is = split /\n/, $self->cli($n, '--raw', 'SENTINEL', 'MASTER', $NAME);
            $is{'num-slaves'} == $replicas && $is{'num-other-sentinels'} == $sentinels - 1;
        });
    }
    return $self;
}

sub take_over {
    my ($self, $n) = @_;
    return $self->_tell($n, 'CLUSTER', 'FAILOVER', 'TAKEOVER') if !$self->{sentinels};
    my ($sentinel) = grep { $self->{node}[$_]{sentinel} } $self->_alive;
    return _until('the sentinels have another primary', sub { $self->cli($sentinel, 'SENTINEL', 'FAILOVER', $NAME) =~ /^(?:OK|INPROG)/ });
}

sub stop {
    my ($self) = @_;
    return if $self->{owner} != $$;
    $self->kill($_) for $self->_alive;
    return;
}

sub DESTROY { my ($self) = @_; local ($@, $!, $?); $self->stop; return }

1;
