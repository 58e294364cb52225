# @summary Placement behind uwsgi.
#
# @param keystone_url URL of Keystone without a version.
# @param region Region of the endpoints.
# @param memcached_servers Caches of checked tokens, `host:port`.
# @param database_host Host name of the database.
# @param database_password Password of the database user placement.
# @param identity_password Password of the Keystone user placement.
# @param processes Processes of the API.
# @param threads Threads of each process.
class profile::placement (
  Stdlib::HTTPUrl $keystone_url,
  String[1] $region,
  Array[String[1]] $memcached_servers,
  Stdlib::Fqdn $database_host,
  Sensitive[String[1]] $database_password,
  Sensitive[String[1]] $identity_password,
  Integer[1] $processes = 1,
  Integer[1] $threads = 4,
) {
  include dockstack::tls
  Class['dockstack::tls'] ~> Anchor['placement::service::begin']

  class { 'placement::logging':
    log_dir    => $facts['os_service_default'],
    log_file   => $facts['os_service_default'],
    use_stderr => true,
  }
  dockstack::database { 'placement':
    password => $database_password,
    group    => 'placement',
  }
  class { 'placement::db':
    database_connection              => dockstack::database_url('placement', $database_host),
    database_connection_recycle_time => 600,
  }
  class { 'placement::keystone::authtoken':
    password             => dockstack::quote::oslo_config($identity_password),
    auth_url             => $keystone_url,
    www_authenticate_uri => $keystone_url,
    cafile               => $dockstack::tls::authority,
    region_name          => $region,
    memcached_servers    => $memcached_servers,
  }
  # The exec below migrates the database, whenever it turns out to need it.
  class { 'placement':
    sync_db => false,
  }
  class { 'placement::api':
    enable_proxy_headers_parsing => true,
  }
  class { 'placement::wsgi::uwsgi':
    processes => $processes,
    threads   => $threads,
  }
  create_resources(placement_api_uwsgi_config, dockstack::uwsgi_settings(8778))

  exec { 'database of Placement':
    command   => 'placement-manage db sync',
    unless    => '/etc/dockstack/bin/placement-database-current',
    path      => ['/usr/bin', '/bin'],
    user      => 'placement',
    cwd       => '/var/lib/placement',
    logoutput => on_failure,
    timeout   => 300,
    require   => Anchor['placement::dbsync::begin'],
    notify    => Anchor['placement::dbsync::end'],
  }
}
