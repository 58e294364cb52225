# @summary The networks of guests.
class role::neutron {
  include profile::neutron
}
