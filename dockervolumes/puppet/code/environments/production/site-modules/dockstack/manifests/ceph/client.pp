# @summary What every client of the lab's Ceph reads; dockstack::ceph::key is a client's own part.
#
# @param monitors Addresses of the monitors.
class dockstack::ceph::client (
  Array[Stdlib::IP::Address::V4::Nosubnet, 1] $monitors,
) {
  $mon_hosts = $monitors.map |$address| { "[v2:${address}:3300,v1:${address}:6789]" }

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
  }
}
