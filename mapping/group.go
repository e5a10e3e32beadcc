package mapping

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// The consumption modes.
const (
	modeStream = "Stream"
	modeQueue  = "Queue"
)

// uriPattern is AWS's pattern for secret URIs and for group names.
var uriPattern = regexp.MustCompile(`^[ a-zA-Z0-9\-/*:_+=.@]*$`)

func (m Mapping) checkGroup(c *checker) {
	const path = "SelfManagedKafkaEventSourceConfig."
	const group = path + "ConsumerGroupId"
	if m.GroupID() == "" {
		c.refuse(group, nil, "is required without FunctionName and UUID, from which the group's name is taken otherwise; "+
			"set one of the three, the same in every process that shares the work")
	}
	config := m.SelfManagedKafkaEventSourceConfig
	if config == nil {
		return
	}
	if id := config.ConsumerGroupId; id != "" {
		if c.strict {
			if c.length(group, id, 1, 200) && !uriPattern.MatchString(id) {
				c.refuse(group, id, "AWS allows letters, digits, spaces and - / * : _ + = . @")
			}
		} else {
			c.length(group, id, 1, maxGroupID)
		}
	}
	if config.ConsumptionMode != "" {
		c.oneOf(path+"ConsumptionMode", config.ConsumptionMode, modeStream, modeQueue)
	}
	m.checkSchemaRegistry(c, path+"SchemaRegistryConfig", config.SchemaRegistryConfig)
}

// maxGroupID is our own limit: Kafka's only limit is that of its strings, 32,767 bytes.
const maxGroupID = 1000

func (m Mapping) checkSchemaRegistry(c *checker, path string, config *SchemaRegistryConfig) {
	if config == nil {
		return
	}
	m.provisionedOnly(c, path)
	const maxURI = 10_000
	field := path + ".SchemaRegistryURI"
	parsed, err := url.Parse(config.SchemaRegistryURI)
	switch {
	case config.SchemaRegistryURI == "":
		c.refuse(field, nil, "is required: the registry's ARN (Glue) or URL (Confluent)")
	case err == nil && parsed.User != nil:
		c.refuse(field, nil, "has a user or a password; put them into a secret and name it in AccessConfigs")
	case err != nil || !schemaRegistryURI.MatchString(config.SchemaRegistryURI):
		// The value is not shown, because it may hold a password.
		c.refuse(field, nil, "must be an ARN (arn:…) or a URL (https://…) of letters, digits and - / * : _ + = . @")
	default:
		c.length(field, config.SchemaRegistryURI, 1, maxURI)
	}
	c.oneOf(path+".EventRecordFormat", config.EventRecordFormat, "JSON", "SOURCE")
	if len(config.AccessConfigs) > 2 {
		c.refuse(path+".AccessConfigs", len(config.AccessConfigs), "has more than two elements")
	}
	if strings.HasPrefix(config.SchemaRegistryURI, "arn:") && len(config.AccessConfigs) > 0 {
		c.refuse(path+".AccessConfigs", len(config.AccessConfigs), "a Glue registry takes the caller's own AWS credentials; leave it out")
	}
	for i, access := range config.AccessConfigs {
		field := fmt.Sprintf("%s.AccessConfigs[%d]", path, i)
		c.oneOf(field+".Type", string(access.Type), registryAccessTypes...)
		checkSecretURI(c, field+".URI", access.URI)
	}
	attributes := make([]string, len(config.SchemaValidationConfigs))
	for i, v := range config.SchemaValidationConfigs {
		field := fmt.Sprintf("%s.SchemaValidationConfigs[%d].Attribute", path, i)
		c.oneOf(field, v.Attribute, "KEY", "VALUE")
		if slices.Contains(attributes[:i], v.Attribute) {
			c.refuse(field, v.Attribute, "is given twice")
		}
		attributes[i] = v.Attribute
	}
}

var schemaRegistryURI = regexp.MustCompile(`^(arn:|https?://)[a-zA-Z0-9\-/*:_+=.@]+$`)

// registryAccessTypes are the ways to authenticate to a Confluent registry.
var registryAccessTypes = []string{"BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE", "OAUTHBEARER_AUTH"}
