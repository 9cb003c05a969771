package WooGHL::Case;

# The corpus's language: t/corpus/*.case -> a list of cases, each a list of steps. WooGHL::Corpus plays them.
#
# A line that begins in the first column is a step; the indented lines under it belong to it. `#` at a line's
# start begins a comment. Every case begins with a fresh store and a fresh, empty GHL.
#
#   case NAME
#   ways cgi nginx ...              only these ways play it; default: all, or those that the file names before
#                                   its first case
#   everywhere                      all ways of serving play it; most play no other (t/corpus-*.t)
#
#  given
#   settings                        one NAME=value a line; `NAME=` takes it out. The workers start anew.
#   ghl {"search_lag_ms":500}       settings of the fake GHL (t/lib/FakeGHL.pm)
#   ghl down | ghl up | ghl forgets faults | ghl answers       those whose fault says that they wait
#   fault {"match":{...},"do":{...}}
#   has contact {...} | has opportunity {...}   somebody put it into GHL; `contactId` may be "<contact ...>"
#   change opportunity NAME {...} | remove opportunity NAME
#
#  when
#   send order [{...}]              the reference order with these members changed (null takes one out)
#   send fixture NAME [{...}]       the captured bytes under their own headers; changed members sign it anew
#   send text TEXT                  these bytes; \xNN is a byte
#       method GET                  default POST
#       path /woo-order/            default /woo-order
#       topic order.updated         default order.created; Topic, Resource and Event follow
#       header NAME: VALUE          set; without VALUE: taken out
#       signed with SECRET | signed wrongly | unsigned          default: with WOO_WEBHOOK_SECRET's default
#       from 192.0.2.1              the client's address (cgi)
#       variable NAME VALUE         as the web server sets it (cgi); <dir> and <data> are where settings and data are;
#                                   without VALUE: taken out
#       pad N                       so many spaces behind the body
#       length TEXT                 as Content-Length (cgi)
#       in chunks                   without a length, in chunks
#       times N                     N times; each answer must be the same
#       in background               the answer comes with `answer later`
#   run drain --now                 a command; its exit code must be 0, or what `exits` says
#       exits N
#       prints TEXT                 one of its lines, whole
#       prints matching PATTERN     something in what it prints
#   until calls N PATTERN           waits until GHL has heard N calls whose "METHOD /path" matches
#
#  then
#   answer STATUS BODY              to the last `send`, exactly; `answer later ...`: to the one in background
#       header NAME: PATTERN
#   calls                           exactly these, in this order, since the last `calls`; `calls none`
#       METHOD /path?query {...}    the members named here must be so (null: absent); "-> STATUS" at the end
#                                   where GHL refused it without a fault
#   holds                           exactly these, in the order in which they were made; `holds nothing`
#       contact {...}
#       opportunity {...}
#   queue {"waiting":1,"dead_letters":0}  what `status --json` says
#   log has TEXT | log lacks TEXT   the log since the case began
#   log has N times TEXT            in N of its lines
#
# In BODY, /path and {...}: <opportunity NAME> is the id of the one opportunity of that name, <contact WHO> of the one
# contact with that email, phone or first name, <any> anything, "<N values>" a list of so many.
use strict;
use warnings;
use Carp qw(croak);

my %STEP = map { $_ => 1 } qw(settings ghl fault has change remove send run until answer calls holds queue log);

# The cases of a file: { name, file, line, ways (or undef), everywhere (or undef), steps: [{ word, rest, lines, at }] }.
sub read_file {
    my ($class, $path) = @_;
    open my $in, '<:encoding(UTF-8)', $path or croak "$path: $!";
    my ($file) = $path =~ m{([^/]+)\.case$} or croak "$path: a corpus file's name ends in .case";
    my (@cases, $step, $ways);
    while (my $line = <$in>) {
        chomp $line;
        my $at = "$file.case line $.";
        next if $line =~ /^\s*(?:#|$)/;
        if ($line =~ /^\s+(.*?)\s*$/) {
            croak "$at: an indented line belongs to a step" unless $step;
            push @{ $step->{lines} }, $1;
            next;
        }
        my ($word, $rest) = $line =~ /^(\S+)\s*(.*?)\s*$/;
        if ($word eq 'case') {
            push @cases, { name => $rest, file => $file, line => $., ways => $ways, steps => [] };
            $step = undef;
            next;
        }
        if ($word eq 'ways') {
            my @names = split ' ', $rest;
            if (@cases) { $cases[-1]{ways} = \@names }
            else { $ways = \@names }
            next;
        }
        croak "$at: it belongs to no case" unless @cases;
        if ($word eq 'everywhere') { $cases[-1]{everywhere} = 1; next }
        croak "$at: there is no step '$word'" unless $STEP{$word};
        push @{ $cases[-1]{steps} }, $step = { word => $word, rest => $rest, lines => [], at => $at };
    }
    return @cases;
}

sub read_all {
    my ($class, $directory) = @_;
    my @files = sort glob "$directory/*.case" or croak "$directory holds no corpus";
    return map { $class->read_file($_) } @files;
}

1;
