require_relative '../keystone_api'

Puppet::Type.type(:keystone_endpoint).provide(:api, parent: Puppet::Provider::KeystoneApi) do
  desc "The endpoints of a service in a region, through Keystone's API: one resource for all its interfaces."

  defaultfor 'os.family' => :debian

  const_set(:INTERFACES, ['public', 'internal', 'admin'])

  # Endpoints of services that an earlier run made, as the parameters of their resources.
  def self.managed
    services = api.list('services').select { |service| self::MARK <= service }.to_h { |each| [each['id'], each] }
    api.list('endpoints').select { |endpoint| services.key?(endpoint['service_id']) }
       .map { |each| services[each['service_id']].slice('name', 'type').merge('region' => each['region_id']) }
       .uniq.map { |parameters| parameters.transform_keys(&:to_sym) }
  end

  self::INTERFACES.each do |interface|
    define_method("#{interface}_url") do
      found = endpoint(interface)
      next found['url'] if found

      resource["#{interface}_url"] == '' ? '' : :absent
    end
    define_method("#{interface}_url=") { |url| set(interface, url) }
  end

  def create
    self.class::INTERFACES.each do |interface|
      url = resource["#{interface}_url"]
      set(interface, url) if url
    end
  end

  def destroy
    endpoints.each { |endpoint| api.delete('endpoints', endpoint) }
  end

  def exists?
    !endpoints.empty?
  end

  def id
    endpoints.map { |endpoint| endpoint['id'] }.join(',')
  end

  def flush; end

  private

  def service
    api.find('services', 'name' => resource[:name], 'type' => resource[:type])
  end

  def endpoints
    return [] unless service

    api.list('endpoints').select do |endpoint|
      endpoint['service_id'] == service['id'] && endpoint['region_id'] == resource[:region]
    end
  end

  def endpoint(interface)
    endpoints.find { |endpoint| endpoint['interface'] == interface }
  end

  # An empty URL is upstream's way to say that there is no such interface.
  def set(interface, url)
    found = endpoint(interface)
    if url.empty?
      api.delete('endpoints', found) if found
    elsif found
      api.update('endpoints', found, 'url' => url)
    else
      add(interface, url)
    end
  end

  def add(interface, url)
    raise Puppet::Error, "Keystone has no service #{resource[:name]} of type #{resource[:type]}" unless service

    # By this older name of the attribute, Keystone makes the region where it is new.
    api.create(
      'endpoints',
      'service_id' => service['id'], 'interface' => interface, 'region' => resource[:region], 'url' => url
    )
  end
end
