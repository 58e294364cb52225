# @summary A Puppet server container.
class role::puppet {
  include profile::base
  include profile::puppet
}
