#!/usr/bin/env perl
# What a release says of itself: one version, in one place; what changed; what is in it; how weaknesses are reported.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use WooGHL::Server;

my $TOP = "$FindBin::Bin/..";
sub slurp { my ($path) = @_; open my $file, '<:raw', $path or die "$path: $!"; local $/; return scalar <$file> }

my ($version) = slurp("$TOP/lib/base/version.h") =~ /^#define WOO_GHL_VERSION "(\d+\.\d+\.\d+)"$/m or die 'no version';
is +WooGHL::Server->new->command('version')->{out}, "woo_ghl $version\n", 'the program says its version';
like slurp("$TOP/CHANGELOG.md"), qr/\A# Changes\n[^#]*^## \Q$version\E\b/m, 'the newest entry of CHANGELOG.md is of it';

SKIP: {
    my @files = split /\0/, qx(git -C '$TOP' ls-files -z 2>/dev/null);
    skip 'no checkout of git', 1 if !@files;
    my @with = grep { -f "$TOP/$_" && slurp("$TOP/$_") =~ /(?<![\d.])\Q$version\E(?![\d.])/ } @files;
    is_deeply [sort @with], ['CHANGELOG.md', 'lib/base/version.h'], 'no other file holds it';
}

delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};    # of the make that runs this, which may say where it is
my $sbom = decode_json(scalar qx(make -s -C '$TOP' sbom));
is $sbom->{bomFormat}, 'CycloneDX', 'a bill of materials';
is $sbom->{metadata}{component}{version}, $version, 'of this version';
my %library = map { $_->{name} => $_->{version} } @{ $sbom->{components} };
for my $name (qw(libcrypto libcurl jansson hiredis sqlite3)) {
    chomp(my $is = qx(pkg-config --modversion $name));
    is $library{$name}, $is, "$name $is is in it";
}
is_deeply [sort @{ $sbom->{dependencies}[0]{dependsOn} }], [sort keys %library], 'and all of them are what woo_ghl depends on';

my $security = slurp("$TOP/SECURITY.md");
for my $part ('How to report', 'What is protected', 'Who may attack', 'What a stolen thing is good for', 'What is known and accepted') {
    like $security, qr/^## \Q$part\E/m, "SECURITY.md: $part";
}

done_testing;
