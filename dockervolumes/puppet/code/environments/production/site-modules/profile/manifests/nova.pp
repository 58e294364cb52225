# @summary Nova's control plane in one container.
#
# @param database_host Host name of the database.
# @param database_passwords Password by database: nova, nova_api and nova_cell0.
# @param metadata_secret What Neutron's metadata agent signs its requests with.
# @param lenient Whether policies are those of before scopes and new defaults, as OpenSDN asks.
# @param api_processes Processes of the compute API; it works with one thread each.
class profile::nova (
  Stdlib::Fqdn $database_host,
  Sensitive[Hash[String[1], String[1]]] $database_passwords,
  Sensitive[String[1]] $metadata_secret,
  Boolean $lenient = false,
  Integer[1] $api_processes = 2,
) {
  include profile::nova::common
  $brokers = $profile::nova::common::rabbit_hosts

  $urls = Hash($database_passwords.unwrap.map |$database, $password| {
    dockstack::database { $database:
      password  => Sensitive($password),
      group     => 'nova',
      directory => 'nova',
      require   => Anchor['nova::install::end'],
      before    => Exec['nova databases'],
      notify    => Anchor['nova::service::begin'],
    }
    [$database, dockstack::database_url($database, $database_host, 'nova')]
  })

  class { 'nova::db':
    database_connection                  => $urls['nova'],
    database_connection_recycle_time     => 600,
    api_database_connection              => $urls['nova_api'],
    api_database_connection_recycle_time => 600,
  }
  if $lenient {
    class { 'nova::policy':
      enforce_scope        => false,
      enforce_new_defaults => false,
    }
  }
  class { 'nova::metadata':
    neutron_metadata_proxy_shared_secret => dockstack::quote::oslo_config($metadata_secret),
  }
  class { 'nova::api':
    # The exec below does both, whenever a database turns out to need it.
    sync_db                      => false,
    sync_db_api                  => false,
    enable_proxy_headers_parsing => true,
    allow_resize_to_same_host    => true,
  }
  class { 'nova::wsgi::uwsgi_api':
    processes => $api_processes,
  }
  class { 'nova::wsgi::uwsgi_api_metadata':
    processes => 1,
  }
  create_resources(nova_api_uwsgi_config, dockstack::uwsgi_settings(8774) + dockstack::process_name('nova-api', $brokers))
  create_resources(nova_api_metadata_uwsgi_config, dockstack::uwsgi_settings(8775) + dockstack::process_name('nova-api-metadata', $brokers))
  class { 'nova::conductor':
    workers => 1,
  }
  class { 'nova::scheduler':
    workers                          => 1,
    # A new compute is used without anybody's nova-manage.
    discover_hosts_in_cells_interval => 10,
  }
  class { 'nova::vncproxy':
    vncproxy_protocol => $dockstack::tls::scheme,
  }

  file { '/etc/nova/databases.json':
    ensure  => file,
    owner   => 'root',
    group   => 'nova',
    mode    => '0640',
    content => stdlib::to_json($urls),
    require => Anchor['nova::install::end'],
  }
  -> exec { 'nova databases':
    command   => '/etc/dockstack/bin/nova-databases apply',
    unless    => '/etc/dockstack/bin/nova-databases check',
    user      => 'nova',
    logoutput => on_failure,
    timeout   => 600,
    require   => Anchor['nova::dbsync_api::begin'],
    before    => Anchor['nova::dbsync_api::end'],
  }
}
