# @summary A member of Ceph: a monitor, a manager and an OSD, which keeps its data in a sparse file on the container's volume.
#
# @param address Address of the monitor.
# @param monitors Addresses of all monitors.
# @param network Subnet of the lab, the only one that the cluster serves.
# @param fsid The cluster's id.
# @param admin_secret Secret that the key of client.admin is made from; a member joins the others by it.
# @param cinder_secret Secret that the key of client.cinder is made from.
# @param backup_secret Secret that the key of client.cinder-backup is made from.
# @param volume_pool Pool for block devices that client.cinder may use.
# @param backup_pool Pool for block devices that client.cinder-backup may use.
# @param image_pool Pool for block devices that client.glance may use; none without it.
# @param image_secret Secret that the key of client.glance is made from.
# @param places Container host by member, where they are on several.
# @param placement_groups Placement groups of each pool.
# @param size Size of the OSD in GiB; read once, when the OSD is made.
class profile::ceph (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Array[Stdlib::IP::Address::V4::Nosubnet, 1] $monitors,
  Stdlib::IP::Address::V4::CIDR $network,
  Pattern[/\A\h{8}(-\h{4}){3}-\h{12}\z/] $fsid,
  Sensitive[String[1]] $admin_secret,
  Sensitive[String[1]] $cinder_secret,
  Sensitive[String[1]] $backup_secret,
  String[1] $volume_pool = 'volumes',
  String[1] $backup_pool = 'backups',
  Optional[String[1]] $image_pool = undef,
  Optional[Sensitive[String[1]]] $image_secret = undef,
  Hash[String[1], String[1]] $places = {},
  Integer[1] $placement_groups = 8,
  Integer[2] $size = 20,
) {
  $services = ['ceph-mon', 'ceph-mgr', 'ceph-osd']
  # Each may use its own pool and no other. A backup is written by the one and read by the other, within one program.
  $image_client = $image_pool ? {
    undef   => {},
    default => { 'glance' => [$image_secret, $image_pool] },
  }
  $clients = {
    'cinder'        => [$cinder_secret, $volume_pool],
    'cinder-backup' => [$backup_secret, $backup_pool],
  } + $image_client

  class { 'dockstack::ceph::client':
    monitors => $monitors,
    before   => Exec['ceph-member', 'ceph-settle'],
  }
  dockstack::ceph::key { 'admin':
    secret => $admin_secret,
    group  => 'root',
    before => Exec['ceph-member', 'ceph-settle'],
  }

  file {
    default:
      ensure => file,
      owner  => 'root',
      group  => 'root';
    # A copy is kept with the data: a new container over them starts with it before any Puppet run.
    '/etc/ceph/daemons.conf':
      mode    => '0644',
      content => epp('profile/ceph.conf.epp', {
        'address' => $address,
        'network' => $network,
        'fsid'    => $fsid,
        'size'    => $size,
      }),
      before  => Exec['ceph-member'],
      notify  => Service[$services];
    '/etc/ceph/settle.json':
      mode      => '0600',
      show_diff => false,
      content   => Sensitive(stdlib::to_json({
        'places'  => $places,
        'pools'   => Hash($clients.values.map |$client| { [$client[1], $placement_groups] }),
        'clients' => Hash($clients.map |$name, $client| {
          [$name, {
            'key'  => dockstack::cephx_key("client.${name}", $client[0]).unwrap,
            'caps' => {
              'mon' => 'profile rbd',
              'mgr' => "profile rbd pool=${client[1]}",
              'osd' => "profile rbd pool=${client[1]}",
            },
          }]
        }),
      })),
      before    => Exec['ceph-settle'];
  }

  exec { 'ceph-member':
    command   => '/etc/dockstack/bin/ceph-member begin',
    creates   => '/var/lib/ceph/bootstrapped',
    logoutput => on_failure,
    timeout   => 240,
    before    => Service[$services],
  }

  service { $services:
    ensure => running,
    enable => true,
  }

  exec { 'ceph-settle':
    command   => '/etc/dockstack/bin/ceph-settle apply',
    unless    => '/etc/dockstack/bin/ceph-settle check recovered',
    logoutput => on_failure,
    timeout   => 900,
    require   => Service[$services],
  }
  # The administrator's former key, of a cluster that had made one for itself.
  -> file { '/var/lib/ceph/admin.keyring':
    ensure => absent,
  }
}
