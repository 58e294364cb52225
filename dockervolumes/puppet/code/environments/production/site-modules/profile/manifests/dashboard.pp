# @summary Horizon behind Apache.
#
# @param keystone_url Identity API.
# @param memcached_hosts Host names of the caches, which hold the sessions.
# @param hosts Host names and addresses that it answers to.
# @param session_secret Key that cookies are signed with, the same on all members.
# @param threads Threads of the one process.
class profile::dashboard (
  Stdlib::HTTPUrl $keystone_url,
  Array[Stdlib::Fqdn, 1] $memcached_hosts,
  Array[Stdlib::Host, 1] $hosts,
  Sensitive[String[1]] $session_secret,
  Integer[1] $threads = 4,
) {
  class { 'apache':
    default_vhost => false,
    mpm_module    => 'event',
    error_log     => '/dev/stderr',
  }
  # Only Horizon's own process needs an interpreter.
  class { 'apache::mod::wsgi':
    wsgi_restrict_embedded => 'On',
  }
  class { 'horizon':
    secret_key              => $session_secret,
    keystone_url            => $keystone_url,
    keystone_default_domain => 'Default',
    allowed_hosts           => $hosts,
    server_aliases          => ['*'],
    cache_backend           => 'django.core.cache.backends.memcached.PyMemcacheCache',
    cache_server_ip         => $memcached_hosts,
    # A session with its tokens is too long for a cookie.
    django_session_engine   => 'django.contrib.sessions.backends.cache',
    # The image has the files, compressed for this path; to do it again takes half a minute. Debian's own settings keep them in use.
    compress_offline        => false,
    wsgi_processes          => 1,
    wsgi_threads            => $threads,
    log_handlers            => ['console'],
    vhost_extra_params      => {
      'access_log_file' => '/dev/stdout',
      'error_log_file'  => '/dev/stderr',
      # Horizon's style sheets look for their fonts at /static, whatever path it is served at.
      'aliases'         => ['/horizon/static', '/static'].map |$url| {
        { 'alias' => $url, 'path' => '/var/lib/openstack-dashboard/static' }
      },
    },
  }
}
