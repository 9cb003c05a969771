#!/usr/bin/env perl
# woo_ghl connect: the shop's webhooks and GHL's custom fields are made or mended, after a plan; what is right stays.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use FakeGHL::Client;
use FakeWoo::Client;
use JSON::PP ();
use Test::More;
use WooGHL::Server;

my $SECRET = $WooGHL::Server::SECRET;
my $URL = 'https://shop.example.com/woo-order';
my ($ghl, $woo) = (FakeGHL::Client->start, FakeWoo::Client->start);

sub new_server {
    my (%more) = @_;
    $ghl->reset;
    $woo->reset;
    return WooGHL::Server->for_ghl($ghl, settings => { $woo->wiring, PUBLIC_URL => $URL, %more });
}
# The webhooks as "topic status url secret", sorted.
sub webhooks { return [sort map { join ' ', @$_{qw(topic status delivery_url)}, ($_->{secret} // '') eq $SECRET ? 'ours' : 'other' } $woo->webhooks] }
sub right { return [map {"order.$_ active $URL ours"} qw(created deleted restored updated)] }
sub writes { return [map {"$_->{method} $_->{path}"} grep { $_->{method} ne 'GET' } $woo->calls] }

subtest 'a new shop' => sub {
    my $server = new_server(GHL_ORDER_FIELD => 'woo_order', GHL_CONTACT_FIELDS => 'last_total={total},contact.city={billing.city}',
        GHL_OPPORTUNITY_FIELDS => 'opportunity.coupon={coupon_lines.code},woo_order={id}');
    my $run = $server->command('connect', '--dry-run');
    is $run->{code}, 0, 'a dry run';
    is scalar(() = $run->{out} =~ /^plan: make the shop's webhook order\.\w+, which delivers to \Q$URL\E$/mg), 4, 'plans the four webhooks';
    like $run->{out}, qr/^plan: make GHL's custom field "woo_order" of the opportunity$/m, 'and the fields';
    is_deeply [@{ writes() }, grep { /^POST/ } $ghl->sent], [], 'and changes nothing';
    $run = $server->command('connect');
    is $run->{code}, 64, 'without somebody who says yes';
    is_deeply writes(), [], '... nothing, too';
    $run = $server->command('connect', '--yes');
    is $run->{code}, 0, 'told to do it' or diag $run->{err};
    is_deeply webhooks(), right(), 'the shop has the webhooks with our secret';
    is_deeply [sort map { $_->{fieldKey} } grep { $_->{id} =~ /Made/ } @{ $ghl->settings->{custom_fields} }],
        [qw(contact.city contact.last_total opportunity.coupon opportunity.woo_order)], 'and GHL the fields';
    unlike $run->{out} . $run->{err} . $server->log, qr/\Q$SECRET\E|cs_fake/, 'no secret is shown';
    $woo->clear_calls;
    $run = $server->command('connect', '--yes');
    is $run->{out}, "The shop's webhooks and GHL's fields are right: nothing to do.\n", 'once more: all is right';
    is_deeply writes(), [], 'and nothing is written';
    $run = $server->command('connect', '--yes', '--secret');
    is scalar @{ writes() }, 4, '--secret writes it to all four';
};

subtest 'what is wrong alone is mended' => sub {
    my $server = new_server();
    my @four = map { { id => $_ + 1, name => "n$_", topic => 'order.' . (qw(created updated deleted restored))[$_], status => 'active', delivery_url => "$URL/", secret => $SECRET } } 0 .. 3;
    @{ $four[1] }{qw(name status)} = ("n1\e[2J", 'disabled');
    $four[2]{delivery_url} = 'https://old.example.com/woo-order';
    $four[3]{api_version} = 'legacy_v3';
    my $foreign = { id => 9, name => 'other', topic => 'order.updated', status => 'paused', delivery_url => 'https://other.example.com/hook', secret => 'x' };
    $woo->settings({ webhooks => [$foreign, @four] });
    my $run = $server->command('connect', '--yes');
    is $run->{code}, 0, 'told to do it' or diag $run->{err};
    like $run->{out}, qr/^plan: change the shop's webhook "n1 \[2J" \(order\.updated\): set it active, which is disabled; write the secret$/m, 'one is set active';
    like $run->{out}, qr/^plan: change the shop's webhook "n2" \(order\.deleted\): deliver to \Q$URL\E; write the secret$/m, 'one gets the right URL';
    is_deeply webhooks(), [sort "order.updated paused https://other.example.com/hook other", "order.created active $URL/ ours", "order.updated active $URL/ ours",
        "order.deleted active $URL ours", "order.restored paused $URL/ ours", "order.restored active $URL ours"], 'one of another API version makes room; a foreign one stays';
    is_deeply writes(), ['PUT /wp-json/wc/v3/webhooks/2', 'PUT /wp-json/wc/v3/webhooks/3', 'POST /wp-json/wc/v3/webhooks', 'PUT /wp-json/wc/v3/webhooks/4'], 'the right one was not written';
};

subtest 'a key that is used once' => sub {
    my $server = new_server();
    $server->set(map { $_ => undef } qw(WOO_URL WOO_CONSUMER_KEY WOO_CONSUMER_SECRET));
    my $dir = $server->dir;
    my $typed = sub {
        my ($text, @more) = @_;
        open my $file, '>', "$dir/typed" or die "typed: $!";
        print $file $text;
        close $file;
        open my $in, '<', "$dir/typed" or die "typed: $!";
        my $process = WooGHL::Process->start([$server->program, 'connect', @more], env => { PATH => $ENV{PATH}, WOO_GHL_ENV => "$dir/env" },
            in => $in, out => "$dir/out", err => "$dir/err", user => [WooGHL::Process->user]);
        my $status = $process->wait;
        return $status >> 8;
    };
    my $settings = sub { open my $in, '<', "$dir/env" or die $!; local $/; return scalar <$in> };
    my $before = $settings->();
    is $typed->(''), 64, 'no shop is known';
    is $typed->("ck_fake\n", '--shop', $woo->url, '--yes'), 64, 'half a key';
    is $typed->("ck_fake\ncs_wrong\n", '--shop', $woo->url, '--yes'), 69, 'a wrong one';
    is $typed->(" ck_fake \r\ncs_fake\n", '--shop', $woo->url, '--yes'), 0, 'the right one';
    is_deeply webhooks(), [sort @{ right() }, "action.woocommerce_webhook_disabled_due_delivery_failures active $URL ours"],
        'no key stays here, so a fifth webhook tells what would be noticed with it';
    is $settings->(), $before, 'the settings file is as it was';
    is $typed->("ck_fake\ncs_fake\n", '--shop', $woo->url, '--yes', '--keep'), 0, 'kept, if asked';
    is $settings->(), $before . "WOO_URL='" . $woo->url . "'\nWOO_CONSUMER_KEY='ck_fake'\nWOO_CONSUMER_SECRET='cs_fake'\n", 'it stands behind the rest';
    is sprintf('%o', (stat "$dir/env")[2] & 0777), '600', 'for its owner alone';
    is $server->command('reconcile')->{code}, 0, 'and serves';
};

subtest 'what stands in the way' => sub {
    my $server = new_server(GHL_ORDER_FIELD => 'woo_order');
    $woo->settings({ can_write => JSON::PP::false });
    my $run = $server->command('connect', '--yes');
    is $run->{code}, 69, 'a key that may only read';
    like $run->{err}, qr/cannot make the shop's webhook order\.created, .* lacks the permission to read \(connect and WOO_REENABLE: to write\)/, 'is named';
    $woo->reset;
    $ghl->fault({ match => { method => 'POST' }, times => 0, do => { status => 401, body => { statusCode => 401, message => 'The token is not authorized for this scope.' } } });
    $run = $server->command('connect', '--yes');
    is $run->{code}, 69, 'a token without the scope';
    like $run->{err}, qr/cannot make GHL's custom field "woo_order".*locations\/customFields\.write/, 'is named';
    for my $case (['--url'], ['--nonsense']) {
        is $server->command('connect', @$case)->{code}, 64, "@$case";
    }
};

subtest 'what check says of them' => sub {
    my $server = new_server(PUBLIC_URL => 'no');
    my $told = sub { my $out = $server->command('check')->{out}; return join "\n", $out =~ /^webhooks   (.*)$/mg };
    like $told->(), qr/^FAIL the shop has no webhook of topic order\.created .*\nFAIL .*order\.updated .*\nwarn .*order\.deleted .*\nwarn .*order\.restored /, 'none is there';
    $server->set(PUBLIC_URL => $URL);
    $server->command('connect', '--yes');
    $server->set(PUBLIC_URL => 'no');
    is $told->(), 'ok   all four are active', 'after connect all is well';
    my @four = $woo->webhooks;
    $four[0]{status} = 'paused';
    $four[1]{failure_count} = 5;
    $four[2]{api_version} = 'wp_api_v1';
    $woo->settings({ webhooks => \@four });
    $server->set(PUBLIC_URL => 'https://shop.example.com/other/woo-order');
    my $text = $told->();
    like $text, qr/^FAIL the shop's webhook "woo_ghl order\.created" \(order\.created\) is paused$/m, 'one is paused';
    like $text, qr/^warn the last 5 deliveries of the shop's webhook "woo_ghl order\.updated" \(order\.updated\) failed$/m, 'one fails';
    like $text, qr/^warn the shop's webhook "woo_ghl order\.deleted" \(order\.deleted\) has the API version wp_api_v1$/m, 'one has an old version';
    is scalar(() = $text =~ /delivers to \Q$URL\E, not to PUBLIC_URL/g), 4, 'and all deliver to elsewhere';
};

subtest 'orders of the API version 1' => sub {
    my $server = new_server();
    my $order = $woo->order(7)->{raw} =~ s{wc\\/v3}{wc\\/v1}gr;
    like $server->deliver($order)->{body}, qr/"status":"synced"/, 'are taken';
    like $server->log, qr/level=warn event=webhooks msg="The webhook has the API version 1: .*Choose WP REST API Integration v3/, 'and the log says what to choose';
};

subtest 'a webhook whose owner lost its rights' => sub {
    my $server = new_server();
    my $told = sub { my ($line) = $server->command('check')->{out} =~ /^deliveries (.*)$/m; return $line };
    is $told->(), 'ok   no order has come yet', 'at first';
    $server->deliver('{"code":"woocommerce_rest_cannot_view","message":"Sorry","data":{"status":401}}');
    like $told->(), qr/^FAIL the shop delivered "cannot view" in an order's place .* ago, and no order since: the webhook's owner lost the right/, 'an error';
    select undef, undef, undef, 1.1;
    $server->deliver($woo->order(8)->{raw});
    like $told->(), qr/^warn the shop delivered "cannot view" in an order's place .* ago: the webhook's owner/, 'then an order, which another webhook may have brought';
};

# The fifth webhook, as WooCommerce delivers it.
subtest 'the shop tells that it disabled a webhook' => sub {
    my $server = new_server();
    my $answer = $server->deliver('{"action":"woocommerce_webhook_disabled_due_delivery_failures","arg":7}', 'action.woocommerce_webhook_disabled_due_delivery_failures');
    is $answer->{body}, '{"status":"ignored","reason":"webhook_disabled"}', 'it is taken';
    like $server->log, qr/WooCommerce disabled a webhook after seven failures in a row: set it to Active/, 'and said';
    ok JSON::PP::decode_json($server->command('status', '--json')->{out})->{reconcile_wanted}, 'and the gap is to be read';
};

done_testing;
