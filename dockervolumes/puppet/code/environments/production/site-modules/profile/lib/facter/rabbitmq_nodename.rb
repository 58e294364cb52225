# Takes the place of the upstream fact, which asks the broker and reports an error at each run that comes before its
# start.
Facter.add(:rabbitmq_nodename) do
  confine { File.readable?('/etc/rabbitmq/rabbitmq-env.conf') }
  setcode do
    File.read('/etc/rabbitmq/rabbitmq-env.conf')[/^RABBITMQ_NODENAME=(\S+)/, 1]
  end
end
