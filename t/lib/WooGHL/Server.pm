package WooGHL::Server;

# woo_ghl under test, behind a real web server or as plain CGI, with its own settings file and nothing of the
# caller's environment.
#
#   use lib 't/lib';
#   use WooGHL::Server;
#
#   my $server = WooGHL::Server->new(
#       mode     => 'nginx',        # cgi | nginx | fcgid | proxy_fcgi | apache_cgi; default cgi
#       settings => { GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token, ... },
#       workers  => 2,              # of the pool: nginx, proxy_fcgi, fcgid
#       keep     => 1);             # nginx keeps its connections to them (deploy/nginx-woo-pool.conf)
#   my $server = WooGHL::Server->for_ghl($ghl, redis => $redis, mode => ..., workers => ..., settings => {...});
#                                   # speaks to that fake GHL, on a store that no other server has (no redis: embedded)
#   $server->start;                 # returns the server when it answers; dies if it never does
#   $server->url;                   # "http://127.0.0.1:PORT"; not for cgi
#   my $res = $server->request(POST => '/woo-order', { 'Content-Type' => 'application/json' }, $bytes);
#   $res->{status}; $res->{headers}{'content-type'}; $res->{body};     # header names in lower case; exact bytes
#   $server->deliver($bytes);       # the same of a signed order; deliver($bytes, 'order.created'), default order.updated
#   # more after the body: remote_addr => '192.0.2.1', env => {...}, ulimit => '-n 12' (cgi only), timeout => 30, chunked => 1 (sent in chunks),
#   # hold => 1 (cgi only: the connection stays open behind the body), variables => { NAME => VALUE or undef }
#   # (cgi only: what the web server sets)
#   # a Content-Length among the headers is sent as it is, else the body's length is (no body: none)
#   my $run = $server->command('drain', '--now');   # { code, out, err }; code is 128+N for signal N; new's command_s
#                                   # is how long it may take, 120 without it
#   $server->drain_as_of(300);      # drains once as if it were 300 s later; true = it went well
#   $server->log; $server->errors;  # text of the log file; what went to standard error
#   $server->set(GHL_DRY_RUN => 'yes'); $server->set(SHOP => undef);   # changes the settings file ...
#   $server->restart_workers;       # ... which workers read at their start. (fcgid: the url changes)
#   $server->kill_workers;          # kill -9; restart_workers brings new ones
#   $server->worker_pids;
#   $server->dir;                   # holds env, log, data/
#   $server->stop;                  # also at the object's end; by pid, waits
#   my $redis = WooGHL::Server->redis;  $redis->url; $redis->dir; $redis->pid; $redis->stop;
#
# Unless given: WOO_WEBHOOK_SECRET is $WooGHL::Server::SECRET, LOG and DATA_DIR are in dir, GHL_DRY_RUN is yes
# when there is no GHL_API_KEY, REDIS_TIMEOUT and SYNC_BUDGET are long enough for a busy machine, DRAIN_AFTER is off (an order
# waits until the test drains).
#
# The program is WOO_GHL_PROGRAM or ./woo_ghl. As root, all of it runs as the web server's user, as in a real
# installation. A sanitizer's report on standard error makes the test fail.
use strict;
use warnings;
use Carp qw(croak);
use Cwd qw(abs_path);
use Digest::SHA qw(hmac_sha256_base64);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);
use Socket qw(SOCK_STREAM SOMAXCONN);
use Time::HiRes qw(sleep time);
use WooGHL::Driver;
use WooGHL::Process;

our $SECRET = q{a 'test' #secret$ & <more>;};
my $ROOT = abs_path(dirname(__FILE__) . '/../../..');
my %MODE = map { $_ => 1 } qw(cgi nginx fcgid proxy_fcgi apache_cgi);
my $sanitizer_reports = 0;

$SIG{$_} ||= sub { exit 1 } for qw(INT TERM HUP);    # so that what was started is stopped

sub new {
    my ($class, %option) = @_;
    my $mode = delete $option{mode} || 'cgi';
    croak "mode '$mode' is none of: " . join ' ', sort keys %MODE unless $MODE{$mode};
    my $program = $ENV{WOO_GHL_PROGRAM} || "$ROOT/woo_ghl";
    croak "$program is not there: run make first, or set WOO_GHL_PROGRAM" unless -x $program;
    my $dir = File::Temp->newdir('woo-ghl-XXXXXX', TMPDIR => 1);
    my $self = bless { owner => $$, mode => $mode, dir => $dir, workers => $option{workers} || 2, pool => [],
        keep => $option{keep}, command_s => $option{command_s} || 120,
        user => [WooGHL::Process->user] }, $class;

    # A copy, because the tree may be where that user cannot look.
    copy($program, "$dir/woo_ghl") && chmod 0755, "$dir/woo_ghl" or croak "cannot copy $program: $!";
    my %given = %{ $option{settings} || {} };
    $self->{settings} = {
        WOO_WEBHOOK_SECRET => $SECRET, REDIS_TIMEOUT => '10s', SYNC_BUDGET => '50s',
        LOG                => "$dir/log",
        DATA_DIR           => "$dir/data",
        DRAIN_AFTER        => 'off',
        $option{real_start} ? () : (SALES_SINCE => '2000-01-01'),    # the fixtures are of any day
        $given{GHL_API_KEY} ? () : (GHL_DRY_RUN => 'yes'),
        $ENV{COVERAGE} || $ENV{SANITIZE} ? (SANDBOX => 'off') : (),    # it keeps a process from its counts, and from looking for leaks
        %given,
    };
    chown @{ $self->{user} }, "$dir" if @{ $self->{user} };
    $self->_write_settings;
    return $self;
}

my $stores = 0;

sub for_ghl {
    my ($class, $ghl, %option) = @_;
    my $redis = delete $option{redis};
    my %settings = (
        GHL_API_BASE => $ghl->url, GHL_API_KEY => $ghl->token, GHL_LOCATION_ID => $ghl->location_id,
        GHL_PIPELINE_ID => 'fakePipelineAAAAAAAA',
        $redis ? (REDIS_URL => $redis->url, REDIS_PREFIX => 'p' . ++$stores) : (),
        %{ $option{settings} || {} });
    return $class->new(%option, settings => \%settings);
}

sub dir { return "$_[0]{dir}" }
sub program { return "$_[0]{dir}/woo_ghl" }
sub mode { return $_[0]{mode} }
sub port { return $_[0]{port} }
sub url { my $self = shift; return $self->{port} ? "http://127.0.0.1:$self->{port}" : croak 'it has no URL before start, nor as cgi' }
sub log { return _slurp("$_[0]{dir}/log") }
sub errors { my ($self) = @_; return defined $self->{dir} ? _slurp("$self->{dir}/stderr") : '' }

sub set {
    my ($self, %value) = @_;
    for my $name (keys %value) {
        if (defined $value{$name}) { $self->{settings}{$name} = $value{$name} }
        else { delete $self->{settings}{$name} }
    }
    $self->_write_settings;
    return $self;
}

sub _slurp {
    my ($path) = @_;
    open my $file, '<:raw', $path or return '';
    local $/;
    return scalar(<$file>) // '';
}

sub _write {
    my ($self, $name, $text, $mode) = @_;
    my $path = "$self->{dir}/$name";
    open my $file, '>:raw', "$path.new" or croak "$path: $!";
    chmod $mode // 0644, "$path.new";
    print {$file} $text or croak "$path: $!";
    close $file or croak "$path: $!";
    chown @{ $self->{user} }, "$path.new" if @{ $self->{user} };
    rename "$path.new", $path or croak "$path: $!";
    return $path;
}

sub _write_settings {
    my ($self) = @_;
    my $text = '';
    for my $name (sort keys %{ $self->{settings} }) {
        (my $value = $self->{settings}{$name}) =~ s/'/'\\''/g;
        $text .= "$name='$value'\n";
    }
    return $self->_write('env', $text, 0600);
}

# The whole environment of what runs.
sub _environment {
    my ($self, %more) = @_;
    my %env = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin', WOO_GHL_ENV => "$self->{dir}/env", %more);
    delete @env{ grep { !defined $env{$_} } keys %env };
    for my $name (qw(ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS)) {
        $env{$name} = $ENV{$name} if defined $ENV{$name};
    }
    return \%env;
}

sub _spawn {
    my ($self, $command, %option) = @_;
    return WooGHL::Process->start($command, env => $self->_environment(%{ $option{env} || {} }),
        user => $self->{user}, dir => "$self->{dir}", out => "$self->{dir}/stdout", err => "$self->{dir}/stderr",
        %option{ grep { exists $option{$_} } qw(in out err limit ulimit) });
}

# -- start and stop --

sub start {
    my ($self) = @_;
    my $mode = $self->{mode};
    return $self if $mode eq 'cgi';
    $self->_start_pool if $mode eq 'nginx' || $mode eq 'proxy_fcgi';
    $self->_start_web;
    return $self;
}

sub _start_web {
    my ($self) = @_;
    my $mode = $self->{mode};
    for my $try (1 .. 10) {
        $self->{port} = _free_port();
        my @command = $mode eq 'nginx' ? $self->_nginx : $self->_apache;
        $self->{web} = $self->_spawn(\@command);
        return if $self->_answers;
        my $errors = $self->errors;
        delete($self->{web})->stop;
        # Another test may have taken the port in between.
        croak "the web server of mode $mode did not start: $errors" unless $errors =~ /[Aa]ddress already in use/;
        $self->_write('stderr', '');
    }
    croak "no free port for mode $mode after 10 tries";
}

sub _free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0)
        or croak "no free port: $!";
    return $socket->sockport;
}

sub _answers {
    my ($self) = @_;
    my $deadline = time + $WooGHL::Process::PATIENCE;
    while (time < $deadline) {
        return 0 unless $self->{web}->alive;
        # Under mod_fcgid even the first request starts workers: health is asked, not only the port.
        my $res = eval { $self->request(GET => '/woo-order/health', {}, undef, timeout => 30) };
        return $self->{web}->alive if $res && $res->{body} =~ /^\{/;
        sleep 0.05;
    }
    return 0;
}

sub _nginx {
    my ($self) = @_;
    my $dir = $self->dir;
    (my $conf = _slurp("$ROOT/deploy/nginx.conf")) =~ s/127\.0\.0\.1:5000/127.0.0.1:$self->{port}/
        or croak 'deploy/nginx.conf does not listen on 127.0.0.1:5000';
    (my $snippet = _slurp("$ROOT/deploy/nginx-woo-order.conf")) =~ s{/run/woo-ghl/woo_ghl\.sock}{$dir/socket}g
        or croak 'deploy/nginx-woo-order.conf names no socket';
    if ($self->{keep}) {
        (my $pool = _slurp("$ROOT/deploy/nginx-woo-pool.conf")) =~ s{/run/woo-ghl/woo_ghl\.sock}{$dir/socket}g
            or croak 'deploy/nginx-woo-pool.conf names no socket';
        $pool =~ s/keepalive 4;/keepalive $self->{workers};/ or croak 'deploy/nginx-woo-pool.conf keeps no 4 connections';
        for my $line ($pool =~ /^#   (fastcgi_\w+ .*?;)/mg) {    # as its comment says
            my ($name) = $line =~ /^(\w+)/;
            $snippet =~ s/^ *$name .*?;/    $line/m or $snippet =~ s/^(location .*)$/$1\n    $line/m;
        }
        $conf =~ s/^(http \{)$/$1\n    include nginx-woo-pool.conf;/m or croak 'deploy/nginx.conf has no http';
        $self->_write('nginx-woo-pool.conf', $pool);
    }
    $self->_write('nginx.conf', $conf);
    $self->_write('nginx-woo-order.conf', $snippet);
    return ('nginx', '-p', "$dir/", '-c', "$dir/nginx.conf", '-e', 'stderr');
}

sub _apache {
    my ($self) = @_;
    my ($dir, $mode) = ($self->dir, $self->{mode});
    my ($modules) = grep { -d } '/usr/lib/apache2/modules', '/usr/lib64/httpd/modules', '/usr/libexec/apache2';
    croak 'there is no directory of Apache modules' unless $modules;
    my %needs = (fcgid => ['fcgid'], proxy_fcgi => ['proxy', 'proxy_fcgi'], apache_cgi => ['cgid']);
    my %define = (fcgid => '', proxy_fcgi => 'Define WOO_GHL_PROXY', apache_cgi => 'Define WOO_GHL_CGI');
    my $load = join "\n", map { "LoadModule ${_}_module $modules/mod_$_.so" }
        qw(mpm_event authz_core env alias), @{ $needs{$mode} };
    my $own = $mode eq 'apache_cgi' ? "ScriptSock $dir/cgid.sock"
        : $mode eq 'fcgid' ? "FcgidIPCDir $dir/fcgid\nFcgidProcessTableFile $dir/fcgid.shm"
        : '';
    $self->_write('apache.conf', <<"END");
ServerName 127.0.0.1
ServerRoot $dir
DefaultRuntimeDir $dir
PidFile $dir/apache.pid
Mutex file:$dir default
Listen 127.0.0.1:$self->{port}
ErrorLog $dir/stderr
DocumentRoot $dir/htdocs
StartServers 1
Suexec Off
$load
$define{$mode}
Define WOO_GHL_PROGRAM $dir/woo_ghl
Define WOO_GHL_SOCKET $dir/socket
Define WOO_GHL_SETTINGS $dir/env
Define WOO_GHL_WORKERS $self->{workers}
$own
Include $dir/woo-order.conf
END
    $self->_write('woo-order.conf', _slurp("$ROOT/deploy/apache.conf"));
    mkdir "$dir/htdocs";
    return ('apache2', '-f', "$dir/apache.conf", '-D', 'FOREGROUND');
}

sub _start_pool {
    my ($self) = @_;
    my $path = "$self->{dir}/socket";
    if (!$self->{listener}) {
        $self->{listener} = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path, Listen => SOMAXCONN)
            or croak "$path: $!";
        chown @{ $self->{user} }, $path if @{ $self->{user} };
    }
    $self->add_worker for 1 .. $self->{workers};
    return;
}

# One more worker behind the socket; limit => N is its limit of open files. For nginx and proxy_fcgi.
sub add_worker {
    my ($self, %option) = @_;
    my $worker = $self->_spawn([$self->program], in => $self->{listener}, %option);
    push @{ $self->{pool} }, $worker;
    return $worker;
}

sub worker_pids {
    my ($self) = @_;
    return map { $_->pid } grep { $_->alive } @{ $self->{pool} } if $self->{listener};
    my $program = $self->program;
    # What runs ALERT_COMMAND for a worker has another name.
    return grep { (readlink("/proc/$_/exe") // '') eq $program && _slurp("/proc/$_/comm") eq "woo_ghl\n" }
        map { m{/proc/(\d+)} } glob '/proc/[0-9]*';
}

sub kill_workers {
    my ($self) = @_;
    kill KILL => $self->worker_pids;
    for my $worker (splice @{ $self->{pool} }) { $worker->wait }
    return $self;
}

sub restart_workers {
    my ($self) = @_;
    if ($self->{listener}) {
        for my $worker (splice @{ $self->{pool} }) { $worker->stop }
        $self->_start_pool;
    } elsif ($self->{mode} eq 'fcgid') {
        delete($self->{web})->stop;    # mod_fcgid itself looks for dead workers only every few seconds
        $self->_start_web;
    }
    return $self;
}

sub stop {
    my ($self) = @_;
    return if $self->{owner} != $$;
    for my $process (grep { defined } delete $self->{web}, splice @{ $self->{pool} }) { $process->stop }
    close delete $self->{listener} if $self->{listener};
    delete $self->{port};
    $self->_await_alerts if $self->{settings}{ALERT_COMMAND} || $self->{settings}{ALERT_URL};
    $self->_check_errors;
    return;
}

# What sends alerts is nobody's child, and still writes into the directory.
sub _await_alerts {
    my ($self) = @_;
    my $dir = $self->{dir} // return;    # undef: at the end of all objects
    return WooGHL::Process::until_true(sub { !grep { (readlink($_) // '') =~ m{^\Q$dir\E/} } glob '/proc/[0-9]*/exe' });
}

sub _check_errors {
    my ($self) = @_;
    my $errors = $self->errors;
    my ($report) = $errors =~ /^(.*(?:ERROR: \w+Sanitizer|runtime error:).*(?:\n.*){0,30})/m or return;
    $sanitizer_reports++;
    print STDERR "# sanitizer: $_\n" for split /\n/, $report;
    $self->_write('stderr', '');
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($., $@, $!, $^E, $?);
    $self->stop;
    return;
}

END { $? ||= 1 if $sanitizer_reports }

# -- requests and commands --

sub command {
    my ($self, @arguments) = @_;
    my $n = ++$self->{commands};
    my ($out, $err) = map { "$self->{dir}/command.$n.$_" } qw(out err);
    my $process = $self->_spawn([$self->program, @arguments], out => $out, err => $err);
    my $status = $process->wait($self->{command_s}) // croak "woo_ghl @arguments did not end within $self->{command_s} s";
    my $run = { code => $status & 127 ? 128 + ($status & 127) : $status >> 8, out => _slurp($out), err => _slurp($err) };
    if ($run->{err} =~ /ERROR: \w+Sanitizer|runtime error:/) {
        $sanitizer_reports++;
        print STDERR "# sanitizer: $run->{err}\n";
    }
    unlink $out, $err;
    return $run;
}

# Starts a command that stays (drain --watch); a WooGHL::Process: ->stop, ->pid, ->alive, ->wait.
sub background {
    my ($self, @arguments) = @_;
    my $process = $self->_spawn([$self->program, @arguments]);
    push @{ $self->{pool} }, $process unless $self->{listener};
    return $process;
}

# t/driver/later.c, started: it drains as of so many seconds later.
sub later {
    my ($self, $seconds, $more, %option) = @_;
    if (($self->{settings}{REDIS_URL} // '') =~ m{^unix://(.*)}) {
        my $socket = $1;
        require WooGHL::Redis;
        WooGHL::Redis::age_at($socket, $seconds);
    }
    my $program = "$self->{dir}/later";
    -e $program or copy(WooGHL::Driver->program('later'), $program) && chmod 0755, $program or croak "$program: $!";
    return $self->_spawn([$program, $seconds, @{ $more || [] }], %option);
}

sub drain_as_of {
    my ($self, $seconds) = @_;
    my $status = $self->later($seconds)->wait // croak 'the drain did not end in time';
    return $status == 0;
}

sub request {
    my ($self, $method, $path, $headers, $body, %more) = @_;
    my %headers = %{ $headers || {} };
    my ($length) = grep { lc eq 'content-length' } keys %headers;
    if ($more{chunked}) { $headers{'Transfer-Encoding'} = 'chunked' }
    elsif (defined $body && !$length) { $headers{'Content-Length'} = length $body }
    return $self->{mode} eq 'cgi'
        ? $self->_request_cgi($method, $path, \%headers, $body, %more)
        : $self->_request_http($method, $path, \%headers, $body, %more);
}

sub deliver {
    my ($self, $body, $topic) = @_;
    my $signature = hmac_sha256_base64($body, $self->{settings}{WOO_WEBHOOK_SECRET}) . '=';
    return $self->request(POST => '/woo-order', { 'Content-Type' => 'application/json',
        'X-WC-Webhook-Topic' => $topic || 'order.updated', 'X-WC-Webhook-Signature' => $signature }, $body);
}

sub _request_http {
    my ($self, $method, $path, $headers, $body, %more) = @_;
    my $deadline = time + ($more{timeout} || $WooGHL::Process::PATIENCE);
    my $socket = $self->connect or croak "no connection to port $self->{port}: $!";
    my %headers = (Host => "127.0.0.1:$self->{port}", Connection => 'close', %$headers);
    if ($more{chunked}) { $body = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } unpack('(a100)*', $body), '' }
    my $head = "$method $path HTTP/1.1\r\n" . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers) . "\r\n";
    local $SIG{PIPE} = 'IGNORE';
    my $answer = _exchange($socket, $socket, $head . ($body // ''), $deadline);
    croak "no answer to $method $path within the time" unless defined $answer;
    $answer =~ s{\AHTTP/1\.1 100 [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n}{};    # to Expect: 100-Continue
    return _parse($answer, "$method $path");
}

# A raw connection to the web server, for tests that misbehave.
sub connect { my ($self) = @_; return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) }

# Sends everything to $to while it reads $from to its end: a server may answer before it has read all. Undef
# when the time is over.
sub _exchange {
    my ($to, $from, $bytes, $deadline) = @_;
    my ($sent, $answer, $readers) = (0, '', IO::Select->new($from));
    $to->blocking(0);
    while (1) {
        my $left = $deadline - time;
        return if $left <= 0;
        my $writers = $sent < length $bytes ? IO::Select->new($to) : undef;
        my ($can_read, $can_write) = IO::Select->select($readers, $writers, undef, $left) or next;
        if (@$can_write) {
            my $n = syswrite $to, $bytes, 65536, $sent;
            if (defined $n) { $sent += $n }
            elsif (!$!{EAGAIN}) { $sent = length $bytes }
            if ($sent == length $bytes && $to != $from) { close $to }
        }
        if (@$can_read) {
            my $n = sysread $from, $answer, 65536, length $answer;
            return $answer if defined $n ? $n == 0 : !$!{EAGAIN};
        }
    }
    return;
}

sub _parse {
    my ($answer, $what) = @_;
    my ($head, $body) = split /\r\n\r\n/, $answer, 2;
    croak "no complete answer to $what: '$answer'" unless defined $body;
    my ($first, @lines) = split /\r\n/, $head;
    my %res = (headers => {}, body => $body);
    ($res{status}) = $first =~ m{^(?:HTTP/1\.[01]|Status:) (\d{3})} or croak "no status in the answer to $what: '$first'";
    for my $line (@lines) {
        my ($name, $value) = $line =~ /^([^:\s]+):\s*(.*?)\s*$/ or croak "a bad header in the answer to $what: '$line'";
        $name = lc $name;
        $res{headers}{$name} = defined $res{headers}{$name} ? "$res{headers}{$name}, $value" : $value;
    }
    if (($res{headers}{'transfer-encoding'} // '') =~ /chunked/i) {
        my ($rest, $whole) = ($body, '');
        while ($rest =~ s/^([0-9a-fA-F]+)[^\r\n]*\r\n//) {
            my $size = hex $1;
            last unless $size;
            $whole .= substr $rest, 0, $size, '';
            $rest =~ s/^\r\n//;
        }
        $res{body} = $whole;
    }
    return \%res;
}

sub _request_cgi {
    my ($self, $method, $path, $headers, $body, %more) = @_;
    my ($name, $query) = split /\?/, $path, 2;
    my ($script, $info) = $name =~ m{^(/woo-order)(/.*)?$}s ? ($1, $2) : ($name, undef);
    my %env = (
        GATEWAY_INTERFACE => 'CGI/1.1', SERVER_PROTOCOL => 'HTTP/1.1', SERVER_SOFTWARE => 'test',
        SERVER_NAME => '127.0.0.1', SERVER_PORT => 80, REQUEST_METHOD => $method, REQUEST_URI => $path,
        SCRIPT_NAME => $script, QUERY_STRING => $query // '', REMOTE_ADDR => $more{remote_addr} // '127.0.0.1',
        defined $info ? (PATH_INFO => $info) : (),
    );
    for my $header (keys %$headers) {
        (my $variable = uc $header) =~ tr/-/_/;
        $variable = "HTTP_$variable" unless $variable =~ /^CONTENT_(?:TYPE|LENGTH)$/;
        $env{$variable} = $headers->{$header};
    }
    %env = (%env, %{ $more{variables} || {} });
    pipe my $in, my $to or croak "pipe: $!";
    pipe my $from, my $out or croak "pipe: $!";
    my $held;
    if ($more{hold}) { open $held, '>&', $to or croak "dup: $!" }
    local $SIG{PIPE} = 'IGNORE';
    my $process = $self->_spawn([$self->program], in => $in, out => $out, env => { %env, %{ $more{env} || {} } },
        $more{ulimit} ? (ulimit => $more{ulimit}) : ());
    close $in;
    close $out;
    my $deadline = time + ($more{timeout} || $WooGHL::Process::PATIENCE);
    close $to if !length($body // '');
    my $answer = _exchange($to, $from, $body // '', $deadline);
    my $status = defined $answer ? $process->wait($deadline - time + 1) : undef;
    $process->stop;
    croak "no answer to $method $path within the time" unless defined $answer;
    croak "the program ended with status " . ($status // 'none') . " after $method $path: " . $self->errors
        if !defined $status || ($status && $answer eq '');
    return _parse($answer, "$method $path");
}

# -- Redis --

sub redis { my ($class, %option) = @_; require WooGHL::Redis; return WooGHL::Redis->start(%option) }

1;
