#!/usr/bin/perl
# The cases from a shop's real life (t/cases, whose README.md tells their form), each as CGI on the embedded store and
# behind nginx on Redis; those in variants in one of both. They wait more than they work: AT_ONCE of them (6) run side
# by side. Those that may take more than five minutes are left out, and so is what t/cases/todo names: the cases that
# do not come out right yet, one "NAME" or "NAME SETUP" a line.
#
#   CASE=sub-orders prove t/cases.t      that case, or all that match the pattern, whatever todo says
#   ALL=1 prove t/cases.t                every case in both setups, those of todo as TODO tests
use strict;
use warnings;
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);
use WooGHL::Play;
use WooGHL::Process;

binmode $_, ':encoding(UTF-8)' for map { Test::More->builder->$_ } qw(output failure_output todo_output);

my (%todo, @jobs);
open my $list, '<', "$FindBin::Bin/cases/todo" or die "t/cases/todo: $!";
while (<$list>) { $todo{$1} = 1 if /^([^#\s]+(?: \w+)?)\s*(?:#|$)/ }
close $list;

my ($n, %path) = (0, map { m{([^/]+)\.json$} ? ($1 => $_) : () } glob "$FindBin::Bin/cases/*.json $FindBin::Bin/cases/variants/*.json");
for my $name (sort keys %path) {
    my $case = WooGHL::Play::read_case($path{$name});
    my @setups = @{ $case->{on} || [qw(cgi nginx)] };
    if (!defined $ENV{CASE} && !$ENV{ALL}) {
        next if ($case->{limit} || 0) > 300;
        @setups = $setups[$n++ % 2] if @setups > 1 && $path{$name} =~ m{/variants/};
    }
    for my $setup (@setups) {
        my $todo = !defined $ENV{CASE} && ($todo{$name} || $todo{"$name $setup"});
        next if defined $ENV{CASE} ? $name !~ /^(?:$ENV{CASE})$/ : $todo && !$ENV{ALL};
        push @jobs, { name => $name, setup => $setup, todo => $todo, limit => $case->{limit} || 60 };
    }
}
cmp_ok scalar @jobs, '>', 0, defined $ENV{CASE} ? "CASE=$ENV{CASE} matches a case" : 'there are cases';
for my $listed (sort keys %todo) {
    my ($name) = split / /, $listed;
    ok $path{$name}, "todo names $name, and it is there" if !defined $ENV{CASE};
}

sub report {
    my ($job) = @_;
    open my $file, '<:encoding(UTF-8)', $job->{out} or die "$job->{out}: $!";
    local $/;
    my $said = <$file> // '';
    local our $TODO = $job->{todo} ? 'it does not come out right yet' : undef;
    my $name = sprintf '%s, %s (%.0f s)', $job->{name}, $job->{setup}, time - $job->{began};
    ok $job->{process}->wait(0) == 0, $name or diag $said;
    return;
}

# The longest begin.
my @waiting = sort { $b->{limit} <=> $a->{limit} } @jobs;
my $dir = File::Temp->newdir;
my @running;
while (@waiting || @running) {
    while (@waiting && @running < ($ENV{AT_ONCE} || 6)) {
        my $job = shift @waiting;
        $job->{out} = "$dir/$job->{name}.$job->{setup}";
        $job->{process} = WooGHL::Process->start([$^X, "$FindBin::Bin/play.pl", $job->{name}, $job->{setup}],
            out => $job->{out}, err => $job->{out});
        $job->{began} = time;
        push @running, $job;
    }
    sleep 0.05;
    my @ended = grep { !$_->{process}->alive } @running;
    @running = grep { !defined $_->{process}{status} } @running;
    report($_) for @ended;
}

done_testing;
