# @summary A dnsmasq container.
class role::dnsmasq {
  include profile::base
  include profile::dnsmasq
}
