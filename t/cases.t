#!/usr/bin/perl
# The cases from a shop's real life (t/cases, whose README.md tells their form), each as CGI on the embedded store and
# behind nginx on Redis; those in variants in one of both. They wait more than they work: AT_ONCE of them (6) run side
# by side. Variants that may take more than 100 seconds, and cases that may take more than five minutes, are left out.
#
#   CASE=sub-orders prove t/cases.t      that case, or all that match the pattern
#   ALL=1 prove t/cases.t                every case in both setups
use strict;
use warnings;
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);
use FakeGHL;
use FakeWoo;
use WooGHL::Play;
use WooGHL::Process;

binmode $_, ':encoding(UTF-8)' for map { Test::More->builder->$_ } qw(output failure_output);

my @jobs;
my ($n, %path) = (0, map { m{([^/]+)\.json$} ? ($1 => $_) : () } glob "$FindBin::Bin/cases/*.json $FindBin::Bin/cases/variants/*.json");
for my $name (sort keys %path) {
    my $case = WooGHL::Play::read_case($path{$name});
    my @setups = @{ $case->{on} || [qw(cgi nginx)] };
    if (!defined $ENV{CASE} && !$ENV{ALL}) {
        my $variant = $path{$name} =~ m{/variants/};
        next if ($case->{limit} || 0) > ($variant ? 100 : 300);
        @setups = $setups[$n++ % 2] if @setups > 1 && $variant;
    }
    for my $setup (@setups) {
        next if defined $ENV{CASE} && $name !~ /^(?:$ENV{CASE})$/;
        push @jobs, { name => $name, setup => $setup, limit => $case->{limit} || 60 };
    }
}
cmp_ok scalar @jobs, '>', 0, defined $ENV{CASE} ? "CASE=$ENV{CASE} matches a case" : 'there are cases';

sub report {
    my ($job) = @_;
    open my $file, '<:encoding(UTF-8)', $job->{out} or die "$job->{out}: $!";
    local $/;
    my $said = <$file> // '';
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
        $job->{process} = WooGHL::Process->start(sub {
            my @wrong = WooGHL::Play->play($path{ $job->{name} }, $job->{setup});
            binmode STDOUT, ':encoding(UTF-8)';
            print "- $_\n" for @wrong;
            return @wrong ? 1 : 0;
        }, out => $job->{out}, err => $job->{out});
        $job->{began} = time;
        push @running, $job;
    }
    sleep 0.05;
    my @ended = grep { !$_->{process}->alive } @running;
    @running = grep { !defined $_->{process}{status} } @running;
    report($_) for @ended;
}

done_testing;
