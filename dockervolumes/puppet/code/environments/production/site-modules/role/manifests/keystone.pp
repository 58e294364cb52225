# @summary The identity service.
class role::keystone {
  include profile::keystone
}
