# @summary What every container has.
class profile::base {
  class { 'dockstack::supervisor':
    stage => 'setup',
  }
}
