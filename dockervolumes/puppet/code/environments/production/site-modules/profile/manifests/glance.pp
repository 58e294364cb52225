# @summary Glance behind uwsgi, with its images as files on a volume, or in the lab's Ceph.
#
# @param keystone_url URL of Keystone without a version.
# @param region Region of the endpoints.
# @param memcached_servers Caches of checked tokens, `host:port`.
# @param database_host Host name of the database.
# @param database_password Password of the database user glance.
# @param identity_password Password of the Keystone user glance.
# @param backend Where images are kept.
# @param ceph_secret Secret that the key of client.glance is made from, for back end rbd.
# @param ceph_monitors Addresses of Ceph's monitors, likewise.
# @param rbd_pool Pool of the images, likewise.
# @param own_url Where the other members reach this one, which has what clients have sent it to be imported; undef for the only one.
# @param lenient Whether policies are those of before scopes and new defaults, as OpenSDN asks.
# @param processes Processes of the API.
# @param threads Threads of each process: so many uploads and downloads at a time.
class profile::glance (
  Stdlib::HTTPUrl $keystone_url,
  String[1] $region,
  Array[String[1]] $memcached_servers,
  Stdlib::Fqdn $database_host,
  Sensitive[String[1]] $database_password,
  Sensitive[String[1]] $identity_password,
  Enum['file', 'rbd'] $backend = 'file',
  Optional[Sensitive[String[1]]] $ceph_secret = undef,
  Array[Stdlib::IP::Address::V4::Nosubnet] $ceph_monitors = [],
  String[1] $rbd_pool = 'images',
  Optional[Stdlib::HTTPUrl] $own_url = undef,
  Boolean $lenient = false,
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
  if $lenient {
    class { 'glance::policy':
      enforce_scope        => false,
      enforce_new_defaults => false,
    }
  }
  # Images from before Ceph had them are files still, which a single member goes on reading. Several have none of them: each would
  # tell another tale.
  $stores = $backend ? {
    'file'  => ['default:file'],
    default => $own_url ? {
      undef   => ['rbd:rbd', 'default:file'],
      default => ['rbd:rbd'],
    },
  }
  class { 'glance::api':
    enabled_backends             => $stores,
    default_backend              => $stores[0].split(':')[0],
    enable_proxy_headers_parsing => true,
    worker_self_reference_url    => pick($own_url, $facts['os_service_default']),
    # The exec below does it, whenever the database turns out to need it.
    sync_db                      => false,
  }
  if 'default:file' in $stores {
    glance::backend::multistore::file { 'default':
      filesystem_store_datadir => "${data}/images",
    }
  }
  if $backend == 'rbd' {
    class { 'dockstack::ceph::client':
      monitors => $ceph_monitors,
      require  => Anchor['glance::install::end'],
      notify   => Anchor['glance::service::begin'],
    }
    dockstack::ceph::key { 'glance':
      secret  => $ceph_secret,
      group   => 'glance',
      require => Anchor['glance::install::end'],
      notify  => Anchor['glance::service::begin'],
    }
    glance::backend::multistore::rbd { 'rbd':
      rbd_store_user        => 'glance',
      rbd_store_pool        => $rbd_pool,
      rados_connect_timeout => 10,
      manage_packages       => false,
    }
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
