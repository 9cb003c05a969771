#!/usr/bin/env perl
# Every captured delivery against what it should become: t/fixtures/plans/NAME.json, written to be read. After a
# wanted change `UPDATE_PLANS=1 prove t/plans.t` writes them anew; look at the difference before it is committed.
use strict;
use warnings;
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use WooGHL::Driver;

my $fixtures = "$FindBin::Bin/fixtures";
my $driver = WooGHL::Driver->program('plan');

my $dir = File::Temp->newdir;
my %settings = (
    WOO_GHL_ENV        => '/dev/null',
    WOO_WEBHOOK_SECRET => 'secret',
    GHL_DRY_RUN        => 'yes',
    DATA_DIR           => "$dir",
    # more than the default, so that orders that are not sold yet show their contacts and names too
    GHL_STATUS_MAP => 'processing:won,completed:won,refunded:lost,cancelled:abandoned,failed:abandoned,trash:abandoned,'
        . 'pending:open,on-hold:open,shipped:won',
    GHL_STAGE_MAP => 'shipped:Sent',
    GHL_TAGS      => 'woocommerce,bought-{line_items.sku},utm-{meta._wc_order_attribution_utm_source}',
    GHL_NOTE      => 'yes',
    GHL_SOURCE    => '{attribution|none}, by {created_via}',
    GHL_TAGS_REMOVE        => 'refunded:woocommerce,refunded:bought-{line_items.sku}',
    GHL_CONTACT_FIELDS     => 'last_total={value},interests={line_items.name}',
    GHL_OPPORTUNITY_FIELDS => 'paid_on={date_paid},paid_by={payment_method_title}',
);

sub slurp {
    my $name = shift;
    open my $in, '<:raw', $name or return;
    local $/ = undef;
    return scalar <$in>;
}

sub header {
    my ($head, $name) = @_;
    return $head =~ /^X-WC-Webhook-$name: *(.*?)\r?$/mi ? $1 : '';
}

# What the driver prints for a body; the environment is the settings and nothing else.
sub plan_of {
    my ($body, @headers) = @_;
    local %ENV = (%settings, map { $_ => $ENV{$_} } grep { /^(?:PATH|[AU]BSAN_OPTIONS|LSAN_OPTIONS)$/ } keys %ENV);
    open my $in, '<', $body or die "$body: $!";
    my $pid = open my $out, '-|';
    if (!$pid) {
        open STDIN, '<&', $in or die $!;
        exec $driver, @headers or die $!;
    }
    local $/ = undef;
    my $text = <$out>;
    close $out;
    is($?, 0, 'the driver works') or diag($body);
    return $text;
}

sub difference {
    my ($want_file, $got) = @_;
    open my $out, '>:raw', "$dir/got" or die $!;
    print $out $got;
    close $out or die $!;
    return scalar `diff -u --label wanted --label got \Q$want_file\E \Q$dir/got\E`;
}

my @names = sort map { m{([^/]+)\.headers$} && -e "$fixtures/$1.json" ? $1 : () } glob "$fixtures/*.headers";
cmp_ok(scalar @names, '>=', 60, 'there are captured deliveries');

for my $name (@names) {
    my $head = slurp("$fixtures/$name.headers");
    my $got = plan_of("$fixtures/$name.json", map { header($head, $_) } qw(Topic Resource Source));
    my $file = "$fixtures/plans/$name.json";
    if ($ENV{UPDATE_PLANS}) {
        open my $out, '>:raw', $file or die "$file: $!";
        print $out $got;
        close $out or die $!;
    }
    my $want = slurp($file);
    ok(defined $want && $want eq $got, $name) or diag(defined $want ? difference($file, $got) : "there is no $file");
}

my %known = map { $_ => 1 } @names;
is_deeply([grep { !$known{$_} } map { m{([^/]+)\.json$} } glob "$fixtures/plans/*.json"], [], 'no plan is left over');

done_testing;
