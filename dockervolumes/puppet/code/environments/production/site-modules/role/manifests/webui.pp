# @summary OpenSDN's web console.
class role::webui {
  include profile::webui
}
