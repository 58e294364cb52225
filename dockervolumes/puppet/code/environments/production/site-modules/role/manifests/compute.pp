# @summary A compute.
class role::compute {
  include profile::compute
}
