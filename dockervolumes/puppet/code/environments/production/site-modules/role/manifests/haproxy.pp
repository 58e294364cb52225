# @summary The lab's entry: HAProxy and the virtual address.
class role::haproxy {
  include profile::haproxy
}
