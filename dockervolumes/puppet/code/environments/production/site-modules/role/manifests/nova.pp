# @summary Nova's control plane.
class role::nova {
  include profile::nova
}
