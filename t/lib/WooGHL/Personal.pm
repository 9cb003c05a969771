package WooGHL::Personal;

# The personal data of the captured deliveries: what must be found in no log and in no stored file.
#
#   my @terms = WooGHL::Personal->terms($fixtures_directory, $further_order, ...);
#   my @found = WooGHL::Personal->found_in($text, @terms);      # those that are there
#   my @found = WooGHL::Personal->found_in_stored($bytes, @terms);
use strict;
use warnings;
use Mojo::JSON qw(decode_json);

my @FIELDS = qw(first_name last_name company address_1 address_2 city email phone);

sub terms {
    my ($class, $directory, @orders) = @_;
    for my $file (glob "$directory/*.json") {
        next if $file =~ m{/index\.json$};
        open my $in, '<:raw', $file or die "$file: $!";
        local $/;
        my $order = eval { decode_json(scalar <$in>) };
        push @orders, $order if ref $order eq 'HASH';
    }
    my %term;
    for my $order (@orders) {
        for my $part ($order, @$order{qw(billing shipping)}) {
            next if ref $part ne 'HASH';
            for my $field (@FIELDS, 'customer_ip_address', 'customer_note', 'order_key', 'username') {
                my $value = $part->{$field};
                next if !defined $value || ref $value;
                $value =~ s/^\s+|\s+$//g;
                next if length $value < 3 || $value eq '127.0.0.1';
                utf8::encode(my $bytes = $value);
                $term{$bytes} = 1;
                $term{ lc $bytes } = 1 if $field eq 'email';
                next if $field ne 'phone';
                (my $digits = $bytes) =~ s/\D//g;
                $term{ substr $digits, -7 } = 1 if length $digits >= 7;
            }
        }
    }
    return sort keys %term;
}

# As whole words: "Doe" is not in "Does".
sub found_in {
    my ($class, $text, @terms) = @_;
    return grep { index($text, $_) >= 0 && $text =~ /(?<![A-Za-z0-9])\Q$_\E(?![A-Za-z0-9])/ } @terms;
}

# In a megabyte of what is encrypted a "Doe" turns up by chance once in ten times, five bytes never.
sub found_in_stored {
    my ($class, $bytes, @terms) = @_;
    return $class->found_in($bytes, grep { length > 4 } @terms);
}

1;
