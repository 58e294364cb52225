# @summary Glance behind uwsgi, with its images as files on a volume.
#
# @param keystone_url URL of Keystone without a version.
# @param region Region of the endpoints.
# @param memcached_servers Caches of checked tokens, `host:port`.
# @param database_host Host name of the database.
# @param database_password Password of the database user glance.
# @param identity_password Password of the Keystone user glance.
# @param processes Processes of the API.
# @param threads Threads of each process: so many uploads and downloads at a time.
class profile::glance (
  Stdlib::HTTPUrl $keystone_url,
  String[1] $region,
  Array[String[1]] $memcached_servers,
  Stdlib::Fqdn $database_host,
  Sensitive[String[1]] $database_password,
  Sensitive[String[1]] $identity_password,
  Integer[1] $processes = 1,
  Integer[1] $threads = 8,
) {
  $data = '/var/lib/glance'

  include dockstack::tls
  Class['dockstack::tls'] ~> Anchor['glance::service::begin']

  class { 'glance::api::logging':
    log_dir    => $facts['os_service_default'],
    log_file   => $facts['os_service_default'],
    use_stderr => true,
  }
  dockstack::database { 'glance':
    password => $database_password,
    group    => 'glance',
  }
  class { 'glance::api::db':
    database_connection              => dockstack::database_url('glance', $database_host),
    database_connection_recycle_time => 600,
  }
  class { 'glance::api::authtoken':
    password             => dockstack::quote::oslo_config($identity_password),
    auth_url             => $keystone_url,
    www_authenticate_uri => $keystone_url,
    cafile               => $dockstack::tls::authority,
    region_name          => $region,
    memcached_servers    => $memcached_servers,
  }
  class { 'glance::api':
    enabled_backends             => ['default:file'],
    default_backend              => 'default',
    enable_proxy_headers_parsing => true,
    # The exec below does it, whenever the database turns out to need it.
    sync_db                      => false,
  }
  glance::backend::multistore::file { 'default':
    filesystem_store_datadir => "${data}/images",
  }
  # The defaults of these two, where an import keeps its data meanwhile, are below /tmp.
  class { 'glance::backend::reserved::staging':
    filesystem_store_datadir => "${data}/staging",
  }
  class { 'glance::backend::reserved::tasks':
    filesystem_store_datadir => "${data}/tasks",
  }
  class { 'glance::wsgi::uwsgi':
    processes => $processes,
    threads   => $threads,
  }
  create_resources(glance_api_uwsgi_config, dockstack::uwsgi_settings(9292))

  exec { 'database of Glance':
    command   => 'glance-manage db sync && glance-manage db load_metadefs',
    unless    => 'glance-manage db check',
    path      => ['/usr/bin', '/bin'],
    user      => 'glance',
    cwd       => $data,
    provider  => shell,
    logoutput => on_failure,
    timeout   => 300,
    require   => Anchor['glance::dbsync::begin'],
    notify    => Anchor['glance::dbsync::end'],
  }
}
