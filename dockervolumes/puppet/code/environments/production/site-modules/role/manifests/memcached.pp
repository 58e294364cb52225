# @summary A cache.
class role::memcached {
  include profile::memcached
}
