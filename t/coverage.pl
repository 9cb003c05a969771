#!/usr/bin/env perl
# What gcov counted below BUILD, of lib/: the lines and branches that ran, of all files and of those under the goal.
# BUILD/missed lists the lines that did not run, and those that went only some of their ways. The build is not optimised, so
# branches are the conditions, loops and cases of the source; all of them count. It fails if the whole is under the goal.
# `make coverage` builds and runs the tests before.
use strict;
use warnings;
use File::Find qw(find);
use JSON::PP ();

my ($build, $lines_goal, $branches_goal) = @ARGV;
my $json = JSON::PP->new;
my (%line, %branch, @notes);
# The test build that dies at named steps (make CRASH=1) is of the same lines.
find(sub { push @notes, $File::Find::name if /\.gcda$/ }, grep {-d} "$build/lib", "$build/crash/lib");
@notes or die "$build holds no counts\n";
for my $note (sort @notes) {
    open my $gcov, '-|', 'gcov', '--branch-probabilities', '--json-format', '--stdout', $note or die "gcov: $!";
    for my $text (<$gcov>) {
        next unless $text =~ /^\{/;
        for my $file (@{ $json->decode($text)->{files} }) {
            my $name = $file->{file} =~ s{^.*?(?=lib/)}{}r;
            next unless $name =~ m{^lib/.*\.[ch]$};
            for my $line (@{ $file->{lines} }) {
                my $n = $line->{line_number};
                $line{$name}{$n} ||= $line->{count};
                my $i = 0;
                $branch{$name}{"$n." . $i++} ||= $_->{count} for @{ $line->{branches} };
            }
        }
    }
    close $gcov or die "gcov failed on $note\n";
}

sub share {
    my ($of) = @_;
    my $all = keys %$of or return (100, 0);
    my $ran = grep {$_} values %$of;
    return (100 * $ran / $all, $all - $ran);
}

my (%all_lines, %all_branches);
print "  lines %  missed  branches %  missed\n";
for my $name (sort keys %line) {
    my ($lines, $no_line) = share($line{$name});
    my ($branches, $no_branch) = share($branch{$name} || {});
    $all_lines{"$name $_"} = $line{$name}{$_} for keys %{ $line{$name} };
    $all_branches{"$name $_"} = $branch{$name}{$_} for keys %{ $branch{$name} || {} };
    printf "%9.1f %7d %11.1f %7d  %s\n", $lines, $no_line, $branches, $no_branch, $name
        if $lines < $lines_goal || $branches < $branches_goal;
}
open my $missed, '>', "$build/missed" or die "$build/missed: $!";
for my $name (sort keys %line) {
    open my $source, '<', $name or die "$name: $!";
    my @text = <$source>;
    for my $n (sort { $a <=> $b } keys %{ $line{$name} }) {
        my @ways = map { $branch{$name}{$_} } grep {/^$n\./} sort keys %{ $branch{$name} || {} };
        my $not = grep { !$_ } @ways;
        my $what = !$line{$name}{$n} ? 'not run' : $not ? "$not of " . @ways . ' ways' : next;
        print {$missed} "$name:$n: $what: ", $text[$n - 1] =~ s/^\s+//r;
    }
}
close $missed or die "$build/missed: $!";
my ($lines, $no_line) = share(\%all_lines);
my ($branches, $no_branch) = share(\%all_branches);
printf "%9.1f %7d %11.1f %7d  all of lib/; the goal is %d and %d\n", $lines, $no_line, $branches, $no_branch, $lines_goal, $branches_goal;
exit($lines >= $lines_goal && $branches >= $branches_goal ? 0 : 1);
