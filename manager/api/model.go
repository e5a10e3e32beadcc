package api

import "maps"

// Patterns of AWS's model.
const (
	functionNamePattern = `(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`
	arnPattern          = `arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)`
	destinationPattern  = `$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|` + arnPattern
	kmsKeyPattern       = `(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()`
	tagPattern          = `([\p{L}\p{Z}\p{N}_.:/=+\-@]*)`
	pollerGroupPattern  = `[a-zA-Z0-9-_]*`
	resourcePattern     = `arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|(capacity-provider|network-connector):[a-zA-Z0-9-_]{1,64})`
)

// Shapes of the API. Where esm accepts more than AWS does (several topics, topic patterns, IPv6 servers, more than ten
// servers, any group name, secrets that are not ARNs, ten filters), the shape only checks the type, and esm.Mapping's
// validation checks the rest.
var (
	anyText           = &shape{kind: "string"}
	boolean           = &shape{kind: "boolean"}
	uuidShape         = text(36, 36, "")
	functionNameShape = text(1, 256, functionNamePattern)
	arnShape          = text(0, 10_000, arnPattern)
	maxItemsShape     = integer(1, 10_000)
	resourceShape     = text(1, 10_000, resourcePattern)
	tagKeyShape       = text(1, 128, tagPattern)
	tagsShape         = &shape{kind: "map", key: tagKeyShape, element: text(0, 256, tagPattern)}
	tagShape          = &shape{kind: "structure", required: []string{"Tags"}, members: map[string]*shape{"Tags": tagsShape}}
	destinationShape  = structure(map[string]*shape{"Destination": text(0, 350, destinationPattern)})

	sourceAccessShape = structure(map[string]*shape{
		"Type": oneOf("BASIC_AUTH", "VPC_SUBNET", "VPC_SECURITY_GROUP", "SASL_SCRAM_512_AUTH", "SASL_SCRAM_256_AUTH", "VIRTUAL_HOST", "CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE",
			"OAUTHBEARER_AUTH", "OAUTHBEARER_SCOPE", "OAUTHBEARER_AUDIENCE", "OAUTHBEARER_LOGICAL_CLUSTER", "OAUTHBEARER_IDENTITY_POOL", "IAM_AUTH", "IAM_OAUTHBEARER_AUTH"),
		"URI": anyText,
	})
	schemaRegistryShape = structure(map[string]*shape{
		"SchemaRegistryURI": text(1, 10_000, `[a-zA-Z0-9-\/*:_+=.@-]*`),
		"EventRecordFormat": oneOf("JSON", "SOURCE"),
		"AccessConfigs": list(structure(map[string]*shape{
			"Type": oneOf("BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE", "OAUTHBEARER_AUTH"), "URI": anyText,
		}), 0),
		"SchemaValidationConfigs": list(structure(map[string]*shape{"Attribute": oneOf("KEY", "VALUE")}), 0),
	})

	// updateMembers are the parameters of UpdateEventSourceMapping for a self-managed cluster.
	updateMembers = map[string]*shape{
		"FunctionName":                   functionNameShape,
		"Enabled":                        boolean,
		"BatchSize":                      integer(1, 10_000),
		"FilterCriteria":                 structure(map[string]*shape{"Filters": list(structure(map[string]*shape{"Pattern": text(0, 4096, "")}), 0)}),
		"KMSKeyArn":                      text(0, 10_000, kmsKeyPattern),
		"MetricsConfig":                  structure(map[string]*shape{"Metrics": list(oneOf("EventCount", "ErrorCount", "KafkaMetrics"), 3)}),
		"LoggingConfig":                  structure(map[string]*shape{"SystemLogLevel": oneOf("DEBUG", "INFO", "WARN")}),
		"MaximumBatchingWindowInSeconds": integer(0, 300),
		"DestinationConfig":              structure(map[string]*shape{"OnSuccess": destinationShape, "OnFailure": destinationShape}),
		"MaximumRecordAgeInSeconds":      integer(-1, 604_800),
		"BisectBatchOnFunctionError":     boolean,
		"MaximumRetryAttempts":           integer(-1, 10_000),
		"SourceAccessConfigurations":     list(sourceAccessShape, 23),
		"FunctionResponseTypes":          list(oneOf("ReportBatchItemFailures"), 1),
		"SelfManagedKafkaEventSourceConfig": structure(map[string]*shape{
			"ConsumerGroupId": anyText, "ConsumptionMode": oneOf("Stream", "Queue"), "SchemaRegistryConfig": schemaRegistryShape,
		}),
		"ProvisionedPollerConfig": structure(map[string]*shape{
			"MinimumPollers": integer(1, 200), "MaximumPollers": integer(1, 10_000), "PollerGroupName": text(0, 128, pollerGroupPattern),
		}),
	}
	updateShape = structure(updateMembers)
	createShape = &shape{kind: "structure", required: []string{"FunctionName"}, members: createMembers()}
)

// createMembers returns the parameters of CreateEventSourceMapping: those of an update, and those that cannot be
// updated.
func createMembers() map[string]*shape {
	members := maps.Clone(updateMembers)
	members["SelfManagedEventSource"] = structure(map[string]*shape{
		"Endpoints": {kind: "map", key: oneOf("KAFKA_BOOTSTRAP_SERVERS"), element: list(anyText, 0)},
	})
	members["Topics"] = list(anyText, 0)
	members["StartingPosition"] = oneOf("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON") // in the order in which AWS lists them
	members["StartingPositionTimestamp"] = &shape{kind: "timestamp"}
	members["Tags"] = tagsShape
	return members
}
