# @summary Cinder: the API behind uwsgi, the scheduler, one volume service with the back end that the lab has chosen, and
# one backup service, which keeps its backups where that keeps its volumes.
#
# @param vip_name Host name of the virtual address, where the other services are.
# @param keystone_url URL of Keystone without a version.
# @param address Address of this container.
# @param region Region of the endpoints.
# @param memcached_servers Caches, `host:port`.
# @param database_host Host name of the database.
# @param rabbit_hosts Host names of the message brokers.
# @param backend Where volumes are kept.
# @param identity_password Password of the Keystone user cinder.
# @param nova_password Password of the Keystone user nova, as whom Cinder tells Nova of grown volumes.
# @param database_password Password of the database user cinder.
# @param rabbit_password Password of the RabbitMQ user openstack.
# @param ceph_secret Secret that the key of client.cinder is made from.
# @param ceph_backup_secret Secret that the key of client.cinder-backup is made from.
# @param ceph_monitors Addresses of Ceph's monitors, for back end rbd.
# @param rbd_pool Pool of the volumes.
# @param backup_pool Pool of the backups.
# @param rbd_secret_uuid Name under which libvirt on the computes keeps the key of client.cinder.
# @param host What the volume service calls its host; volumes belong to it, whatever the container's name is.
# @param cluster What volumes belong to instead where there are several members, which all work on them; undef for a single one.
# @param lock_server Redis, `address:port`, where several members lock what they work on.
# @param lock_password What they log in there with.
# @param threads Threads of the API.
class profile::cinder (
  Stdlib::Fqdn $vip_name,
  Stdlib::HTTPUrl $keystone_url,
  Stdlib::IP::Address::V4::Nosubnet $address,
  String[1] $region,
  Array[String[1]] $memcached_servers,
  Stdlib::Fqdn $database_host,
  Array[Stdlib::Fqdn, 1] $rabbit_hosts,
  Enum['rbd', 'nfs'] $backend,
  Sensitive[String[1]] $identity_password,
  Sensitive[String[1]] $nova_password,
  Sensitive[String[1]] $database_password,
  Sensitive[String[1]] $rabbit_password,
  Sensitive[String[1]] $ceph_secret,
  Sensitive[String[1]] $ceph_backup_secret,
  Array[Stdlib::IP::Address::V4::Nosubnet] $ceph_monitors = [],
  String[1] $rbd_pool = 'volumes',
  String[1] $backup_pool = 'backups',
  Optional[String[1]] $rbd_secret_uuid = undef,
  String[1] $host = 'cinder',
  Optional[String[1]] $cluster = undef,
  Optional[String[1]] $lock_server = undef,
  Optional[Sensitive[String[1]]] $lock_password = undef,
  Integer[1] $threads = 4,
) {
  include dockstack::tls
  Class['dockstack::tls'] ~> Anchor['cinder::service::begin']

  $url = "${dockstack::tls::scheme}://${vip_name}:8776/"

  class { 'cinder::logging':
    log_dir    => $facts['os_service_default'],
    use_stderr => true,
  }
  dockstack::database { 'cinder':
    password => $database_password,
    require  => Anchor['cinder::install::end'],
    before   => Anchor['cinder::dbsync::begin'],
    notify   => Anchor['cinder::service::begin'],
  }
  class { 'cinder::db':
    database_connection              => dockstack::database_url('cinder', $database_host),
    database_connection_recycle_time => 600,
  }
  class { 'cinder':
    default_transport_url => dockstack::transport_url($rabbit_hosts, $rabbit_password),
    host                  => $host,
    lock_path             => '/var/lib/cinder/lock',
    *                     => dockstack::messaging($rabbit_hosts),
  }
  if $rabbit_hosts.length > 1 {
    # The class has no parameter for it.
    Cinder_config <| title == 'oslo_messaging_rabbit/use_queue_manager' |> { value => true }
  }
  class { 'cinder::keystone::authtoken':
    password                     => dockstack::quote::oslo_config($identity_password),
    auth_url                     => $keystone_url,
    www_authenticate_uri         => $keystone_url,
    cafile                       => $dockstack::tls::authority,
    region_name                  => $region,
    memcached_servers            => $memcached_servers,
    service_token_roles          => ['service'],
    # Only Nova may take a volume from a guest: it says so with a token of its own beside the user's.
    service_token_roles_required => true,
    service_type                 => 'block-storage',
  }
  class { 'cinder::keystone::service_user':
    password                => dockstack::quote::oslo_config($identity_password),
    auth_url                => $keystone_url,
    cafile                  => $dockstack::tls::authority,
    region_name             => $region,
    send_service_user_token => true,
  }
  class { 'cinder::nova':
    password    => dockstack::quote::oslo_config($nova_password),
    auth_url    => $keystone_url,
    cafile      => $dockstack::tls::authority,
    region_name => $region,
  }
  class { 'cinder::glance':
    glance_api_servers => "${dockstack::tls::scheme}://${vip_name}:9292",
  }

  class { 'cinder::api':
    public_endpoint              => $url,
    osapi_volume_base_url        => $url,
    enable_proxy_headers_parsing => true,
    service_workers              => 1,
  }
  class { 'cinder::wsgi::uwsgi':
    processes => 1,
    threads   => $threads,
  }
  create_resources(cinder_api_uwsgi_config, dockstack::uwsgi_settings(8776) + dockstack::process_name('cinder-api', $rabbit_hosts))
  cinder_config {
    'DEFAULT/my_ip':      value => $address;
    # The class has no parameter for it.
    'DEFAULT/glance_ca_certificates_file': value => $dockstack::tls::authority;
    # What Debian's package brings along for a back end that no lab has.
    'lvm/volume_driver':  ensure => absent;
    'lvm/volume_group':   ensure => absent;
    'lvm/iscsi_protocol': ensure => absent;
    'lvm/iscsi_helper':   ensure => absent;
  }

  include cinder::scheduler
  class { 'cinder::volume':
    backend_stats_polling_interval => 30,
    cluster                        => pick($cluster, $facts['os_service_default']),
  }
  if $cluster {
    class { 'cinder::coordination':
      backend_url => "redis://:${lock_password.unwrap}@${lock_server}",
    }
  }
  # What belonged to a single member belongs to the cluster once there are several, and the other way round: before any of its
  # programs looks for what it is to serve.
  exec { 'members of Cinder':
    command   => '/etc/dockstack/bin/cinder-members apply',
    unless    => '/etc/dockstack/bin/cinder-members check',
    user      => 'cinder',
    logoutput => on_failure,
    require   => [Anchor['cinder::dbsync::end'], Anchor['cinder::config::end']],
    before    => Anchor['cinder::service::begin'],
  }
  include cinder::backup
  class { 'cinder::backends':
    enabled_backends => [$backend],
  }
  contain "profile::cinder::${backend}"
}
