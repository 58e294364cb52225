# @summary Keystone behind uwsgi, with the administrator and the catalogue entry of the identity service.
#
# @param url Its URL at the virtual address without a version, in all the endpoints.
# @param region Region of the endpoints.
# @param memcached_servers Caches, `host:port`; without any, every answer comes from the database.
# @param database_host Host name of the database.
# @param rabbit_hosts Host names of the message brokers.
# @param admin_password Password of the user admin; a new one is applied by the next run.
# @param database_password Password of the database user keystone.
# @param rabbit_password Password of the RabbitMQ user openstack.
# @param identities
#   Users of the services by name, with the roles that each has in the project services. One with type and URL also has an
#   entry in the catalogue. What an earlier run made for one that is no longer here is removed.
# @param identity_passwords Password by identity.
# @param fernet_keys
#   The keys that tokens are made with, the same on all members, by places that say nothing: each begins with the moment that it was made
#   at, and with the last but one is made what is made today. Without any, the member makes its own.
# @param credential_keys The keys that credentials are encrypted with, likewise.
# @param processes Processes of the API.
# @param threads Threads of each process.
class profile::keystone (
  Stdlib::HTTPUrl $url,
  String[1] $region,
  Array[String[1]] $memcached_servers,
  Stdlib::Fqdn $database_host,
  Array[Stdlib::Fqdn, 1] $rabbit_hosts,
  Sensitive[String[1]] $admin_password,
  Sensitive[String[1]] $database_password,
  Sensitive[String[1]] $rabbit_password,
  Hash[String[1], Struct[{
    Optional['type']        => String[1],
    Optional['description'] => String,
    Optional['url']         => Stdlib::HTTPUrl,
    Optional['roles']       => Array[String[1], 1],
  }]] $identities = {},
  Sensitive[Hash[String[1], String[1]]] $identity_passwords = Sensitive({}),
  Optional[Sensitive[Hash[String[1], String[1]]]] $fernet_keys = undef,
  Optional[Sensitive[Hash[String[1], String[1]]]] $credential_keys = undef,
  Integer[1] $processes = 2,
  Integer[1] $threads = 4,
) {
  include dockstack::tls

  class { 'keystone::logging':
    log_dir    => $facts['os_service_default'],
    use_stderr => true,
  }
  dockstack::database { 'keystone':
    password => $database_password,
    require  => Anchor['keystone::install::end'],
    before   => Exec['keystone bootstrap'],
    notify   => Anchor['keystone::service::begin'],
  }
  class { 'keystone::db':
    database_connection              => dockstack::database_url('keystone', $database_host),
    database_connection_recycle_time => 600,
  }
  class { 'keystone':
    public_endpoint              => $url,
    enable_proxy_headers_parsing => true,
    # It reads all of a long password, where bcrypt, the usual one, reads 72 bytes, and where Keystone's bcrypt_sha256 knows no
    # hash again that it has made with less than 10 rounds.
    password_hash_algorithm      => 'pbkdf2_sha512',
    # So many take 13 ms of a processor: for each token, and for each guess at a stolen hash. Nobody guesses 192 random bits.
    password_hash_rounds         => 40000,
    # The exec below does all three in one go, whenever they turn out to be needed.
    sync_db                      => false,
    enable_fernet_setup          => false,
    enable_credential_setup      => false,
    default_transport_url        => dockstack::transport_url($rabbit_hosts, $rabbit_password),
  }
  $cache_servers = $memcached_servers ? {
    []      => $facts['os_service_default'],
    default => $memcached_servers,
  }
  class { 'keystone::cache':
    enabled                 => !$memcached_servers.empty,
    backend                 => 'dogpile.cache.memcached',
    memcache_servers        => $cache_servers,
    memcache_dead_retry     => 10,
    memcache_socket_timeout => 1.0,
    manage_backend_package  => false,
  }
  class { 'keystone::wsgi::uwsgi':
    processes => $processes,
    threads   => $threads,
  }
  create_resources(keystone_uwsgi_config, dockstack::uwsgi_settings(5000))

  $keys = ($fernet_keys and $credential_keys) ? {
    true    => Sensitive(stdlib::to_json({ 'fernet' => $fernet_keys.unwrap.values, 'credential' => $credential_keys.unwrap.values })),
    default => undef,
  }
  file { '/etc/keystone/bootstrap.json':
    ensure    => file,
    owner     => 'root',
    group     => 'root',
    mode      => '0600',
    show_diff => false,
    content   => Sensitive(stdlib::to_json({
      'password' => $admin_password.unwrap,
      'region'   => $region,
      'url'      => $url,
    })),
    require   => Anchor['keystone::install::end'],
  }
  -> file { ['/etc/keystone/fernet-keys', '/etc/keystone/credential-keys']:
    ensure => directory,
    owner  => 'keystone',
    group  => 'keystone',
    mode   => '0600',
  }
  -> file { '/etc/keystone/keys.json':
    ensure    => stdlib::ensure($keys =~ NotUndef, 'file'),
    owner     => 'root',
    group     => 'root',
    mode      => '0600',
    show_diff => false,
    content   => $keys,
  }
  -> exec { 'keystone bootstrap':
    command   => '/etc/dockstack/bin/keystone-bootstrap apply',
    unless    => '/etc/dockstack/bin/keystone-bootstrap check',
    logoutput => on_failure,
    timeout   => 300,
    # The database, or the proxy before it, may change over at that moment.
    tries     => 3,
    try_sleep => 5,
    require   => Anchor['keystone::dbsync::begin'],
    before    => Anchor['keystone::service::begin'],
  }

  exec { 'wait for Keystone':
    command   => '/etc/dockstack/bin/keystone-bootstrap wait',
    unless    => '/etc/dockstack/bin/keystone-bootstrap check',
    logoutput => on_failure,
    timeout   => 120,
    require   => Anchor['keystone::service::end'],
  }

  keystone_tenant { 'services':
    ensure      => present,
    enabled     => true,
    description => 'Users of the OpenStack services',
    require     => Exec['wait for Keystone'],
  }
  $identities.each |$identity, $settings| {
    $type = $settings['type']
    # Not by the define below: it takes no Sensitive value, and Puppet writes down what it has set of those that aren't.
    keystone_user { $identity:
      ensure   => present,
      enabled  => true,
      password => Sensitive($identity_passwords.unwrap[$identity]),
      email    => "${identity}@localhost",
      require  => Exec['wait for Keystone'],
    }
    keystone::resource::service_identity { $identity:
      configure_user      => false,
      # With service, a token of its own beside the user's is believed by the other services.
      roles               => $settings.get('roles', ['admin', 'service']),
      region              => $region,
      configure_service   => $type =~ NotUndef,
      configure_endpoint  => $type =~ NotUndef,
      service_type        => $type,
      service_description => $settings.get('description', ''),
      public_url          => $settings['url'],
      internal_url        => $settings['url'],
      admin_url           => $settings['url'],
      require             => Exec['wait for Keystone'],
    }
  }
  keystone_leftovers { 'identities':
    require => Exec['wait for Keystone'],
  }

  $cacert = $dockstack::tls::enabled ? {
    true    => "export OS_CACERT=${dockstack::tls::file}\n",
    default => '',
  }
  $openrc = @("OPENRC")
    export OS_AUTH_URL=${url}/v3
    export OS_IDENTITY_API_VERSION=3
    export OS_USERNAME=admin
    export OS_PASSWORD=${stdlib::shell_escape($admin_password.unwrap)}
    export OS_PROJECT_NAME=admin
    export OS_USER_DOMAIN_NAME=Default
    export OS_PROJECT_DOMAIN_NAME=Default
    export OS_REGION_NAME=${region}
    | OPENRC
  file { '/root/openrc':
    ensure    => file,
    owner     => 'root',
    group     => 'root',
    mode      => '0600',
    show_diff => false,
    content   => Sensitive("${openrc}${cacert}"),
  }
}
