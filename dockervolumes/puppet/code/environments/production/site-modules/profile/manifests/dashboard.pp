# @summary Horizon behind uwsgi.
#
# @param keystone_url Identity API.
# @param memcached_hosts Host names of the caches, which hold the sessions.
# @param hosts Host names and addresses that it answers to.
# @param session_secret Key that cookies are signed with, the same on all members.
# @param processes Processes of the dashboard.
# @param threads Threads of each process.
class profile::dashboard (
  Stdlib::HTTPUrl $keystone_url,
  Array[Stdlib::Fqdn, 1] $memcached_hosts,
  Array[Stdlib::Host, 1] $hosts,
  Sensitive[String[1]] $session_secret,
  Integer[1] $processes = 1,
  Integer[1] $threads = 4,
) {
  include dockstack::tls
  Class['dockstack::tls'] ~> Anchor['horizon::service::begin']

  # Seconds. Without them a page waits for ever for a cache that stands still, or whose host has lost its power.
  $waits = { 'connect_timeout' => 2, 'timeout' => 2 }
  # One of several that is away is one without sessions, and no error.
  $forgives = $memcached_hosts.length ? { 1 => {}, default => { 'ignore_exc' => 'True' } }

  # Not the package with Apache: the classes that set that up are most of what such a catalog takes to compile.
  Package <| title == 'horizon' |> {
    name => 'openstack-dashboard',
  }
  class { 'horizon':
    secret_key                     => $session_secret,
    keystone_url                   => $keystone_url,
    keystone_default_domain        => 'Default',
    allowed_hosts                  => $hosts,
    openstack_ssl_cacert           => pick_default($dockstack::tls::cacert, ''),
    # haproxy says how it was asked, whatever the client says.
    enable_secure_proxy_ssl_header => $dockstack::tls::enabled,
    secure_cookies                 => $dockstack::tls::enabled,
    cache_backend                  => 'django.core.cache.backends.memcached.PyMemcacheCache',
    cache_server_ip                => $memcached_hosts,
    cache_options                  => $waits + $forgives,
    # A session with its tokens is too long for a cookie.
    django_session_engine          => 'django.contrib.sessions.backends.cache',
    # The image has the files compressed, and Debian's own settings keep them in use; to do it again takes half a minute.
    compress_offline               => false,
    configure_apache               => false,
    log_handlers                   => ['console'],
    cinder_options                 => { 'enable_backup' => true },
  }

  # Where the settings open a log, whether or not anything is logged there.
  file { '/var/log/horizon':
    ensure => directory,
    owner  => 'www-data',
    group  => 'www-data',
    mode   => '0750',
  }
  -> file { '/etc/openstack-dashboard/uwsgi.ini':
    ensure  => file,
    owner   => 'root',
    group   => 'root',
    mode    => '0644',
    content => epp('profile/dashboard-uwsgi.ini.epp', { 'processes' => $processes, 'threads' => $threads }),
    require => Anchor['horizon::config::begin'],
  }
  ~> service { 'horizon':
    ensure    => running,
    enable    => true,
    subscribe => Anchor['horizon::service::begin'],
    before    => Anchor['horizon::service::end'],
  }
}
