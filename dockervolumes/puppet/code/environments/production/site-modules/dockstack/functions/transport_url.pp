# @summary The URL of the message brokers, as `default_transport_url`.
#
# Several brokers are a cluster, where all queues are quorum queues. A queue's type can't change, so these are in a virtual host of
# their own: those that a single broker had are of the other type, and have the same names.
#
# @param hosts Host names of the brokers.
# @param password Password of the RabbitMQ user openstack.
function dockstack::transport_url(
  Array[Stdlib::Fqdn, 1] $hosts,
  Sensitive[String[1]] $password,
) >> String[1] {
  $virtual_host = $hosts.length ? {
    1       => {},
    default => { 'virtual_host' => 'quorum' },
  }
  os_transport_url({
    'transport' => 'rabbit',
    'hosts'     => $hosts,
    'port'      => 5672,
    'username'  => 'openstack',
    'password'  => $password.unwrap,
  } + $virtual_host)
}
