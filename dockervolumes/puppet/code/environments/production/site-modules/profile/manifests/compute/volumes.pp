# @summary What a compute has to give its guests volumes: for rbd, Ceph's configuration and its key with libvirt.
#
# Volumes on NFS are mounted by Nova itself.
#
# @param backend Where volumes are kept.
# @param ceph_secret Secret that the key of client.cinder is made from.
# @param secret_uuid Name under which libvirt keeps the key; Cinder names it with each volume.
# @param ceph_monitors Addresses of Ceph's monitors.
class profile::compute::volumes (
  Enum['rbd', 'nfs'] $backend,
  Sensitive[String[1]] $ceph_secret,
  Pattern[/\A\h{8}(-\h{4}){3}-\h{12}\z/] $secret_uuid,
  Array[Stdlib::IP::Address::V4::Nosubnet] $ceph_monitors = [],
) {
  if $backend == 'rbd' {
    # QEMU gets the key from libvirt, and only the rest from the files.
    class { 'dockstack::ceph::client':
      monitors => $ceph_monitors,
    }
    dockstack::ceph::key { 'cinder':
      secret => $ceph_secret,
      group  => 'root',
    }

    $definition = '/etc/ceph/libvirt-secret.xml'
    $usage = "<usage type='ceph'><name>client.cinder</name></usage>"
    $key = '/etc/ceph/client.cinder.key'
    file {
      default:
        ensure => file,
        owner  => 'root',
        group  => 'root',
        mode   => '0600';
      $definition:
        content => "<secret ephemeral='no' private='no'><uuid>${secret_uuid}</uuid>${usage}</secret>\n";
      $key:
        show_diff => false,
        content   => dockstack::cephx_key('client.cinder', $ceph_secret);
    }

    exec { 'define the secret of client.cinder':
      command     => "virsh --quiet secret-define ${definition}",
      unless      => "virsh --quiet secret-dumpxml ${secret_uuid}",
      path        => ['/usr/bin', '/bin'],
      environment => ['LIBVIRT_DEFAULT_URI=qemu:///system'],
      # libvirt may have been started by this run.
      tries       => 60,
      try_sleep   => 0.5,
      logoutput   => on_failure,
      require     => [File[$definition], Service['libvirt']],
    }
    # From the file: what a command is given can be read by everybody who sees its process.
    -> exec { 'set the secret of client.cinder':
      command     => "virsh --quiet secret-set-value ${secret_uuid} --file ${key}",
      unless      => "virsh --quiet secret-get-value ${secret_uuid} | tr --delete '\\n' | cmp --silent - ${key}",
      path        => ['/usr/bin', '/bin'],
      environment => ['LIBVIRT_DEFAULT_URI=qemu:///system'],
      provider    => shell,
      logoutput   => on_failure,
      require     => File[$key],
    }
  }
}
