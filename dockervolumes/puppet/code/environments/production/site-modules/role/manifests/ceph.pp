# @summary A small Ceph cluster, all of it in one container.
class role::ceph {
  include profile::ceph
}
