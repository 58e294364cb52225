// Package shim makes the upstream provider's internal constructor reachable: its module path puts it inside upstream's.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// NewProvider returns the upstream provider.
func NewProvider() *schema.Provider { return provider.New("dev")() }
