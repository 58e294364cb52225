# @summary OpenSDN's configuration: its API, and what makes the rest of it.
class role::config {
  include profile::config
}
