require_relative '../../puppet_x/dockstack/keystone'

# Base of the providers that speak to Keystone's API themselves. Upstream's start the command line client for each
# question, which takes seconds every time.
#
# A provider names its kind (KIND, a collection of the API) and finds its record; the properties are read from that, and
# changes of several are sent as one.
class Puppet::Provider::KeystoneApi < Puppet::Provider
  # Kept with users and services: what an earlier run made can be told from what somebody else did.
  MARK = { 'managed_by' => 'puppet' }.freeze
  BOOLEANS = { true => :true, false => :false }.freeze

  def self.api
    PuppetX::Dockstack::Keystone.current
  end

  # What upstream's types ask a provider class for, to name the resources that they require.
  def self.resource_to_name(domain, name, check_for_default = true)
    check_for_default && domain == 'Default' ? name : "#{name}::#{domain}"
  end

  # Makes getter and setter of a property that is one attribute of the record.
  def self.attribute(name, given: :itself.to_proc, read: :itself.to_proc)
    define_method(name) do
      value = record && record[name.to_s]
      value.nil? ? :absent : read.call(value)
    end
    define_method("#{name}=") { |value| @changes[name.to_s] = given.call(value) }
  end

  def self.boolean(name)
    attribute(name, given: ->(value) { value == :true }, read: ->(value) { BOOLEANS.fetch(value) })
  end

  def initialize(value = {})
    super
    @changes = {}
  end

  def exists?
    !record.nil?
  end

  def id
    record ? record['id'] : :absent
  end

  def destroy
    api.delete(self.class::KIND, record)
  end

  def flush
    api.update(self.class::KIND, record, @changes) unless @changes.empty?
  ensure
    @changes = {}
  end

  private

  def api
    self.class.api
  end

  # The listing's own entry, so that it is never older than the last change.
  def record
    raise Puppet::DevError, "#{self.class} doesn't say how its record is found"
  end

  # The ID of a domain, nil if there is none of that name.
  def domain_id(name)
    (api.find('domains', 'name' => name) || {})['id']
  end

  def demand_domain_id(name)
    domain_id(name) || raise(Puppet::Error, "Keystone has no domain #{name}")
  end

  # The properties of the resource that are given, as attributes of the record.
  def given(*names)
    names.reject { |name| resource[name].nil? }.to_h { |name| [name.to_s, resource[name]] }
  end
end
