# @summary Tempest, which tests the lab's services.
class role::tempest {
  include profile::tempest
}
