# @summary memcached, the cache of the OpenStack services.
#
# @param address Address to listen on.
# @param memory Size of the cache in MiB.
class profile::memcached (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Integer[1] $memory = 64,
) {
  class { 'memcached':
    listen          => $address,
    max_memory      => String($memory),
    max_connections => 1024,
    pidfile         => '/run/memcached/memcached.pid',
  }

  file { '/run/memcached':
    ensure  => directory,
    owner   => 'memcache',
    group   => 'memcache',
    mode    => '0755',
    require => Package['memcached'],
    before  => Service['memcached'],
  }
}
