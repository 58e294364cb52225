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
#   GET of that path, a tcp frontend with `health_port` by a GET at that port, any other by a connection. With `reads_only`, its
#   servers are asked by GET and HEAD alone. Where its servers speak TLS themselves, they are asked by it, and one in mode tcp with a
#   path is checked by that, too; nobody vouches for their certificates.
# @param metrics Address and port at which haproxy's own exporter answers Prometheus, in clear.
# @param peers Addresses of the other members.
# @param proxies Address by name of all members, which tell each other which server of a frontend with `health_port` has the sessions.
class profile::haproxy (
  Stdlib::IP::Address::V4::Nosubnet $vip_address,
  Integer[1, 32] $prefix,
  Integer[1, 255] $router_id,
  Integer[1, 254] $priority,
  Sensitive[String[1]] $vrrp_password,
  Hash[String[1], Struct[{
    port                        => Stdlib::Port,
    mode                        => Enum['http', 'tcp'],
    Optional[server_port]       => Stdlib::Port,
    Optional[check_path]        => Optional[String[1]],
    Optional[reads_only]        => Boolean,
    Optional[servers_speak_tls] => Boolean,
    Optional[health_port]       => Stdlib::Port,
    backends                    => Array[Struct[{ name => String[1], address => Stdlib::IP::Address::V4::Nosubnet }]],
  }]] $frontends = {},
  Optional[Struct[{ address => Stdlib::IP::Address::V4::Nosubnet, port => Stdlib::Port }]] $metrics = undef,
  Array[Stdlib::IP::Address::V4::Nosubnet] $peers = [],
  Hash[String[1], Stdlib::IP::Address::V4::Nosubnet] $proxies = {},
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

  $ending = '/etc/haproxy/end_sessions.lua'
  $unanswered = '/etc/haproxy/errors/unanswered.http'

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
      'lua-load'                          => $ending,
      'stats'                             => 'socket /run/haproxy.sock mode 600 level admin expose-fd listeners',
      'ssl-default-bind-options'          => 'ssl-min-ver TLSv1.2',
    },
    defaults_options => {
      'log'     => 'global',
      # What can't be connected to is tried at another server at once: clients wait for as little as five seconds.
      'option'  => ['dontlognull', 'redispatch 1'],
      'retries' => '3',
      # A tunnel is a guest's screen, which nothing may happen on for a while.
      # OpenStack's clients keep connections for a later request, and fail if that meets the end of one: it is left to them.
      'timeout' => ['http-request 10s', 'http-keep-alive 1h', 'queue 1m', 'connect 2s', 'client 5m', 'server 5m', 'tunnel 1h', 'check 5s'],
    },
  }

  file {
    default:
      ensure  => file,
      owner   => 'root',
      group   => 'root',
      mode    => '0644',
      require => Package['haproxy'],
      before  => Concat['/etc/haproxy/haproxy.cfg'],
      notify  => Exec['reload HAProxy'];
    $ending:
      content => file('profile/haproxy-end_sessions.lua');
    # haproxy gives these bytes as they are.
    $unanswered:
      content => [
        'HTTP/1.1 503 Service Unavailable',
        'Cache-Control: no-cache',
        'Content-Type: text/plain',
        'Content-Length: 45',
        '',
        'The service went away before it had answered.',
      ].join("\r\n");
  }

  $frontends.each |$name, $frontend| {
    $check = $frontend['check_path'] ? {
      undef   => {},
      default => {
        'http-check' => ["send meth GET uri ${frontend['check_path']} ver HTTP/1.1 hdr Host ${vip_address}", 'expect rstatus ^[23]'],
      },
    }
    $check_option = $frontend['check_path'] ? { undef => [], default => ['httpchk'] }
    if $frontend['mode'] == 'http' {
      # A server that reads no body ends the connection with a reset, on whose way its answer may be lost.
      $refused = $frontend.get('reads_only', false) ? {
        true    => ['return status 501 content-type text/plain string Unsupported unless METH_GET'],
        default => [],
      }
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
        ] + $refused,
        'http-after-response' => 'set-header Connection close if { var(txn.long) -m bool }',
        'retry-on'            => 'conn-failure empty-response',
        'errorfile'           => "502 ${unanswered}",
        # The servers end a connection with each answer. A client's is kept, and its end is announced, also when haproxy is reloaded.
        'option'              => ['forwardfor', 'httplog', 'clitcpka', 'http-server-close', 'idle-close-on-response'] + $check_option,
      } + $check
      $bind_options = $tls
      $server_options = $frontend['servers_speak_tls'] ? {
        true    => 'check inter 2s fall 2 rise 1 ssl verify none',
        default => 'check inter 2s fall 2 rise 1',
      }
    } elsif $frontend['servers_speak_tls'] {
      $options = {
        # A session is known to one of them only.
        'balance' => 'source',
        'option'  => ['tcplog', 'clitcpka', 'srvtcpka'] + $check_option,
      } + $check
      $bind_options = []
      $server_options = 'check check-ssl verify none inter 2s fall 2 rise 1'
    } elsif $frontend['health_port'] {
      # One server at a time takes all sessions, as concurrent writers on several Galera members conflict. When it fails, another
      # takes over, and keeps the sessions when the first is back: so says the table, which outlives a reload and moves with the
      # virtual address. The sessions of the one that failed are ended by end_sessions.lua.
      $options = {
        'option'      => ['tcplog', 'clitcpka', 'srvtcpka', 'httpchk'],
        'http-check'  => ['send meth GET uri /', 'expect status 200'],
        'stick-table' => 'type ip size 1k peers lab',
        'stick'       => 'on dst',
        'timeout'     => ['client 65m', 'server 65m', 'check 2s'],
      }
      $bind_options = []
      $server_options = "check port ${frontend['health_port']} inter 1s fall 2 rise 2 backup"
    } else {
      $options = {
        'balance' => 'first',
        'option'  => ['tcplog', 'clitcpka', 'srvtcpka'],
        'timeout' => ['client 65m', 'server 65m'],
      }
      $bind_options = []
      $server_options = 'check inter 2s fall 2 rise 1'
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

  if $metrics {
    haproxy::frontend { 'metrics':
      bind    => { "${metrics['address']}:${metrics['port']}" => [] },
      mode    => 'http',
      options => {
        'http-request' => ['use-service prometheus-exporter if { path /metrics }'],
        'option'       => ['dontlog-normal'],
      },
    }
  }

  unless $proxies.empty {
    haproxy::peers { 'lab':
      collect_exported => false,
    }
    $proxies.each |$proxy, $address| {
      haproxy::peer { $proxy:
        peers_name   => 'lab',
        server_names => $proxy,
        ipaddresses  => $address,
        port         => 1024,
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
    content   => Sensitive(epp('profile/haproxy-keepalived.conf.epp', {
      'vip_address'   => $vip_address,
      'prefix'        => $prefix,
      'router_id'     => $router_id,
      'priority'      => $priority,
      'vrrp_password' => dockstack::quote::keepalived(Sensitive($vrrp_password.unwrap[0, 8])),
      'peers'         => $peers,
    })),
  }
  ~> exec { 'reload keepalived':
    # A restart would give the virtual address away. Before it counts as running, it may not handle the signal yet, and end.
    command     => 'supervisorctl signal HUP keepalived',
    onlyif      => '/etc/dockstack/bin/health | grep --quiet "^keepalived RUNNING "',
    path        => ['/usr/bin', '/bin'],
    provider    => shell,
    refreshonly => true,
  }
  -> service { 'keepalived':
    ensure  => running,
    enable  => true,
    require => Service['haproxy'],
  }
}
