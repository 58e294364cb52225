variable "cloud" {
  description = "Cloud of clouds.yaml, called like the lab's stack"
  type        = string
  default     = "lab"
}

variable "name" {
  description = "What all that is made is called"
  type        = string
  default     = "terraform"
}

variable "cidr" {
  description = "Subnet of the guest's network"
  type        = string
  default     = "192.168.10.0/24"
}

variable "outside" {
  description = "Network of the floating addresses"
  type        = string
  default     = "provider"
}

variable "image" {
  description = "Image of the guest; the demo's"
  type        = string
  default     = "guest"
}

variable "flavor" {
  description = "Flavor of the guest; the demo's"
  type        = string
  default     = "tiny"
}

variable "public_key" {
  description = "File with the public key that logs in to the guest; the demo's"
  type        = string
  default     = "/var/lib/dockstack/stacks/lab/demo-key.pub"
}
