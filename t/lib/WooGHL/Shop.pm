package WooGHL::Shop;

# A shop's week for the tests of the owner's page: orders that are in GHL, one that waits, one that is refused, one that came
# twice. No text in it is a person's, but some is markup.
#
#   my $shop = WooGHL::Shop->new(mode => 'nginx', settings => {...});   # as WooGHL::Server; PASSWORD is the page's
#   $shop->server; $shop->ghl;
use strict;
use warnings;
use FakeGHL::Client;
use WooGHL::Server;

our $PASSWORD = 'correct horse <battery> & "staple"';

sub order {
    my ($id, %more) = @_;
    my $number = $more{number} // $id;
    my $status = $more{status} // 'processing';
    return qq({"id":$id,"number":"$number","status":"$status","total":"10.00","order_key":"wc_order_$id","billing":)
        . qq({"first_name":"Ann","last_name":"Lee","email":"customer$id\@example.com"}});
}

sub new {
    my ($class, %option) = @_;
    my $ghl = FakeGHL::Client->start;
    my $server = WooGHL::Server->for_ghl($ghl, %option,
        settings => { ADMIN_PASSWORD => $PASSWORD, %{ $option{settings} || {} } })->start;
    my $self = bless { ghl => $ghl, server => $server }, $class;
    $server->deliver(order(1001));
    $server->deliver(order(1001)) for 1 .. 2;
    $server->deliver(order(1002, number => 'A<b>&7'));
    $server->deliver(order(1003, status => 'cancelled'));
    $server->deliver(order(1006, status => '<b>odd</b>'));
    $ghl->fault({ match => { method => 'POST', path => '/contacts/upsert', body => 'customer1004' },
        do => { status => 422, body => { message => '<script>alert(1)</script>', statusCode => 422 } }, times => 0 });
    $server->deliver(order(1004));
    $ghl->fault({ match => { method => 'POST', path => '/contacts/upsert', body => 'customer1005' },
        do => { status => 429, headers => { 'Retry-After' => 600 } }, times => 0 });
    $server->deliver(order(1005));
    $server->command('drain');
    return $self;
}

sub server { return $_[0]{server} }
sub ghl { return $_[0]{ghl} }

1;
