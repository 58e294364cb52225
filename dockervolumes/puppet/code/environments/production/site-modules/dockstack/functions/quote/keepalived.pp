# @summary A secret as one word of keepalived's configuration.
#
# Unquoted, a word ends at a blank. Within quotes, nothing means anything but a quote, which no word can have.
# https://keepalived.readthedocs.io/en/latest/configuration_synopsis.html
#
# @param secret Text that components/configuration/readers.py lets through.
function dockstack::quote::keepalived(Sensitive[String[1]] $secret) >> String[1] {
  "\"${secret.unwrap}\""
}
