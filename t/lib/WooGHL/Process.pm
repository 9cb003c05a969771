package WooGHL::Process;

# One child process: started with a given environment, directory, user and descriptors; stopped by pid.
#
#   my $p = WooGHL::Process->start([@command], env => \%env, user => [$uid, $gid], dir => $dir,
#       in => $handle_or_path, out => $handle_or_path, err => $path, limit => $open_files, ulimit => '-v 524288 -n 12');
#   my $p = WooGHL::Process->start(sub { ...; return $exit_code }, ...);    # a fork of this program
#   $p->pid; $p->alive; $p->signal('TERM');
#   $p->wait; $p->wait($seconds);     # the status as in $?, or undef if it still runs after $PATIENCE or so many seconds
#   $p->stop;                # TERM, after $PATIENCE s KILL; waits; the status
#   WooGHL::Process->user;   # (uid, gid) of the web server's user when we are root, else ()
#   WooGHL::Process::until_true(sub { ... });     # asks until it is, for $PATIENCE s; is it?
#   WooGHL::Process::within_an_hour();               # what is counted by the hour comes in one: it waits if its last minute runs
#   WooGHL::Process::on_machine('web2');             # what is started from now on runs on a machine of that name; false: not here
#   $WooGHL::Process::PATIENCE;                  # s: what must come is waited for so long, however slow the machine is
use strict;
use warnings;
use Carp qw(croak);
use IO::Handle;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

our $PATIENCE = 120;

sub until_true {
    my ($code) = @_;
    my $deadline = time + $PATIENCE;
    until ($code->()) {
        return 0 if time > $deadline;
        sleep 0.02;
    }
    return 1;
}

sub within_an_hour { return until_true(sub { time % 3600 < 3540 }) }

# For root: a name space of its own, so that nobody else's machine is renamed.
my $apart;
sub on_machine {
    my ($name) = @_;
    my $number = { x86_64 => { unshare => 272, sethostname => 170 }, aarch64 => { unshare => 97, sethostname => 161 } }->{(POSIX::uname())[4]} or return 0;
    $apart ||= syscall($number->{unshare}, 0x04000000) == 0 or return 0;    # CLONE_NEWUTS
    return syscall($number->{sethostname}, $name, length $name) == 0;
}

sub user {
    return if $> != 0;
    for my $name (qw(www-data nobody)) {
        my ($uid, $gid) = (getpwnam $name)[2, 3];
        return ($uid, $gid) if $uid;
    }
    return;
}

sub start {
    my ($class, $command, %option) = @_;
    # The shell's ulimit, as Perl has none.
    my $limits = $option{ulimit} // ($option{limit} ? "-n $option{limit}" : '');
    $command = ['/bin/sh', '-c', join('', map {"ulimit $_ && "} $limits =~ /-\w \S+/g) . 'exec "$0" "$@"', @$command] if $limits;
    my $pid = fork // croak "cannot fork: $!";
    if (!$pid) {
        my $code = ref $command eq 'CODE' ? $command : sub { if ($limits) { POSIX::close($_) for 3 .. 63 } exec { $command->[0] } @$command };
        my $exit = eval { _become(%option); $code->() };
        STDOUT->flush;
        POSIX::_exit($exit) if defined $exit && $code == $command;
        print STDERR $code == $command ? '' : "cannot run $command->[0]: ", $@ || "$!\n";
        POSIX::_exit(127);
    }
    return bless { pid => $pid, owner => $$ }, $class;
}

sub _become {
    my (%option) = @_;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
    %ENV = %{ $option{env} } if $option{env};
    _redirect(0, $option{in} // '/dev/null', 'r');
    _redirect(1, $option{out}, 'w') if defined $option{out};
    _redirect(2, $option{err}, 'w') if defined $option{err};
    if (my ($uid, $gid) = @{ $option{user} || [] }) {
        chown $uid, $gid, grep { defined && !ref } @option{qw(out err)};
        $) = "$gid $gid";
        $( = $gid;
        POSIX::setuid($uid) or die "setuid $uid: $!\n";
    }
    chdir $option{dir} or die "$option{dir}: $!\n" if $option{dir};
    return;
}

sub _redirect {
    my ($fd, $what, $how) = @_;
    my $from = ref $what ? fileno $what : POSIX::open($what,
        $how eq 'r' ? POSIX::O_RDONLY : POSIX::O_WRONLY | POSIX::O_CREAT | POSIX::O_APPEND, 0644);
    defined $from or die "$what: $!\n";
    POSIX::dup2($from, $fd) // die "descriptor $fd: $!\n";
    return;
}

sub pid { return $_[0]{pid} }
sub signal { my ($self, $signal) = @_; return $self->alive && kill $signal => $self->{pid} }
sub alive { return !defined $_[0]->wait(0) }

sub wait {
    my ($self, $seconds) = @_;
    my $deadline = time + ($seconds // $PATIENCE);
    local $SIG{CHLD} = sub { };    # so that a child's end ends the sleep
    while (!defined $self->{status}) {
        local $?;
        my $got = waitpid $self->{pid}, WNOHANG;
        if ($got == $self->{pid}) { $self->{status} = $? }
        elsif ($got < 0) { $self->{status} = 0 }
        elsif (time >= $deadline) { return }
        else { sleep 0.01 }
    }
    return $self->{status};
}

sub stop {
    my ($self) = @_;
    return if $self->{owner} != $$;
    return $self->{status} if defined $self->wait(0);
    kill TERM => $self->{pid};
    return $self->{status} if defined $self->wait;
    kill KILL => $self->{pid};
    return $self->wait;
}

sub DESTROY { my ($self) = @_; local ($@, $!, $?); $self->stop; return }

1;
