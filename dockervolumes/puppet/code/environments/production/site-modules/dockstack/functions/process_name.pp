# @summary A program's name in those of its queues, as a setting of uwsgi's for `dockstack::uwsgi_settings`.
#
# Where there are several brokers, queues are called after host and program, so that a program that was started again has those that
# it had. By itself, every API of a container would be called uwsgi, and take the others' answers.
#
# @param name Name of the program.
# @param hosts Host names of the brokers.
function dockstack::process_name(String[1] $name, Array[Stdlib::Fqdn, 1] $hosts) >> Hash[String[1], Hash[String[1], Data]] {
  $hosts.length ? {
    1       => {},
    default => { 'uwsgi/env' => { 'value' => "OS_OSLO_MESSAGING_RABBIT__PROCESSNAME=${name}" } },
  }
}
