# @summary OpenSDN's control node: routes and names.
class role::control {
  include profile::control
}
