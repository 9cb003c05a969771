#!/usr/bin/perl
# Root who runs a command leaves nothing behind that the workers cannot read.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $program = $ENV{WOO_GHL_PROGRAM} || "$FindBin::Bin/../woo_ghl";
my ($uid, $gid) = (getpwnam 'www-data')[2, 3];
plan skip_all => 'only root can become another user' if $> != 0 || !defined $uid;

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir or die "chmod: $!";
mkdir "$dir/data", 0700 or die "mkdir: $!";
chown $uid, $gid, "$dir/data" or die "chown: $!";
open my $file, '>', "$dir/env" or die "env: $!";
print $file "WOO_WEBHOOK_SECRET=my_super_secret_woo_key\nGHL_DRY_RUN=yes\nDATA_DIR=$dir/data\n";
close $file or die "env: $!";
chmod 0600, "$dir/env" or die "chmod: $!";

my $pid = fork // die "fork: $!";
if (!$pid) {
    %ENV = (WOO_GHL_ENV => "$dir/env", PATH => $ENV{PATH});
    open STDERR, '>', '/dev/null';
    open STDOUT, '>', '/dev/null';
    exec $program, 'drain' or die "exec: $!";
}
waitpid $pid, 0;
is $?, 0, 'root drains';
my @made = grep { -e } map { glob "$dir/data/$_" } qw(store.db store.lock spool store-id.* drain.*);
cmp_ok scalar @made, '>', 3, 'files were made';
is_deeply [grep { (stat)[4] != $uid } @made], [], "and are all the directory's owner's";

done_testing;
