require_relative '../keystone_api'

Puppet::Type.type(:keystone_service).provide(:api, parent: Puppet::Provider::KeystoneApi) do
  desc "The services of Keystone's catalogue, through its API."

  defaultfor 'os.family' => :debian

  const_set(:KIND, 'services')

  # Services that an earlier run made, as the parameters of their resources.
  def self.managed
    api.list('services').select { |service| self::MARK <= service }
       .map { |service| { name: service['name'], type: service['type'] } }
  end

  def create
    api.create('services', self.class::MARK.merge(given(:name, :type, :description)))
  end

  # Keystone deletes the endpoints of a service with it.
  def destroy
    gone = id
    super
    api.list('endpoints').reject! { |endpoint| endpoint['service_id'] == gone }
  end

  def description
    record['description'].to_s
  end

  def description=(value)
    @changes['description'] = value
  end

  private

  def record
    api.find('services', 'name' => resource[:name], 'type' => resource[:type])
  end
end
