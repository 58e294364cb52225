require 'base64'
require 'openssl'

# Makes the cephx key of a client from a secret, so that whoever has the secret knows the key.
#
# A key is base64 of its type (1, AES) and the time of its making (seconds and nanoseconds; none here), each in
# little-endian order, the length of the secret part and its 16 bytes: CryptoKey::encode in Ceph's src/auth/Crypto.h.
Puppet::Functions.create_function(:'dockstack::cephx_key') do
  # @param entity The client, e.g. `client.cinder`; another client gets another key from the same secret.
  # @param secret Any text.
  # @return The key.
  dispatch :key do
    param 'String[1]', :entity
    param 'Sensitive[String[1]]', :secret
    return_type 'Sensitive[String[1]]'
  end

  def key(entity, secret)
    bytes = OpenSSL::HMAC.digest('SHA256', secret.unwrap, "cephx #{entity}")[0, 16]
    encoded = Base64.strict_encode64([1, 0, 0, bytes.bytesize].pack('vVVv') + bytes)
    Puppet::Pops::Types::PSensitiveType::Sensitive.new(encoded)
  end
end
