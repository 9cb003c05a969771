package WooGHL::Daemon;

# The web server of the fakes: Mojo's, without an application. To load and begin the one that it has by itself takes longer than
# most tests. `request` subscribers answer.
use Mojo::Base 'Mojo::Server::Daemon';
use Mojo::Transaction::HTTP;

has app => sub { return bless {}, 'WooGHL::Daemon::Nothing' };
has silent => 1;
has inactivity_timeout => 0;

sub new { return shift->SUPER::new(@_)->unsubscribe('request') }
sub build_tx { return Mojo::Transaction::HTTP->new }

# What the daemon asks of an application.
package WooGHL::Daemon::Nothing;

sub log { return $_[0] }
sub server { return 1 }
sub trace { return 1 }
sub error { return 1 }

1;
