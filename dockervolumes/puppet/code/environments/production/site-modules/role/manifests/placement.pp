# @summary The placement service.
class role::placement {
  include profile::placement
}
