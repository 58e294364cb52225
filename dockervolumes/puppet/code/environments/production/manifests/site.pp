# What has to be in place before anything else of a catalog.
stage { 'setup':
  before => Stage['main'],
}
# The end of a catalog: its services run.
stage { 'running':
  require => Stage['main'],
}

node default {
  $role = $trusted['extensions']['pp_role']
  unless $role {
    fail("${trusted['certname']} has no role: its certificate carries no pp_role")
  }
  include "role::${role}"
  class { 'dockstack::running':
    stage => 'running',
  }
}
