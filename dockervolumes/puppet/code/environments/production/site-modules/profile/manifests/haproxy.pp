# @summary HAProxy in front of the lab's services, on a virtual address that keepalived holds.
#
# @param vip_address Virtual address; every frontend binds it and nothing else.
# @param prefix Prefix length of the lab's network.
# @param router_id VRRP router id, the same on all members and unique on the bridge.
# @param priority VRRP priority; the highest living member holds the address.
# @param vrrp_password Shared secret of the members; VRRP uses the first 8 characters.
# @param certificate File with certificate and key for the http frontends; without one, they speak in clear.
# @param frontends
#   Frontend by name; its servers have its port, unless `server_port` is another. An http frontend with `check_path` is checked by a
#   GET of that path, any other by a connection.
# @param peers Addresses of the other members.
class profile::haproxy (
  Stdlib::IP::Address::V4::Nosubnet $vip_address,
  Integer[1, 32] $prefix,
  Integer[1, 255] $router_id,
  Integer[1, 254] $priority,
  Sensitive[String[1]] $vrrp_password,
  Hash[String[1], Struct[{
    port                  => Stdlib::Port,
    mode                  => Enum['http', 'tcp'],
    Optional[server_port] => Stdlib::Port,
    Optional[check_path]  => Optional[String[1]],
    backends              => Array[Struct[{ name => String[1], address => Stdlib::IP::Address::V4::Nosubnet }]],
  }]] $frontends = {},
  Array[Stdlib::IP::Address::V4::Nosubnet] $peers = [],
  Optional[Stdlib::Absolutepath] $certificate = undef,
) {
  $scheme = $certificate ? {
    undef   => 'http',
    default => 'https',
  }
  # With the version of HTTP that is spoken without TLS, what is said below of the ends of connections holds.
  $tls = $certificate ? {
    undef   => [],
    default => ['ssl', 'crt', $certificate, 'alpn', 'http/1.1'],
  }

  class { 'haproxy':
    merge_options    => false,
    # A restart would cut the connections of all services: a new configuration is reloaded instead.
    service_manage   => false,
    global_options   => {
      'log'                               => 'stdout format raw local0 info',
      'chroot'                            => '/var/lib/haproxy',
      'user'                              => 'haproxy',
      'group'                             => 'haproxy',
      'maxconn'                           => '4000',
      # Long database sessions must not keep the workers of earlier configurations for ever.
      'hard-stop-after'                   => '10m',
      # Otherwise it forgets a connection whose server answers without having read the request's body.
      'tune.disable-zero-copy-forwarding' => '',
      'stats'                             => 'socket /run/haproxy.sock mode 600 level admin expose-fd listeners',
      'ssl-default-bind-options'          => 'ssl-min-ver TLSv1.2',
    },
    defaults_options => {
      'log'     => 'global',
      'option'  => ['dontlognull', 'redispatch'],
      'retries' => '3',
      # A tunnel is a guest's screen, which nothing may happen on for a while.
      # OpenStack's clients keep connections for a later request, and fail if that meets the end of one: it is left to them.
      'timeout' => ['http-request 10s', 'http-keep-alive 1h', 'queue 1m', 'connect 5s', 'client 5m', 'server 5m', 'tunnel 1h', 'check 5s'],
    },
  }

  # haproxy gives these bytes as they are.
  $unanswered = '/etc/haproxy/errors/unanswered.http'
  file { $unanswered:
    ensure  => file,
    owner   => 'root',
    group   => 'root',
    mode    => '0644',
    content => [
      'HTTP/1.1 503 Service Unavailable',
      'Cache-Control: no-cache',
      'Content-Type: text/plain',
      'Content-Length: 45',
      '',
      'The service went away before it had answered.',
    ].join("\r\n"),
    require => Package['haproxy'],
    before  => Concat['/etc/haproxy/haproxy.cfg'],
    notify  => Exec['reload HAProxy'],
  }

  $frontends.each |$name, $frontend| {
    if $frontend['mode'] == 'http' {
      $check = $frontend['check_path'] ? {
        undef   => {},
        default => {
          'http-check' => ["send meth GET uri ${frontend['check_path']} ver HTTP/1.1 hdr Host ${vip_address}", 'expect rstatus ^[23]'],
        },
      }
      $check_option = $frontend['check_path'] ? { undef => [], default => ['httpchk'] }
      $options = {
        'balance'             => 'roundrobin',
        # A server that went away is asked again where nothing can have changed. Of other requests it can't be known whether they were
        # carried out: the client is told what it knows as a service that is away for a moment.
        # Of a long body that is answered before it was read, HAProxy 3.0 may wait for the rest for ever: the next request takes another
        # connection.
        'http-request'        => [
          "set-header X-Forwarded-Proto ${scheme}",
          'disable-l7-retry unless METH_GET',
          'set-var(txn.long) bool(true) if { req.hdr_val(content-length) gt 8192 } || { req.fhdr(transfer-encoding) -m found }',
        ],
        'http-after-response' => 'set-header Connection close if { var(txn.long) -m bool }',
        'retry-on'            => 'conn-failure empty-response',
        'errorfile'           => "502 ${unanswered}",
        # The servers end a connection with each answer. A client's is kept, and its end is announced, also when haproxy is reloaded.
        'option'              => ['forwardfor', 'httplog', 'clitcpka', 'http-server-close', 'idle-close-on-response'] + $check_option,
      } + $check
      $bind_options = $tls
      $server_options = 'check inter 2s fall 2 rise 1'
    } else {
      # One server at a time takes all sessions, as concurrent writers on several Galera members conflict.
      $options = {
        'balance' => 'first',
        'option'  => ['tcplog', 'clitcpka', 'srvtcpka'],
        'timeout' => ['client 65m', 'server 65m'],
      }
      $bind_options = []
      $server_options = 'check inter 2s fall 2 rise 1 on-marked-down shutdown-sessions'
    }

    haproxy::listen { $name:
      bind             => { "${vip_address}:${frontend['port']}" => $bind_options },
      mode             => $frontend['mode'],
      options          => $options,
      collect_exported => false,
    }
    $frontend['backends'].each |$backend| {
      haproxy::balancermember { "${name}-${backend['name']}":
        listening_service => $name,
        server_names      => $backend['name'],
        ipaddresses       => $backend['address'],
        ports             => String($frontend.get('server_port', $frontend['port'])),
        options           => $server_options,
      }
    }
  }

  service { 'haproxy':
    ensure  => running,
    enable  => true,
    require => Class['haproxy'],
  }
  -> exec { 'reload HAProxy':
    # Before it counts as running, it may not handle the signal yet, and end.
    command     => '/etc/dockstack/bin/health | grep --quiet "^haproxy RUNNING " && supervisorctl signal USR2 haproxy',
    path        => ['/usr/bin', '/bin'],
    provider    => shell,
    tries       => 50,
    try_sleep   => 0.2,
    refreshonly => true,
    subscribe   => Class['haproxy'],
  }

  package { 'keepalived':
    ensure => installed,
  }
  -> file { '/etc/keepalived/keepalived.conf':
    ensure    => file,
    owner     => 'root',
    group     => 'root',
    mode      => '0640',
    show_diff => false,
    content   => Sensitive(epp('profile/keepalived.conf.epp', {
      'vip_address'   => $vip_address,
      'prefix'        => $prefix,
      'router_id'     => $router_id,
      'priority'      => $priority,
      'vrrp_password' => dockstack::quote::keepalived(Sensitive($vrrp_password.unwrap[0, 8])),
      'peers'         => $peers,
    })),
  }
  ~> service { 'keepalived':
    ensure  => running,
    enable  => true,
    require => Service['haproxy'],
  }
}
