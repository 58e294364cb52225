# @summary Volumes as block devices in the lab's Ceph, which guests reach without a device on their host.
class profile::cinder::rbd {
  class { 'dockstack::ceph::client':
    monitors => $profile::cinder::ceph_monitors,
    user     => 'cinder',
    secret   => $profile::cinder::ceph_secret,
    group    => 'cinder',
    require  => Anchor['cinder::install::end'],
    notify   => Anchor['cinder::service::begin'],
  }
  # The helper that looks into an image before it becomes a volume sets its capabilities itself, and ends without one that it
  # can't have. Of Cinder's list these are in Docker's default set; the others serve devices and mounts, which there are none of.
  cinder_config { 'cinder_sys_admin/capabilities':
    value => 'CAP_CHOWN,CAP_DAC_OVERRIDE,CAP_FOWNER',
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
}
