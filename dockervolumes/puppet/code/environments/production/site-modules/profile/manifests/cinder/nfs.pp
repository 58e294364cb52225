# @summary Volumes as files on an NFS server in this container, which the computes mount; backups as files beside them.
#
# The server runs in user space; mounting is the kernel's, here as on the computes.
class profile::cinder::nfs {
  $directory = '/var/lib/cinder/nfs'
  $backups = '/var/lib/cinder/backups'

  file {
    default:
      require => Anchor['cinder::install::end'];
    $directory:
      ensure => directory,
      owner  => 'cinder',
      group  => 'cinder',
      mode   => '0777',
      before => Service['nfs-ganesha'];
    $backups:
      ensure => directory,
      owner  => 'cinder',
      group  => 'cinder',
      mode   => '0750',
      before => Anchor['cinder::service::begin'];
    '/etc/ganesha/ganesha.conf':
      ensure  => file,
      owner   => 'root',
      group   => 'root',
      mode    => '0644',
      content => epp('profile/cinder-nfs.conf.epp', { 'directory' => $directory }),
      notify  => Service['nfs-ganesha'];
  }
  service { 'nfs-ganesha':
    ensure => running,
    enable => true,
    tag    => 'cinder-support-service',
  }
  cinder::backend::nfs { 'nfs':
    nfs_servers                 => ["${profile::cinder::address}:/volumes"],
    nfs_mount_options           => 'vers=4.1,proto=tcp',
    nfs_snapshot_support        => true,
    # Files belong to whoever works with them: Cinder here, QEMU on a compute.
    nas_secure_file_operations  => false,
    nas_secure_file_permissions => false,
  }
  class { 'cinder::backup::posix':
    backup_posix_path => $backups,
  }
}
