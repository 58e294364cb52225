# @summary The key of a client of the lab's Ceph, where its programs look for it by its name.
#
# @param secret Secret that the key is made from.
# @param group Group that may read it.
# @param user Name of the client, without `client.`.
define dockstack::ceph::key (
  Sensitive[String[1]] $secret,
  String[1] $group,
  String[1] $user = $title,
) {
  $key = dockstack::cephx_key("client.${user}", $secret)

  file { "/etc/ceph/ceph.client.${user}.keyring":
    ensure    => file,
    owner     => 'root',
    group     => $group,
    mode      => '0640',
    show_diff => false,
    content   => Sensitive("[client.${user}]\n\tkey = ${key.unwrap}\n"),
  }
}
