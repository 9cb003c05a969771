#!/usr/bin/perl
# The rule between the folders of lib/: a file includes its own folder and the folders below it, and nothing else.
# The same reading counts what must stay small: functions, files, and lib/ as a whole.
#
# An offence that stands today is listed in @KNOWN with its reason. A new one fails, and so does a listed one that
# is gone: take it out of the list then.
use strict;
use warnings;
use FindBin;
use Test::More;

my $TOP = "$FindBin::Bin/..";
my $FUNCTION_LINES = 60;
my $FILE_LINES = 500;

# From the ground up.
my @ORDER = qw(base order config plan crypt queue store spool ghl app sync accept worker shop owner web cli);
my %RANK = map { $ORDER[$_] => $_ } 0 .. $#ORDER;

# These decide and compute. They read no clock, socket or file.
my %PURE = map { $_ => 1 } qw(order plan queue);
my %NOT_PURE = map { $_ => 1 } qw(base/clock.h base/files.h base/http_client.h base/log.h base/crash.h
    arpa/inet.h dirent.h fcntl.h netdb.h netinet/in.h netinet/tcp.h poll.h pthread.h signal.h sys/file.h sys/mman.h
    sys/random.h sys/socket.h sys/stat.h sys/time.h sys/un.h sys/wait.h syslog.h unistd.h);
my $CLOCK = qr/\b(?:time|clock|clock_gettime|gettimeofday|localtime|localtime_r|mktime)\s*\(/;

# A library's headers, and the only place for them.
my @LIBRARY = (
    [qr{^fcgi}, qr{^web/}], [qr{^hiredis}, qr{^store/redis/}], [qr{^sqlite3}, qr{^store/sqlite/}],
    [qr{^curl/}, qr{^base/http_client\.[ch]$}],
);

my @KNOWN = (
);

# -- reading --

# { "order/order.c" => text } of the folder.
sub sources {
    my ($folder, $under, %text) = @_;
    for my $path (glob "$folder/*") {
        my $name = ($under // '') . ($path =~ s{.*/}{}r);
        if (-d $path) { %text = (%text, sources($path, "$name/")) }
        elsif ($path =~ /\.(?:c|h|lua)$/) {
            open my $file, '<', $path or die "$path: $!";
            local $/;
            $text{$name} = <$file>;
        }
    }
    return %text;
}

# The text without its comments; lines stay where they are.
sub without_comments {
    my ($name, $text) = @_;
    return $text =~ s/--[^\n]*//gr if $name =~ /\.lua$/;
    $text =~ s{("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|/\*(.*?)\*/|//[^\n]*}{$1 // ($2 // '') =~ s/[^\n]//gr}gse;
    return $text;
}

sub code_lines { my ($name, $text) = @_; return scalar grep { /\S/ } split /\n/, without_comments($name, $text) }

sub includes { my ($text) = @_; return $text =~ /^\s*#\s*include\s*([<"][^>"]+)[>"]/mg }

# [name, lines] of each function, from its first line to its brace. clang-format puts both braces into the first column.
sub functions {
    my ($text) = @_;
    my (@found, $begin, $head, $inside);
    my $n = 0;
    for my $line (split /\n/, $text) {
        $n++;
        if ($inside) {
            next if $line !~ /^\}/;
            push @found, [$head =~ /(\w+)\s*\(/ ? $1 : '?', $n - $begin + 1];
            ($inside, $begin) = (0, undef);
        }
        elsif ($line eq '{' && defined $begin) { $inside = 1 }
        elsif ($line =~ /^[A-Za-z_]/) { ($begin, $head) = ($n, $line) unless defined $begin }
        elsif ($line =~ /^\s+\S/ && defined $begin) { $head .= $line }
        undef $begin if !$inside && $line =~ /[;}#]\s*$/;
    }
    return @found;
}

# -- the rules --

sub folder_of { my ($name) = @_; return $name =~ m{^(store/(?:redis|sqlite)|[^/]+)/} ? $1 : '' }

# What is wrong with one include, or undef.
sub wrong_include {
    my ($name, $what, $is_own) = @_;
    my $folder = folder_of($name);
    if ($PURE{$folder} && $NOT_PURE{$what}) { return "$name is pure and includes $what" }
    for my $library (@LIBRARY) {
        return "$name includes $what" if $what =~ $library->[0] && $name !~ $library->[1];
    }
    return if !$is_own;
    if ($what eq 'lua.h') { return $folder eq 'store/redis' ? undef : "$name includes $what" }
    my $to = folder_of($what) or return "$name includes $what without its folder";
    return if $to eq $folder;
    if (my ($backend) = $to =~ m{^store/(\w+)}) {
        # The front knows each backend by the one header that constructs it.
        return if $folder eq 'store' && $name =~ /\.c$/ && $what eq "store/$backend/$backend.h";
        return "$name includes $what";
    }
    my $rank = $RANK{ $folder =~ s{/.*}{}r } // return "$name lies in no known folder";
    return !defined $RANK{$to} || $RANK{$to} > $rank ? "$name includes $what" : undef;
}

# Circles of includes, each once, as "a -> b -> a".
sub circles {
    my (%to) = @_;
    my (%state, %circle);
    my $walk;
    $walk = sub {
        my ($at, @way) = @_;
        if (($state{$at} // '') eq 'open') {
            shift @way while $way[0] ne $at;
            my ($least) = sort @way;
            push @way, shift @way while $way[0] ne $least;
            $circle{ join ' -> ', @way, $least } = 1;
            return;
        }
        return if $state{$at};
        $state{$at} = 'open';
        $walk->($_, @way, $at) for sort keys %{ $to{$at} || {} };
        $state{$at} = 'done';
    };
    $walk->($_) for sort keys %to;
    return sort keys %circle;
}

# What offends, one line each. A module is NAME.c and NAME.h; what its files share alone is NAME_work.h.
sub offences {
    my (%text) = @_;
    my (@found, %header, %module);
    for my $name (sort keys %text) {
        my $text = without_comments($name, $text{$name});
        my $lines = () = $text{$name} =~ /\n/g;
        push @found, "$name has more than $FILE_LINES lines" if $lines > $FILE_LINES;
        next if $name =~ /\.lua$/;
        push @found, "$name asks for the time" if $PURE{ folder_of($name) } && $text =~ $CLOCK;
        my %once;
        for my $include (grep { !$once{$_}++ } includes($text)) {
            my ($kind, $what) = $include =~ /^(.)(.*)/;
            my $wrong = wrong_include($name, $what, $kind eq '"');
            push @found, $wrong if defined $wrong;
            next if $kind ne '"' || !exists $text{$what};
            $header{$name}{$what} = 1;
            my ($from, $to) = map { s/(?:_work)?\.[ch]$//r } $name, $what;
            $module{$from}{$to} = 1 if $from ne $to && exists $text{"$to.c"};
        }
        push @found, map {"$name: $_->[0] has more than $FUNCTION_LINES lines"} grep { $_->[1] > $FUNCTION_LINES }
            functions($text);
    }
    push @found, map {"circle of headers: $_"} circles(%header);
    push @found, map {"circle of modules: $_"} circles(%module);
    return sort @found;
}

# -- the rules find what they are for --

sub finds {
    my ($name, $text, @want) = @_;
    my %text = ref $text ? %$text : ($name => $text);
    return is_deeply [offences(%text)], [sort @want], "found: " . (@want ? "@want" : "nothing in $name");
}

finds('sync/a.c', qq{#include "sync/a.h"\n#include "base/buf.h"\n#include <string.h>\n});
finds('base/a.c', qq{#include "order/order.h"\n}, 'base/a.c includes order/order.h');
finds('ghl/a.c', qq{#include "a.h"\n}, 'ghl/a.c includes a.h without its folder');
finds('ghl/a.c', qq{/* #include "sync/sync.h" */\n});
finds('order/a.c', qq{#include <unistd.h>\n#include <time.h>\n}, 'order/a.c is pure and includes unistd.h');
finds('queue/a.c', qq{#include "base/clock.h"\n}, 'queue/a.c is pure and includes base/clock.h');
finds('plan/a.c', "int now(void) { return (int)time(NULL); }\n", 'plan/a.c asks for the time');
finds('plan/a.c', "/* the time (of day) */\nint clock_parse(int lifetime (int));\n");
finds('store/store.c', qq{#include "store/redis/redis.h"\n#include "store/sqlite/sqlite.h"\n});
finds('store/store.h', qq{#include "store/redis/redis.h"\n}, 'store/store.h includes store/redis/redis.h');
finds('store/store.c', qq{#include "store/redis/script.h"\n}, 'store/store.c includes store/redis/script.h');
finds('store/redis/a.c', qq{#include "store/store.h"\n#include "lua.h"\n#include <hiredis/hiredis.h>\n});
finds('store/redis/a.c', qq{#include "store/sqlite/db.h"\n}, 'store/redis/a.c includes store/sqlite/db.h');
finds('store/a.c', qq{#include <sqlite3.h>\n}, 'store/a.c includes sqlite3.h');
finds('worker/a.c', qq{#include <fcgiapp.h>\n}, 'worker/a.c includes fcgiapp.h');
finds('ghl/a.h', qq{#include <curl/curl.h>\n}, 'ghl/a.h includes curl/curl.h');
finds('a circle', { 'base/a.h' => qq{#include "base/b.h"\n}, 'base/b.h' => qq{#include "base/a.h"\n} },
    'circle of headers: base/a.h -> base/b.h -> base/a.h');
my %two = map { $_ => '' } qw(base/a.h base/b.h);
finds('a circle', { %two, 'base/a.c' => qq{#include "base/b.h"\n}, 'base/b.c' => qq{#include "base/a.h"\n} },
    'circle of modules: base/a -> base/b -> base/a');
finds('no circle', { %two, 'base/a.c' => qq{#include "base/b.h"\n}, 'base/b.h' => qq{#include "base/a.h"\n} });
finds('base/a.c', "static int a(void)\n{\n" . "    b();\n" x 57 . "}\n");
finds('base/a.c', "static int a(int b,\n             int c)\n{\n" . "    b();\n" x 57 . "}\n",
    'base/a.c: a has more than 60 lines');
finds('base/a.c', "int a;\n" x 501, 'base/a.c has more than 500 lines');
is code_lines('a.c', qq{/* one\n   two */\nint a; /* b */\n\n// c\nchar *d = "/* e */";\n}), 2, 'comments are no code';
is code_lines('a.lua', "-- one\nlocal a = 1 -- two\n\n"), 1, 'nor are those of Lua';

# -- lib/ --

my %text = sources("$TOP/lib");
cmp_ok scalar keys %text, '>', 50, 'lib/ is read';
my @offences = offences(%text);
my %known = map { $_->[0] => $_->[1] } @KNOWN;
my %found = map { $_ => 1 } @offences;
my @new = grep { !$known{$_} } @offences;
is "@new", '', 'every offence is a known one' or diag join "\n", @new;
my @gone = grep { !$found{$_} } sort keys %known;
is "@gone", '', 'every known offence still is one: shrink @KNOWN' or diag join "\n", @gone;
my %lines;
$lines{ folder_of($_) } += code_lines($_, $text{$_}) for keys %text;
my $all = 0;
$all += $_ for values %lines;
diag "lib/ has $all lines of code: " . join ', ', map {"$_ $lines{$_}"} sort { $lines{$b} <=> $lines{$a} } keys %lines;

done_testing;
