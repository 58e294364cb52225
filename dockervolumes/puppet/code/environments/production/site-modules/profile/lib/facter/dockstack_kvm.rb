# Whether guests can run on KVM here: the device is there, answers, and gives a virtual machine.
Facter.add(:dockstack_kvm) do
  confine { File.chardev?('/dev/kvm') }
  setcode do
    get_api_version = 0xAE00
    create_vm = 0xAE01
    begin
      File.open('/dev/kvm', 'r+') do |device|
        device.ioctl(get_api_version, 0) == 12 && IO.for_fd(device.ioctl(create_vm, 0)).close.nil?
      end
    rescue SystemCallError
      false
    end
  end
end
