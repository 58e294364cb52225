# @summary Volumes as block devices in the lab's Ceph, which guests reach without a device on their host; backups in a
# pool of their own, of which the key of the volumes knows nothing.
class profile::cinder::rbd {
  class { 'dockstack::ceph::client':
    monitors => $profile::cinder::ceph_monitors,
    require  => Anchor['cinder::install::end'],
    notify   => Anchor['cinder::service::begin'],
  }
  dockstack::ceph::key {
    default:
      group   => 'cinder',
      require => Anchor['cinder::install::end'],
      notify  => Anchor['cinder::service::begin'];
    'cinder':
      secret => $profile::cinder::ceph_secret;
    'cinder-backup':
      secret => $profile::cinder::ceph_backup_secret;
  }
  # The helpers that look into an image before it becomes a volume, and for a host's names before a backup, set their
  # capabilities themselves, and end without one that they can't have. Of Cinder's and os-brick's lists these are in
  # Docker's default set; the others serve devices and mounts, which there are none of.
  cinder_config {
    default:
      value => 'CAP_CHOWN,CAP_DAC_OVERRIDE,CAP_FOWNER';
    'cinder_sys_admin/capabilities':;
    'privsep_osbrick/capabilities':;
  }
  cinder::backend::rbd { 'rbd':
    rbd_pool                  => $profile::cinder::rbd_pool,
    rbd_user                  => 'cinder',
    rbd_secret_uuid           => $profile::cinder::rbd_secret_uuid,
    rados_connect_timeout     => 10,
    # Copies are whole. Of a copy that shares blocks, the driver leaves the snapshot in its source when the copy goes, and
    # then the source in the pool when that goes.
    rbd_max_clone_depth       => 0,
    rbd_exclusive_cinder_pool => true,
  }
  class { 'cinder::backup::ceph':
    backup_ceph_user => 'cinder-backup',
    backup_ceph_pool => $profile::cinder::backup_pool,
  }
}
