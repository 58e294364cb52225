require 'json'
require 'net/http'

module PuppetX; end
module PuppetX::Dockstack; end

# Keystone's API, spoken to on its own node as the administrator whose password the node has.
#
# One token and one listing of each kind serve a whole Puppet run: what the run changes is changed in the listing as
# well.
class PuppetX::Dockstack::Keystone
  SETTINGS = '/etc/keystone/bootstrap.json'.freeze
  HOST = '127.0.0.1'.freeze
  PORT = 5000
  DEFAULT_DOMAIN = 'default'.freeze
  SECONDS = 60
  # A member of the database that goes ends Keystone's sessions, which the next requests have again at another.
  PATIENCE_SECONDS = 30
  PAUSE_SECONDS = 1

  # An answer that is no success, with Keystone's own message.
  class Refusal < Puppet::Error
    attr_reader :status

    def initialize(status, message)
      super(message)
      @status = status
    end
  end

  def self.current
    @current ||= new
  end

  def initialize
    @listings = {}
  end

  # All records of a kind, e.g. users.
  def list(kind)
    @listings[kind] ||= call(Net::HTTP::Get, kind)[kind]
  end

  def find(kind, attributes)
    list(kind).find { |record| attributes.all? { |name, value| record[name] == value } }
  end

  def create(kind, attributes)
    record = call(Net::HTTP::Post, kind, kind.chomp('s') => attributes)[kind.chomp('s')]
    list(kind).push(record) unless list(kind).any? { |other| other['id'] == record['id'] }
    record
  end

  def update(kind, record, attributes)
    record.merge!(call(Net::HTTP::Patch, "#{kind}/#{record['id']}", kind.chomp('s') => attributes)[kind.chomp('s')])
  end

  def delete(kind, record)
    begin
      call(Net::HTTP::Delete, "#{kind}/#{record['id']}")
    rescue Refusal => e
      raise unless e.status == 404
    end
    list(kind).delete(record)
  end

  def assign(target, user, role)
    call(Net::HTTP::Put, "#{target}/users/#{user['id']}/roles/#{role['id']}")
  end

  def withdraw(target, user, role)
    call(Net::HTTP::Delete, "#{target}/users/#{user['id']}/roles/#{role['id']}")
  end

  # Whether a user may log in with a password.
  def authenticates?(user, password)
    log_in({ 'id' => user['id'], 'password' => password })
    true
  rescue Refusal => e
    raise unless e.status == 401

    false
  end

  private

  def call(method, path, body = nil)
    request = method.new("/v3/#{path}", 'X-Auth-Token' => token)
    answer = exchange(request, body)
    answer.body.to_s.empty? ? {} : JSON.parse(answer.body)
  end

  def token
    @token ||= log_in(
      { 'name' => 'admin', 'domain' => { 'id' => DEFAULT_DOMAIN },
        'password' => JSON.parse(File.read(SETTINGS)).fetch('password') },
      'system' => { 'all' => true }
    )
  end

  def log_in(user, scope = 'unscoped')
    identity = { 'methods' => ['password'], 'password' => { 'user' => user } }
    request = Net::HTTP::Post.new('/v3/auth/tokens?nocatalog')
    exchange(request, 'auth' => { 'identity' => identity, 'scope' => scope })['X-Subject-Token']
  end

  def exchange(request, body)
    if body
      request.content_type = 'application/json'
      request.body = JSON.generate(body)
    end
    deadline = now + PATIENCE_SECONDS
    loop do
      # No proxy, whatever the environment says.
      timeouts = { open_timeout: SECONDS, read_timeout: SECONDS }
      answer = Net::HTTP.start(HOST, PORT, nil, **timeouts) { |http| http.request(request) }
      return answer if answer.is_a?(Net::HTTPSuccess)

      unless answer.is_a?(Net::HTTPServerError) && now < deadline
        told = "Keystone refused #{request.method} #{request.path}: #{reason(answer, body)}"
        raise Refusal.new(answer.code.to_i, told)
      end
      sleep PAUSE_SECONDS
    end
  rescue SystemCallError, IOError, Timeout::Error => e
    raise Puppet::Error, "Keystone does not answer #{request.method} #{request.path}: #{e.message}"
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  # Keystone's message, without the passwords that it may quote from the request.
  def reason(answer, body)
    message = begin
      JSON.parse(answer.body).dig('error', 'message')
    rescue JSON::ParserError, TypeError, NoMethodError
      nil
    end
    told = "#{answer.code} #{message || answer.message}"
    passwords(body).reduce(told) { |text, secret| text.gsub(secret, '[redacted]') }
  end

  def passwords(body)
    return [] unless body.is_a?(Hash)

    body.flat_map { |key, value| key == 'password' && value.is_a?(String) ? [value] : passwords(value) }
  end
end
