require_relative '../../puppet_x/dockstack/supervisor'

Puppet::Type.newtype(:supervisor_programs) do
  desc "The container's programs, all at once: what holds for each by itself is said by its service."

  newparam(:name, namevar: true) do
    desc 'Any name.'
  end

  newproperty(:files) do
    desc <<~DESC
      That supervisord follows the program files there are: programs are started, started anew or ended as their files have
      come, changed or gone.
    DESC
    newvalue(:followed) { PuppetX::Dockstack::Supervisor.follow }

    def retrieve
      @found = PuppetX::Dockstack::Supervisor.changes.flatten
      @found.empty? ? :followed : :changed
    end

    def change_to_s(_changed, _followed)
      "followed the files of #{@found.join(', ')}"
    end
  end

  newproperty(:services) do
    desc <<~DESC
      That the catalog's services run. supervisord is waited for while it starts them; one that doesn't run then is an
      error.
    DESC
    newvalue(:running) { raise Puppet::Error, resource.account_of(@broken) }

    def retrieve
      @broken = resource.broken_services
      @broken.empty? ? :running : :broken
    end
  end

  # State by program, of services that should run and don't.
  def broken_services
    wanted = catalog.resources.select { |resource| resource.type == :service && resource.should(:ensure) == :running }
                    .map { |service| service.provider.program }
    states = PuppetX::Dockstack::Supervisor.final_states(wanted)
    wanted.to_h { |name| [name, states[name]] }.reject { |_, state| state == 'RUNNING' }
  end

  def account_of(broken)
    broken.map { |name, state|
      lines = state ? "; its last lines:\n#{PuppetX::Dockstack::Supervisor.last_lines(name)}" : ''
      "#{name} is #{state || 'unknown to supervisord'}#{lines}"
    }.join("\n")
  end
end
