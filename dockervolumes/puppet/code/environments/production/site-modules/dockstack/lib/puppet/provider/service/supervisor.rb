# Service provider for containers whose PID 1 is supervisord, so that modules manage services unchanged.
#
# A service is a supervisord program of the same name. Its file is mounted, either under boot (starts with the container)
# or under available (enabled by a symbolic link). Commands that a manifest gives for other service managers (start, stop,
# restart, status) are not used.
Puppet::Type.type(:service).provide :supervisor, parent: :base do
  desc 'Programs of supervisord.'

  has_feature :enableable, :refreshable
  commands supervisorctl: '/usr/bin/supervisorctl'
  confine true: Puppet::FileSystem.exist?('/proc/1/comm') && Puppet::FileSystem.read('/proc/1/comm').include?('supervisord')
  defaultfor 'os.family' => :debian

  # Above the providers that name Debian's release.
  def self.specificity
    super + 1000
  end

  def self.instances
    []
  end

  def status
    settled_state == 'RUNNING' ? :running : :stopped
  end

  def start
    known = state
    take_up
    # supervisord has started by itself, with its own retries, what it has just learnt of.
    ask('start', program) if settled_state == 'STOPPED' || (known && settled_state != 'RUNNING')
    demand_running
  end

  def stop
    ask('stop', program)
  end

  def restart
    take_up
    ask('restart', program)
    demand_running
  end

  def enabled?
    [boot_file, enabled_link].any? { |path| File.exist?(path) } ? :true : :false
  end

  def enable
    return if enabled? == :true
    raise Puppet::Error, "there is no program file #{available_file}" unless File.exist?(available_file)

    FileUtils.rm_f(enabled_link)
    File.symlink(available_file, enabled_link)
  end

  def disable
    return unless File.symlink?(enabled_link)

    File.unlink(enabled_link)
    update
  end

  private

  def program
    @resource[:name].delete_suffix('.service')
  end

  def boot_file
    "/etc/dockstack/supervisor/boot/#{program}.conf"
  end

  def available_file
    "/etc/dockstack/supervisor/available/#{program}.conf"
  end

  def enabled_link
    "/etc/supervisor/enabled/#{program}.conf"
  end

  # supervisorctl's exit code also says "already started" or "not running": the states decide here.
  def ask(*arguments)
    Puppet::Util::Execution.execute([command(:supervisorctl), *arguments], failonfail: false, combine: true).to_s.strip
  end

  # The state, nil if supervisord doesn't know the program.
  def state
    answer = ask('status', program)
    return nil if answer.include?('no such process') || answer.include?('no such group')

    found = answer[/^#{Regexp.escape(program)}\s+([A-Z]+)\b/, 1]
    raise Puppet::Error, "supervisord gives no state of #{program}: #{answer}" unless found

    found
  end

  # Waits while supervisord starts the program, tries it again or stops it. The program's startsecs, startretries and
  # stopwaitsecs bound that; five minutes are more than any of ours needs.
  def settled_state
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 300
    loop do
      current = state
      return current unless ['STARTING', 'BACKOFF', 'STOPPING'].include?(current)
      return current if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep 0.5
    end
  end

  # Makes the program known, with its present file.
  def take_up
    enable
    update
  end

  def update
    answer = ask('reread')
    raise Puppet::Error, "supervisord cannot read its program files: #{answer}" if answer.include?('ERROR')

    ask('update', program) unless answer == 'No config updates to processes'
  end

  def demand_running
    reached = settled_state
    return if reached == 'RUNNING'

    raise Puppet::Error, "#{program} is #{reached || 'unknown to supervisord'}; its last lines:\n#{last_lines}"
  end

  def last_lines
    ['stdout', 'stderr'].flat_map { |stream| ask('tail', '-8000', program, stream).lines }
                        .reject { |line| line.include?('ERROR (no log file)') }
                        .last(20).join
  end
end
