package WooGHL::Lanes;

# The jobs of a test program, by several processes side by side; what they assert is told in the jobs' order.
#
#   my @returned = WooGHL::Lanes->run(4, \@jobs, sub {
#       my ($next) = @_;
#       my $ghl = FakeGHL::Client->start;                            # each lane has servers of its own
#       while (my $job = $next->()) { subtest $job->{name} => sub { ... } }
#       return { ... };                                              # JSON; what it asserts here comes last
#   });
#   WooGHL::Lanes->subtests(4, [$name => $code], ...);               # each job is a subtest
use strict;
use warnings;
use File::Temp ();
use IO::Handle;
use JSON::PP ();
use Test::More;

my $JSON = JSON::PP->new->allow_nonref;

sub subtests {
    my ($class, $lanes, @tests) = @_;
    return $class->run($lanes, \@tests, sub { my ($next) = @_; while (my $test = $next->()) { subtest $test->[0] => $test->[1] } });
}

sub run {
    my ($class, $lanes, $jobs, $code) = @_;
    binmode $_, ':encoding(UTF-8)' for map { Test::More->builder->$_ } qw(output failure_output todo_output);
    my ($test, $dir) = ($$, File::Temp->newdir('woo-ghl-XXXXXX', TMPDIR => 1));
    pipe my $waiting, my $queue or die "pipe: $!";
    pipe my $over, my $end or die "pipe: $!";
    syswrite $queue, pack 'n*', 0 .. $#$jobs;
    close $queue;
    $lanes = @$jobs if $lanes > @$jobs;
    my @pids = map {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            eval { _lane($dir, "lane$_", $test, $jobs, $code, $waiting, $end); 1 } or print STDERR $@ and exit 1;
            exit 0;
        }
        $pid;
    } 1 .. $lanes;
    close $end;
    my ($told, %over) = (0);
    while (sysread $over, my $n, 2) {
        $over{ unpack 'n', $n } = 1;
        _tell("$dir/" . $told++) while $over{$told};
    }
    for ($told .. $#$jobs) { $over{$_} ? _tell("$dir/$_") : fail "job $_ ended" }
    for my $lane (1 .. $lanes) {
        _tell("$dir/lane$lane");
        waitpid $pids[$lane - 1], 0;
        is $?, 0, 'a lane ended well';
    }
    return map { $JSON->decode(join '', _lines("$dir/lane$_.json") || 'null') } 1 .. $lanes;
}

sub _lane {
    my ($dir, $lane, $test, $jobs, $code, $waiting, $end) = @_;
    my $job;
    _say_into("$dir/$lane");
    my $returned = $code->(sub {
        syswrite $end, pack 'n', $job if defined $job;
        undef $job;
        exit 1 if getppid != $test;    # nobody waits for it any more
        return _say_into("$dir/$lane") if !sysread $waiting, my $n, 2;
        _say_into("$dir/" . ($job = unpack 'n', $n));
        return $jobs->[$job];
    });
    open my $file, '>:encoding(UTF-8)', "$dir/$lane.json" or die "$dir/$lane.json: $!";
    print {$file} $JSON->encode($returned);
    close $file or die "$dir/$lane.json: $!";
    return;
}

sub _say_into {
    my ($path) = @_;
    my $builder = Test::More->builder;
    open my $out, '>>:encoding(UTF-8)', "$path.out" or die "$path.out: $!";
    open my $err, '>>:encoding(UTF-8)', "$path.err" or die "$path.err: $!";
    $_->autoflush for $out, $err;
    $builder->$_($out) for qw(output todo_output);
    $builder->failure_output($err);
    return;
}

sub _lines { my ($path) = @_; open my $file, '<:encoding(UTF-8)', $path or return; return <$file> }

sub _tell {
    my ($path) = @_;
    my $builder = Test::More->builder;
    print { $builder->failure_output } _lines("$path.err");
    for my $line (_lines("$path.out")) {
        if ($line =~ /^ok \d+ # skip (.*)/) { $builder->skip($1) }
        elsif ($line =~ /^(not )?ok \d+(?: - (.*))?$/) { $builder->ok(!$1, ($2 // '') =~ s/\\#/#/gr) }
        else { print { $builder->output } $line }
    }
    return;
}

1;
