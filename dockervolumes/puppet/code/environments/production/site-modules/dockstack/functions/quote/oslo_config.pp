# @summary A secret as the value of a setting that oslo.config reads, in a file of any service.
#
# oslo.config takes blanks from both ends, then one pair of quotes, and nothing of what is between these. There, `$` begins the name of
# another setting, but not after a backslash; `$$` would mean the same except where the secret itself has a backslash before it.
# Puppet's types for such files take blanks away, too, and write `True` for `true`; not so within quotes.
# https://docs.openstack.org/oslo.config/latest/configuration/format.html
#
# @param secret Any printable text.
function dockstack::quote::oslo_config(Sensitive[String[1]] $secret) >> String[1] {
  $escaped = regsubst($secret.unwrap, '\$', '\\\\$', 'G')
  "\"${escaped}\""
}
