# @summary The image service.
class role::glance {
  include profile::glance
}
