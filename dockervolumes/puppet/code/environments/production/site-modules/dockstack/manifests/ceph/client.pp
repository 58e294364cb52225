# @summary What a client of the lab's Ceph reads: its configuration, and its key.
#
# @param monitors Addresses of the monitors.
# @param user Name of the client, without `client.`.
# @param secret Secret that its key is made from.
# @param group Group that may read the key.
class dockstack::ceph::client (
  Array[Stdlib::IP::Address::V4::Nosubnet, 1] $monitors,
  String[1] $user,
  Sensitive[String[1]] $secret,
  String[1] $group,
) {
  $mon_hosts = $monitors.map |$address| { "[v2:${address}:3300,v1:${address}:6789]" }
  $key = dockstack::cephx_key("client.${user}", $secret)

  file {
    default:
      ensure => file,
      owner  => 'root';
    '/etc/ceph':
      ensure => directory,
      group  => 'root',
      mode   => '0755';
    # Without the last two, a client that has lost the OSD asks again only after 10 s. A command line gives up by itself,
    # where it would wait five minutes for a monitor.
    '/etc/ceph/ceph.conf':
      group   => 'root',
      mode    => '0644',
      content => @("CONF"),
        [global]
        mon_host = ${mon_hosts.join(',')}
        auth_client_required = cephx
        log_to_stderr = false
        err_to_stderr = true

        [client]
        client_mount_timeout = 30
        objecter_tick_interval = 1
        objecter_timeout = 2
        | CONF
      ;
    "/etc/ceph/ceph.client.${user}.keyring":
      group     => $group,
      mode      => '0640',
      show_diff => false,
      content   => Sensitive("[client.${user}]\n\tkey = ${key.unwrap}\n"),
      ;
  }
}
