# Whether guests can run on KVM here: the device is there and answers, and the processor's own virtualisation is behind
# it. Machines of some clouds have a KVM of another kind (pvm), which takes prepared kernels only: other guests hang in
# their BIOS.
Facter.add(:dockstack_kvm) do
  confine { File.chardev?('/dev/kvm') }
  setcode do
    get_api_version = 0xAE00
    begin
      ['kvm_intel', 'kvm_amd'].any? { |driver| File.directory?("/sys/module/#{driver}") } &&
        File.open('/dev/kvm', 'r+') { |device| device.ioctl(get_api_version, 0) == 12 }
    rescue SystemCallError
      false
    end
  end
end
