# @summary What an API's uwsgi is told beside or against the file of Debian's package, as resources of a `*_uwsgi_config` type.
#
# A connection serves one request: a kept one would hold a thread of the few. haproxy keeps the clients' connections.
#
# @param port Port of the API.
function dockstack::uwsgi_settings(Stdlib::Port $port) >> Hash[String[1], Hash[String[1], Data]] {
  {
    'uwsgi/http-socket'         => { 'value' => ":${port}" },
    # Without a length, only the connection's end tells a client where the answer ends.
    'uwsgi/rem-header'          => { 'ensure' => 'absent' },
    'uwsgi/add-header'          => { 'value' => 'Connection: close' },
    # A client sends an upload of unknown length in pieces of its choice; Glance's own sends 1 MiB, a little too much for
    # what uwsgi takes by default.
    'uwsgi/chunked-input-limit' => { 'value' => 16777216 },
    # Longer than haproxy's, which tells the client when it gives up.
    'uwsgi/socket-timeout'      => { 'value' => 360 },
    # At its end, what has come in is answered, and what comes is refused: haproxy may ask somebody else.
    'uwsgi/hook-master-start'   => { 'value' => 'unix_signal:15 gracefully_kill_them_all' },
    'uwsgi/shutdown-sockets'    => { 'value' => true },
    # The program's command names what is served.
    'uwsgi/wsgi-file'           => { 'ensure' => 'absent' },
    # supervisord rotates what the program prints.
    'uwsgi/logto'               => { 'ensure' => 'absent' },
    'uwsgi/apparmor-profile'    => { 'ensure' => 'absent' },
    'uwsgi/plugins'             => { 'value' => 'python3' },
  }
}
