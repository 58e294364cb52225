require 'net/http'
require 'socket'

module PuppetX; end
module PuppetX::Dockstack; end

# The container's supervisord, by the interface that its command line client speaks too; starting that client takes
# longer than all that a run asks. http://supervisord.org/api.html
module PuppetX::Dockstack::Supervisor
  SOCKET = '/run/supervisor.sock'.freeze
  # How long a program may take to end: longer than any stopwaitsecs.
  SECONDS = 300
  ALREADY_STARTED = 60
  NOT_RUNNING = 70
  # supervisord is at work on a program in one of these states, and leaves it by itself.
  TRANSIENT = ['STARTING', 'BACKOFF', 'STOPPING'].freeze

  # HTTP over supervisord's socket.
  class Connection < Net::HTTP
    private

    def connect
      @socket = Net::BufferedIO.new(UNIXSocket.new(SOCKET), read_timeout: read_timeout)
    end
  end

  module_function

  # State by program.
  def states
    call('getAllProcessInfo').to_h { |program| [program['name'], program['statename']] }
  end

  # The programs that have come, whose file has changed and that have gone since supervisord began to follow its files.
  def changes
    call('reloadConfig').first
  end

  # Has supervisord follow its files: starts what has come, starts anew what has changed, ends what has gone. With names
  # given, it sees to these alone.
  def follow(*names)
    added, changed, removed = changes.map { |found| names.empty? ? found : found & names }
    (removed + changed).each do |name|
      call('stopProcessGroup', name)
      call('removeProcessGroup', name)
    end
    (added + changed).each { |name| call('addProcessGroup', name) }
  end

  # Has a program started, and doesn't wait until it counts as running.
  def start(name)
    call('startProcess', name, false, tolerated: ALREADY_STARTED)
  end

  # Ends a program and waits for its end.
  def stop(name)
    call('stopProcess', name, tolerated: NOT_RUNNING)
  end

  # The states of these programs as soon as supervisord is done with them. Their startsecs, startretries and
  # stopwaitsecs bound that; five minutes are more than any of ours needs.
  def final_states(names)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 300
    loop do
      found = states.slice(*names)
      return found if found.values.none? { |state| TRANSIENT.include?(state) }
      return found if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep 0.3
    end
  end

  def last_lines(name)
    call('tailProcessStdoutLog', name, 0, 8000).first.lines.last(20).join
  end

  def call(method, *arguments, tolerated: nil)
    # The server loads this file too, and has no such library.
    require 'xmlrpc/client'

    request = Net::HTTP::Post.new('/RPC2', 'Content-Type' => 'text/xml')
    request.body = XMLRPC::Create.new.methodCall("supervisor.#{method}", *arguments)
    answer = Connection.start('localhost', nil, nil, read_timeout: SECONDS) { |http| http.request(request) }
    # Raises what tells of an answer that is no success.
    answer.value
    understood, result = XMLRPC::XMLParser::REXMLStreamParser.new.parseMethodResponse(answer.body)
    return result if understood
    return nil if result.faultCode == tolerated

    raise Puppet::Error, "supervisord refused #{[method, *arguments].join(' ')}: #{result.faultString}"
  rescue SystemCallError, IOError, Timeout::Error, Net::ProtocolError => e
    raise Puppet::Error, "supervisord does not answer #{method}: #{e.message}"
  end
end
