# The upstream provider with the passwords on standard input: as arguments they would show in the process list.
Puppet::Type.type(:rabbitmq_user).provide(
  :rabbitmqctl_stdin,
  parent: Puppet::Type.type(:rabbitmq_user).provider(:rabbitmqctl)
) do
  desc 'RabbitMQ users through rabbitmqctl, without a password among its arguments.'

  def create
    raise Puppet::Error, "rabbitmq_user #{resource[:name]} needs a password" if resource[:password].nil?

    with_password('add_user', resource[:password])
    rabbitmqctl('set_user_tags', resource[:name], *wanted_tags) unless wanted_tags.empty?
    @property_hash[:ensure] = :present
  end

  def password=(password)
    with_password('change_password', password)
  end

  def check_password(password)
    with_password('authenticate_user', password)
    true
  rescue Puppet::ExecutionFailure
    false
  end

  private

  def wanted_tags
    resource[:admin] == :true ? resource[:tags] + [admin_tag] : resource[:tags]
  end

  def with_password(subcommand, password)
    Tempfile.create('rabbitmq', '/run') do |input|
      input.puts(password)
      input.flush
      # rabbitmqctl's wrapper opens standard input only for exactly these two arguments; one more, and it waits forever.
      Puppet::Util::Execution.execute(
        ['/usr/bin/timeout', '60', command(:rabbitmqctl), subcommand, resource[:name]],
        failonfail: true, combine: true, stdinfile: input.path, custom_environment: { 'HOME' => '/tmp' }
      )
    end
  end
end
