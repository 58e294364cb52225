# @summary What Nova's programs share, wherever they run: messages, identity and the services that Nova asks.
#
# Nova asks placement, Neutron and Cinder as its own user, which may do there what their own users may.
#
# @param address Address of the container.
# @param vip_name Host name of the virtual address.
# @param keystone_url URL of Keystone without a version.
# @param region Region of the endpoints.
# @param memcached_servers Caches for tokens, `host:port`.
# @param rabbit_hosts Host names of the message brokers.
# @param identity_password Password of the Keystone user nova.
# @param rabbit_password Password of the RabbitMQ user openstack.
class profile::nova::common (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Stdlib::Fqdn $vip_name,
  Stdlib::HTTPUrl $keystone_url,
  String[1] $region,
  Array[String[1]] $memcached_servers,
  Array[Stdlib::Fqdn, 1] $rabbit_hosts,
  Sensitive[String[1]] $identity_password,
  Sensitive[String[1]] $rabbit_password,
) {
  include dockstack::tls
  Class['dockstack::tls'] ~> Anchor['nova::service::begin']

  $password = dockstack::quote::oslo_config($identity_password)

  class { 'nova::logging':
    log_dir    => $facts['os_service_default'],
    use_stderr => true,
  }
  class { 'nova':
    default_transport_url => dockstack::transport_url($rabbit_hosts, $rabbit_password),
    my_ip                 => $address,
    lock_path             => '/var/lib/nova/lock',
    # All computes of one machine see all of its memory and disk.
    cpu_allocation_ratio  => 16,
    ram_allocation_ratio  => 1.5,
    disk_allocation_ratio => 2.0,
    # A report that the broker's end has swallowed is given up after 60 s; until the next, the compute would take no guests.
    service_down_time     => 120,
    *                     => dockstack::messaging($rabbit_hosts),
  }
  if $rabbit_hosts.length > 1 {
    # The class has no parameter for it.
    Nova_config <| title == 'oslo_messaging_rabbit/use_queue_manager' |> { value => true }
  }
  file { '/var/lib/nova/lock':
    ensure  => directory,
    owner   => 'nova',
    group   => 'nova',
    mode    => '0755',
    require => Anchor['nova::install::end'],
    before  => Anchor['nova::config::end'],
  }

  class { 'nova::keystone::authtoken':
    password                     => $password,
    auth_url                     => $keystone_url,
    www_authenticate_uri         => $keystone_url,
    cafile                       => $dockstack::tls::authority,
    region_name                  => $region,
    memcached_servers            => $memcached_servers,
    service_token_roles          => ['service'],
    service_token_roles_required => true,
  }
  # Cinder detaches a volume for a service only, and a user's token may end while a guest is built.
  class { 'nova::keystone::service_user':
    password                => $password,
    auth_url                => $keystone_url,
    cafile                  => $dockstack::tls::authority,
    region_name             => $region,
    send_service_user_token => true,
  }
  class { 'nova::placement':
    password    => $password,
    username    => 'nova',
    auth_url    => $keystone_url,
    region_name => $region,
  }
  class { 'nova::network::neutron':
    password             => $password,
    username             => 'nova',
    auth_url             => $keystone_url,
    region_name          => $region,
    vif_plugging_timeout => 120,
  }
  class { 'nova::cinder':
    password       => $password,
    username       => 'nova',
    auth_url       => $keystone_url,
    os_region_name => $region,
  }
  class { 'nova::glance':
  }
  nova_config {
    'glance/region_name': value => $region;
    # The classes have no parameters for these.
    ['cinder/cafile', 'glance/cafile', 'keystone/cafile', 'neutron/cafile', 'placement/cafile']:
      value => $dockstack::tls::authority;
  }
}
