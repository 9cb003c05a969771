package WooGHL::Driver;

# The small programs of t/driver, each made from the library under test, in the same build.
#
#   my $path = WooGHL::Driver->program('plan');                  # absolute; makes it when it is not there
#   my $path = WooGHL::Driver->program('crash-points', CRASH => 1);
use strict;
use warnings;
use Cwd qw(abs_path);
use Fcntl qw(LOCK_EX);
use File::Basename qw(dirname);

my $ROOT = abs_path(dirname(__FILE__) . '/../../..');

my %made;    # once in a program

sub program {
    my ($class, $name, %knob) = @_;
    my $build = ($ENV{BUILD} || 'build') . ($knob{CRASH} ? '/crash' : '');
    return $made{"$build/$name"} if $made{"$build/$name"};
    # A make that started us has no jobs for this one; its other knobs count.
    local $ENV{MAKEFLAGS} = join ' ', grep { !/^(?:-j|--jobserver)/ } split ' ', $ENV{MAKEFLAGS} // '';
    # Two makes at once would build the same files.
    mkdir "$ROOT/build";
    open my $lock, '>', "$ROOT/build/driver.lock" or die "build/driver.lock: $!\n";
    flock $lock, LOCK_EX or die "build/driver.lock: $!\n";
    my @command = ('make', '-s', '-C', $ROOT, "BUILD=$build", map { "$_=$knob{$_}" } sort keys %knob);
    system(@command, "$build/t/driver/$name") == 0 or die "t/driver/$name.c cannot be made\n";
    return $made{"$build/$name"} = $build =~ m{^/} ? "$build/t/driver/$name" : "$ROOT/$build/t/driver/$name";
}

1;
