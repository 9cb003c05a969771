#!/usr/bin/perl
# What the program says of its settings is what the files beside it say.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use WooGHL::Case;

my $top = "$FindBin::Bin/..";
my $program = $ENV{WOO_GHL_PROGRAM} || "$top/woo_ghl";

sub content {
    my ($path) = @_;
    open my $file, '<', "$top/$path" or die "$path: $!";
    local $/;
    return <$file>;
}

sub said { my @command = @_; open my $out, '-|', $program, @command or die "$program: $!"; local $/; return <$out> }

is content('.env.sample'), said('help', 'settings'), '.env.sample is "woo_ghl help settings" (make docs)';

my ($made) = content('doc/woo_ghl.1') =~ /^\.\\" BEGIN [^\n]*\n(.*)^\.\\" END /ms;
is $made, said('help', 'man'), 'the man page has "woo_ghl help man" (make docs)';

my $readme = content('README.md');

# A command or an option that is told anywhere exists. Told is what stands in `backticks`, in code, or in a file of deploy.
my %usage = said('help') =~ /^  woo_ghl (\w+)(.*)$/mg;
my $told = 0;
for my $path (grep { -f "$top/$_" } 'README.md', map { s{^\Q$top/}{}r } glob("$top/doc/*.md"), glob("$top/deploy/*")) {
    my $text = content($path);
    my @spans = $path =~ /^deploy/ ? $text =~ m{/woo_ghl +([^\n<>|&]+)}g : $text =~ /`([^`\n]+)`/g;
    push @spans, $text =~ m{^(?:sudo )?(?:\./|/\S*/)?woo_ghl +([^\n|<>]+)$}mg;
    for my $span (@spans) {
        my $full = $span =~ s{^(?:sudo )?(?:\./)?woo_ghl +}{};
        my ($command, $rest) = $span =~ /^([a-z]+)\b(.*)/ or next;
        ok defined $usage{$command}, "$path: '$span' is a command" if $full;
        next unless defined $usage{$command};
        for my $option (grep { $_ ne '--help' } $rest =~ /(--[a-z-]+)/g) {
            $told++;
            like $usage{$command}, qr/\Q$option\E\b/, "$path: $command has $option";
        }
    }
}
cmp_ok $told, '>=', 8, 'options are told';

# Every alert is explained.
my %alert = map { $_ => 1 } content('lib/app/alert.c') =~ /^    \[ALERT_\w+\] =\s*\{"(\w+)",/mg;
cmp_ok scalar keys %alert, '>=', 20, 'there are alerts';
my ($alerts) = content('doc/operations.md') =~ /^## Every alert\n(.*?)^## /ms;
my %told_of = map { $_ => 1 } ($alerts // '') =~ /^\| `(\w+)` \|/mg;
is_deeply [sort grep { $_ ne 'test' } keys %told_of], [sort keys %alert], 'doc/operations.md explains each alert';

# The helpers of templates, where they are made, declared and explained.
my %helper = map { $_ => 1 } content('lib/order/template_help.c') =~ /^    \{"([a-z._]+)", help_/mg;
my %explained = map { $_ => 1 } map { /\{([a-z._]+)\}/g } content('doc/mapping.md') =~ /^\| (`\{[^|]*)\|/mg;
my %declared = map { $_ => 1 } map { /\{([a-z._]+)\}/g } content('lib/order/template.h') =~ /^ \*   (\S.*)/mg;
is_deeply [sort keys %declared], [sort keys %helper], 'template.h explains each helper';
ok $explained{$_}, "doc/mapping.md explains {$_}" for sort keys %helper;

for my $file ('README.md', map { s{^\Q$top/}{}r } glob("$top/doc/*.md")) {
    for my $path (grep { !/NAME/ } content($file) =~ m{[`= ]((?:deploy|doc|lib|t)/[\w./-]*\w)}g) {
        ok -e "$top/$path", "$file names $path, and it is there";
    }
}
my %known = map { $_ => 1 } said('help', 'settings') =~ /^#(\w+)=/mg;
for my $name ($readme =~ /`((?:GHL|WOO|REDIS|DATA|SYNC)_[A-Z_]+)[`=]/g) {
    next if $name eq 'WOO_GHL_ENV' || $name =~ /^WOO_GHL_/;
    ok $known{$name}, "README names the setting $name, and there is one";
}

# Each recipe is played: the case of its name begins with exactly its settings.
my %recipe;
my $mapping = content('doc/mapping.md');
while ($mapping =~ /^### ([^\n]+)\n```sh\n(.*?)^```$/msg) {
    my ($name, $lines) = ($1, $2);
    $recipe{$name} = [map { s/='(.*)'$/=$1/r } split /\n/, $lines];
}
cmp_ok scalar keys %recipe, '>=', 15, 'there are recipes';
my @cases = WooGHL::Case->read_file("$FindBin::Bin/corpus/recipes.case");
is_deeply [sort map { $_->{name} } @cases], [sort keys %recipe], 'each recipe has its case, and each case its recipe';
for my $case (@cases) {
    my ($settings) = grep { $_->{word} eq 'settings' } @{ $case->{steps} };
    is_deeply $settings->{lines}, $recipe{ $case->{name} }, "recipe: $case->{name}";
}

done_testing;
