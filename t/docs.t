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

my ($settings) = content('doc/woo_ghl.1') =~ /^\.\\" BEGIN settings[^\n]*\n(.*)^\.\\" END settings$/ms;
is $settings, said('help', 'man'), 'the man page has "woo_ghl help man" (make docs)';

my $readme = content('README.md');
for my $command (said('help') =~ /^  woo_ghl (\w+)/mg) {
    like content('doc/woo_ghl.1'), qr/^\.BR? $command\b/m, "the man page has the command $command";
}
for my $path ($readme =~ m{`(deploy/[\w./-]+)`}g) {
    ok -e "$top/$path", "README names $path, and it is there";
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
