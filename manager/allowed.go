package manager

import (
	"errors"
	"fmt"
	"strings"

	"github.com/esm-go/esm"
)

// Allowed lists what mappings may refer to, as patterns in which * matches any characters. A nil list allows
// everything, an empty one nothing.
type Allowed struct {
	// Servers are the allowed bootstrap servers, host:port.
	Servers []string
	// Secrets are the allowed URIs of SourceAccessConfigurations and of a schema registry's AccessConfigs. Entries for
	// networks (VPC_…) are not secrets.
	Secrets []string
	// Destinations are the allowed on-failure destinations.
	Destinations []string
	// Registries are the allowed URIs of schema registries.
	Registries []string
}

// check returns an error for each parameter of a mapping that is not allowed.
func (a Allowed) check(m esm.Mapping) error {
	var errs []error
	refuse := func(list []string, field, value string, shown bool) {
		if value == "" || list == nil {
			return
		}
		for _, pattern := range list {
			if glob(pattern, value) {
				return
			}
		}
		e := &esm.FieldError{Field: field, Reason: "is not allowed here: it is not on this service's allow-list; ask its operator"}
		if shown { // a user may have put a secret where its name belongs
			e.Value = value
		}
		errs = append(errs, e)
	}
	for i, server := range m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers {
		refuse(a.Servers, fmt.Sprintf("SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS[%d]", i), server, true)
	}
	for i, c := range m.SourceAccessConfigurations {
		if !strings.HasPrefix(string(c.Type), "VPC_") {
			refuse(a.Secrets, fmt.Sprintf("SourceAccessConfigurations[%d].URI", i), c.URI, false)
		}
	}
	if d := m.DestinationConfig; d != nil && d.OnFailure != nil {
		refuse(a.Destinations, "DestinationConfig.OnFailure.Destination", d.OnFailure.Destination, true)
	}
	if c := m.SelfManagedKafkaEventSourceConfig; c != nil && c.SchemaRegistryConfig != nil {
		const path = "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig."
		refuse(a.Registries, path+"SchemaRegistryURI", c.SchemaRegistryConfig.SchemaRegistryURI, true)
		for i, access := range c.SchemaRegistryConfig.AccessConfigs {
			refuse(a.Secrets, fmt.Sprintf(path+"AccessConfigs[%d].URI", i), access.URI, false)
		}
	}
	return errors.Join(errs...)
}

// glob reports whether text matches a pattern in which * matches any characters, or none.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	if last == 0 {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1:last] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[last])
}
