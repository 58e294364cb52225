# @summary A member of a small Ceph cluster, or all of it.
class role::ceph {
  include profile::ceph
}
